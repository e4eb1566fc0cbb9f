"""From batches to logits: backbones, losses, optimisation and the LightningModule."""
