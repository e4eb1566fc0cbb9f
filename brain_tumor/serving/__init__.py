"""Bundles of trained models, engines that run them, and the predictor; needs no Lightning, no Hydra and no wandb."""
