"""What `brain-tumor predict` writes: tables, JSON, workbooks and overlays; and how files are named to it."""

import json
import re
import shutil
import sys

import cv2
import jsonschema
import numpy as np
import pandas as pd
import pytest
from data.readers.clinical import ball, write_nifti
from factories import draw, save

from brain_tumor.__main__ import main
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.predict import main as command_line
from brain_tumor.predict import predict
from brain_tumor.serving.answer import ANSWER_SCHEMA, VOLUME_SCHEMA
from brain_tumor.serving.output import output_file, overlay_name
from brain_tumor.serving.overlay import original_heatmap, png, with_box


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    root = tmp_path_factory.mktemp("scans")
    for number in range(3):
        save(root / f"{number}.png", "glioma", 100 + number)
    write_nifti(root / "volume.nii.gz", ball())
    (root / "broken.png").write_bytes(b"no image")
    return root


def test_json_holds_all_answers(trained, scans, tmp_path):
    table = predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / 'answers.json'}"], tmp_path)
    document = json.loads((tmp_path / "answers.json").read_text())

    assert [answer["name"] for answer in document["images"]] == table["sample_id"].tolist()
    for schema, kind in ((ANSWER_SCHEMA, "images"), (VOLUME_SCHEMA, "volumes")):
        for answer in document[kind]:
            jsonschema.validate(answer, schema)
    assert list(document["left_out"]) == ["broken.png"]


def test_json_lines_hold_one_answer_each(trained, scans, tmp_path):
    table = predict([f"bundle={trained}", f"input={scans}", "format=jsonl"], tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]

    kinds = [line["kind"] for line in lines]
    assert kinds == ["image"] * len(table) + ["volume", "left out"]


def test_a_workbook_has_a_sheet_for_each_kind(trained, scans, tmp_path):
    table = predict([f"bundle={trained}", f"input={scans}", "format=xlsx"], tmp_path)
    sheets = pd.read_excel(tmp_path / "predictions.xlsx", sheet_name=None)

    assert list(sheets) == ["images", "volumes", "left out"]
    assert sheets["images"]["sample_id"].tolist() == table["sample_id"].tolist()


def test_tables_say_what_the_answers_say(trained, scans, tmp_path):
    predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / 'p.csv'}"], tmp_path)
    predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / 'p.json'}"], tmp_path)

    document = json.loads((tmp_path / "p.json").read_text())
    for name, kind in (("p.csv", "images"), ("p_volumes.csv", "volumes")):
        table = pd.read_csv(tmp_path / name, keep_default_na=False)
        assert table["decision"].tolist() == [answer["decision"] or "" for answer in document[kind]]
        assert table["abstain"].tolist() == [";".join(answer["reasons"]) for answer in document[kind]]
        assert table["conformal_set"].tolist() == [";".join(answer["conformal_set"]) for answer in document[kind]]


@pytest.mark.parametrize(
    ("output", "kind", "sentence"),
    [
        (None, "yaml", "Invalid format=yaml: expected csv or json or jsonl or xlsx"),
        ("p.txt", None, r"Invalid output=p.txt: expected a name that ends in .csv or .json or .jsonl or .xlsx"),
        ("p.csv", "json", r"Invalid output=p.csv: expected a name that ends in .json"),
    ],
)
def test_other_formats_are_refused(output, kind, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        output_file(output, kind, tmp_path)


def test_files_are_named_one_by_one(trained, scans, tmp_path):
    names = [str(scans / "2.png"), str(scans / "0.png"), str(scans / "volume.nii.gz#axial:11")]
    table = predict([f"bundle={trained}", *names, names[0]], tmp_path)

    assert table["sample_id"].tolist() == sorted(names)


@pytest.mark.parametrize("name", ["a,b.png", "x=y.png", "a b.png", "[1].png", "quo'te.png", "~.png", "ü$.png"])
def test_names_with_any_characters_are_taken_as_they_are(trained, tmp_path, name):
    save(tmp_path / name, "glioma", 1)

    table = predict([f"bundle={trained}", str(tmp_path / name)], tmp_path / "out")
    assert table["sample_id"].tolist() == [name]


def test_heat_maps_need_a_localizer(trained, scans, tmp_path):
    with pytest.raises(ConfigError, match=r"Invalid heatmaps=.*: expected no heatmaps= here: this model"):
        predict([f"bundle={trained}", f"input={scans}", f"heatmaps={tmp_path / 'maps'}"], tmp_path)


def test_a_page_shows_every_answer(trained, scans, tmp_path):
    save(tmp_path / "more" / "<b>x.png", "glioma", 5)
    predict([f"bundle={trained}", str(scans), str(tmp_path / "more"), f"report={tmp_path / 'a.html'}"], tmp_path)
    page = (tmp_path / "a.html").read_text()

    assert page.count("<article") == 4 + 1  # images on their own, and the volume
    assert "&lt;b&gt;x.png" in page
    assert "<b>x.png" not in page
    assert "Key slice: " in page
    assert "broken.png" in page
    assert re.search(r"1 volume \(\d+ slices?\) and 4 images: ", page)
    assert "not a medical device" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_what_the_model_abstains_on_is_no_decision(trained, scans, tmp_path, capsys):
    bundle = shutil.copytree(trained / "bundle", tmp_path / "bundle")
    config = json.loads((bundle / "config.json").read_text())
    config["brain_tumor"]["abstain_below"] = 1.0  # on everything
    (bundle / "config.json").write_text(json.dumps(config))

    page = tmp_path / "a.html"
    table = predict([f"bundle={bundle}", f"input={scans}", f"output={tmp_path / 'a.csv'}", f"report={page}"], tmp_path)

    assert set(table["decision"]) == {"abstain"}
    assert set(pd.read_csv(tmp_path / "a_volumes.csv")["decision"]) == {"abstain"}
    assert ": 4 left to a person." in page.read_text()
    assert "not to be used" in page.read_text()
    assert f"Volumes: {tmp_path / 'a_volumes.csv'}" in capsys.readouterr().out


def test_the_command_line_writes_the_page_too(trained, scans, tmp_path, monkeypatch):
    """It keeps only two columns of the table."""
    page = tmp_path / "a.html"
    arguments = [f"bundle={trained}", f"input={scans}", f"report={page}", f"hydra.run.dir={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "predict", *arguments])

    main()

    assert "Key slice: " in page.read_text()


def test_a_map_lies_on_the_image_that_was_given():
    cells = np.full((8, 8), -9.0, np.float32)
    cells[2, 5] = 9  # a quarter from the top, two thirds from the left of the square
    heat = original_heatmap(cells, 64, (200, 400))  # twice as wide as high: 16 rows of the square are margin

    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.shape == (200, 400)
    assert x == pytest.approx(400 * 5.5 / 8, abs=8)
    assert y == pytest.approx((64 * 2.5 / 8 - 16) * 200 / 32, abs=8)


def test_an_overlay_keeps_the_image_where_the_map_is_0():
    image = draw("glioma", 1)
    heat = np.zeros(image.shape, np.float32)
    heat[10:20, 10:20] = 1
    blended = with_box(overlay(image, heat), (5, 5, 30, 30))

    assert blended.shape == (*image.shape, 3)
    assert (blended[40:, 40:] == image[40:, 40:, None]).all()
    assert (blended[12:18, 12:18] != image[12:18, 12:18, None]).any()
    assert (blended[5, 5:30] == (255, 200, 0)).all()
    assert (cv2.imdecode(np.frombuffer(png(blended), np.uint8), cv2.IMREAD_COLOR)[..., ::-1] == blended).all()


def test_names_of_overlays_are_names_of_files():
    assert overlay_name("a/scan.nii.gz#axial:5") == "a/scan.nii.gz#axial-5.png"
    assert overlay_name("/a/../b.png") == overlay_name("../a/b.png") == "a/b.png.png"
    assert overlay_name("C:\\x?.png") == "C--x-.png.png"


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "xlsx"])
def test_the_command_line_writes_what_python_does(trained, scans, tmp_path, monkeypatch, kind):
    """It keeps no table in memory, unlike Python, and draws pages and overlays all the same."""
    arguments = [f"bundle={trained}", f"report={tmp_path / 'a.html'}", f"output={tmp_path / f'a.{kind}'}"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["brain-tumor predict", *arguments, str(scans)])
    command_line()

    predict([f"bundle={trained}", f"input={scans}", f"output={tmp_path / f'b.{kind}'}"], tmp_path)
    if kind != "xlsx":
        assert (tmp_path / f"a.{kind}").read_text() == (tmp_path / f"b.{kind}").read_text()
    assert (tmp_path / "a.html").stat().st_size > 5000
