"""Adapters: from files on disk to a samples table; rows that name whole volumes become one row per slice."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.readers.reading import FORMATS, format_of, is_scan, source_file
from brain_tumor.data.readers.volumes import VOLUMES, Row, Slicing, nifti_rows, patient_of, scan_rows, series_rows
from brain_tumor.data.samples import SPLITS, read_table, samples_table
from brain_tumor.errors import DataError


def expanded(samples: pd.DataFrame, home: Path, slicing: Slicing) -> pd.DataFrame:
    """Replace each row that names a volume, or a folder that is one DICOM series, by rows that name its slices.

    What a row says (patient, source, plane, split, …) holds for all of its slices; where it says nothing, what the file
    tells does. Slices of one NIfTI file are of one patient even then. A mask that is a NIfTI volume is cut alike.

    Args:
        samples: A samples table with whole paths.
        home: Folder of the manifest.
        slicing: Which slices to take.

    Raises:
        DataError: A folder is no DICOM series or holds several, or no slice of a volume is taken.
    """
    rows: list[Row] = []
    for row in samples.to_dict("records"):
        known = {str(key): str(value) for key, value in row.items()}
        rows += [_merged(known, found) for found in _found(known, home, slicing)]
    return samples_table(rows)


def _found(row: Row, home: Path, slicing: Slicing) -> list[Row]:
    path = Path(row["path"])
    if path.is_dir():
        found = series_rows(path, slicing)
    elif source_file(row["path"]) != path or format_of(path) not in VOLUMES:
        return [row]
    elif format_of(path) == "nifti":
        place = Path(os.path.relpath(path.parent, home))
        found = nifti_rows(path, (place / patient_of(path, path.parent)).as_posix(), slicing)
    else:
        found = scan_rows([path], path.parent, slicing)
    if not found:
        raise DataError(f"data.slices={slicing.policy} takes no slice of {path}; take others or remove its row.")
    return found


def _merged(row: Row, found: Row) -> Row:
    told = {key: value for key, value in row.items() if value}
    merged = {**found, **told, "path": found["path"]}
    if found["path"] != row["path"]:
        part = found["path"].removeprefix(row["path"]).lstrip("/\\#")
        is_file = found["path"].startswith(row["path"] + "#")
        merged["sample_id"] = f"{row['sample_id']}{'#' if is_file else '/'}{part}"
        mask = row.get("mask_path", "")
        if is_file and mask and source_file(mask) == Path(mask) and format_of(Path(mask)) == "nifti":
            merged["mask_path"] = f"{mask}#{part}"
    return merged


_SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def folder(
    root: str | Path, slices: str = "largest:1", plane: str = "axial", cache_dir: str | Path | None = None
) -> pd.DataFrame:
    """Samples of a folder of class folders, flat or below Training/Testing, train/val/test (any case).

    Wrapper folders that hold nothing but one folder are passed through; images may lie at any depth below their class.
    Volumes (NIfTI, DICOM) become some slices of one patient each, as `volumes.scan_rows` says.

    Args:
        root: The folder.
        slices: Which slices of a volume: largest:N, every:N, index:I,J or all (`slices.slice_policy`).
        plane: In which plane NIfTI volumes are cut; DICOM stays in the plane it was taken in.
        cache_dir: Where it is remembered how much each slice shows; None measures anew each time.

    Raises:
        DataError: The folder is missing, holds no images, or a class folder is empty.
        ConfigError: Invalid ``slices`` or ``plane``.
    """
    slicing = Slicing.parse(slices, plane, cache_dir)
    top = _unwrap(_existing_folder(root))
    parts = {
        part: _SPLIT_FOLDERS[part.name.lower()] for part in _subfolders(top) if part.name.lower() in _SPLIT_FOLDERS
    }
    rows = []
    for part, split in parts.items() or [(top, "")]:
        for class_folder in _subfolders(_unwrap(part) if split else part):
            rows += _class_rows(class_folder, top, split, slicing)
    if not rows:
        raise DataError(
            f"{root} holds no class folders with images; expected {root}/<class>/*.jpg or "
            f"{root}/Training/<class>/*.jpg ({', '.join(sorted(FORMATS))} and DICOM of any name are read)."
        )
    return samples_table(rows)


def manifest(
    manifest: str | Path, slices: str = "largest:1", plane: str = "axial", cache_dir: str | Path | None = None
) -> pd.DataFrame:
    """Samples named in a CSV: columns ``path`` and ``label``, and any other of the samples table's.

    Relative paths (images and masks) are taken from the CSV's folder; ``sample_id`` defaults to the path as written.
    A path may name an image, one slice (``scan.nii.gz#axial:57``), or a volume or a folder that is one DICOM series,
    of which ``slices`` are taken, each with the other columns of the row. For the settings see `folder`.

    Raises:
        DataError: The CSV is missing or empty, lacks a column or a label, names a split that is none of
            train, val, test, or names files that do not exist.
        ConfigError: Invalid ``slices`` or ``plane``.
    """
    slicing = Slicing.parse(slices, plane, cache_dir)
    table = read_table(manifest)
    missing = [column for column in ("path", "label") if column not in table.columns]
    if missing:
        raise DataError(
            f"{manifest} has no column {' and no column '.join(missing)}; it has {', '.join(table.columns)}. "
            "Expected: path, label and, where known, patient_id, source, plane, mask_path, split, group, fold."
        )
    if table.empty:
        raise DataError(f"{manifest} names no images; expected one row per image.")
    home = Path(manifest).resolve().parent
    if "sample_id" not in table.columns:
        table["sample_id"] = table["path"]
    table["path"] = [str(home / path) for path in table["path"]]
    if "mask_path" in table.columns:
        table["mask_path"] = [str(home / mask) if mask else "" for mask in table["mask_path"]]
    samples = samples_table(table)
    _require(
        samples,
        samples["label"].str.strip() != "",
        f"{manifest}: {{n}} rows have no label, first {{first}}; give each its class.",
    )
    samples["label"] = samples["label"].map(normalise_label)
    samples["split"] = samples["split"].str.strip().str.lower().replace(_SPLIT_FOLDERS)
    _require(
        samples,
        samples["split"].isin(("", *SPLITS)),
        f"{manifest}: {{n}} rows have an unknown split, first {{first}}; expected train, val, test or nothing.",
    )
    _require(
        samples,
        samples["path"].map(lambda path: source_file(path).is_file() or Path(path).is_dir()),
        f"{manifest}: {{n}} of {len(samples)} files do not exist, first {{first}}; paths start at the CSV's folder.",
    )
    return expanded(samples, home, slicing)


def _require(samples: pd.DataFrame, good: "pd.Series[bool]", message: str) -> None:
    bad = samples["sample_id"][~good.astype(bool)]
    if len(bad):
        raise DataError(message.format(n=len(bad), first=bad.iloc[0]))


def _existing_folder(root: str | Path) -> Path:
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DataError(
            f"data.root={root} is {'a file' if path.exists() else 'missing'}; expected a folder of class folders."
        )
    return path.resolve()


def _subfolders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))


def _unwrap(path: Path) -> Path:
    """Step into folders that hold nothing but one other folder, as unpacked archives do."""
    children = _subfolders(path)
    while len(children) == 1 and _subfolders(children[0]):
        path, children = children[0], _subfolders(children[0])
    return path


def image_files(folder: Path) -> Iterator[Path]:
    """Images at any depth, also behind links; nothing hidden, no folder twice."""
    seen: set[Path] = set()
    for parent, children, names in os.walk(folder, followlinks=True):
        seen.add(Path(parent).resolve())
        children[:] = [
            child for child in children if not child.startswith(".") and Path(parent, child).resolve() not in seen
        ]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        yield from (path for path in paths if is_scan(path) and path.is_file())


def _class_rows(class_folder: Path, top: Path, split: str, slicing: Slicing) -> list[dict[str, str]]:
    images = list(image_files(class_folder))
    if not images:
        raise DataError(f"The class folder {class_folder} holds no images; fill it or remove it.")
    for path in images:
        if os.fsencode(path) != str(path).encode(errors="replace"):
            raise DataError(f"The file name {str(path)!r} is not UTF-8 text; rename the file.")
    rows = scan_rows(images, class_folder, slicing)
    if not rows:
        raise DataError(f"data.slices={slicing.policy} takes no slice of the scans of {class_folder}; take others.")
    common = {"label": normalise_label(class_folder.name), "split": split}
    return [{**row, **common, "sample_id": Path(row["path"]).relative_to(top).as_posix()} for row in rows]
