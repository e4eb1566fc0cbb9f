"""The patient that the path of a file names, as public sets and common tools write it."""

import re
from pathlib import PurePath

from brain_tumor.data.readers.mask_files import is_image_folder, stem, without_modality
from brain_tumor.data.readers.memory import File

_VISITS = (
    re.compile(r"^(sub-[A-Za-z0-9]+)(?=$|[_-])"),  # BIDS: sub-01_ses-2
    re.compile(r"^(BraTS-[A-Za-z]+-\d{5})-\d{3}(?=$|[_-])", re.IGNORECASE),  # BraTS since 2023: a time point at the end
    re.compile(r"^(TCGA[-_][A-Z0-9]{2}[-_][A-Z0-9]{4})(?=$|[_-])", re.IGNORECASE),  # a date behind
    re.compile(r"^(UPENN-GBM-\d{5})_\d{2}(?=$|[_-])", re.IGNORECASE),  # 11 before, 21 after surgery
    re.compile(r"^(UCSF-PDGM-\d{3,4})(?=$|[_-])", re.IGNORECASE),
)
"""Names of patients with something behind that tells their visits apart."""
_VISIT = re.compile(r"[-_](ses|session|visit|timepoint|tp)[-_]?\d+$", re.IGNORECASE)


def patient_of_name(name: str) -> str:
    """Return the patient in the name of a file or folder without its visit; the name itself if it has none.

    >>> [patient_of_name(name) for name in ("BraTS-GLI-00003-001", "sub-01_ses-2", "p7_visit2", "case_12")]
    ['BraTS-GLI-00003', 'sub-01', 'p7', 'case_12']
    """
    for pattern in _VISITS:
        if match := pattern.match(name):
            return match[1]
    return _VISIT.sub("", name)


def patient_from_path(file: File, home: PurePath) -> str:
    """Return the patient of a volume: its sub-folder of ``home``, or else its name, without sequence and visit.

    Sub-folders that only sort files (``imagesTr``) are no patients.

    >>> from pathlib import Path
    >>> patient_from_path(Path("glioma/p7/t1.nii.gz"), Path("glioma"))
    'p7'
    >>> patient_from_path(Path("glioma/sub-01_ses-2_T1w.nii"), Path("glioma"))
    'sub-01'
    >>> patient_from_path(Path("glioma/BraTS-GLI-00003-001/BraTS-GLI-00003-001-t1c.nii.gz"), Path("glioma"))
    'BraTS-GLI-00003'
    """
    folders = [folder for folder in file.relative_to(home).parts[:-1] if not is_image_folder(folder)]
    return patient_of_name(folders[0] if folders else without_modality(stem(file)))
