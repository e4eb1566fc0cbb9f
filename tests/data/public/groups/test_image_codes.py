"""Images are traced whatever happened to their files, and no image is traced to another patient."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from brain_tumor.audit import audit
from brain_tumor.data.fingerprint import WHOLE, fingerprint
from brain_tumor.data.phantom import draw_patients, render
from brain_tumor.data.public import public_set
from brain_tumor.data.public.groups.image_codes import CodeBook, shipped_book, trace
from brain_tumor.data.readers.reading import read_image


def altered(image: np.ndarray, seed: int) -> np.ndarray:
    """Mirror, crop by up to 8 % on each side, resize, stretch, brighten and re-encode an image, each or not."""
    rng = np.random.default_rng(seed)
    height, width = image.shape
    if seed % 2:
        image = image[:, ::-1]
    if seed // 2 % 2:
        top, bottom, left, right = (rng.uniform(0, 0.08, 4) * (height, height, width, width)).astype(int)
        image = image[top : height - bottom, left : width - right]
    size = (int(rng.integers(180, 520)),) * 2 if seed // 4 % 2 else image.shape[::-1]
    image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    image = np.clip(image * rng.uniform(0.8, 1.2) + rng.uniform(-5, 10), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def heads() -> list[np.ndarray]:
    return [render(patient, 0, 128)[0] for patient in draw_patients(60, seed=0)]


def test_altered_images_are_traced_and_others_are_not(heads):
    known, other = heads[:40], heads[40:]
    book = CodeBook.make(np.stack([fingerprint(image)[WHOLE] for image in known]), [f"p{n}" for n in range(40)])
    views = np.stack([fingerprint(altered(image, n)) for n, image in enumerate(known)])

    traced = trace(views, np.arange(40), CodeBook.from_bytes(book.to_bytes()))
    others = trace(np.stack([fingerprint(image) for image in other]), np.arange(20), book)

    right = [patient == f"p{n}" for n, (patient, _) in enumerate(traced)]
    assert np.mean(right) >= 0.95
    assert not [patient for patient, is_right in zip(traced, right, strict=True) if patient[0] and not is_right]
    assert {patient for patient, _ in others} == {""}


def test_the_shipped_book_is_small_and_names_patients():
    book = shipped_book()

    assert book.codes.shape == (3064, 150)
    assert book.codes.dtype == np.int8
    assert len(set(book.patients)) == 209
    assert len(book.to_bytes()) < 400_000


@pytest.mark.shared
def test_the_shipped_book_is_made_from_the_set(shared):
    samples = public_set("cheng", shared / "data" / "cheng").samples.iloc[::25]
    views = np.stack([fingerprint(read_image(path)) for path in samples["path"]])

    traced = trace(views, np.arange(len(views)))

    assert [patient for patient, _ in traced] == samples["patient_id"].tolist()
    assert min(similarity for _, similarity in traced) > 0.999


@pytest.mark.shared
@pytest.mark.slow
def test_a_set_without_ids_is_traced(shared, tmp_path):
    """As pmram: slices of Cheng, re-encoded, cropped, mirrored and renamed, beside images of nobody known."""
    cheng = public_set("cheng", shared / "data" / "cheng").samples.sample(240, random_state=0)
    patients = {}
    for number, (path, label, patient) in enumerate(cheng[["path", "label", "patient_id"]].to_numpy()):
        file = tmp_path / "set" / label / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), altered(read_image(path), number))
        patients[f"{label}/{number}.jpg"] = patient
    groups = pd.read_csv(shared / "data" / "nickparvar" / "groups.csv", dtype=str, keep_default_na=False)
    unknown = groups[(groups["cheng_patient_group"] == "") & (groups["class"] == "notumor")].sample(60, random_state=0)
    (tmp_path / "set" / "no_tumor").mkdir()
    for number, path in enumerate(unknown["path"]):
        image = read_image(shared / "data" / "nickparvar" / path)
        cv2.imwrite(str(tmp_path / "set" / "no_tumor" / f"{number}.jpg"), altered(image, number))

    document = audit(["data=folder", f"data.root={tmp_path / 'set'}"], tmp_path / "audit")

    samples = pd.read_csv(tmp_path / "audit" / "samples.csv", dtype=str, keep_default_na=False)
    found = dict(zip(samples["sample_id"], samples["patient_id"], strict=True))
    right = [found[name] == patient for name, patient in patients.items()]
    assert np.mean(right) >= 0.95
    assert not [name for name, patient in found.items() if patient and patient != patients.get(name, "")]
    assert samples[samples["patient_id"] != ""].groupby("patient_id")["split"].nunique().max() == 1
    assert document["curation"]["traced"] == sum(right)
    assert "have a patient id" in document["grouping"]
    assert json.loads((tmp_path / "audit" / "audit.json").read_text())["counts"]["patients"] > 50


@pytest.mark.shared
@pytest.mark.slow
def test_no_slice_is_traced_to_another_patient(shared):
    """Half of the patients are known, the slices of the others are traced: each match would be a false one."""
    samples = public_set("cheng", shared / "data" / "cheng").samples
    views = np.stack([fingerprint(read_image(path)) for path in samples["path"]])
    patients = sorted(set(samples["patient_id"]))
    for half in (set(patients[::2]), set(patients[1::2])):
        is_known = samples["patient_id"].isin(half).to_numpy()
        book = shipped_book()
        assert book.patients.tolist() == samples["patient_id"].tolist()
        known = CodeBook(book.codes[is_known], book.patients[is_known], book.mean, book.scale)

        traced = trace(views, np.flatnonzero(~is_known), known)

        assert {patient for patient, _ in traced} == {""}, max(similarity for _, similarity in traced)


def test_images_with_a_patient_are_not_traced(tmp_path, manifest_csv):
    document = audit(["data=manifest", f"data.manifest={manifest_csv}"], tmp_path / "audit")

    table = pd.read_csv(Path(tmp_path, "audit", "samples.csv"), dtype=str, keep_default_na=False)
    assert document["curation"] in ({}, None)
    assert (table["patient_id"] != "").any() == ("patient id" in document["grouping"])


@pytest.mark.shared
@pytest.mark.long
def test_nickparvar_is_traced_without_its_table(shared):
    """Its files here are encoded again; 4,750 are slices of Cheng, most of them mirrored."""
    groups = pd.read_csv(shared / "data" / "nickparvar" / "groups.csv", dtype=str, keep_default_na=False)
    views = np.stack([fingerprint(read_image(shared / "data" / "nickparvar" / path)) for path in groups["path"]])

    traced = [patient for patient, _ in trace(views, np.arange(len(views)))]

    assert (groups["cheng_patient_group"] != "").sum() == 4750
    assert traced == groups["cheng_patient_group"].tolist()
