"""Every file below the folder of the data is accounted for, in every verb."""

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from data.readers.clinical import ball, write_dicom, write_nifti
from factories import SHORT, draw, save

from brain_tumor.audit import audit
from brain_tumor.errors import DataError
from brain_tumor.evaluate import evaluate
from brain_tumor.predict import predict
from brain_tumor.train import train

SEGMENTATION, REPORT = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.11"
FILES = 200


def write_kinds(folder: Path, seed: int) -> Counter[str]:
    """Write 50 files of 25 kinds into a class folder, two of each; return how many are left out for which reason."""
    label = folder.name
    for copy in range(2):
        number = 2 * seed + copy
        grey = draw(label, number)
        for suffix in ("png", "jpg", "bmp", "gif", "tif", "webp", "pgm"):
            path = save(folder / f"{suffix}{copy}.{suffix}", label, number + 1000 * len(suffix) + ord(suffix[0]))
            assert path.is_file()
        save(folder / f"paired{copy}.png", label, number + 9000)
        cv2.imwrite(str(folder / f"paired{copy}_mask.png"), np.uint8(grey > 128) * 255)
        cv2.imwrite(str(folder / f"alone{copy}_seg.png"), np.uint8(grey > 128) * 255)
        (folder / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "masks" / f"other{copy}.png"), np.uint8(grey > 128) * 255)
        volume = np.stack([draw(label, 100_000 + 10 * number + depth) for depth in range(4)], axis=-1).astype(np.int16)
        write_nifti(folder / f"{label}{number}" / "scan.nii.gz", volume)
        write_nifti(folder / f"{label}{number}" / "scan_dseg.nii.gz", (ball() > 0).astype(np.int16))
        write_nifti(folder / f"{label}{number}" / "regions.nii.gz", (ball() > 0).astype(np.int16))
        ids = {"PatientID": f"{label}{number}", "StudyInstanceUID": f"1.{number}"}
        pixels = draw(label, number + 77_000).astype(np.int16) * 8
        series = {"SeriesInstanceUID": f"1.{number}.1", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        for position in range(2):  # one of the two is the largest
            place = {"InstanceNumber": position, "ImagePositionPatient": [0, 0, position]}
            shown = pixels if position else np.where(np.arange(48) < 40, pixels, 0).astype(np.int16)
            write_dicom(folder / f"s{copy}_{position}.dcm", shown, **ids, **series, **place)
        other = {**ids, "SeriesInstanceUID": f"1.{number}.2"}
        write_dicom(folder / f"ct{copy}.dcm", pixels, **other, Modality="CT")
        write_dicom(folder / f"scout{copy}.dcm", pixels, **other, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        write_dicom(folder / f"mip{copy}.dcm", pixels, **other, ImageType=["DERIVED", "SECONDARY", "MIP"])
        write_dicom(folder / f"object{copy}.dcm", pixels, **other, SOPClassUID=SEGMENTATION)
        report = write_dicom(folder / f"report{copy}.dcm", pixels, **other, SOPClassUID=REPORT, Modality="SR")
        assert report.is_file()
        (folder / f"notes{copy}.txt").write_text("no scan")
        (folder / f"table{copy}.csv").write_text("a,b\n")
        (folder / f".hidden{copy}.png").write_bytes((folder / f"png{copy}.png").read_bytes())
        (folder / f"link{copy}.png").symlink_to(folder / "nowhere.png")
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    assert len(files) == FILES // 4, len(files)
    return Counter(
        {
            "mask of an image": 2,
            "mask without an image": 6,
            "mask (label map, by its values)": 2,
            "mask (DICOM segmentation)": 2,
            "slice not chosen by data.slices": 2,
            "not MR (CT)": 2,
            "not MR (SR)": 2,
            "localizer": 2,
            "derived image": 2,
            "unknown format (.txt)": 2,
            "unknown format (.csv)": 2,
            "hidden file": 2,
            "broken link": 2,
        }
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    reasons = Counter()
    for seed, label in enumerate(("glioma", "meningioma", "no_tumor", "pituitary")):
        (root / label).mkdir()
        reasons += write_kinds(root / label, seed)
    return root, dict(reasons)


def test_audit_and_train(tree, tmp_path):
    root, reasons = tree
    data = ["data=folder", f"data.root={root}"]

    counts = audit(data, tmp_path / "audit")["files"]
    run = train([*data, *SHORT, "split=holdout", "evaluation.resamples=20"], tmp_path / "run")

    assert counts["files"] == counts["taken"] + sum(counts["left_out"].values()) == FILES
    assert counts["left_out"] == reasons
    files = pd.read_csv(tmp_path / "audit" / "files.csv", keep_default_na=False)
    assert len(files) == FILES
    assert Counter(files["reason"]) == Counter(reasons | {"": counts["taken"]})
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["files"] == counts
    for page in ("audit/audit.html", "run/report.html"):
        assert "not MR (CT)" in (tmp_path / page).read_text()
    assert run is not None


def test_predict_and_evaluate(trained, tree, tmp_path, capsys):
    root, reasons = tree

    predict([f"bundle={trained}", f"input={root}"], tmp_path / "out")
    [line] = re.findall(rf"({FILES} files: .*?) \d+ volumes, ", " ".join(capsys.readouterr().out.split()))
    evaluate([f"run={trained}", "data=folder", f"data.root={root}", "image_evidence=false"], tmp_path / "evaluation")
    counts = json.loads((tmp_path / "evaluation" / "run.json").read_text())["data"]["files"]

    assert counts["files"] == counts["taken"] + sum(counts["left_out"].values()) == FILES
    assert counts["left_out"] == reasons
    numbers = [int(word) for word in line.replace(",", "").split() if word.isdigit()]
    assert numbers[0] == sum(numbers[1:]) == FILES


def test_nothing_of_a_class_is_left(tmp_path):
    """The sentence says why."""
    for label in ("glioma", "no_tumor"):
        for number in range(3):
            write_dicom(tmp_path / label / f"{number}.dcm", ball()[10], Modality="CT", SeriesInstanceUID=f"1.{number}")

    with pytest.raises(
        DataError, match=r"Nothing of the scans in .*glioma is taken \(3 not MR \(CT\)\); change data.mod"
    ):
        audit(["data=folder", f"data.root={tmp_path}"], tmp_path / "audit")
    taken = audit(["data=folder", f"data.root={tmp_path}", "data.modalities=[MR,CT]"], tmp_path / "audit")
    assert taken["files"]["taken"] == 6
