"""What a training says of its data, in one line of plain words."""

from brain_tumor.data.listing import describe_split

COUNTS = {"found": 180, "readable": 180, "distinct": 180, "train": 132, "val": 24, "test": 24, "left_out": 0}


def test_the_split_is_described_in_words():
    assert describe_split(COUNTS, 4) == "180 images of 4 classes: 132 train, 24 val, 24 test"


def test_what_is_not_used_is_counted_too():
    counts = COUNTS | {"readable": 178, "distinct": 150, "train": 120, "left_out": 10}

    assert describe_split(counts, 4) == (
        "178 images (150 distinct) of 4 classes: 120 train, 24 val, 24 test, 10 in no split, 2 more cannot be read"
    )
