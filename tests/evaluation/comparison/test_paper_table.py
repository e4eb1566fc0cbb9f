"""The table of a comparison for a paper, and its formats."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from rivals import field, frame, table, truth

from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.comparison.citations import SOFTWARE
from brain_tumor.evaluation.comparison.paper_formats import csv_table, latex_table, markdown_table
from brain_tumor.evaluation.comparison.paper_table import paper_table, require_metrics
from brain_tumor.evaluation.comparison.ranking import comparison_document
from brain_tumor.evaluation.comparison.resampling import compare
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(200)
COLUMNS = ["accuracy", "f1_macro", "ece", "localization/dice"]
NASTY = r"[50%] $x_1$ & {a\b} #1 ~^ <*> |"


@pytest.fixture(scope="module")
def candidates():
    return field(
        **{
            NASTY: table(LABELS, 0.5, seed=1),
            "seeds": [table(LABELS, 0.9, seed=seed) for seed in (2, 3, 4)],
            "close": table(LABELS, 0.89, seed=5),
        }
    )


@pytest.fixture(scope="module")
def document(candidates):
    made = comparison_document(compare(candidates, resamples=300), COLUMNS)
    return made | {"eval_split": "test", "baseline": {"accuracy": 0.99, "f1_macro": 0.6}}


def cells(document, name, columns=COLUMNS):
    made = paper_table(document, columns)
    (row,) = [row for row in made.rows if row.name == name]
    return dict(zip([column.metric for column in made.columns], row.cells, strict=True))


def test_rows_and_columns(document):
    made = paper_table(document, COLUMNS)

    assert [row.name for row in made.rows] == ["seeds", "close", NASTY, "1-NN baseline"]
    assert [column.metric for column in made.columns] == ["accuracy", "f1_macro", "ece"]  # none has a map
    assert [column.lower_is_better for column in made.columns] == [False, False, True]
    assert [column.metric for column in paper_table(document, ["ece"]).columns] == ["f1_macro", "ece"]


def test_the_best_is_that_of_the_direction_and_of_all_rows(document):
    values = [row.cells[2].estimate["value"] for row in paper_table(document, COLUMNS).rows]
    lowest = min(value for value in values if value is not None)

    bold = [row.cells[2].is_best for row in paper_table(document, COLUMNS).rows]
    assert bold == [value is not None and round(value, 3) == round(lowest, 3) for value in values]
    assert cells(document, "seeds")["f1_macro"].is_best
    assert not cells(document, "seeds")["accuracy"].is_best  # the baseline is better, and is marked
    assert cells(document, "1-NN baseline")["accuracy"].is_best


def test_what_differs_from_the_best_is_marked(document):
    assert cells(document, NASTY)["f1_macro"].differs
    assert cells(document, NASTY)["f1_macro"].p == document["candidates"][2]["difference"]["p_holm"] < 0.05
    assert not cells(document, NASTY)["accuracy"].differs  # not tested
    assert not cells(document, "close")["f1_macro"].differs
    assert not cells(document, "seeds")["f1_macro"].differs
    caption = " ".join(paper_table(document, COLUMNS).caption)
    assert "200 test images in 200 groups" in caption
    assert "† differs from the best candidate, seeds, in Macro-F1" in caption
    assert "Holm-adjusted for all pairs, p < 0.05" in caption


def test_a_metric_that_only_one_candidate_has():
    located = frame(LABELS, 0.8).assign(map_hit=1.0, map_dice=0.75, map_iou=0.6, map_area=0.1)
    rivals = field(map=Predictions.from_frame(located), plain=table(LABELS, 0.9, seed=1))

    made = comparison_document(compare(rivals, resamples=50))

    assert cells(made, "map")["localization/dice"].estimate["value"] == 0.75
    assert cells(made, "plain")["localization/dice"].estimate["value"] is None
    assert not cells(made, "map")["localization/dice"].is_best  # there is nothing to be better than
    assert markdown_table(paper_table(made, ["localization/dice"])).count("–") == 1
    area = comparison_document(compare(rivals, resamples=50), ["localization/false_area"])
    assert paper_table(area, ["localization/false_area"]).columns[1].lower_is_better


def test_a_column_that_is_no_metric(candidates):
    require_metrics(candidates, [*COLUMNS, "f1/glioma"])
    with pytest.raises(ConfigError, match=r"Invalid columns=\[f1/gloima\]: expected metrics: .*f1/glioma"):
        require_metrics(candidates, ["f1/gloima"])


def test_a_metric_that_is_undefined_for_all():
    healthy = LABELS * 0 + 2
    rivals = field(a=table(healthy), b=table(healthy, seed=1))
    made = paper_table(comparison_document(compare(rivals, "auroc", resamples=20)), ["auroc"])

    assert [column.metric for column in made.columns] == ["auroc"]
    assert "No candidate differs" in " ".join(made.caption)
    assert latex_table(made, []).count("--") == 2
    assert csv_table(made) == "candidate,metric,value,ci_low,ci_high,sd,p\n"


def test_latex_is_well_formed(document):
    text = latex_table(paper_table(document, COLUMNS), [SOFTWARE])

    code = re.sub(r"(?m)(?<!\\)%.*$", "", text)  # comments
    bare = re.sub(r"\\[&%$#_{}]", "", code)  # escaped signs
    assert all(part.count("{") == part.count("}") for part in (bare, *bare.splitlines()))
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#~<>|_^](?![^$\n]*\$)", re.sub(r"\$[^$]*\$", "", bare))
    body = bare[bare.index(r"\toprule") : bare.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 1 + 3 * 2 + 1  # heading, candidates with their intervals, baseline
    assert {row.count("&") for row in rows} == {len(COLUMNS) - 1}
    assert not any(line.lstrip().startswith(("[", "*")) for line in body.splitlines())  # arguments of what is before
    assert text.isascii() or set(text) - set(map(chr, range(128))) == {"…"}  # that stands in a comment
    assert re.search(r"\\textbf\{0\.\d{3}\} \$\\pm\$ 0\.\d{3} ", text)
    assert r"$^\dagger$" in text
    assert text.endswith("% }\n")
    assert "%   author = {{brain-tumor contributors}},\n" in text


def test_markdown_is_a_table(document):
    lines = markdown_table(paper_table(document, COLUMNS)).splitlines()

    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 6
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert re.search(r"\*\*0\.\d{3}\*\* ± 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", rows[2])
    assert rows[4].startswith(r"| \[50%\] $x\_1$ & \{a\\b\} \#1 \~^ \<\*\> \| |")
    assert re.search(r"\d† \[", rows[4])
    assert lines[-1].startswith("200 test images")


def test_csv_has_numbers(document):
    found = pd.read_csv(io.StringIO(csv_table(paper_table(document, COLUMNS))))

    assert list(found) == ["candidate", "metric", "value", "ci_low", "ci_high", "sd", "p"]
    assert len(found) == 3 * 3 + 2
    best = document["candidates"][0]
    row = found[(found["candidate"] == "seeds") & (found["metric"] == "f1_macro")].iloc[0]
    expected = [best[name] for name in ("value", "ci_low", "ci_high", "sd")]
    np.testing.assert_allclose(row[["value", "ci_low", "ci_high", "sd"]].astype(float), expected)
    assert found.loc[found["p"].notna(), "candidate"].tolist() == ["close", NASTY]
