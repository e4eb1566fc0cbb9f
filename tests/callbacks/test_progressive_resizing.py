import pytest
from factories import CENTRES
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback

from brain_tumor.callbacks.progressive_resizing import ProgressiveResizing
from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError
from brain_tumor.train import train
from brain_tumor.training import build as assemble
from brain_tumor.training.build_classifier import build_classifier


def test_sides_of_a_training():
    sides = [ProgressiveResizing(start=0.5, until=0.6).side(epoch, 10, 128) for epoch in range(10)]

    assert sides == [64, 80, 80, 96, 112, 112, 128, 128, 128, 128]


@given(st.integers(1, 60), st.integers(32, 512), st.floats(0.05, 1), st.floats(0.05, 1))
def test_sides_grow_to_the_full_one(epochs, full, start, until):
    callback = ProgressiveResizing(start, until)
    sides = [callback.side(epoch, epochs, full) for epoch in range(epochs + 1)]

    assert sides == sorted(sides)
    assert sides[-1] == full
    assert all(side % 16 == 0 or side == full for side in sides)
    assert min(sides) >= 16


class Seen(Callback):
    def __init__(self):
        self.trained, self.validated = [], set()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.trained.append(tuple(batch[0].shape[1:]))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.add(tuple(batch[0].shape[1:]))


SMALL = ["data.image_size=64", "data.num_workers=0", "trainer.precision=32-true", "trainer.max_epochs=3"]
GROW = ["callbacks=[progressive_resizing]", "callbacks.progressive_resizing.until=0.7"]


def test_training_sees_them_and_validation_does_not(flat_folder, tmp_path):
    options = ["data=folder", f"data.root={flat_folder}", *SMALL, *GROW, "data.batch_size=32"]
    cfg = compose([*options, "model.widths=[8,8]"], tmp_path)
    datamodule = assemble.build_datamodule(cfg)
    datamodule.load()
    trainer = assemble.build_trainer(cfg, [])
    seen = Seen()
    trainer.callbacks.append(seen)
    trainer.fit(build_classifier(cfg, datamodule), datamodule)

    assert seen.trained == [(1, 32, 32), (1, 48, 48), (1, 64, 64)]
    assert seen.validated == {(1, 64, 64)}


@pytest.mark.parametrize(
    "model", [["model=reference_cnn", "data.image_size=96"], ["model=swin_tiny", "model.pretrained=false"]]
)
def test_networks_of_one_size_are_refused(model, flat_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"needs a network that takes images of \d+ px beside"):
        train(["data=folder", f"data.root={flat_folder}", *SMALL, *GROW, *model], tmp_path)


@pytest.mark.parametrize("wrong", [{"start": 0.0}, {"until": 1.5}])
def test_shares_out_of_range(wrong):
    with pytest.raises(ConfigError, match="a share above 0, up to 1"):
        ProgressiveResizing(**wrong)


@pytest.mark.slow
def test_it_ends_like_any_training(flat_folder, tmp_path):
    run = train(["data=folder", f"data.root={flat_folder}", *SMALL, *GROW, "scheduler=one_cycle"], tmp_path)

    assert set(run.results["n"]["test"]["per_class"]) == set(CENTRES)
