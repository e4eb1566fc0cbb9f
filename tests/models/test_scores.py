import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from brain_tumor.models.validation_scores import ValidationScores


@pytest.fixture
def predicted():
    rng = np.random.default_rng(0)
    return (
        torch.arange(97),
        torch.from_numpy(rng.integers(0, 4, 97)),
        torch.from_numpy(rng.normal(size=(97, 4))).float(),
    )


def compute(rows, labels, logits, batches):
    scores = ValidationScores(4)
    for batch in batches:
        scores.update(rows[batch], labels[batch], logits[batch])
    return {name: score.item() for name, score in scores.compute().items()}


def test_agrees_with_scikit_learn(predicted):
    _, labels, logits = predicted
    probabilities = logits.double().softmax(dim=1)
    probabilities /= probabilities.sum(dim=1, keepdim=True)
    told = probabilities.argmax(dim=1)

    scores = compute(*predicted, [slice(0, 50), slice(50, 97)])

    assert scores["loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-5)
    assert scores["accuracy"] == pytest.approx(accuracy_score(labels, told))
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, told))
    assert scores["f1_macro"] == pytest.approx(f1_score(labels, told, average="macro"))
    assert scores["auroc"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"), rel=1e-5)


def test_order_and_repeats_change_no_bit(predicted):
    dealt = [slice(50, 97), slice(0, 50), slice(30, 60)]

    assert compute(*predicted, dealt) == compute(*predicted, [slice(0, 97)])
