import os

import numpy as np
import pytest
from conftest import draw, save
from PIL import Image

from brain_tumor.data.cache import cached_images
from brain_tumor.errors import DataError


@pytest.fixture
def files(tmp_path):
    return [str(save(tmp_path / f"{n}.png", "glioma", n)) for n in range(5)]


def test_pictures_come_in_the_order_asked_for(files, tmp_path):
    cache = cached_images(files[::-1], 48, tmp_path / "cache")

    assert cache.images.dtype == np.uint8
    for row, seed in enumerate(reversed(range(5))):
        np.testing.assert_array_equal(cache.images[row], draw("glioma", seed))
    assert cache.facts["path"].tolist() == files[::-1]


def test_second_reading_decodes_nothing(files, tmp_path, monkeypatch):
    first = cached_images(files, 32, tmp_path / "cache")
    monkeypatch.setattr("brain_tumor.data.cache.decode", lambda paths, _: pytest.fail(f"decoded {paths} again"))

    second = cached_images(files, 32, tmp_path / "cache")

    np.testing.assert_array_equal(first.images, second.images)
    assert first.facts.equals(second.facts)


def test_changed_file_or_size_is_decoded_again(files, tmp_path):
    before = cached_images(files, 48, tmp_path / "cache").images[0].copy()
    save(tmp_path / "0.png", "pituitary", 0)
    os.utime(files[0], ns=(1, 1))

    assert not np.array_equal(cached_images(files, 48, tmp_path / "cache").images[0], before)
    assert cached_images(files, 24, tmp_path / "cache").images.shape == (5, 24, 24)


def test_faulty_files_are_named_not_fatal(files, tmp_path):
    (tmp_path / "2.png").write_bytes(b"broken")

    facts = cached_images(files, 48, tmp_path / "cache").facts

    assert (facts["error"] != "").tolist() == [False, False, True, False, False]
    assert "2.png" in facts["error"][2]


def test_same_pixels_in_another_format_have_the_same_digest(tmp_path):
    from PIL import Image

    for name in ("a.png", "b.bmp"):
        Image.fromarray(draw("glioma", 0)).save(tmp_path / name)

    facts = cached_images([str(tmp_path / "a.png"), str(tmp_path / "b.bmp")], 48, tmp_path / "cache").facts

    assert facts["pixels"].nunique() == 1
    assert facts["sha256"].nunique() == 2


def test_unwritable_cache_is_one_sentence(files, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DataError, match=r"set paths\.cache_dir"):
        cached_images(files, 48, tmp_path / "file")


def test_blank_pictures_link_nobody(tmp_path):
    for number in range(2):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")

    cache = cached_images([str(tmp_path / f"{number}.png") for number in range(2)], 8, tmp_path / "cache")

    assert cache.facts["pixels"].tolist() == ["", ""]
