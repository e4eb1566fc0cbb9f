"""How others train: timm's own loop and a plain Lightning template, with their loaders and their habits."""

import time
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.utils import AverageMeter
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from torchvision import datasets, transforms

WORKERS = 2
"""One a core; timm's own default is 4."""


def timm_rates(network: nn.Module, root: Path, size: int, batch: int, epochs: int) -> list[float]:
    """Images per second of each epoch of timm's ``train.py`` at its defaults (crops, flips, colour jitter, SGD)."""
    loader = create_loader(
        create_dataset("", str(root), is_training=True), size, batch, is_training=True, num_workers=WORKERS,
        interpolation="random", device=torch.device("cpu"), use_prefetcher=False,
    )  # fmt: skip
    optimizer = create_optimizer_v2(network, opt="sgd", lr=0.01, momentum=0.9, weight_decay=2e-5)
    loss_of, network = nn.CrossEntropyLoss(), network.train()
    rates = []
    for _ in range(epochs):
        meter, started = AverageMeter(), time.perf_counter()
        for images, labels in loader:
            loss = loss_of(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            meter.update(loss.item(), len(images))
        rates.append(meter.count / (time.perf_counter() - started))
    return rates


class Template(L.LightningModule):
    """What a tutorial writes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.accuracy = network, MulticlassAccuracy(4)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Loss and accuracy, logged in each step."""
        logits = self.network(batch[0])
        loss = nn.functional.cross_entropy(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", self.accuracy(logits, batch[1]), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Stopwatch(Callback):
    """Images per second of each epoch."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start."""
        self._images, self._started = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: list[Tensor], batch_idx: int
    ) -> None:
        """Count."""
        self._images += len(batch[0])
        if batch_idx + 1 == trainer.num_training_batches:
            self.rates.append(self._images / (time.perf_counter() - self._started))


def template_rates(network: nn.Module, root: Path, size: int, batch: int, epochs: int) -> list[float]:
    """Images per second of each epoch of a plain Lightning training on colour images that Pillow decodes."""
    augmented = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(15),
            transforms.ColorJitter(0.1, 0.1),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    loader = DataLoader(
        datasets.ImageFolder(str(root), augmented), batch, shuffle=True, drop_last=True, num_workers=WORKERS,
        persistent_workers=True,
    )  # fmt: skip
    watch = Stopwatch()
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[watch], logger=False, enable_progress_bar=False,
        enable_checkpointing=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Template(network), loader)
    return watch.rates
