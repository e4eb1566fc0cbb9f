"""Recognise segmentation masks among the files of a data set, and pair them with their images."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from brain_tumor.data.readers.memory import File

_ANATOMY = r"dseg|probseg|aseg|aparc|brain[-_]?mask"
"""Segmentations of tissue or of the whole brain (BIDS, FreeSurfer, FSL): masks, but not of a tumour."""
_LESION = r"seg|segmentation|masks?|labels?|label[-_]?map|roi|gt|ground[-_]?truth|lesion|tumou?r[-_]?mask|annotation"
_SUFFIX = re.compile(r"(\.nii)?\.[^.]+$", re.IGNORECASE)
_NAME = re.compile(
    rf"^(?:(?P<stem>.*?)[-_. ]+)??(?P<kind>{_ANATOMY}|{_LESION})(?:[-_ ]?\(?\d{{1,3}}\)?)?$", re.IGNORECASE
)
_PREFIX = re.compile(r"^(?:mask|seg|label)[-_ ](?P<stem>.+)$", re.IGNORECASE)
_FOLDER = re.compile(
    r"^(masks?|labels?|labels?(tr|ts|train|test|val)|annotations?|seg|segs|segmentations?|ground[-_ ]?truths?|gt)$",
    re.IGNORECASE,
)
_IMAGE_FOLDER = re.compile(r"^(images?|imgs?|images?(tr|ts|train|test|val)|scans?)$", re.IGNORECASE)
_MODALITY = re.compile(r"[-_](t1|t1c|t1ce|t1n|t1gd|t1w|t2|t2f|t2w|flair|pd|pdw|dwi|adc|swi|0\d{3})$", re.IGNORECASE)


def stem(file: File) -> str:
    """Return the name of a file without its suffix (.nii.gz is one)."""
    return _SUFFIX.sub("", file.name)


def without_modality(name: str) -> str:
    """Remove the MR sequence at the end of a stem: ``sub-01_T1w`` → ``sub-01``, ``case_001_0000`` → ``case_001``."""
    return _MODALITY.sub("", name)


def is_image_folder(name: str) -> bool:
    """Return whether a folder of this name holds the images where another one holds the masks, as ``imagesTr``."""
    return bool(_IMAGE_FOLDER.match(name))


def is_mask(file: File, home: PurePath | None = None) -> bool:
    """Return whether the name of a file, or of a folder between it and ``home``, marks it as a segmentation mask.

    Known are the endings of BIDS, BraTS and common tools (``_dseg``, ``-seg``, ``_mask``, ``_label``, …), also with a
    number behind, ``mask_`` and ``seg_`` in front, and folders such as ``masks`` and nnU-Net's ``labelsTr``.

    >>> from pathlib import Path
    >>> [is_mask(Path(name)) for name in ("BraTS-GLI-00000-000-seg.nii.gz", "7_mask.png", "segment_T1.nii")]
    [True, True, False]
    """
    name = stem(file)
    if _NAME.match(name) or _PREFIX.match(name):
        return True
    return any(_FOLDER.match(folder) for folder in (file.relative_to(home).parts[:-1] if home else ()))


def pair_masks(images: Iterable[File], masks: Iterable[File]) -> Mapping[File, File]:
    """Find the tumour mask of each image by its name.

    ``x_mask.png`` belongs to ``x.png``, ``labelsTr/c.nii`` to ``imagesTr/c_0000.nii``. Segmentations of tissue or of
    the whole brain pair with nothing.

    Returns:
        Image → mask, the first by name if there are several.
    """
    by_key: dict[tuple[PurePath, str], File] = {}
    for mask in sorted(masks):
        match = _NAME.match(stem(mask))
        kind = match["kind"] if match else ""
        if re.fullmatch(_ANATOMY, kind, re.IGNORECASE):
            continue
        prefixed = _PREFIX.match(stem(mask))
        base = match["stem"] if match and match["stem"] else prefixed["stem"] if prefixed else stem(mask)
        in_mask_folder = bool(_FOLDER.match(mask.parent.name))
        by_key.setdefault((mask.parent.parent if in_mask_folder else mask.parent, base.lower()), mask)
    pairs: dict[File, File] = {}
    for image in images:
        folder = image.parent.parent if is_image_folder(image.parent.name) else image.parent
        for name in (stem(image).lower(), without_modality(stem(image)).lower()):
            for place in (folder, image.parent):
                if (place, name) in by_key:
                    pairs.setdefault(image, by_key[place, name])
    return pairs
