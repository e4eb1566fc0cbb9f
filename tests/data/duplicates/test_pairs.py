"""Pairs among phantoms and altered copies of them, read from files; groups and distinct images that follow."""

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.duplicates import pairs as pairs_module
from brain_tumor.data.duplicates.pairs import assign_groups, conflicting, distinct_images, find_pairs, image_pairs
from brain_tumor.data.phantom import draw_patients, render
from brain_tumor.data.samples import samples_table

SIZE = 128


def cropped(image):
    return image[2:-2, 2:-2]


def shifted(image):
    return np.pad(image, ((2, 0), (2, 0)))[:-2, :-2]


COPIES = {
    "half.png": lambda image: cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA),
    "bright.png": lambda image: np.clip(image * 1.15, 0, 255).astype(np.uint8),
    "dark.png": lambda image: (image * 0.85).astype(np.uint8),
    "crop.png": cropped,
    "shift.png": shifted,
    "mirror.png": lambda image: image[:, ::-1],
    "upside.png": lambda image: image[::-1],
}


@pytest.fixture(scope="module")
def originals():
    return [render(patient, 0, SIZE)[0] for patient in draw_patients(30, 5)]


@pytest.fixture(scope="module")
def found(originals, tmp_path_factory):
    """Pairs among 30 patients, and copies of the first, by file name."""
    folder = tmp_path_factory.mktemp("planted")
    for number, image in enumerate(originals):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    for name, copy in COPIES.items():
        Image.fromarray(np.ascontiguousarray(copy(originals[0]))).save(folder / name)
    Image.fromarray(originals[0]).save(folder / "jpeg40.jpg", quality=40)
    Image.fromarray(originals[0]).save(folder / "pixels.bmp")
    (folder / "exact.png").write_bytes((folder / "00.png").read_bytes())
    for name in ("blank1.png", "blank2.png"):
        Image.new("L", (SIZE, SIZE)).save(folder / name)
    (folder / "broken.png").write_bytes(b"no image")
    paths = sorted(folder.iterdir())
    cache = cached_images([str(path) for path in paths], SIZE, folder / "cache")
    table = image_pairs(cache)
    names = np.array([path.name for path in paths], object)
    return table.assign(left=names[table["left"]], right=names[table["right"]]), cache


def kinds(table, name):
    """Kind and mirroring of the pair of the first original with a file."""
    pair = table[
        ((table["left"] == "00.png") & (table["right"] == name))
        | (table["left"] == name) & (table["right"] == "00.png")
    ]
    return list(zip(pair["kind"], pair["mirrored"], strict=True))


@pytest.mark.parametrize("name", [*COPIES, "jpeg40.jpg"])
def test_altered_copies_are_near(found, name):
    assert kinds(found[0], name) == [("near", name in ("mirror.png", "upside.png"))]


def test_same_bytes_and_same_pixels_are_distinguished(found):
    assert kinds(found[0], "exact.png") == [("exact", False)]
    assert kinds(found[0], "pixels.bmp") == [("pixels", False)]


def test_there_are_no_other_pairs(found):
    """Neither other patients nor blank or unreadable images."""
    copies = {"00.png", "exact.png", "pixels.bmp", "jpeg40.jpg", *COPIES}
    table = found[0]

    assert set(table["left"]) | set(table["right"]) == copies
    assert len(table) == len(copies) * (len(copies) - 1) // 2
    assert table["similarity"].between(0.5, 1.0).all()


def test_pairs_are_found_once_and_read_afterwards(found, monkeypatch):
    table, cache = found
    monkeypatch.setattr(pairs_module, "find_pairs", lambda *_: pytest.fail("searched again"))

    assert len(image_pairs(cache)) == len(table)


def test_large_clusters_list_only_connecting_pairs(originals, monkeypatch):
    """12 copies have 66 pairs; 11 connect them."""
    monkeypatch.setattr(pairs_module, "_MAX_LISTED", 10)
    views = np.repeat(np.stack([cv2.resize(originals[0], (64, 64))] * 3)[None], 12, axis=0)
    facts = pd.DataFrame({"sha256": [f"file {n}" for n in range(12)], "pixels": ["same"] * 12})

    table = find_pairs(facts, views)

    assert table[["left", "right"]].to_numpy().tolist() == [[0, n] for n in range(1, 12)]
    assert set(table["kind"]) == {"pixels"}


def test_neighbouring_slices_are_related_not_near(originals):
    """A slice that differs in detail is more similar than another patient's and less than a duplicate."""
    from brain_tumor.data.fingerprint import fingerprint

    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(SIZE, SIZE)), (0, 0), 3)
    neighbour = np.clip(originals[1] + 240 * noise * (originals[1] > 20), 0, 255).astype(np.uint8)
    views = np.stack([fingerprint(image) for image in (*originals, neighbour)])
    facts = pd.DataFrame({"sha256": [*map(str, range(31))], "pixels": [*map(str, range(31))]})

    table = find_pairs(facts, views)

    assert table[["left", "right", "kind"]].to_numpy().tolist() == [[1, 30, "related"]]


def test_unreadable_images_have_no_pairs():
    facts = pd.DataFrame({"sha256": ["a", "a"], "pixels": ["", ""]})

    assert find_pairs(facts, np.zeros((2, 3, 64, 64), np.uint8)).empty


def grouped(kind, **columns):
    """Whether two samples that form a pair of this kind get one group."""
    rows = pd.DataFrame({"sample_id": ["a", "b", "c"], "label": "x"} | columns)
    pairs = pd.DataFrame({"left": [0], "right": [1], "kind": [kind]})
    group = assign_groups(samples_table(rows), pairs)["group"].tolist()
    assert group[2] not in group[:2]
    return group[0] == group[1]


@pytest.mark.parametrize("kind", ["exact", "pixels", "near"])
def test_duplicates_are_grouped_even_with_different_patients(kind):
    assert grouped(kind)
    assert grouped(kind, patient_id=["p", "q", "r"], group=["1", "2", "3"])


def test_slices_of_one_head_are_grouped_unless_patients_or_groups_differ():
    assert grouped("related")
    assert grouped("related", patient_id=["p", "", "r"])
    assert grouped("related", patient_id=["p", "p", "r"])
    assert not grouped("related", patient_id=["p", "q", "r"])
    assert not grouped("related", group=["1", "2", "3"])


def test_distinct_images_count_duplicates_once():
    samples = samples_table(pd.DataFrame({"sample_id": [*"abcd"], "label": "x"}))
    pairs = pd.DataFrame({"left": [0, 1, 2], "right": [1, 2, 3], "kind": ["exact", "near", "related"]})

    assert distinct_images(samples, pairs) == 2


def test_empty_values_do_not_conflict():
    pairs = pd.DataFrame({"left": [0, 0, 1], "right": [1, 2, 2]})

    assert conflicting(pairs, pd.Series(["p", "q", ""])).tolist() == [True, False, False]
