"""What the names of NIfTI files tell, as BIDS, BraTS and nnU-Net write them."""

import re
from pathlib import Path

_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_MASK = re.compile(r"(^|[-_.])(seg|segmentation|mask|label|labels)$", re.IGNORECASE)
_MODALITY = re.compile(r"[-_](t1|t1c|t1ce|t1n|t1gd|t1w|t2|t2f|t2w|flair|pd|pdw|dwi|adc|swi|0\d{3})$", re.IGNORECASE)
_SUBJECT = re.compile(r"^(sub-[^-_]+)_")


def is_mask(file: Path) -> bool:
    """Is this a segmentation rather than a scan?

    >>> is_mask(Path("BraTS-GLI-00000-000-seg.nii.gz"))
    True
    """
    return bool(_MASK.search(_SUFFIX.sub("", file.name)))


def patient_of(file: Path, home: Path) -> str:
    """The patient: the sub-folder of ``home`` that a file lies in, else its name without the modality's ending.

    >>> patient_of(Path("glioma/p7/t1.nii.gz"), Path("glioma"))
    'p7'
    >>> patient_of(Path("glioma/sub-01_ses-2_T1w.nii"), Path("glioma"))
    'sub-01'
    >>> patient_of(Path("glioma/BraTS20_Training_001_flair.nii.gz"), Path("glioma"))
    'BraTS20_Training_001'
    """
    folders = file.relative_to(home).parts[:-1]
    if folders:
        return folders[0]
    stem = _SUFFIX.sub("", file.name)
    subject = _SUBJECT.match(stem)
    return subject[1] if subject else _MODALITY.sub("", stem)
