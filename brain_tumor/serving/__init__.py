"""What leaves the lab: bundles of one model each, engines that run them, and the predictor in front."""
