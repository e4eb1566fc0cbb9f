"""Fields in words: no page shows a name of ``results.json``."""

import pytest
from factories import random_predictions

from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.report.names import fact_name, in_sentence, metric_name, short_name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("f1_macro", "Macro-F1"),
        ("val/f1_macro", "Macro-F1 (validation)"),
        ("test/detection/auroc", "Detection AUROC, tumour or not (test)"),
        ("f1/glioma", "F1: glioma"),
        ("a_plugin_s/metric_name", "A plugin s: metric name"),
    ],
)
def test_metrics_in_words(name, words):
    assert metric_name(name) == words


def test_every_metric_has_words():
    table = random_predictions(20, 0)

    for name in metric_values(table, (table.labels >= 0)[None].astype(float)):
        words = metric_name(name)
        assert words != name
        assert "_" not in words.partition(": ")[0]
        assert "/" not in words


def test_short_names_facts_and_sentences():
    assert short_name("auroc") == "AUROC"
    assert fact_name("image_size") == "Image size"
    assert fact_name("lr") == "Learning rate"
    assert [in_sentence(label) for label in ("Macro-F1", "AUROC", "F1")] == ["macro-F1", "AUROC", "F1"]
