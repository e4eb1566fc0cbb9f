import logging

import pytest
from data.splits.tables import table

from brain_tumor.data.splits import FromFile
from brain_tumor.errors import DataError

SPLIT = ["train", "train", "val", "val", "test", "test"]


@pytest.fixture
def written(tmp_path):
    def write(*lines):
        file = tmp_path / "split.csv"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(file)

    return write


def lines(splits, first=0):
    return [f"{n:05d},{split}" for n, split in enumerate(splits, first)]


def test_rows_may_be_reordered_left_out_or_of_other_data(written, caplog):
    samples = table(["a", "b"] * 3)
    file = written("split,note,sample_id", *(f"{split},x,{n:05d}" for n, split in reversed(list(enumerate(SPLIT)))))

    assert FromFile(file)(samples)["split"].tolist() == SPLIT
    with caplog.at_level(logging.INFO):
        assert FromFile(file)(samples[:4])["split"].tolist() == SPLIT[:4]
    assert "ignored 2 images" in caplog.text
    edited = written("sample_id,split", *lines(["", " Train", *SPLIT[2:]]))
    assert FromFile(edited)(samples)["split"].tolist() == ["", *SPLIT[1:]]


def test_images_are_matched_by_sha256_where_ids_changed(written):
    samples = table(["a", "b"] * 3, sha256=list("uvwxyz"))
    file = written(
        "sample_id,sha256,split", *(f"old/{n},{n},{split}" for n, split in zip("zyxwvu", SPLIT, strict=True))
    )

    assert FromFile(file)(samples)["split"].tolist() == SPLIT[::-1]


def test_validation_is_drawn_from_training_where_the_file_has_none(written):
    samples = table(["a", "b"] * 10, [n // 2 for n in range(20)])
    file = written("sample_id,split", *lines(["train"] * 16 + ["test"] * 4))

    split = FromFile(file, val=0.25)(samples)["split"]

    assert split[:16].value_counts().to_dict() == {"train": 12, "val": 4}
    assert split[16:].eq("test").all()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (["sample_id,part", "00000,train"], "has no column split; it has sample_id, part: expected"),
        (["sample_id,split", *lines(SPLIT[:4])], "has no row for 2 of 6 images, first '00004': give each a row"),
        (["sample_id,split", *lines(["training", *SPLIT[1:]])], "invalid split 'training' for '00000'"),
        (["sample_id,split", *lines(SPLIT), *lines(["test"])], "several splits for 1 images, first sample_id '00000'"),
        (
            ["sample_id,sha256,split", *(f"old/{n},{n % 5},{split}" for n, split in enumerate(SPLIT))],
            "several splits for 1 images, first sha256 '0'",
        ),
        (["sample_id,sha256,split", *(f"old/{n},,train" for n in range(6))], "has no row for 6 of 6 images"),
    ],
)
def test_errors(content, sentence, written):
    with pytest.raises(DataError, match=sentence) as caught:
        FromFile(written(*content))(table(["a", "b"] * 3, sha256=list("012340")))

    assert "\n" not in str(caught.value)


def test_a_missing_file():
    with pytest.raises(DataError, match=r"absent\.csv was not found"):
        FromFile("absent.csv")(table(["a", "b"]))
