"""One preprocessing: predictor, command line, server and training give one file the same probabilities."""

import cv2
import numpy as np
import pandas as pd
import pytest
from data.readers.clinical import ball, write_dicom, write_nifti
from factories import CENTRES, draw, save
from PIL import Image
from serving.service_files import form
from starlette.testclient import TestClient

from brain_tumor import Predictor
from brain_tumor.evaluate import evaluate
from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.predictions import read_predictions
from brain_tumor.predict import predict
from brain_tumor.serving.service.app import build_app
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.served import Served


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A JPEG file, a PNG file of 16 bits, a DICOM file and a slice of a NIfTI volume, none of them square."""
    folder = tmp_path_factory.mktemp("files")
    image = np.pad(draw("glioma", 3), ((0, 0), (4, 9)))
    Image.fromarray(image).save(folder / "a.jpg", quality=90)
    cv2.imwrite(str(folder / "b.png"), image.astype(np.uint16) * 211)
    write_dicom(folder / "c.dcm", image.astype(np.int16) * 7 - 100)
    write_nifti(folder / "d.nii.gz", ball(), voxel=(1.0, 1.5, 2.0))
    return {name: folder / name for name in ("a.jpg", "b.png", "c.dcm", "d.nii.gz")}


def test_one_file_has_the_same_probabilities_everywhere(trained, files, tmp_path):
    references = [*map(str, list(files.values())[:3]), f"{files['d.nii.gz']}#axial:9"]
    predictor = Predictor.load(trained)
    expected = np.array([[*predictor(reference).probabilities.values()] for reference in references])
    columns = [f"p_{name}" for name in predictor.bundle.classes]

    listed = predict([f"bundle={trained}", *references], tmp_path / "predict").set_index("path").loc[references]
    np.testing.assert_allclose(listed[columns], expected, atol=1e-5)

    with TestClient(build_app(Models({"a": str(trained)}, Served.load))) as client:
        images = client.post("/v1/predict", files=form(list(files.values()))).json()["images"]
    answered = {image["name"]: [*image["probabilities"].values()] for image in images}
    served = [answered[name] for name in ("a.jpg", "b.png", "c.dcm", "d.nii.gz#axial:9")]
    np.testing.assert_allclose(served, expected, atol=1e-5)

    others = [save(tmp_path / "more" / f"{label}{n}.png", label, 50 + n) for label in CENTRES for n in range(2)]
    rows = [(path, "glioma") for path in references] + [(str(path), path.stem[:-1]) for path in others]
    pd.DataFrame(rows, columns=["path", "label"]).to_csv(tmp_path / "data.csv", index=False)
    data = ["data=manifest", f"data.manifest={tmp_path / 'data.csv'}", "overlap=allow", "evaluation.resamples=20"]
    evaluate([f"run={trained}", *data], tmp_path / "evaluate")
    table = read_predictions(tmp_path / "evaluate" / "predictions" / "test.csv")
    found = calibrated(table, predictor.bundle.temperature)
    order = [table.frame["path"].tolist().index(reference) for reference in references]
    assert list(found.classes) == list(predictor.bundle.classes)
    np.testing.assert_allclose(found.probabilities[order], expected, atol=1e-5)
