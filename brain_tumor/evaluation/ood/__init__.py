"""Detection of out-of-distribution (OOD) images; serving imports `detector` only, which needs no more than numpy."""
