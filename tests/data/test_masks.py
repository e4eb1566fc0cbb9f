import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from data.public.layouts import write_mat
from PIL import Image

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.masks import MIRRORED, TumourMasks, head_mask, read_masks
from brain_tumor.data.phantom.store import phantom
from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError
from brain_tumor.types import UNKNOWN_MASK


def save_image_and_mask(tmp_path, image, mask, suffix="png"):
    paths = tmp_path / "image.png", tmp_path / f"mask.{suffix}"
    for path, array in zip(paths, (image, mask), strict=True):
        Image.fromarray(array).save(path)
    return pd.DataFrame({"path": ["no", str(paths[0])], "mask_path": ["", str(paths[1])]})


@pytest.mark.parametrize("shape", [(200, 160), (90, 120), (31, 64)])
@pytest.mark.parametrize("size", [64, 96, 160])
def test_masks_are_aligned_with_their_images(tmp_path, shape, size):
    image = np.zeros(shape, np.uint8)
    image[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = 255

    rows, masks = read_masks(save_image_and_mask(tmp_path, image, image), size)

    assert rows.tolist() == [1]
    fitted = fit_square(image, size)
    assert masks[0][fitted > 200].all()
    assert not masks[0][fitted < 55].any()


def test_every_label_is_inside_and_compression_noise_is_not(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[10:30, 10:30] = 1  # a label map

    _, [labelled] = read_masks(save_image_and_mask(tmp_path, mask, mask), 64)
    _, [lossy] = read_masks(save_image_and_mask(tmp_path, mask, 255 * mask, "jpg"), 64)

    np.testing.assert_array_equal(labelled, mask > 0)
    np.testing.assert_array_equal(lossy, mask > 0)


def test_other_proportions_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"has 64 × 32 pixels and its image 64 × 64"):
        read_masks(save_image_and_mask(tmp_path, np.zeros((64, 64), np.uint8), np.zeros((32, 64), np.uint8)), 64)


def test_masks_of_another_resolution_are_accepted(tmp_path):
    image = np.zeros((128, 96), np.uint8)
    image[32:64, 24:48] = 200

    _, [mask] = read_masks(save_image_and_mask(tmp_path, image, image[::2, ::2]), 64)

    np.testing.assert_array_equal(mask, fit_square(image, 64) > 100)


def test_slices_of_volumes_have_masks(tmp_path):
    volume = np.zeros((20, 24, 6), np.int16)
    volume[5:9, 6:12, 3] = 1
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "mask.nii.gz")
    reference = f"{tmp_path / 'mask.nii.gz'}#axial:3"

    _, [mask] = read_masks(pd.DataFrame({"path": [reference], "mask_path": [reference]}), 24)

    assert mask.sum() == 24


def test_phantoms_have_masks_of_bright_or_dark_lesions(tmp_path):
    samples = phantom(tmp_path, patients=12, slices=1, size=64, jobs=1)

    rows, masks = read_masks(samples, 64)

    assert (samples["label"].iloc[rows] != "no_tumor").all()
    assert len(rows) == (samples["label"] != "no_tumor").sum()
    assert masks.mean(axis=(1, 2)).min() > 0
    for row, mask in zip(rows, masks, strict=True):
        head = head_mask(read_image(samples["path"].iloc[row]))
        assert (mask & head).sum() > 0.5 * mask.sum()
        assert 0.15 < head.mean() < 0.9


def test_matlab_files_hold_their_masks(tmp_path):
    inside = np.zeros((24, 32), bool)
    inside[3:9, 20:30] = True
    file = write_mat(tmp_path / "7.mat", 2, "100360", np.tile(np.arange(32, dtype=np.int16), (24, 1)), inside)

    _, [mask] = read_masks(pd.DataFrame({"path": [str(file)], "mask_path": [f"{file}#mask"]}), 32)

    np.testing.assert_array_equal(mask[4:28], inside)
    assert mask.sum() == 60


def test_data_without_masks():
    rows, masks = read_masks(pd.DataFrame({"path": ["a"], "mask_path": [""]}), 32)

    assert (len(rows), masks.shape) == (0, (0, 32, 32))


def test_the_head_is_the_largest_patch_with_its_holes():
    image = np.zeros((64, 64), np.uint8)
    image[10:50, 12:52] = 130
    image[20:30, 20:30] = 0  # a dark ventricle
    image[58:61, 2:14] = 255  # a letter

    head = head_mask(image)

    assert head[15:45, 15:48].all()
    assert not head[57:].any()
    assert head_mask(np.zeros((32, 32), np.uint8)).all()


class TestTumourMasks:
    def samples(self, tmp_path):
        mask = np.zeros((40, 40), np.uint8)
        mask[5:15, 20:30] = 255
        for name in ("image", "mask"):
            Image.fromarray(mask if name == "mask" else mask // 2).save(tmp_path / f"{name}.png")
        path = str(tmp_path / "image.png")
        masks = [str(tmp_path / "mask.png"), "", "", f"{tmp_path / 'mask.png'}{MIRRORED}"]
        return pd.DataFrame(
            {"path": [path] * 4, "label": ["glioma", "glioma", HEALTHY, "glioma"], "mask_path": masks}
        ), mask

    def test_are_known_of_outlined_tumours_and_healthy_images(self, tmp_path):
        samples, mask = self.samples(tmp_path)
        masks = TumourMasks(samples, 40)

        assert masks.known.tolist() == [True, False, True, True]
        found = masks[np.array([3, 2, 1, 0, 0])]
        np.testing.assert_array_equal(found[4], mask > 0)
        np.testing.assert_array_equal(found[0], mask[:, ::-1] > 0)
        assert found[1].max() == 0
        assert found[2].min() == UNKNOWN_MASK

    def test_no_image_may_have_one(self, tmp_path):
        samples, _ = self.samples(tmp_path)
        masks = TumourMasks(samples.assign(mask_path=""), 40)

        assert masks.known.tolist() == [False, False, True, False]
        assert masks[np.array([0, 2])].reshape(2, -1).max(axis=1).tolist() == [UNKNOWN_MASK, 0]

    def test_are_read_once_and_again_when_a_file_changes(self, tmp_path):
        samples, mask = self.samples(tmp_path)
        results = tmp_path / "results"
        results.mkdir()
        TumourMasks(samples, 40, results, tmp_path)
        assert len(list(results.glob("masks-*"))) == 1
        Image.fromarray(255 - mask).save(tmp_path / "mask.png")

        changed = TumourMasks(samples, 40, results, tmp_path)[np.array([0])][0]

        np.testing.assert_array_equal(changed, mask == 0)
        assert len(list(results.glob("masks-*"))) == 2
