import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from brain_tumor.callbacks import throughput
from brain_tumor.callbacks.throughput import Throughput


class Clock:
    """A clock that work moves, instead of time."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class Worker(LightningModule):
    """Trains for 20 ms per batch."""

    def __init__(self, clock):
        super().__init__()
        self.layer, self.clock = torch.nn.Linear(1, 1), clock

    def training_step(self, batch):
        self.clock.now += 0.02
        return self.layer(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class SlowData(TensorDataset):
    """Takes 10 ms per item."""

    def __init__(self, clock, *tensors):
        super().__init__(*tensors)
        self.clock = clock

    def __getitem__(self, index):
        self.clock.now += 0.01
        return super().__getitem__(index)


@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_rate_and_wait_are_those_of_a_known_training(tmp_path, monkeypatch):
    clock, callback = Clock(), Throughput()
    monkeypatch.setattr(throughput, "time", clock)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[callback], enable_model_summary=False,
        default_root_dir=tmp_path, **quiet,
    )  # fmt: skip

    trainer.fit(Worker(clock), DataLoader(SlowData(clock, torch.ones(16, 1)), batch_size=4))

    assert callback.facts["samples_per_second"] == pytest.approx(16 / (0.16 + 0.08), rel=1e-3)
    assert callback.facts["data_wait"] == pytest.approx(0.16 / 0.24, abs=1e-3)
    assert trainer.callback_metrics["speed/data_wait"].item() == pytest.approx(callback.facts["data_wait"], abs=1e-3)


def test_without_an_epoch_there_are_no_facts():
    assert Throughput().facts == {}
