import re

import jinja2
import pytest
from factories import FAST, random_predictions
from rich.console import Console

from brain_tumor.evaluation.evidence import evidence
from brain_tumor.evaluation.report.console import results_table
from brain_tumor.evaluation.report.figures import draw_figures
from brain_tumor.evaluation.report.first_screen import tiles
from brain_tumor.evaluation.report.format import format_estimate
from brain_tumor.evaluation.report.page import InlineFigure, Section, Table, Tile, columns, render, write_page
from brain_tumor.evaluation.report.sections import sections


@pytest.fixture(scope="module")
def splits():
    return {"val": random_predictions(80, 0), "test": random_predictions(80, 1)}


@pytest.fixture(scope="module")
def results(splits):
    baseline = {"name": "1-NN", **{split: {"f1_macro": 0.4321, "accuracy": 0.5} for split in ("val", "test")}}
    attributes = splits["test"].frame.assign(plane=["axial", "coronal"] * 40)[["plane"]]
    return {**evidence(splits, FAST, attributes=attributes), "baseline": baseline}


EMPTY = {
    "title": "t", "headline": "h", "tiles": [], "findings": [], "samples": [], "marked": False, "confusion": {},
    "sections": [], "facts": {}, "notes": [], "command": "c",
}  # fmt: skip


def page(path, **changes):
    write_page(path / "report.html", "run.html.j2", **(EMPTY | changes))
    return (path / "report.html").read_text()


def test_report_stands_alone_and_says_what_matters(tmp_path, splits, results):
    drawn = draw_figures(results, splits["test"], tmp_path / "figures")

    text = page(
        tmp_path,
        title="CNN on <scans>",
        tiles=tiles(results),
        confusion=drawn["first screen"],
        sections=sections(results, drawn),
        facts={"Data": {"found": "80"}},
        notes=["7 images leak"],
        command="brain-tumor train a=b",
    )

    assert not re.search(r"(src|href)=\"(?!data:|#)|url\((?!#)|@import|<script", text)
    assert text.count("not a medical device") == 2
    for said in ("CNN on &lt;scans&gt;", "0.432", "7 images leak", "brain-tumor train a=b", "pituitary", "conformal"):
        assert said in text.replace("Conformal", "conformal")
    value, _, span = format_estimate(results["test"]["f1_macro"]).partition(" ")
    assert f"<td><span>{value}</span> <span>{span}</span>" in text
    assert text.count("<svg") == len(list((tmp_path / "figures").iterdir())) == sum(map(len, drawn.values()))
    assert not re.search(r">[^<]*\b(f1_macro|balanced_accuracy|detection/\w+|ece_mass)\b", text)


def test_contents_link_to_every_section(tmp_path, results):
    text = page(tmp_path, sections=sections(results, {}))

    targets = re.findall(r'<li><a href="#([^"]+)">', text)
    assert len(targets) == len(sections(results, {})) + 1
    assert all(text.count(f'<h2 id="{target}">') == 1 for target in targets)


def test_every_part_of_the_results_has_its_section(results):
    assert [section.title for section in sections(results, {})] == [
        "Metrics", "Metrics per class (test)", "Metrics per group", "Calibration", "Detection: operating points",
        "Abstention", "Conformal prediction sets", "Subgroups (test)",
    ]  # fmt: skip


def test_a_table_of_predictions_alone_is_shown_too(tmp_path, splits):
    results = evidence({"test": splits["test"]}, FAST)

    text = page(tmp_path, tiles=tiles(results), sections=sections(results, {}))

    assert ">Calibration</h2>" not in text
    assert "1-NN baseline" not in text
    assert results_table(results).columns[-1].header == "test (n = 80)"


def test_wide_figures_get_the_whole_width(tmp_path):
    section = Section("s", figures={"wide": InlineFigure("<svg/>", 900), "narrow": InlineFigure("<svg/>", 500)})

    text = page(tmp_path, sections=[section])

    assert re.findall(r'<figure class="(plot|plot wide)"', text) == ["plot wide", "plot"]


@pytest.mark.parametrize("n", range(2, 13))
def test_no_tile_is_alone_in_the_last_row(n):
    count = columns(n, 4, 3, 5)

    assert count <= n
    assert n % count != 1


def test_markup_in_cells_is_text(tmp_path):
    text = page(tmp_path, sections=[Section("s", tables=[Table(["<b>"], [["<i>"]])])], tiles=[Tile("<u>", "1")])

    assert not re.search(r"<(b|i|u)>[^<]*<", text.replace("<b>1</b>", ""))


def test_table_fits_a_terminal(results):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(results_table(results))

    shown = console.export_text()
    assert "…" not in shown
    assert "1-NN baseline" in shown
    assert f"{results['test']['detection/auroc']['value']:.3f}" in shown
    console.file.close()


def test_markdown_is_not_escaped():
    document = {"n": {"images": 1, "groups": 1}, "level": 0.975, "resamples": 9}
    change = {"candidate": "a & b", "champion": "<old>", "passed": True, "criteria": [], "metrics": {}}
    runs = {"a & b": [], "<old>": []}

    text = render("change_record.md.j2", document=document, changes=[change], runs=runs, facts={})

    assert "## a & b: passes" in text
    assert "Champion: <old>" in text
    assert "97.5 % intervals" in text


def test_a_missing_variable_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="is undefined"):
        render("run.html.j2")


def test_a_page_that_cannot_be_rendered_leaves_the_old_one(tmp_path):
    page(tmp_path, title="old")

    with pytest.raises(jinja2.UndefinedError):
        write_page(tmp_path / "report.html", "run.html.j2", title="new")

    assert "old" in (tmp_path / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
