import numpy as np
import pandas as pd
import pytest
from factories import predictions
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.metrics.probability import ece
from brain_tumor.evaluation.report import plots as figures

EPOCHS = pd.DataFrame(
    {"epoch": [0, 1, 2], "train/loss": [1.2, 0.8, 0.5], "val/loss": [1.1, 0.7, 0.9], "val/f1_macro": [0.4, 0.8, 0.7]}
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 80)
    return predictions(labels, rng.dirichlet(np.ones(4), 80) * 0.6 + 0.4 * np.eye(4)[labels])


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


def test_figures_for_a_paper(table, tmp_path):
    options = figures.FigureFormats(["svg", "pdf"], dpi=300)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        figures.save_figure(figures.roc_curves(table), tmp_path / folder / "roc.png", options)

    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab")
    assert set(first) == {"roc.png", "roc.pdf", "roc.svg"}
    assert first == second  # no date, no random ids
    with Image.open(tmp_path / "a" / "roc.png") as image:
        assert image.width == 4.8 * 300
    assert b"/FontFile2" in first["roc.pdf"]  # TrueType
    assert b">Sensitivity</text>" in first["roc.svg"]


def test_reliability_before_and_after(table):
    alone, both = texts(figures.reliability(table)), texts(figures.reliability(table, calibrated(table, 2.0)))

    assert [text.split(":")[0] for text in alone] == ["perfect calibration", "as trained"]
    assert [text.split(":")[0] for text in both][1:] == ["as trained", "calibrated"]
    assert both[1].endswith(f"{ece(table.labels, table.probabilities, np.ones((1, 80)))[0]:.3f}")
