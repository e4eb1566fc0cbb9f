import pytest

from brain_tumor.data.audit.verdict import verdict


def document(**changes):
    """An audit that found nothing."""
    clean = {
        "split": {"fault": "", "leakage": []},
        "label_conflicts": {"images": 0},
        "shortcuts": [],
        "unreadable": [],
        "blank": [],
        "counts": {"found": 100, "readable": 100, "distinct_images": 100},
        "random_split": {"share_with_copy_in_training": 0.0},
        "grouping": "every image has a patient id; a group is a patient, and near-duplicates are joined",
    }
    return clean | changes


def shortcut(name, task, score, chance, suspicious=True):
    return {"property": name, "task": task, "balanced_accuracy": score, "chance": chance, "suspicious": suspicious}


LEAK = {"class": "", "split": "test", "reference": "train or val", "group": 75, "near": 70, "images": 100}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"split": {"fault": "Class 'a' has 1 group.", "leakage": []}}, "cannot be trained on as they are: Class 'a'"),
        ({"split": {"fault": "", "leakage": [LEAK]}}, "75 of 100 test images (75.0%) show a patient or image of train"),
        ({"label_conflicts": {"images": 8}}, "8 images appear under two classes"),
        (
            {"shortcuts": [shortcut("size", "detection", 0.917, 0.5)]},
            "The size of the files alone tells tumour from no_tumor at 91.7% (balanced accuracy; chance 50%)",
        ),
        ({"unreadable": ["x"] * 5}, "5 of 100 images cannot be read"),
        ({"blank": ["x"] * 5}, "5 images are blank"),
        ({"counts": {"found": 100, "readable": 100, "distinct_images": 50}}, "50 of 100 images are duplicates"),
        ({"grouping": "no patient ids were given"}, "No patient ids were given."),
    ],
)
def test_each_finding_has_its_sentence(changes, sentence):
    [found] = verdict(document(**changes))

    assert sentence in found


def test_the_worst_comes_first():
    found = verdict(
        document(
            split={"fault": "", "leakage": [LEAK]},
            shortcuts=[
                shortcut("size", "classes", 0.4, 0.25),
                shortcut("mode", "classes", 0.3, 0.25, suspicious=False),
            ],
            grouping="no patient ids were given",
        )
    )

    assert [sentence.split()[1] for sentence in found] == ["split", "size", "patient"]


def test_nothing_found_is_said():
    assert verdict(document()) == ["No leakage, label conflict or shortcut was found."]
