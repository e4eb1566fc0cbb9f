import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score
from test_metrics import NAMES, predictions

from brain_tumor.evaluation import figures
from brain_tumor.evaluation.report import write_report
from brain_tumor.evaluation.results import results_document
from brain_tumor.evaluation.summary import results_table

EPOCHS = pd.DataFrame(
    {"epoch": [0, 1, 2], "train/loss": [1.2, 0.8, 0.5], "val/loss": [1.1, 0.7, 0.9], "val/f1_macro": [0.4, 0.8, 0.7]}
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 80)
    return predictions(labels, rng.dirichlet(np.ones(4), 80) * 0.6 + 0.4 * np.eye(4)[labels])


@pytest.fixture(scope="module")
def results(table):
    floor = {"name": "1-NN", **{split: {"f1_macro": 0.4321, "accuracy": 0.5} for split in ("val", "test")}}
    return {**results_document({"val": table, "test": table}, resamples=20), "floor": floor}


def texts(figure):
    axes = figure.axes[0]
    legend = axes.get_legend()
    return [text.get_text() for text in (legend.get_texts() if legend else axes.texts)]


def test_curves_say_what_scikit_learn_says(table):
    tumour, score = table.labels != 2, 1 - table.probabilities[:, 2]

    roc, pr = texts(figures.roc_curves(table)), texts(figures.pr_curves(table))

    assert f"any tumour: AUROC {roc_auc_score(tumour, score):.3f}" in roc
    assert f"any tumour: AP {average_precision_score(tumour, score):.3f}" in pr
    assert len(roc) == len(pr) == 5


def test_classes_without_images_have_no_curve():
    table = predictions(np.array([0, 1, 0, 1]), np.eye(4)[[0, 1, 1, 1]])

    assert [text.split(":")[0] for text in texts(figures.roc_curves(table))] == ["glioma", "meningioma"]


def test_confusion_matrix_shows_counts_and_shares(table):
    shown = texts(figures.confusion_matrix(table))

    assert len(shown) == 16
    assert sum(int(text.split()[0]) for text in shown) == 80
    assert all(text.endswith("%") for text in shown)


def test_loss_curves_mark_the_best_epoch():
    assert "0.800 in epoch 2" in figures.loss_curves(EPOCHS).axes[1].get_title()


def test_figures_are_written_whole(tmp_path):
    figures.save_figure(figures.loss_curves(EPOCHS), tmp_path / "loss.png")

    with Image.open(tmp_path / "loss.png") as figure:
        assert figure.width > 800
    assert [path.name for path in tmp_path.iterdir()] == ["loss.png"]


def test_report_stands_alone_and_says_what_matters(tmp_path, table, results):
    figures.save_figure(figures.roc_curves(table), tmp_path / "roc.png")
    write_report(
        tmp_path / "report.html",
        title="CNN on <scans>",
        results=results,
        figures={"ROC curves": tmp_path / "roc.png"},
        facts={"Data": {"found": "80"}},
        notes=["7 images leak"],
        command="brain-tumor train a=b",
    )

    page = (tmp_path / "report.html").read_text()

    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|<script", page)
    assert page.count("not a medical device") == 2
    for text in ("CNN on &lt;scans&gt;", "0.432", "7 images leak", "brain-tumor train a=b", *NAMES):
        assert text in page
    value = results["test"]["f1_macro"]
    shown = f"<span>{value['value']:.3f}</span> <span>[{value['ci_low']:.3f}, {value['ci_high']:.3f}]</span>"
    assert shown in page


def test_table_fits_a_terminal(results):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(results_table(results))

    shown = console.export_text()
    assert "…" not in shown
    assert "1-NN floor" in shown
    assert f"{results['test']['detection/auroc']['value']:.3f}" in shown
    console.file.close()


def test_binary_tables_without_a_healthy_class_are_shown_too(tmp_path):
    table = predictions(np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]], names=("a", "b"))
    floor = {"name": "1-NN", "val": {"f1_macro": 0.5}, "test": {"f1_macro": 0.5}}
    results = {**results_document({"val": table, "test": table}, resamples=5), "floor": floor}

    write_report(tmp_path / "r.html", title="t", results=results, figures={}, facts={}, notes=[], command="c")

    assert "Detection AUROC" not in (tmp_path / "r.html").read_text()
    assert results_table(results).row_count == 9
