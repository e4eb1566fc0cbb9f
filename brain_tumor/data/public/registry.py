"""Published facts about the public data sets; imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from brain_tumor.errors import DataError

NOT_VERIFIED = "not verified"
"""Value of a fact that no available source states; users must check it themselves."""

Counts: TypeAlias = Mapping[str, Mapping[str, int]]
"""Split (``train``, ``test``, or empty where none is published) → class in canonical spelling → number of images."""


@dataclass(frozen=True)
class Release:
    """One published version of a set."""

    version: str
    """Version number of the publisher; empty where there is only one version, or the number is unknown."""
    counts: Counts
    """Number of images that are used, by split and class."""

    @property
    def total(self) -> int:
        """Total number of images."""
        return sum(sum(classes.values()) for classes in self.counts.values())


@dataclass(frozen=True)
class PublicSet:
    """A public data set: its address, licence, layout on disk, and known defects."""

    name: str
    """Name in ``data=NAME``."""
    title: str
    """Title given by the publisher."""
    page: str
    """Address of the web page with the description and the download."""
    source: str
    """Address for `fetch`: ``kaggle:OWNER/NAME[/versions/N]``, ``figshare:ARTICLE`` or ``zenodo:RECORD``."""
    licence: str
    """Name of the licence, and who states it."""
    citation: str
    """Reference for publications."""
    layout: str
    """Short description of the expected folders, for messages."""
    class_folders: Mapping[str, str]
    """Class folder, in lower case → class in canonical spelling."""
    releases: tuple[Release, ...]
    """Published versions; `fetch` downloads the first one, and ``remarks`` describe it."""
    remarks: tuple[str, ...]
    """Known defects: leaks, label errors, shortcuts."""
    split_folders: Mapping[str, str] | None = None
    """Folder of a published split, in lower case → split; None where no split is published."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in canonical spelling."""
        return tuple(sorted(set(self.class_folders.values())))


_TUMOURS = {"glioma": "glioma", "meningioma": "meningioma", "pituitary": "pituitary"}
_TRAINING_TESTING = {"training": "train", "testing": "test"}
_YES_NO = {"yes": "tumor", "no": "no_tumor"}
_ORIGIN = "Compiled from cheng, bhuvaji and br35h: never train on one of these and test on another."


def _four(glioma: int, meningioma: int, no_tumor: int, pituitary: int) -> dict[str, int]:
    return {"glioma": glioma, "meningioma": meningioma, "no_tumor": no_tumor, "pituitary": pituitary}


_SETS = (
    PublicSet(
        name="nickparvar",
        title="Brain Tumor MRI Dataset (M. Nickparvar)",
        page="https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset",
        source="kaggle:masoudnickparvar/brain-tumor-mri-dataset/versions/1",
        licence="CC0 1.0 according to third parties, for version 1; images from cheng are CC BY 4.0",
        citation="Nickparvar M. Brain Tumor MRI Dataset. Kaggle, 2021. doi:10.34740/KAGGLE/DSV/2645886",
        layout="Training/ and Testing/, each with glioma, meningioma, notumor, pituitary",
        class_folders={**_TUMOURS, "notumor": "no_tumor"},
        split_folders=_TRAINING_TESTING,
        releases=(
            Release("1", {"train": _four(1321, 1339, 1595, 1457), "test": _four(300, 306, 405, 300)}),
            Release("2", {"train": _four(1400, 1400, 1400, 1400), "test": _four(400, 400, 400, 400)}),
        ),
        remarks=(
            "Leaks: 75.7 % of the published test images have a near-duplicate in Training, and every test tumour whose "
            "patient is known (788 of 788) has other images of that patient in Training; use split=grouped.",
            _ORIGIN,
            "Shortcut: 512×512 images are 84 to 100 % of the tumour classes and 1 % of notumor.",
            "Label errors: 4 slices are in both pituitary and meningioma; 13 notumor files show an enhancing lesion.",
            "Version 2 (2026, 7,200 images) is a different set; published results are for version 1 (7,023).",
        ),
    ),
    PublicSet(
        name="bhuvaji",
        title="Brain Tumor Classification (MRI) (S. Bhuvaji et al., SARTAJ)",
        page="https://www.kaggle.com/datasets/sartajbhuvaji/brain-tumor-classification-mri",
        source="kaggle:sartajbhuvaji/brain-tumor-classification-mri",
        licence="MIT according to third parties, who cite Kaggle",
        citation="Bhuvaji S, Kadam A, Bhumkar P, Dedge S, Kanchan S. Brain Tumor Classification (MRI). "
        "Kaggle, 2020. doi:10.34740/KAGGLE/DSV/1183165",
        layout="Training/ and Testing/, each with glioma_tumor, meningioma_tumor, no_tumor, pituitary_tumor",
        class_folders={**{f"{name}_tumor": label for name, label in _TUMOURS.items()}, "no_tumor": "no_tumor"},
        split_folders=_TRAINING_TESTING,
        releases=(Release("", {"train": _four(826, 822, 395, 827), "test": _four(100, 115, 105, 74)}),),
        remarks=(
            "Label errors: the glioma folder is known to be mislabelled.",
            "Leaks: 251 of the 394 test images are in Training with the same pixels.",
            "Most tumour images are slices of cheng.",
        ),
    ),
    PublicSet(
        name="cheng",
        title="brain tumor dataset (J. Cheng, figshare)",
        page="https://figshare.com/articles/dataset/brain_tumor_dataset/1512427",
        source="figshare:1512427",
        licence="CC BY 4.0",
        citation="Cheng J. brain tumor dataset. figshare. doi:10.6084/m9.figshare.1512427; Cheng J et al. PLoS ONE "
        "2015, doi:10.1371/journal.pone.0140381, and 2016, doi:10.1371/journal.pone.0157112",
        layout="1.mat … 3064.mat at any depth, or metadata.csv with the images it names",
        class_folders=_TUMOURS,
        releases=(Release("", {"": {"glioma": 1426, "meningioma": 708, "pituitary": 930}}),),
        remarks=(
            "Has patient ids: 233, some with a trailing letter (MR040240, MR040240B, MR040240C), which are treated as "
            "one patient: 209 without the letter. Has tumour masks.",
            "No healthy class. T1 with contrast; all three planes, without a label for the plane.",
            "Leaks: 15 of the patients are in several of the authors' cross-validation folds (cvind.mat), so these are "
            "not used.",
        ),
    ),
    PublicSet(
        name="preetviradiya",
        title="Brian Tumor Dataset (P. Viradiya)",
        page="https://www.kaggle.com/datasets/preetviradiya/brian-tumor-dataset",
        source="kaggle:preetviradiya/brian-tumor-dataset",
        licence=NOT_VERIFIED,
        citation="Viradiya P. Brian Tumor Dataset. Kaggle. https://www.kaggle.com/datasets/preetviradiya/"
        "brian-tumor-dataset",
        layout="Brain Tumor/ and Healthy/",
        class_folders={"brain tumor": "tumor", "healthy": "no_tumor"},
        releases=(Release("", {"": {"tumor": 2513, "no_tumor": 2087}}),),
        remarks=(
            "Leaks: 1,640 of the 4,600 images are distinct; in a random split, 78 % of the validation images have a "
            "near-duplicate in training.",
            "Shortcut: 86 of the tumour files are TIFF, none of the healthy ones.",
        ),
    ),
    PublicSet(
        name="navoneel",
        title="Brain MRI Images for Brain Tumor Detection (N. Chakrabarty)",
        page="https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
        source="kaggle:navoneel/brain-mri-images-for-brain-tumor-detection",
        licence=NOT_VERIFIED,
        citation="Chakrabarty N. Brain MRI Images for Brain Tumor Detection. Kaggle. https://www.kaggle.com/datasets/"
        "navoneel/brain-mri-images-for-brain-tumor-detection",
        layout="yes/ and no/",
        class_folders=_YES_NO,
        releases=(Release("", {"": {"tumor": 155, "no_tumor": 98}}),),
        remarks=(
            "Some downloads contain the images twice, again in brain_tumor_dataset/; that copy is ignored.",
            "Very small: 253 images of mixed sizes and formats. No patient ids.",
        ),
    ),
    PublicSet(
        name="br35h",
        title="Br35H :: Brain Tumor Detection 2020 (A. Hamada)",
        page="https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
        source="kaggle:ahmedhamada0/brain-tumor-detection",
        licence=NOT_VERIFIED,
        citation="Hamada A. Br35H :: Brain Tumor Detection 2020. Kaggle. "
        "https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
        layout="yes/ and no/, and pred/ and Br35H-Mask-RCNN/",
        class_folders=_YES_NO,
        releases=(Release("", {"": {"tumor": 1500, "no_tumor": 1500}}),),
        remarks=(
            "Ignored: pred/ (60 images without a label) and Br35H-Mask-RCNN/ (copies of images in yes/, with outlines "
            "as polygons in JSON).",
            "Its healthy images are also the notumor class of nickparvar.",
        ),
    ),
    PublicSet(
        name="brisc2025",
        title="BRISC 2025 (A. Fateh et al.)",
        page="https://doi.org/10.5281/zenodo.17524350",
        source="zenodo:17524350",
        licence="CC BY 4.0 according to third parties",
        citation="Fateh A, Rezvani Y, Moayedi S, et al. BRISC: Annotated Dataset for Brain Tumor Segmentation and "
        "Classification. Scientific Data 13, 361 (2026). doi:10.1038/s41597-026-06753-y",
        layout="classification_task/ with train/ and test/, and segmentation_task/ with the masks",
        class_folders={**_TUMOURS, "no_tumor": "no_tumor"},
        split_folders={"train": "train", "test": "test"},
        releases=(Release("", {"train": _four(1147, 1329, 1067, 1457), "test": _four(254, 306, 140, 300)}),),
        remarks=(
            "Compiled from nickparvar, and so from cheng, bhuvaji and br35h: third parties find 98 to 100 % of its "
            "tumour images in version 2 of nickparvar, nearly all with the same bytes; it is no external test for a "
            "model trained on any of these.",
            "Leaks: third parties find duplicates and near-duplicates of its test images in train. No patient ids.",
            "Planes come from the file names, masks (4,793 tumour images) from segmentation_task/.",
        ),
    ),
    PublicSet(
        name="pmram",
        title="PMRAM: Bangladeshi Brain Cancer - MRI Dataset (P. M. S. Mannan et al.)",
        page="https://data.mendeley.com/datasets/m7w55sw88b/1",
        source="kaggle:orvile/pmram-bangladeshi-brain-cancer-mri-dataset",
        licence="CC BY 4.0 according to third parties",
        citation="Mannan PMS, Chowdhury M, Rahman R, Tamim AU, Rahman MM. PMRAM: Bangladeshi Brain Cancer - MRI "
        "Dataset. Mendeley Data, V1, 2024. doi:10.17632/m7w55sw88b.1",
        layout="Raw/ with 512Glioma, 512Meningioma, 512Normal, 512Pituitary",
        class_folders={**{f"512{name}": label for name, label in _TUMOURS.items()}, "512normal": "no_tumor"},
        releases=(Release("1", {"": _four(373, 363, 396, 373)}),),
        remarks=(
            "Only Raw/ is used; Augmented/ contains altered copies of it, which would leak in any split.",
            "Described with 1,600 images, distributed with 1,505; third parties count 1,410 distinct files.",
            "No patient ids; near-duplicates shared with other public sets cannot be excluded: audit it first.",
        ),
    ),
)

SETS: Mapping[str, PublicSet] = MappingProxyType({dataset.name: dataset for dataset in _SETS})
"""Name → public set."""


def find_set(name: str) -> PublicSet:
    """Return the public set with a name, in upper or lower case.

    Raises:
        DataError: There is no such set.
    """
    try:
        return SETS[name.lower()]
    except KeyError:
        raise DataError(f"There is no public set {name!r}: expected one of {', '.join(SETS)}.") from None
