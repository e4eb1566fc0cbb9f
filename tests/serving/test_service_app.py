"""The server's interface: the answers of the predictor over HTTP, and one sentence for whatever cannot be answered."""

import base64
import io
import json
import logging

import cv2
import jsonschema
import numpy as np
import pytest
from PIL import Image
from serving.service_files import form, write_scans
from starlette.testclient import TestClient

from brain_tumor import CAUTION, Predictor
from brain_tumor.serving.service.app import build_app
from brain_tumor.serving.service.limits import Limits
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.served import Queue, Served
from brain_tumor.serving.study import study

KEY = "a key that nobody guesses"


def client_of(run, key=None, **settings):
    return TestClient(build_app(Models({"a": str(run)}, lambda place: Served.load(place, **settings)), key))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return write_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def client(located):
    with client_of(located) as client:
        yield client


def sent_name(name):
    """The name of an image without its folder; files of DICOM without a suffix get one."""
    name = name.rpartition("/")[2]
    return f"{name}.dcm" if name.startswith("IM") else name


def test_answers_are_those_of_the_predictor(client, located, scans):
    folder = scans[0].parent
    expected = study(Predictor.load(located), folder).to_dict()

    found = client.post("/v1/predict", files=form(scans)).json()

    assert found["caution"] == CAUTION
    by_name = {sent_name(image["name"]): image for image in expected["images"]}
    assert {image["name"] for image in found["images"]} == set(by_name)
    for image in found["images"]:
        ours = by_name[image["name"]]
        assert (image["decision"], image["box"]) == (ours["decision"], ours["box"])
        np.testing.assert_allclose(
            [*image["probabilities"].values()], [*ours["probabilities"].values()], atol=1e-5, err_msg=image["name"]
        )
    assert len(found["volumes"]) == len(expected["volumes"]) == 2


def test_answers_keep_to_the_published_schema(client, scans):
    document = client.get("/openapi.json").json()

    for path in ("/v1/predict", "/v1/models/{name}/predict"):
        schema = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        for address in (path, f"{path}?images=true"):
            found = client.post(address.format(name="a"), files=form(scans))
            jsonschema.validate(found.json(), schema)
    schema = document["paths"]["/v1/model"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(client.get("/v1/model").json(), schema)


def test_images_come_back_as_they_were_read(client, scans):
    found = client.post("/v1/predict?images=true", files=form(scans[:1])).json()["images"][0]

    image, heatmap = (
        cv2.imdecode(np.frombuffer(base64.b64decode(found[name]), np.uint8), cv2.IMREAD_UNCHANGED)
        for name in ("image", "heatmap")
    )
    np.testing.assert_array_equal(image, np.asarray(Image.open(scans[0])))
    assert heatmap.shape == image.shape
    assert heatmap.dtype == np.uint8


def test_an_image_is_explained_in_its_own_geometry(client, scans):
    found = client.post("/v1/explain", content=scans[0].read_bytes())

    assert found.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(found.content)) as drawn, Image.open(scans[0]) as image:
        assert (drawn.size, drawn.mode) == (image.size, "RGB")


def test_a_named_slice_is_explained(client, scans):
    name = client.post("/v1/predict", files=form(scans[4:5])).json()["images"][2]["name"]

    found = client.post("/v1/explain", params={"slice": name}, files=form(scans[4:5]))
    other = client.post("/v1/explain", params={"slice": "t1.nii.gz#axial:999"}, files=form(scans[4:5]))

    assert found.status_code == 200
    assert (other.status_code, "no image named" in other.json()["error"]) == (422, True)


def test_a_model_without_a_map_explains_nothing(trained, scans):
    with client_of(trained) as client:
        found = client.post("/v1/explain", content=scans[0].read_bytes())

    assert (found.status_code, "localizer=map" in found.json()["error"]) == (409, True)


def test_a_bad_file_never_spoils_the_others(client, scans):
    found = client.post("/v1/predict", files=[("files", ("bad.png", b"no image")), *form(scans[:2])])

    assert found.status_code == 200
    assert len(found.json()["images"]) == 2
    assert "bad.png holds no image" in found.json()["left_out"]["bad.png"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "sentence"),
    [
        ("GET", "/v2/predict", {}, 404, "There is nothing at this address"),
        ("GET", "/v1/predict", {}, 405, "takes another method"),
        ("POST", "/v1/models/b/predict", {"content": b"x"}, 404, "There is no model 'b' here; models are a."),
        ("POST", "/v1/predict", {"content": b""}, 400, "The request is empty"),
        (
            "POST",
            "/v1/predict",
            {"content": b"x"},
            422,
            "None of the files can be predicted, first: image.png holds no image",
        ),
        ("POST", "/v1/predict?images=perhaps", {"content": b"x"}, 422, "images: Input should be a valid boolean"),
        ("POST", "/v1/predict", {"files": [("files", ("a.dcm", b"x"))]}, 422, "a.dcm"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_sentence(client, method, path, options, status, sentence):
    found = client.request(method, path, **options)

    assert found.status_code == status
    assert sentence in found.json()["error"]
    assert found.json().keys() == {"error", "left_out"}


def test_more_than_the_limits_is_refused(located, scans):
    with client_of(located, limits=Limits(files=2, megabytes=0.1)) as client:
        many = client.post("/v1/predict", files=form(scans[:3]))
        large = client.post("/v1/predict", content=bytes(200_000))

    assert (many.status_code, "more than 2 files" in many.json()["error"]) == (413, True)
    assert (large.status_code, "larger than 0.1 MB" in large.json()["error"]) == (413, True)


def test_a_full_queue_asks_to_come_again(located, scans):
    with client_of(located, queue=Queue(working=1, waiting=-1)) as client:
        found = client.post("/v1/predict", files=form(scans[:1]))

    assert (found.status_code, found.headers["retry-after"]) == (429, "1")


def test_an_admitted_request_takes_its_place_before_its_files_are_read(trained, scans):
    """So what clients send at the same time is bounded, not only what is computed."""
    models = Models({"a": str(trained)}, lambda place: Served.load(place, queue=Queue(working=1, waiting=0)))
    with TestClient(build_app(models)) as client:
        body = scans[0].read_bytes()
        with models.use() as served, served.admitted():
            assert client.post("/v1/predict", content=body).status_code == 429
        assert models.requests == 0
        assert client.post("/v1/predict", content=body).status_code == 200


def test_a_key_is_asked_for(located, scans):
    with client_of(located, key=KEY) as client:
        refused = [client.get("/v1/model"), client.get("/metrics"), client.post("/v1/predict", files=form(scans[:1]))]
        refused.append(client.get("/v1/model", headers={"Authorization": f"Bearer {KEY}x"}))
        allowed = client.get("/v1/model", headers={"Authorization": f"Bearer {KEY}"})
        open_to_all = [client.get(path).status_code for path in ("/livez", "/readyz", "/", "/openapi.json")]

    assert [found.status_code for found in refused] == [401] * 4
    assert "send it as the header Authorization" in refused[0].json()["error"]
    assert allowed.status_code == 200
    assert open_to_all == [200] * 4


def test_several_models_answer_by_name(trained, located, scans):
    models = Models({"plain": str(trained), "map": str(located)}, Served.load)
    with TestClient(build_app(models)) as client:
        versions = [model["version"] for model in client.get("/v1/models").json()["models"]]
        found = [
            client.post(f"/v1{path}", files=form(scans[:1])).json()["model"]
            for path in ("/predict", "/models/plain/predict", "/models/map/predict")
        ]

    assert found == [versions[0], *versions]
    assert versions[0] != versions[1]


def test_the_page_of_a_browser_loads_nothing_from_elsewhere(client):
    found = client.get("/")

    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert found.headers["cache-control"] == "no-store"
    assert "http" not in found.text.replace("http-equiv", "")


def test_metrics_count_what_was_answered(located, scans):
    with client_of(located) as client:
        client.post("/v1/predict", files=[("files", ("bad.png", b"no image")), *form(scans[:3])])
        client.post("/v1/models/nobody/predict", content=b"x")
        client.get("/some/where")
        text = client.get("/metrics").text

    lines = dict(line.rpartition(" ")[::2] for line in text.splitlines() if not line.startswith("#"))
    assert lines['brain_tumor_requests_total{route="/v1/predict",status="200"}'] == "1.0"
    assert lines['brain_tumor_requests_total{route="/v1/models/{name}/predict",status="404"}'] == "1.0"
    assert lines['brain_tumor_requests_total{route="none",status="404"}'] == "1.0"
    assert lines["brain_tumor_images_total"] == "3.0"
    assert lines["brain_tumor_files_left_out_total"] == "1.0"
    assert all(name.startswith("brain_tumor_") for name in lines)
    assert "nobody" not in text


def test_the_log_holds_no_names_and_one_line_per_request(client, scans, caplog):
    with caplog.at_level(logging.INFO):
        found = client.post("/v1/predict?images=true", files=[("files", ("Doe^Jane.png", scans[0].read_bytes()))])
        client.post("/v1/models/Doe/predict", files=[("files", ("Doe^Jane.dcm", b"x"))])

    lines = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert [line.fields["status"] for line in lines] == [200, 404]
    assert lines[0].fields["request"] == found.headers["x-request-id"]
    assert "Doe" not in json.dumps([[line.getMessage(), line.fields] for line in lines])
