from types import SimpleNamespace

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LambdaCallback, ModelCheckpoint
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from brain_tumor.callbacks.epoch_table import EpochTable
from brain_tumor.callbacks.freezing import Freezing
from brain_tumor.errors import BrainTumorError, ConfigError
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.features import features_and_logits
from brain_tumor.models.losses import CrossEntropy
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.optim import parameter_groups
from brain_tumor.models.protocol import steps_below_head
from brain_tumor.models.schedules import warmup_cosine
from brain_tumor.models.small_cnn import SmallCNN

CLASSES = ("a", "b", "c")


def constant(optimizer, steps):
    return {"scheduler": torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0), "interval": "epoch"}


def cosine(optimizer, steps):
    return {"scheduler": warmup_cosine(optimizer, steps), "interval": "step"}


def cut_at_once(optimizer, steps):
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.1)
    return {"scheduler": plateau, "interval": "epoch", "monitor": "val/loss"}


def classifier(scheduler=constant, lr=1e-3, **options):
    torch.manual_seed(0)
    options = {"mixing": Mixing(3), "recipe": {"model": {"widths": [8, 8, 8]}}} | options

    def adamw(network):
        return torch.optim.AdamW(parameter_groups(network, lr, weight_decay=0.1), fused=True)

    return Classifier(SmallCNN(3, widths=(8, 8, 8)), CLASSES, CrossEntropy(), adamw, scheduler, **options)


def loader(n=13, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(n, 1, 32, 32, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(n) % 3, torch.arange(n)), batch_size=5)


def trainer(tmp_path, *callbacks, epochs=2, **options):
    return L.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, num_sanity_val_steps=0,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks), **options,
    )  # fmt: skip


class TestClassifier:
    def test_validation_metrics_equal_scikit_learn(self, tmp_path):
        model, data = classifier(), loader()

        metrics = trainer(tmp_path).validate(model, data, verbose=False)[0]

        images, labels = data.dataset.tensors[0], data.dataset.tensors[1].numpy()
        p = model.eval()(images).softmax(dim=1).detach().numpy()
        assert metrics == pytest.approx(
            {
                "val/loss": log_loss(labels, p),
                "val/f1_macro": f1_score(labels, p.argmax(1), average="macro", zero_division=0),
                "val/accuracy": accuracy_score(labels, p.argmax(1)),
                "val/balanced_accuracy": balanced_accuracy_score(labels, p.argmax(1)),
                "val/auroc": roc_auc_score(labels, p, multi_class="ovr"),
            },
            abs=1e-5,
        )

    def test_prediction_yields_rows_logits_and_features(self, tmp_path):
        model, data = classifier(), loader()

        batches = trainer(tmp_path).predict(model, data)

        rows, logits, features = (torch.cat(parts) for parts in zip(*batches, strict=True))
        np.testing.assert_array_equal(rows, np.arange(13))
        torch.testing.assert_close(logits, model.eval()(data.dataset.tensors[0]), atol=1e-5, rtol=1e-4)
        expected, _ = features_and_logits(model.network, data.dataset.tensors[0])
        torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-4)

    def test_checkpoints_load_with_weights_only(self, tmp_path):
        keep = ModelCheckpoint(tmp_path, filename="best", monitor="val/f1_macro", mode="max", save_last=True)
        trainer(tmp_path, keep, EMAWeightAveraging(decay=0.5)).fit(classifier(cosine), loader(), loader(seed=1))

        for name in ("best.ckpt", "last.ckpt"):
            checkpoint = torch.load(tmp_path / name, weights_only=True)
            assert checkpoint["hyper_parameters"] == {"classes": list(CLASSES), "model": {"widths": [8, 8, 8]}}

    def test_same_seed_same_weights(self, tmp_path):
        hashes = set()
        for _ in range(2):
            model = classifier(cosine, mixing=Mixing(3, mixup=0.2, cutmix=1.0))
            trainer(tmp_path).fit(model, loader(), loader())
            hashes.add(b"".join(value.numpy().tobytes() for value in model.state_dict().values()))

        assert len(hashes) == 1

    def test_a_nan_loss_stops_training_with_advice(self, tmp_path):
        model = classifier()
        with torch.no_grad():
            model.network.head.bias[0] = torch.nan

        with pytest.raises(BrainTumorError, match=r"became nan in epoch 0: training diverged\. Lower optimizer\.lr"):
            trainer(tmp_path).fit(model, loader(), loader())

    def test_plateau_watches_the_monitored_metric(self, tmp_path):
        """The rate is 0, so the loss never improves: each epoch after the first cuts it."""
        model = classifier(cut_at_once, lr=0.0, monitor="val/loss")
        run = trainer(tmp_path, epochs=3)
        run.fit(model, loader(), loader())

        assert run.lr_scheduler_configs[0].monitor == "val/loss"
        assert run.lr_scheduler_configs[0].scheduler.best == pytest.approx(
            run.callback_metrics["val/loss"].item(), rel=0.2
        )

    def test_epoch_table_has_one_row_per_epoch(self, tmp_path, caplog):

        caplog.set_level("INFO")
        run = trainer(tmp_path, EpochTable(tmp_path / "metrics.csv"), epochs=3)
        run.fit(classifier(cosine), loader(), loader())

        table = pd.read_csv(tmp_path / "metrics.csv")
        assert table["epoch"].tolist() == [0, 1, 2]
        assert table["step"].tolist() == [3, 6, 9]
        assert table[["lr", "train/loss", "val/loss", "val/f1_macro"]].notna().all(axis=None)
        assert table["val/loss"].iloc[-1] == pytest.approx(run.callback_metrics["val/loss"].item())
        assert "Epoch 3 of 3: train/loss" in caplog.text


class Norms(Callback):
    """Norm of all gradients before and after clipping, of each step."""

    def __init__(self):
        self.before, self.after = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.before.append(self.norm(pl_module))

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.after.append(self.norm(pl_module))

    def norm(self, module):
        return torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).norm().item()


class TestClipping:
    @pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
    def test_with_fused_optimizers(self, precision, tmp_path):
        norms = Norms()
        trainer(tmp_path, norms, precision=precision, gradient_clip_val=0.1).fit(classifier(), loader(), loader())

        assert min(norms.before) > 0.1
        assert norms.after == pytest.approx([0.1] * len(norms.after), rel=1e-3)

    def test_by_value(self, tmp_path):
        largest = []
        callback = LambdaCallback(
            on_train_batch_end=lambda _, module, *__: largest.append(
                max(parameter.grad.abs().max().item() for parameter in module.parameters())
            )
        )

        trainer(tmp_path, callback, gradient_clip_val=0.01, gradient_clip_algorithm="value").fit(
            classifier(), loader(), loader()
        )

        assert largest == pytest.approx([0.01] * len(largest))

    def test_is_off_by_default(self, tmp_path):
        norms = Norms()
        trainer(tmp_path, norms).fit(classifier(), loader(), loader())

        assert norms.after == norms.before

    def test_sharded_gradients_are_clipped_by_fsdp(self):
        """Only FSDP knows the norm over all ranks."""
        max_norms, model = [], classifier()
        wrapped = SimpleNamespace(clip_grad_norm_=max_norms.append)
        model._trainer = SimpleNamespace(strategy=SimpleNamespace(model=wrapped))

        model.configure_gradient_clipping(None, 0.5)

        assert max_norms == [0.5]


class Reads(TorchDispatchMode):
    """Counts how often a tensor's value is read on the host, which waits for a GPU."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("mixup", "reads_per_step"), [(0.0, 0), (0.2, 2)])
def test_training_steps_do_not_wait_for_the_device(mixup, reads_per_step, tmp_path):
    """Three more steps read no value more, except mixup's two draws, which are made on the host."""
    counts = []
    for n in (15, 30):
        with Reads() as reads:
            run = trainer(tmp_path, epochs=1, gradient_clip_val=1.0, limit_val_batches=0, log_every_n_steps=100)
            run.fit(classifier(cosine, mixing=Mixing(3, mixup=mixup)), loader(n), loader())
        counts.append(reads.count)

    assert counts[1] - counts[0] == 3 * reads_per_step


@pytest.mark.long
def test_compiled_steps_give_the_same_loss(tmp_path):
    losses, names = [], []
    for mode in (None, "default"):
        model = classifier(compile_mode=mode)
        run = trainer(tmp_path)
        run.fit(model, loader(15), loader(15))
        losses.append(run.callback_metrics["val/loss"].item())
        names.append(list(model.state_dict()))

    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert names[0] == names[1]


class TestFreezing:
    def train(self, tmp_path, epochs, **options):
        """Parameters and running statistics that changed."""
        model = classifier(lr=0.01)
        before = {name: value.clone() for name, value in model.network.state_dict().items()}
        trainer(tmp_path, Freezing(**options), epochs=epochs).fit(model, loader(), loader())
        return {name for name, value in model.network.state_dict().items() if not torch.equal(value, before[name])}

    def test_backbone_and_its_running_statistics_do_not_change(self, tmp_path):
        assert self.train(tmp_path, epochs=2) == {"head.weight", "head.bias"}

    def test_stages_are_unfrozen_from_the_head_down(self, tmp_path):
        steps = steps_below_head(SmallCNN(3, widths=(8, 8, 8)))
        for epochs in (1, 2, 3):
            changed = self.train(tmp_path, epochs=epochs, epochs_per_stage=1)
            assert changed & set(steps) == {name for name, step in steps.items() if step < epochs}
            assert any("running_mean" in name for name in changed) == (epochs > 1)
            assert not any(name.startswith("stem") for name in changed)

    def test_epochs_per_stage_below_one(self):
        with pytest.raises(ConfigError, match="1 or more"):
            Freezing(epochs_per_stage=0)
