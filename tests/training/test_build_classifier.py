"""Losses, optimizers and schedules of torch and timm, built from the configuration without a wrapper."""

import pytest
import torch
from factories import TINY
from omegaconf import OmegaConf

from brain_tumor.config.compose import compose
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.training.build_classifier import build_loss, optimizer_builder, schedule_builder

LR = "torch.optim.lr_scheduler"


def configuration(*overrides):
    return compose([*TINY, "trainer.precision=32-true", "trainer.max_epochs=7", *overrides])


def optimizer(*overrides):
    network = SmallCNN(2, widths=(8, 8))
    return optimizer_builder(configuration(*overrides), network)(network)


def schedule(*overrides, steps=40):
    return schedule_builder(configuration(*overrides))(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 1.0), steps)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("optimizer._target_=torch.optim.Adamax", torch.optim.Adamax),
        ("optimizer._target_=torch.optim.Rprop", torch.optim.Rprop),  # has no weight decay
        ("optimizer=adamw", torch.optim.AdamW),
        ("optimizer=sgd", torch.optim.SGD),
    ],
)
def test_optimizers_get_our_parameter_groups(target, kind):
    built = optimizer(target, "optimizer.lr=0.5", "optimizer.layer_decay=0.5")

    assert type(built) is kind
    assert {group["lr"] for group in built.param_groups} == {0.5, 0.25, 0.125, 0.0625}


def test_an_optimizer_without_a_learning_rate_takes_the_networks():
    cfg = configuration()
    OmegaConf.set_struct(cfg, False)
    cfg.optimizer = {"_target_": "torch.optim.RAdam"}  # as a user's own optimizer/mine.yaml
    network = SmallCNN(2, widths=(8, 8))

    assert optimizer_builder(cfg, network)(network).param_groups[0]["lr"] == network.suggested_lr


def test_updates_are_fused_where_the_optimizer_can():
    assert optimizer("optimizer=adamw").defaults["fused"] is True
    assert not optimizer("optimizer=adamw", "trainer.precision=16-mixed").defaults["fused"]
    assert "fused" not in optimizer("optimizer=timm", "optimizer.name=lion").defaults


@pytest.mark.parametrize(
    ("overrides", "name", "length"),
    [
        ([f"scheduler._target_={LR}.CosineAnnealingLR"], "T_max", 7),
        ([f"scheduler._target_={LR}.CosineAnnealingLR", "scheduler.interval=step"], "T_max", 40),
        ([f"scheduler._target_={LR}.CosineAnnealingLR", "scheduler.T_max=3"], "T_max", 3),
        ([f"scheduler._target_={LR}.OneCycleLR", "scheduler.max_lr=2", "scheduler.interval=step"], "total_steps", 40),
    ],
)
def test_a_schedule_gets_the_length_of_the_training(overrides, name, length):
    built = schedule(*overrides)

    assert getattr(built["scheduler"], name) == length
    assert built["interval"] == ("step" if "scheduler.interval=step" in overrides else "epoch")


def test_a_plateau_reads_the_metric_after_each_validation():
    built = schedule("scheduler=plateau", "trainer.check_val_every_n_epoch=2")

    assert (built["scheduler"].mode, built["monitor"], built["frequency"]) == ("max", "val/f1_macro", 2)


def test_another_schedules_mode_is_left_alone():
    bounds = ["scheduler.base_lr=0.1", "scheduler.max_lr=1", "scheduler.cycle_momentum=false"]

    assert schedule(f"scheduler._target_={LR}.CyclicLR", *bounds)["scheduler"].mode == "triangular"


@pytest.mark.parametrize(
    "target", ["brain_tumor.models.losses.Focal", "torch.nn.CrossEntropyLoss", "torch.nn.functional.cross_entropy"]
)
def test_losses_get_class_weights_under_their_own_name(target):
    cfg = configuration(f"loss._target_={target}")
    logits, labels = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])

    plain, weighted = (build_loss(cfg, 2, weights)(logits, labels) for weights in (None, [3.0, 1.0]))

    assert weighted > plain  # the first image is wrong, and of the class that weighs more
