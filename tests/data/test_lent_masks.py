"""Masks of another set, for images that show its pictures."""

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_tumor.data.fingerprint import fingerprint
from brain_tumor.data.lent_masks import lend_masks, list_lender
from brain_tumor.data.masks import MIRRORED, read_masks
from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError


def picture(number):
    """A textured picture uint8 [96, 96] and its mask."""
    rng = np.random.default_rng(number)
    image = cv2.resize(rng.integers(0, 255, (12, 12), np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((96, 96), np.uint8)
    mask[10 + 5 * number : 40 + 5 * number, 8:30] = 255
    return image, mask


def views(samples):
    return np.stack([fingerprint(read_image(path)) for path in samples["path"]])


@pytest.fixture
def lender(tmp_path):
    rows = []
    for number in range(4):
        for kind, array in zip(("image", "mask"), picture(number), strict=True):
            path = tmp_path / "lender" / "glioma" / f"{number}{'_mask' if kind == 'mask' else ''}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
        rows.append(number)
    return tmp_path / "lender"


def borrower(tmp_path, **images):
    rows = []
    for name, image in images.items():
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(image).save(path, quality=90)
        rows.append({"path": str(path), "label": "no_tumor" if name == "healthy" else "glioma", "mask_path": ""})
    return pd.DataFrame(rows)


def test_the_same_pictures_get_masks_upright_and_mirrored(tmp_path, lender):
    upright, mask = picture(0)
    samples = borrower(
        tmp_path,
        upright=cv2.resize(upright, (64, 64), interpolation=cv2.INTER_AREA),
        mirrored=picture(1)[0][:, ::-1],
        other=picture(9)[0],
        healthy=picture(2)[0],
        upside_down=picture(3)[0][::-1],
    )
    listed = list_lender(lender)
    filled, counts = lend_masks(samples, views(samples), listed, views(listed), None)

    assert counts == {"lent": 2, "refused": 0}
    assert [path.endswith(MIRRORED) for path in filled["mask_path"]] == [False, True, False, False, False]
    assert filled["mask_path"].tolist()[2:] == [""] * 3
    rows, masks = read_masks(filled, 96)
    assert rows.tolist() == [0, 1]
    np.testing.assert_array_equal(masks[0], mask > 0)
    np.testing.assert_array_equal(masks[1], picture(1)[1][:, ::-1] > 0)


def test_a_stretched_picture_is_refused(tmp_path, lender):
    """Small views have no proportions; the mask would not lie on the tumour."""
    samples = borrower(tmp_path, stretched=cv2.resize(picture(0)[0], (96, 60), interpolation=cv2.INTER_AREA))
    listed = list_lender(lender)
    filled, counts = lend_masks(samples, views(samples), listed, views(listed), None)

    assert counts == {"lent": 0, "refused": 1}
    assert filled["mask_path"].tolist() == [""]


def test_masks_of_ones_own_stay(tmp_path, lender):
    samples = borrower(tmp_path, upright=picture(0)[0]).assign(mask_path="own.png")
    filled, counts = lend_masks(samples, views(samples), list_lender(lender), np.zeros((4, 3, 64, 64), np.uint8), None)

    assert counts["lent"] == 0
    assert filled["mask_path"].tolist() == ["own.png"]


def test_a_set_without_masks_cannot_lend_any(tmp_path, lender):
    for mask in lender.rglob("*_mask.png"):
        mask.unlink()
    with pytest.raises(DataError, match=r"data\.masks=.* holds no masks"):
        list_lender(lender)
