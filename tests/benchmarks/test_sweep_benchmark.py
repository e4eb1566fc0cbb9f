"""What a sweep costs beside its jobs."""

import pytest
import sweep_overhead


@pytest.mark.slow
def test_a_job_of_a_sweep_costs_little_beside_itself():
    measured = sweep_overhead.measure(8)
    print(measured)
    assert measured["overhead_of_a_further_job_s"] <= 1.5
    assert measured["overhead_a_job_s"] <= 3  # start of Python and imports included, on a machine that may be busy
