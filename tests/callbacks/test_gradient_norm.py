import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from brain_tumor.callbacks.gradient_norm import GradientNorm


class Line(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.norms = []

    def training_step(self, batch):
        return self.layer(batch[0]).square().mean() * 100

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        self.norms.append(torch.cat([p.grad.flatten() for p in self.parameters()]).norm().item())
        self.clip_gradients(optimizer, gradient_clip_val=gradient_clip_val)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


class Memory(CSVLogger):
    def __init__(self, folder):
        super().__init__(folder)
        self.seen = {}

    def log_metrics(self, metrics, step=None):
        if "train/grad_norm" in metrics:
            self.seen[step] = metrics["train/grad_norm"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_norms_before_clipping_every_few_steps(accumulate, tmp_path, monkeypatch):
    computed = []
    monkeypatch.setattr(
        "brain_tumor.callbacks.gradient_norm.get_total_norm",
        lambda gradients: computed.append(1) or nn.utils.get_total_norm(gradients),
    )
    torch.manual_seed(0)
    model, logger = Line(), Memory(tmp_path)
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=2, log_every_n_steps=3, gradient_clip_val=0.1, logger=logger,
        callbacks=[GradientNorm()], enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        accumulate_grad_batches=accumulate,
    )  # fmt: skip
    trainer.fit(model, DataLoader(TensorDataset(torch.randn(24, 3)), batch_size=2))

    steps = [step for step in range(len(model.norms)) if (step + 1) % 3 == 0]
    assert logger.seen == pytest.approx({step: model.norms[step] for step in steps})
    assert min(logger.seen.values()) > 0.1  # not the clipped ones
    assert len(computed) == len(steps)
