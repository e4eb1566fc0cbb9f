"""A picture written in every representation that carries its values reads back equal, up to scaling."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import nibabel as nib
import numpy as np
import pytest
import tifffile
from data.readers.clinical import dataset, write_dicom
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from brain_tumor import read_image

WHITE = 4095
"""Largest value of the pictures: 12 bits, as scanners have."""


def picture(seed: int) -> np.ndarray:
    """Return int64 [24, 20] from 0 to `WHITE`; a tenth of the pixels each is black and white, so that no stretch of
    the grey scale that leaves out tails changes the ends."""
    values = np.random.default_rng(seed).integers(0, WHITE + 1, (24, 20))
    values[:3], values[-3:] = 0, WHITE
    return values


def assert_same(path: Path, values: np.ndarray, grey_levels: int = 255) -> None:
    """Compare a file with the values that it should hold, both as shares of their range."""
    read = read_image(path)
    assert read.dtype == np.uint8
    assert read.shape == values.shape
    shares = [(a - a.min()) / np.ptp(a) for a in (read.astype(float), values.astype(float))]
    np.testing.assert_allclose(*shares, atol=0.51 / 255 + 0.51 / grey_levels)


def grey8(values: np.ndarray) -> np.ndarray:
    return np.rint(values * (255 / WHITE)).astype(np.uint8)


def opaque(grey: np.ndarray) -> np.ndarray:
    return np.dstack([grey, np.full_like(grey, np.iinfo(grey.dtype).max)])


def palette_png(path: Path, grey: np.ndarray) -> None:
    image = Image.fromarray(255 - grey, mode=None).convert("P")
    image.putdata((255 - grey).ravel().tolist())
    image.putpalette(np.repeat(np.arange(255, -1, -1, dtype=np.uint8), 3).tobytes())
    image.save(path)


RASTERS: dict[str, tuple[str, Callable[[Path, np.ndarray], object], int]] = {
    "png grey 8": ("a.png", lambda path, v: Image.fromarray(grey8(v)).save(path), 255),
    "png grey 16": ("a.png", lambda path, v: cv2.imwrite(str(path), v.astype(np.uint16)), WHITE),
    "png rgb 8": ("a.png", lambda path, v: Image.fromarray(np.dstack([grey8(v)] * 3)).save(path), 255),
    "png rgb 16": ("a.png", lambda path, v: cv2.imwrite(str(path), np.dstack([v.astype(np.uint16)] * 3)), WHITE),
    "png la 8": ("a.png", lambda path, v: Image.fromarray(opaque(grey8(v)), "LA").save(path), 255),
    "png la 16": ("a.png", lambda path, v: path.write_bytes(imagecodecs.png_encode(opaque(v.astype("u2")))), WHITE),
    "png rgba 16": (
        "a.png",
        lambda path, v: cv2.imwrite(str(path), np.dstack([*[v.astype("u2")] * 3, np.full(v.shape, 65535, "u2")])),
        WHITE,
    ),
    "png palette": ("a.png", lambda path, v: palette_png(path, grey8(v)), 255),
    "bmp": ("a.bmp", lambda path, v: Image.fromarray(grey8(v)).save(path), 255),
    "gif": ("a.gif", lambda path, v: Image.fromarray(grey8(v)).save(path), 255),
    "webp": ("a.webp", lambda path, v: Image.fromarray(np.dstack([grey8(v)] * 3)).save(path, lossless=True), 255),
    "pgm 8": ("a.pgm", lambda path, v: cv2.imwrite(str(path), grey8(v)), 255),
    "pgm 16": ("a.pgm", lambda path, v: cv2.imwrite(str(path), v.astype(np.uint16)), WHITE),
    "ppm 16": ("a.ppm", lambda path, v: cv2.imwrite(str(path), np.dstack([v.astype(np.uint16)] * 3)), WHITE),
}


def write_tiff(path: Path, values: np.ndarray, dtype: str, **options: object) -> int:
    kind = np.dtype(dtype)
    scaled = grey8(values) if kind.itemsize == 1 else values
    scaled = scaled // 2 if dtype == "i1" else scaled / WHITE if kind.kind == "f" else scaled
    scaled = scaled.astype(kind)
    if options.get("photometric") == "miniswhite":
        scaled = (np.iinfo(kind).max if kind.kind == "u" else scaled.max()) - scaled
    elif options.get("photometric") == "rgb":
        scaled = np.stack([scaled] * 3, axis=0 if options.get("planarconfig") == "separate" else -1)
    tifffile.imwrite(path, scaled.astype(kind.newbyteorder(str(options.get("byteorder", "<")))), **options)
    return {"u1": 255, "i1": 127, "f2": 1000}.get(dtype, WHITE)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(RASTERS)), seed=st.integers(0, 2**32 - 1))
def test_rasters(kind, seed):
    name, write, levels = RASTERS[kind]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, name), picture(seed))
        assert_same(Path(folder, name), picture(seed), levels)


@settings(max_examples=120, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]),
    photometric=st.sampled_from(["minisblack", "miniswhite", "rgb"]),
    compression=st.sampled_from([None, "lzw", "zlib", "packbits"]),
    byteorder=st.sampled_from("<>"),
    bigtiff=st.booleans(),
    layout=st.sampled_from([{}, {"tile": (16, 16)}, {"rowsperstrip": 5}]),
    planar=st.sampled_from(["contig", "separate"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_tiffs(dtype, photometric, compression, byteorder, bigtiff, layout, planar, seed):
    options = {"photometric": photometric, "compression": compression, "byteorder": byteorder, "bigtiff": bigtiff}
    options |= layout | ({"planarconfig": planar} if photometric == "rgb" else {})
    with tempfile.TemporaryDirectory() as folder:
        levels = write_tiff(Path(folder, "a.tif"), picture(seed), dtype, **options)
        assert_same(Path(folder, "a.tif"), picture(seed), levels)


@settings(max_examples=120, deadline=None)
@given(
    stored=st.integers(8, 16),
    signed=st.booleans(),
    shifted=st.booleans(),
    inverted=st.booleans(),
    dirty=st.booleans(),
    slope=st.sampled_from([None, 1.0, 0.0012, 1e-12, 250.0]),
    intercept=st.sampled_from([0.0, -1024.0, 0.25]),
    syntax=st.sampled_from([None, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]),
    seed=st.integers(0, 2**32 - 1),
)
def test_grey_dicoms(stored, signed, shifted, inverted, dirty, slope, intercept, syntax, seed):
    """The values lie in any bits of 16, with or without sign; the bits beside them hold anything, as overlays do."""
    assume(stored > 8 or syntax != RLELossless)  # pydicom writes 8 of 16 bits so that it cannot read them
    values = picture(seed)
    levels = 2 ** (stored - signed) - 1
    quantised = np.rint(values * (levels / WHITE)).astype(np.int64)
    words = (levels - quantised if inverted else quantised) - (2 ** (stored - 1) if signed and stored > 9 else 0)
    levels = int(np.ptp(quantised))
    if words.max() >= 2 ** (stored - signed):
        words //= 2
    bits = words & (2**stored - 1)
    high = 15 if shifted else stored - 1
    bits <<= high + 1 - stored
    if dirty and syntax is None:
        bits |= np.random.default_rng(seed).integers(0, 2**16, bits.shape) & ~((2**stored - 1) << (high + 1 - stored))
    elif signed and not shifted:
        bits |= np.where(words < 0, ~(2**stored - 1) & 0xFFFF, 0)
    attributes = {"RescaleSlope": slope, "RescaleIntercept": intercept} if slope else {}
    with tempfile.TemporaryDirectory() as folder:
        path = write_dicom(
            Path(folder, "a.dcm"),
            bits.astype(np.uint16),
            high_bit=high,
            syntax=syntax,
            BitsStored=stored,
            PixelRepresentation=int(signed),
            PhotometricInterpretation="MONOCHROME1" if inverted else "MONOCHROME2",
            **attributes,
        )
        assert_same(path, quantised, 100_000)


@settings(max_examples=40, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    words=st.booleans(),
    first=st.sampled_from([0, 10]),
    seed=st.integers(0, 2**32 - 1),
)
def test_palettes(bits, words, first, seed):
    """Entries of 8 bits lie in bytes or in words, those of 16 in words; indices may start above 0."""
    grey, entries = grey8(picture(seed)), np.arange(256) * (257 if bits == 16 else 1)
    content = entries.astype("<u2" if words or bits == 16 else "u1").tobytes()
    table = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, first, bits]), ("Data", content))
    }
    with tempfile.TemporaryDirectory() as folder:
        path = write_dicom(
            Path(folder, "a.dcm"),
            grey.astype(np.uint16) + first,
            PhotometricInterpretation="PALETTE COLOR",
            **table,
        )
        assert_same(path, grey, 100_000)


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(8, 16),
    words=st.booleans(),
    first=st.sampled_from([0, -1000, 500]),
    unsigned=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_lookup_tables(bits, words, first, unsigned, seed):
    """A VOI LUT maps the values as an independent lookup does, however its entries and first value are stored."""
    values = grey8(picture(seed)).astype(np.int16) + first
    entries = np.rint((2**bits - 1) * (np.arange(256) / 255) ** 2).astype(np.int64)
    content = entries.astype("<u2" if bits > 8 or words else "u1").tobytes()
    lut = dataset(LUTData=content)
    lut.add_new("LUTDescriptor", "US" if unsigned else "SS", [256, first % 2**16 if unsigned else first, bits])
    with tempfile.TemporaryDirectory() as folder:
        path = write_dicom(Path(folder, "a.dcm"), values, VOILUTSequence=[lut])
        assert_same(path, entries[values - first], 2**bits - 1)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_colour_dicoms(tmp_path, bits):
    """Colours of more than 8 bits reach white at their maximum: not all of their bits need be in use."""
    values = picture(0)
    colour = np.dstack([grey8(values) if bits == 8 else values] * 3).astype(np.uint8 if bits == 8 else np.uint16)

    assert_same(write_dicom(tmp_path / "a.dcm", colour, BitsStored=bits), values)


@settings(max_examples=80, deadline=None)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]),
    byteorder=st.sampled_from("<>"),
    offset=st.sampled_from([0, 1e9, -1e9]),
    scaling=st.sampled_from([(None, None), (0.001, 0.0), (2.0, 1e9)]),
    version=st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
    seed=st.integers(0, 2**32 - 1),
)
def test_niftis(dtype, byteorder, offset, scaling, version, seed):
    kind = np.dtype(dtype).newbyteorder(byteorder)
    values = picture(seed)
    scaled = grey8(values) // (2 if dtype == "i1" else 1) if kind.itemsize == 1 else values
    if kind.itemsize > 2 and dtype != "f4" and not (dtype.startswith("u") and offset < 0):
        scaled = scaled + np.int64(offset)
    volume = np.stack([scaled, scaled], axis=-1).astype(kind)
    header = version.header_class(endianness=byteorder)
    header.set_data_dtype(kind)
    header.set_data_shape(volume.shape)
    header.set_slope_inter(*scaling)
    header.set_sform(np.eye(4), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.nii")
        with path.open("wb") as file:
            header["vox_offset"] = 352 if version is nib.Nifti1Image else 544
            header["magic"] = b"n+1" if version is nib.Nifti1Image else header["magic"]
            header.write_to(file)
            file.write(b"\0" * (int(header["vox_offset"]) - file.tell()))
            file.write(np.asfortranarray(volume).tobytes(order="F"))
        read = Path(f"{path}#axial:0")
        assert_same(read, scaled[::-1, ::-1].T.astype(float), 100_000)
