"""The first screen of a report: how good, on whom, what goes wrong."""

import numpy as np
import pytest
from factories import FAST, predictions

from brain_tumor.evaluation.evidence import evidence
from brain_tumor.evaluation.explain.gallery import Examples
from brain_tumor.evaluation.report.first_screen import findings, headline, one_per_class, sample_images, tiles
from brain_tumor.evaluation.report.run_page import write_run_page

FACTS = {"seconds": {}, "hardware": {}, "versions": {}, "git_sha": None, "seed": 0, "command": "c"}
BASELINE = {"name": "1-NN", "test": {"f1_macro": 0.404, "accuracy": 0.41}}


def table(wrong=0):
    """Ten images of each of four classes, of which the first ``wrong`` of the first are taken for the healthy one."""
    labels = np.repeat(np.arange(4), 10)
    predicted = labels.copy()
    predicted[:wrong] = 2
    return predictions(labels, 0.6 * np.eye(4)[predicted] + 0.1, groups=[f"p{n // 2}" for n in range(40)])


@pytest.fixture(scope="module")
def results():
    return {**evidence({"test": table(wrong=3)}, FAST), "baseline": BASELINE}


def test_the_headline_says_how_good_and_on_whom(results):
    patients = {"data": {"patients": 20, "groups": 20}}
    estimate = results["test"]["f1_macro"]
    interval = f"[{estimate['ci_low']:.3f}, {estimate['ci_high']:.3f}]"
    score = f"Macro-F1 {estimate['value']:.3f} {interval} on 40 test images"

    assert headline(results, patients) == f"{score} of 20 patients; the 1-NN baseline reaches 0.404."
    assert headline({**results, "baseline": None}, {}) == f"{score} in 20 groups."


def test_tiles_have_an_interval_and_a_baseline(results):
    shown = {tile.name: tile for tile in tiles(results)}

    assert 3 <= len(shown) <= 5
    assert shown["Macro-F1"].reference == "1-NN baseline 0.404"
    assert shown["Accuracy"].value == "0.925"
    assert all(tile.interval.startswith("95 % CI [") for tile in shown.values())


def test_findings_count_the_errors_of_the_worst_class(results):
    first, second = findings(results, table(wrong=3))

    assert first.startswith(
        "The class glioma is recognised worst: 3 of 10 images are predicted as another class, 3 of them as no_tumor"
    )
    assert second.startswith("3 of 30 tumour images are missed")


def test_without_errors_that_is_the_finding():
    right = table()

    assert findings(evidence({"test": right}, FAST), right) == ["No test image is classified wrongly."]


def test_the_worst_subgroup_and_the_map_are_told(results):
    estimate = {"value": 0.25, "ci_low": 0.1, "ci_high": 0.5, "n": 8}
    subgroup = {"attribute": "plane", "value": "axial", "images": 8, "groups": 4, "accuracy": estimate}
    located = {**results["test"], "localization/pointing": estimate, "localization/dice": estimate}

    found = findings({**results, "test": located, "subgroups": [subgroup]}, table(wrong=3))

    assert "Accuracy is lowest where the plane is axial: 0.250 [0.100, 0.500] on 8 images in 4 groups" in found[0]
    assert "The heat map points beside the tumour in 6 of 8 images (75 %)" in found[1]


def test_a_warning_is_the_first_finding_and_no_note(results, tmp_path):
    worse = {**results, "baseline": {"name": "1-NN", "test": {"f1_macro": 0.99, "accuracy": 0.99}}}
    warning = (
        "This model does not beat the 1-NN baseline (macro-F1 "
        f"{results['test']['f1_macro']['value']:.3f} against 0.990 on test): copying the nearest image is as good."
    )

    write_run_page(
        tmp_path / "r.html", worse, {}, FACTS, table(wrong=3), title="t", notes=["These are phantoms.", warning]
    )

    page = (tmp_path / "r.html").read_text()
    assert page.count(warning) == 1
    assert page.index("These are phantoms.") < page.index("What goes wrong") < page.index(warning)
    assert page.index(warning) < page.index(">Contents</h2>")


def test_samples_are_drawn_with_map_and_outlines():
    rows = np.array([0, 1, 10])
    images, maps = np.full((3, 32, 32), 90, np.uint8), np.zeros((3, 32, 32), np.float32)
    mask = np.zeros((3, 32, 32), bool)
    mask[0, 8:16, 8:16] = True

    samples = sample_images(Examples(table(wrong=1), rows, images, maps, mask, mask))

    assert [(sample.label, sample.prediction, sample.right) for sample in samples] == [
        ("glioma", "no_tumor", False),
        ("glioma", "glioma", True),
        ("meningioma", "meningioma", True),
    ]
    assert [sample.overlay == sample.src for sample in samples] == [False, True, True]  # without map and mask: no lines
    assert one_per_class(samples) == [samples[0], samples[2]]
