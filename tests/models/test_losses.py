import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn.functional import one_hot

from brain_tumor.errors import ConfigError
from brain_tumor.models.losses import CrossEntropy, Focal

LOGITS = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGET = torch.arange(20) % 3
WEIGHTS = [0.5, 1.0, 2.0]


def test_cross_entropy_equals_scikit_learn():
    p = LOGITS.softmax(dim=1).numpy()

    assert CrossEntropy()(LOGITS, TARGET).item() == pytest.approx(log_loss(TARGET, p))
    sample_weight = np.array(WEIGHTS)[TARGET]
    weighted = CrossEntropy(class_weights=WEIGHTS).double()(LOGITS, TARGET)
    assert weighted.item() == pytest.approx(log_loss(TARGET, p, sample_weight=sample_weight), rel=1e-6)


def test_smoothing_by_hand():
    target = 0.9 * one_hot(TARGET, 3) + 0.1 / 3

    expected = -(target * LOGITS.log_softmax(dim=1)).sum(dim=1).mean()

    torch.testing.assert_close(CrossEntropy(smoothing=0.1)(LOGITS, TARGET), expected)


def test_focal_by_hand():
    p = LOGITS.softmax(dim=1)[torch.arange(20), TARGET]

    torch.testing.assert_close(Focal(gamma=2)(LOGITS, TARGET), ((1 - p) ** 2 * -p.log()).mean())
    weighted = torch.tensor(WEIGHTS, dtype=torch.float64)[TARGET] * -p.log()
    torch.testing.assert_close(Focal(gamma=0, class_weights=WEIGHTS).double()(LOGITS, TARGET), weighted.mean())


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal()])
def test_one_hot_targets_equal_class_indices(loss):
    torch.testing.assert_close(loss(LOGITS, one_hot(TARGET, 3).double()), loss(LOGITS, TARGET))


@pytest.mark.parametrize("loss", [CrossEntropy(class_weights=WEIGHTS), Focal(class_weights=WEIGHTS)])
def test_weights_are_not_saved(loss):
    assert not loss.state_dict()


def test_focal_gradient_is_finite_at_probability_one():
    logits = torch.tensor([[30.0, 0.0, 0.0]], requires_grad=True)
    Focal(gamma=0.5)(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("build", [lambda: CrossEntropy(smoothing=1.0), lambda: Focal(gamma=-1.0)])
def test_losses_out_of_range(build):
    with pytest.raises(ConfigError, match=r"Invalid .*: expected"):
        build()
