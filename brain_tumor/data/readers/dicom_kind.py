"""Which DICOM objects are images of a scan: by SOP class, Modality and ImageType (DICOM PS3.3 C.7.6.1.1.2)."""

from collections.abc import Collection
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    ParametricMapStorage,
    PositronEmissionTomographyImageStorage,
    SegmentationStorage,
    SurfaceSegmentationStorage,
    UltrasoundImageStorage,
)

from brain_tumor.data.readers.dicom_attributes import safe_get

TAGS = ("SOPClassUID", "Modality", "ImageType", "Rows")
"""Attributes that `reason_left_out` reads."""
ANY = "any"
"""Value of ``modalities`` that takes all of them."""

_MASKS = {SegmentationStorage, SurfaceSegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7"}  # the last: label maps
_MODALITY_OF = {
    **dict.fromkeys(
        (MRImageStorage, EnhancedMRImageStorage, EnhancedMRColorImageStorage, LegacyConvertedEnhancedMRImageStorage),
        "MR",
    ),
    **dict.fromkeys((CTImageStorage, EnhancedCTImageStorage), "CT"),
    **dict.fromkeys((PositronEmissionTomographyImageStorage, EnhancedPETImageStorage), "PT"),
    NuclearMedicineImageStorage: "NM",
    UltrasoundImageStorage: "US",
    DigitalXRayImageStorageForPresentation: "DX",
}
"""SOP class → modality of objects that do not state one."""
_COMPUTED = frozenset(
    [
        "ADC",
        "EADC",
        "FA",
        "TRACEW",
        "CBF",
        "CBV",
        "RCBF",
        "RCBV",
        "MTT",
        "TTP",
        "TMAX",
        "KTRANS",
        "T1MAP",
        "T2MAP",
        "FIELDMAP",
        "MIP",
        "MINIP",
        "MPR",
        "REFORMATTED",
        "REFORMAT",
        "SCREENSHOT",
    ]
) | {"PROJECTION IMAGE", "CSA MPR", "SCREEN SAVE", "MAX_IP", "MIN_IP"}
"""Words of ImageType that say that an image was computed from others."""


def reason_left_out(data: Dataset, modalities: Collection[str], *, derived: bool) -> str:
    """Return why an object is not taken as image of a scan; empty if it is taken.

    Args:
        data: Attributes of the object, at least `TAGS`.
        modalities: Modalities that are taken, such as MR; one of unknown modality always is.
        derived: Whether localizers and images that were computed from others are taken, too.
    """
    uid = _text(data, "SOPClassUID")
    modality = _text(data, "Modality").upper() or _MODALITY_OF.get(UID(uid), "")
    if uid in _MASKS or modality == "SEG":
        return "mask (DICOM segmentation)"
    if "Rows" not in data:
        return "report or other object without an image"
    if modality and modality not in modalities and ANY not in modalities:
        return f"not {' or '.join(modalities)} ({modality[:16]})"
    kinds = [str(word).upper() for word in _values(data, "ImageType")]
    if derived:
        return ""
    if any("LOCALIZER" in kind or kind == "SCOUT" for kind in kinds):
        return "localizer"
    is_computed = kinds[:1] == ["DERIVED"] and (kinds[1:2] == ["SECONDARY"] or bool(_COMPUTED & set(kinds)))
    return "derived image" if is_computed or uid == ParametricMapStorage else ""


def is_mosaic(data: Dataset) -> bool:
    """Return whether an image is a mosaic: several slices side by side, as scanners of Siemens store them."""
    return any(str(kind).upper() == "MOSAIC" for kind in _values(data, "ImageType"))


def _text(data: Dataset, keyword: str) -> str:
    return str(safe_get(data, keyword) or "").strip()


def _values(data: Dataset, keyword: str) -> list[Any]:
    value = safe_get(data, keyword)
    return [] if value is None else [value] if isinstance(value, str) else list(value)
