import numpy as np
import PIL
import pytest
from PIL import Image

from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError

GRADIENT = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))  # [48, 64]: height and width cannot be confused


@pytest.mark.parametrize("suffix", ["bmp", "jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_yields_the_same_grey(tmp_path, suffix, mode):
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(GRADIENT).convert(mode).save(path, **({"lossless": True} if suffix == "webp" else {}))

    grey = read_image(path)

    assert grey.dtype == np.uint8
    assert grey.shape == (48, 64)
    assert np.abs(grey.astype(int) - GRADIENT).max() <= (4 if suffix == "jpg" else 1)


OLD_PILLOW = pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow refuses such files before 13")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", pytest.param("YCbCr", marks=OLD_PILLOW), "HSV", "CMYK"])
def test_modes_keep_the_image(tmp_path, mode):
    expected = np.where(GRADIENT > 128, 255, 0).astype(np.uint8)
    path = tmp_path / ("scan.tif" if mode in ("CMYK", "YCbCr") else "scan.png")
    image = Image.fromarray(expected).convert("RGB").convert(mode)
    (image.convert("RGB") if mode == "HSV" else image).save(path)

    assert np.abs(read_image(path).astype(int) - expected).max() <= 2


def test_cmyk_jpeg_is_not_inverted(tmp_path):
    Image.fromarray(GRADIENT).convert("RGB").convert("CMYK").save(tmp_path / "scan.jpg", quality=95)

    assert np.abs(read_image(tmp_path / "scan.jpg").astype(int) - GRADIENT).mean() < 3


def test_colour_becomes_luma(tmp_path):
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / "colour.png")

    assert read_image(tmp_path / "colour.png")[0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_transparency_is_composed_over_black(tmp_path):
    Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 255, 255])
    palette.save(tmp_path / "palette.png", transparency=1)

    assert read_image(tmp_path / "clear.png").max() == 0
    assert read_image(tmp_path / "palette.png").max() == 0


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_their_maximum(tmp_path, suffix):
    wide = (np.arange(64, dtype=np.uint16) * 16).reshape(8, 8)  # 0 … 1008: a 10-bit scanner
    Image.fromarray(wide).save(tmp_path / f"wide.{suffix}")

    np.testing.assert_array_equal(read_image(tmp_path / f"wide.{suffix}"), np.rint(wide / 1008 * 255))


def test_float_and_negative_values_are_scaled_from_their_minimum(tmp_path):
    Image.fromarray(np.array([[-1.0, 0.0], [1.0, 3.0]], np.float32)).save(tmp_path / "float.tif")

    np.testing.assert_array_equal(read_image(tmp_path / "float.tif"), [[0, 64], [128, 255]])


def test_a_black_sixteen_bit_image_stays_black(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "black.png")

    assert read_image(tmp_path / "black.png").max() == 0


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90° clockwise
    Image.fromarray(GRADIENT).save(tmp_path / "turned.jpg", exif=exif, quality=95)

    grey = read_image(tmp_path / "turned.jpg")

    assert grey.shape == (64, 48)
    assert grey[0].mean() < grey[-1].mean()


def test_errors_are_one_sentence_that_names_the_file(tmp_path):
    good = tmp_path / "good.jpg"
    Image.fromarray(GRADIENT).save(good)
    (tmp_path / "half.jpg").write_bytes(good.read_bytes()[:-200])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "nan.tif")

    for name in ("half.jpg", "text.png", "empty.png", "nan.tif", "missing.png"):
        with pytest.raises(DataError, match=name) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_original_files_of_public_sets_are_read(shared):
    files = sorted((shared / "data" / "raw_samples").iterdir())

    for path in files:
        grey = read_image(path)
        assert grey.ndim == 2
        assert grey.std() > 5, path
    assert len(files) == 11
