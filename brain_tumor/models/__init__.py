"""Networks, losses, optimizers, schedules and the LightningModule that trains them; no files, no splits."""
