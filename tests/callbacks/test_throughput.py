import time

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from brain_tumor.callbacks.throughput import Throughput


class Sleeper(LightningModule):
    """Trains for 20 ms a batch."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch):
        time.sleep(0.02)
        return self.layer(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class SlowData(TensorDataset):
    """Takes 10 ms an item."""

    def __getitem__(self, index):
        time.sleep(0.01)
        return super().__getitem__(index)


@pytest.mark.slow  # a time holds only on a machine that does nothing else
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_rate_and_wait_are_those_of_a_known_training(tmp_path):
    throughput = Throughput()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[throughput], enable_model_summary=False,
        default_root_dir=tmp_path, **quiet,
    )  # fmt: skip

    trainer.fit(Sleeper(), DataLoader(SlowData(torch.ones(16, 1)), batch_size=4))

    assert throughput.facts["data_wait"] == pytest.approx(40 / 60, abs=0.15)
    assert 16 / 0.24 * 0.4 < throughput.facts["samples_per_second"] <= 16 / 0.24
    assert trainer.callback_metrics["speed/data_wait"].item() == pytest.approx(40 / 60, abs=0.15)


def test_without_an_epoch_there_are_no_facts():
    assert Throughput().facts == {}
