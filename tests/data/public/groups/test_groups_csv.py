import logging

import pytest
from data.public.groups.samples import six, write_groups

from brain_tumor.data.folder_and_manifest import folder, manifest
from brain_tumor.data.public.groups.filling import apply_groups
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError


@pytest.fixture
def images(tmp_path):
    """Root folder of six empty files in two wrapper folders; only their names matter."""
    for number in range(6):
        path = tmp_path / "archive" / "set" / ("yes", "no")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize("wrappers", ["", "archive", "archive/set"])
def test_groups_in_the_data_folder(images, wrappers):
    below = "archive/set".removeprefix(wrappers).strip("/")
    rows = six(f"{below + '/' if below else ''}{{path}},g{{n}},{{n}}.0,p{{n}}")
    write_groups(images / wrappers, "path,group,fold,patient_id", *rows)

    filled, facts = apply_groups(folder(images).samples, images)

    number = filled["path"].str.extract(r"(\d)\.jpg")[0]
    assert filled["group"].tolist() == ("curated-g" + number).tolist()
    assert filled["patient_id"].tolist() == ("p" + number).tolist()
    assert filled["fold"].tolist() == number.tolist()
    assert facts["source"] == "groups.csv in the data folder"
    assert (facts["matched"], facts["of"], facts["folds"], facts["sets"]) == (6, 6, 6, [])
    assert "does not state" in facts["how"]


def test_the_topmost_file_is_read_and_none_without_a_root(images):
    write_groups(images, "path,group", *six("archive/set/{path},top"))
    write_groups(images / "archive", "path,group", *six("set/{path},inner"))
    samples = folder(images).samples

    assert set(apply_groups(samples, str(images))[0]["group"]) == {"curated-top"}
    assert apply_groups(samples)[1] == {}


def test_published_column_names_have_precedence(images):
    write_groups(images / "archive/set", "path,group,leak_group,fold,fold5", *six("{path},no,{n},9,{n}"))

    filled, facts = apply_groups(folder(images).samples, images)

    assert "curated-no" not in set(filled["group"])
    assert facts["folds"] == 6


def test_re_encoded_files(images):
    """Exact path first, then the path without its last suffix; slices of a volume go by their file."""
    rows = six("{path},g{n}")
    rows[0] = "yes/0,g0"
    write_groups(images / "archive/set", "path,group", *rows, "yes/2,wrong", "yes/scan.nii,v", "yes/4.jpg.png,wrong")
    samples = folder(images).samples
    volume = {"sample_id": "v", "path": str(images / "archive/set/yes/scan.nii.gz#axial:5"), "label": "yes"}
    samples = samples_table([*samples.to_dict("records"), volume])

    groups = apply_groups(samples, images)[0]["group"]

    assert sorted(groups) == [*(f"curated-g{n}" for n in range(6)), "curated-v"]


def test_files_without_a_row_and_rows_without_a_file(images, caplog):
    write_groups(images / "archive/set", "path,group,fold", *six("{path},{n},{n}")[1:], "yes/gone.jpg,1,1")

    with caplog.at_level(logging.INFO):
        filled, facts = apply_groups(folder(images).samples, images)

    assert (facts["matched"], facts["folds"]) == (5, 0)
    assert (filled["group"] == "").sum() == 1
    assert (filled["fold"] == "").all()
    assert "ignored 1 of 6 rows without an image" in caplog.text
    assert "the fold of 1 of 6 images is unknown" in caplog.text


@pytest.mark.parametrize("folds", ["010101", "012016"])
def test_folds_that_cannot_be_used(images, folds):
    """Two folds are too few to test, validate and train; of seven folds, three have no image."""
    write_groups(images / "archive/set", "path,group,fold", *[row + folds[n] for n, row in enumerate(six("{path},,"))])

    filled, facts = apply_groups(folder(images).samples, images)

    assert facts["folds"] == 0
    assert (filled["fold"] == "").all()


def test_groups_in_the_folder_of_a_manifest(images):
    home = images / "lists"
    home.mkdir()
    (home / "samples.csv").write_text("\n".join(["path,label", *six("../archive/set/{path},{n}")]), encoding="utf-8")
    write_groups(home, "path,group", *six("../archive/set/./{path},{n}"))

    for root in (home, home / "samples.csv"):
        assert apply_groups(manifest(home / "samples.csv").samples, root)[1]["matched"] == 6


def test_a_manifest_may_be_named_groups_csv(images):
    write_groups(images, "path,label", *six("archive/set/{path},{n}"))

    assert apply_groups(manifest(images / "groups.csv").samples, images / "groups.csv")[1] == {}


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("file,group", six("{path},1"), r"has the columns file, group: expected path and leak_group"),
        ("path,fold", six("{path},1"), r"has the columns path, fold: expected path and leak_group"),
        ("path,group", [*six("{path},1"), "./yes/0.jpg,2"], r"1 rows repeat a path, first './yes/0.jpg'"),
        ("path,group", [*six("{path},1"), " ,2"], r"1 rows have no path"),
        ("path,group,fold", six("{path},{n},{n}.5"), r"6 folds are no whole number from 0, first '0.5' in row 2"),
        ("path,group,fold", [*six("{path},{n},{n}"), "x,9,-1"], r"1 folds are no whole .* '-1' in row 8"),
        ("path,group,fold", six("{path},{n},one"), r"6 folds are no whole number"),
        ("path,group,fold", six("{path},7,{n}"), r"1 groups are in more than one fold, first '7' in 0, 1, 2"),
        ("path,group", ["elsewhere.jpg,1"], r"names 1 files, but none of the 6 images"),
    ],
)
def test_errors(images, header, rows, message):
    write_groups(images / "archive/set", header, *rows)

    with pytest.raises(DataError, match=message) as caught:
        apply_groups(folder(images).samples, images)
    assert "groups.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
