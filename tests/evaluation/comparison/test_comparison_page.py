"""A comparison for readers: terminal tables, forest plot, page, change record."""

import re

import pytest
from PIL import Image
from rich.console import Console
from rivals import field, table, truth

from brain_tumor.evaluation.comparison.acceptance import AcceptanceCriteria, check_acceptance
from brain_tumor.evaluation.comparison.ranking import comparison_document
from brain_tumor.evaluation.comparison.resampling import compare
from brain_tumor.evaluation.report.comparison_page import forest_plot, write_change_record, write_comparison_page
from brain_tumor.evaluation.report.console import criteria_table, ranking_table
from brain_tumor.evaluation.report.plots import save_figure

LABELS = truth(200)


@pytest.fixture(scope="module")
def comparison():
    return compare(
        field(
            **{
                "<old>": table(LABELS, 0.8),
                "model=resnet18 [x]": [table(LABELS, 0.9, seed=seed) for seed in (1, 2, 3)],
                "poor": table(LABELS, 0.5, seed=4),
            }
        ),
        resamples=200,
    )


@pytest.fixture(scope="module")
def document(comparison):
    return comparison_document(comparison)


@pytest.fixture(scope="module")
def changes(comparison):
    return check_acceptance(
        comparison, "<old>", AcceptanceCriteria(), {"<old>": 0, "model=resnet18 [x]": 0, "poor": None}
    )


def printed(renderable):
    with open("/dev/null", "w") as sink:  # noqa: PTH123
        console = Console(width=90, record=True, file=sink)
        console.print(renderable)
        return console.export_text()


def test_terminal(document, changes):
    text = printed(ranking_table(document)) + printed(criteria_table(changes))

    assert "model=resnet18 [x]" in text
    assert "3 seeds" in text
    assert "not a medical device" in text
    failed = [criterion for change in changes for criterion in change["criteria"] if not criterion["passed"]]
    assert text.count("FAIL") == len(failed) > 0


def test_forest_marks_each_candidate(document, tmp_path):
    figure = forest_plot(document)
    left, right = figure.axes

    assert [text.get_text() for text in left.get_yticklabels()] == ["model=resnet18 [x]", "<old>", "poor"]
    assert len(left.texts) == 3
    assert {text.get_text().strip() for text in right.texts} > {"best"}
    save_figure(figure, tmp_path / "forest.png")
    with Image.open(tmp_path / "forest.png") as image:
        assert image.width > 1000


def test_page_stands_alone(document, changes, tmp_path):
    write_comparison_page(
        tmp_path / "compare.html",
        document,
        changes,
        command="brain-tumor compare a b",
    )

    page = (tmp_path / "compare.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\((?!#)|@import|<script", page)
    assert page.count("not a medical device") == 2
    assert "<old>" not in page
    assert "&lt;old&gt;" in page
    for text in ("3 candidates compared", "brain-tumor compare a b", "± ", "does not pass", "any tumour", "FAIL"):
        assert text in page


def test_page_without_champion_or_pairs(tmp_path):
    document = comparison_document(compare(field(a=[table(LABELS), table(LABELS, seed=1)]), resamples=20))
    write_comparison_page(tmp_path / "c.html", document, [], command="c")

    page = (tmp_path / "c.html").read_text()
    assert "Acceptance criteria" not in page
    assert "Pairwise tests" not in page


def test_change_record_says_what_and_who(document, changes, tmp_path):
    runs = {run: {"seed": "0", "commit": "abc"} for candidate in document["candidates"] for run in candidate["runs"]}

    write_change_record(tmp_path / "change_record.md", document, changes, runs)

    record = (tmp_path / "change_record.md").read_text()
    assert "## poor: does not pass" in record
    assert "**FAIL**" in record
    assert "| f1_macro |" in record
    assert "- `poor0`; seed: 0; commit: abc" in record
    assert "not a medical device" in record
    rows = [line for line in record.splitlines() if line.startswith("| f1_macro")]
    assert all(line.count("|") == 6 for line in rows)


def test_what_is_undefined_is_a_dash(tmp_path):
    """None but the healthy were tested: there is no area under a curve."""
    healthy = LABELS * 0 + 2
    rivals = field(a=table(healthy), b=table(healthy, seed=1))
    document = comparison_document(compare(rivals, "auroc", resamples=20))
    write_comparison_page(tmp_path / "c.html", document, [], command="c")

    assert "<span>–</span>" in (tmp_path / "c.html").read_text()
    assert "–" in printed(ranking_table(document))
