import shutil
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from factories import CENTRES, save

from brain_tumor.data.augmentation import Augmentation
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.duplicates.leakage import leak_counts
from brain_tumor.data.folder_and_manifest import folder
from brain_tumor.data.normalize import Normalize
from brain_tumor.data.readers.reading import read_image
from brain_tumor.data.splits import Holdout
from brain_tumor.errors import ConfigError, DataError

AUGMENTATION = Augmentation({"HorizontalFlip": {"p": 0.5}, "Affine": {"rotate": [-10, 10], "p": 1.0}})


@pytest.fixture
def module(flat_folder, tmp_path):
    def make(root=flat_folder, **options):
        options = {"image_size": 48, "batch_size": 8, "num_workers": 0, "cache_dir": tmp_path / "cache"} | options
        return ScanDataModule(partial(folder, root), Holdout(val=0.25, test=0.25), AUGMENTATION, **options)

    return make


def loaded(module):
    module.load()
    return module


def test_the_samples_table_is_filled(module):
    data = loaded(module())

    assert data.classes == tuple(CENTRES)
    assert data.counts == {
        "found": 48, "readable": 48, "distinct": 48, "train": 24, "val": 12, "test": 12, "left_out": 0
    }  # fmt: skip
    assert data.samples["sha256"].str.len().eq(64).all()
    assert [data.classes[label] for label in data.labels] == data.samples["label"].tolist()
    assert not any(leak_counts(data.leakage).values())


def test_evaluation_loaders_yield_each_image_once_and_unchanged(module):
    data = loaded(module())

    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        images, labels, rows = (torch.cat(parts) for parts in zip(*loader, strict=True))
        np.testing.assert_array_equal(rows, data.rows(split))
        np.testing.assert_array_equal(images[:, 0], data.images[rows])
        np.testing.assert_array_equal(labels, data.labels[rows])


def epoch(data, number):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    images, _, rows = (torch.cat(parts) for parts in zip(*loader, strict=True))
    return images, rows


def test_augmentation_differs_by_epoch_and_not_by_workers(module):
    without_workers, with_workers = loaded(module()), loaded(module(num_workers=2))

    first, rows = epoch(without_workers, 0)
    images, same_rows = epoch(with_workers, 0)

    torch.testing.assert_close(first, images)
    torch.testing.assert_close(rows, same_rows)
    later, later_rows = epoch(without_workers, 1)
    assert not torch.equal(first[rows.argsort()], later[later_rows.argsort()])
    assert len({image.numpy().tobytes() for image in first}) == len(first)


def test_without_workers_opencv_uses_one_thread(module):
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        loaded(module(num_workers=1)).train_dataloader()
        assert cv2.getNumThreads() == 2
        loaded(module(num_workers=0)).train_dataloader()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_workers_change_nothing_in_the_split(module):
    assert loaded(module(num_workers=0)).samples.equals(loaded(module(num_workers=3)).samples)


def test_copies_are_in_one_split(module, flat_folder, tmp_path):
    root = shutil.copytree(flat_folder, tmp_path / "copies")
    for copy in range(10):
        shutil.copy(root / "glioma" / "00.png", root / "glioma" / f"copy{copy}.png")

    samples = loaded(module(root)).samples

    copies = samples[samples["sample_id"].str.contains("copy|glioma/00")]
    assert len(copies) == 11
    assert copies["split"].nunique() == 1


def test_unreadable_images_stop_or_are_left_out(module, flat_folder, tmp_path, caplog):
    root = shutil.copytree(flat_folder, tmp_path / "broken")
    (root / "glioma" / "03.png").write_bytes(b"no image")
    (root / "no_tumor" / "05.png").write_bytes(b"")

    with pytest.raises(DataError, match=r"2 of 48 images cannot be read, first: .*03\.png.*data\.on_error=skip"):
        module(root).load()
    data = loaded(module(root, on_error="skip"))

    assert data.counts["readable"] == len(data.images) == len(data.samples) == 46
    assert "05.png" in caplog.text
    np.testing.assert_array_equal(data.images[0], read_image(data.samples["path"][0]))


def imbalanced(root):
    for number in range(30):
        save(root / "glioma" / f"{number}.png", "glioma", number)
    for number in range(6):
        save(root / "no_tumor" / f"{number}.png", "no_tumor", number)
    return root


def test_class_weights_balance_the_loss(module, tmp_path):
    data = loaded(module(imbalanced(tmp_path / "imbalanced"), imbalance="class_weights"))

    counts = np.bincount(data.labels[data.rows("train")])
    np.testing.assert_allclose(data.class_weights, counts.sum() / (2 * counts))
    assert loaded(module()).class_weights is None


def test_sampler_draws_classes_equally_often(module, tmp_path):
    data = loaded(module(imbalanced(tmp_path / "imbalanced"), imbalance="sampler", batch_size=1))

    labels = []
    for number in range(30):
        labels += data.labels[epoch(data, number)[1]].tolist()

    assert 0.4 < np.mean(labels) < 0.6


def test_the_digest_does_not_depend_on_names_or_order(module, flat_folder, tmp_path):
    for source in flat_folder.rglob("*.png"):
        target = tmp_path / "renamed" / source.parent.name / f"z{99 - int(source.stem)}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    save(tmp_path / "other" / "glioma" / "x.png", "glioma", 77)

    assert loaded(module(tmp_path / "renamed")).digest == loaded(module()).digest
    relabelled = shutil.copytree(flat_folder, tmp_path / "relabelled")
    (relabelled / "glioma" / "00.png").rename(relabelled / "pituitary" / "glioma00.png")
    assert loaded(module(relabelled)).digest != loaded(module()).digest


def test_normalising_happens_after_transfer(module):
    data = loaded(module())
    data.normalize = Normalize(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    batch = next(iter(data.test_dataloader()))

    images, labels, rows = data.on_after_batch_transfer(batch, 0)

    expected = (batch[0].double() / 255 - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[
        :, None, None
    ]
    torch.testing.assert_close(images.double(), expected, atol=1e-5, rtol=1e-5)
    assert images.dtype == torch.float32
    assert labels is batch[1]
    assert rows is batch[2]


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"num_workers": -1}, {"imbalance": "maybe"}, {"on_error": "ignore"}]
)
def test_invalid_settings(module, options):
    with pytest.raises(ConfigError, match="expected"):
        module(**options)
