"""The metrics that training logs on validation data equal those of scikit-learn and of the evaluation."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.models.classifier import ValidationScores


class TestValidationScores:
    @pytest.fixture
    def predicted(self):
        rng = np.random.default_rng(0)
        return (
            torch.arange(97),
            torch.from_numpy(rng.integers(0, 4, 97)),
            torch.from_numpy(rng.normal(size=(97, 4))).float(),
        )

    def compute(self, rows, labels, logits, batches):
        scores = ValidationScores(4)
        for batch in batches:
            scores.update(rows[batch], labels[batch], logits[batch])
        return {name: score.item() for name, score in scores.compute().items()}

    def test_equal_scikit_learn(self, predicted):
        _, labels, logits = predicted
        probabilities = logits.double().softmax(dim=1)
        probabilities /= probabilities.sum(dim=1, keepdim=True)
        classes = probabilities.argmax(dim=1)

        scores = self.compute(*predicted, [slice(0, 50), slice(50, 97)])

        assert scores["loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-5)
        assert scores["accuracy"] == pytest.approx(accuracy_score(labels, classes))
        assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, classes))
        assert scores["f1_macro"] == pytest.approx(f1_score(labels, classes, average="macro"))
        assert scores["auroc"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"), rel=1e-5)

    @pytest.mark.parametrize("absent", [(), (2,), (0, 3)])
    def test_equal_the_evaluation_where_classes_are_absent(self, predicted, absent):
        rows, labels, logits = predicted
        for label in absent:
            labels = torch.where(labels == label, 1, labels)
        names = [f"class{number}" for number in range(4)]
        table = pd.DataFrame(logits.double().softmax(dim=1), columns=[f"p_{name}" for name in names])
        table = table.assign(sample_id=rows.numpy().astype(str), label=np.array(names)[labels])
        expected = metric_values(Predictions.from_frame(table), np.ones((1, len(rows))))

        scores = self.compute(rows, labels, logits, [slice(0, 97)])

        for name in ("f1_macro", "accuracy", "balanced_accuracy", "auroc"):
            assert scores[name] == pytest.approx(expected[name][0], rel=1e-5), name

    def test_order_and_repeats_change_no_bit(self, predicted):
        distributed = [slice(50, 97), slice(0, 50), slice(30, 60)]

        assert self.compute(*predicted, distributed) == self.compute(*predicted, [slice(0, 97)])
