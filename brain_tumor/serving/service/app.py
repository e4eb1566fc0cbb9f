"""The server's application: models over HTTP, described by ``/openapi.json``."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from brain_tumor import CAUTION, __version__
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.errors import BrainTumorError
from brain_tumor.serving.answer import ANSWER_SCHEMA, VOLUME_SCHEMA
from brain_tumor.serving.service.facts import MODEL_SCHEMA, model_facts
from brain_tumor.serving.service.http_errors import (
    ERROR_SCHEMA,
    NoPredictionError,
    NotAllowedError,
    error_response,
    response_to,
)
from brain_tumor.serving.service.metrics import Metrics
from brain_tumor.serving.service.micro_batching import WorkerDiedError
from brain_tumor.serving.service.middleware import Middleware
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.rendering import overlay_of, with_images
from brain_tumor.serving.service.upload import receive
from brain_tumor.serving.study import Study

T = TypeVar("T")
PAGE = Path(__file__).parent / "page"
"""Folder of the page at ``/``."""
_HTML = {"Content-Type": "text/html; charset=utf-8"}

_FILES = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
                "required": ["files"],
            }
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
"""What a request sends: files as a form, or one file as the body."""


def _json(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _plain(schema)}}}


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "$schema"}


def _extended(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    more = {name: {"type": ["string", "null"], "contentEncoding": "base64"} for name in names}
    return {**_plain(schema), "properties": {**schema["properties"], **more}}


_STUDY = {
    "title": "Study",
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "images": {"type": "array", "items": _extended(ANSWER_SCHEMA, ["image", "heatmap"])},
        "volumes": {"type": "array", "items": _plain(VOLUME_SCHEMA)},
        "left_out": {"type": "object", "additionalProperties": {"type": "string"}},
        "caution": {"const": CAUTION},
    },
    "required": ["model", "images", "volumes", "left_out", "caution"],
    "additionalProperties": False,
}
_ERROR = _json(ERROR_SCHEMA, "The request failed; the answer says why.")
_ASKED = {401: _ERROR, 404: _ERROR}
_SENT = {**_ASKED, **dict.fromkeys((400, 408, 413, 422, 429, 503), _ERROR)}
_STATE = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_PNG = {"description": "Image with heat map and box.", "content": {"image/png": {}}}
_IMAGES = Query(description="Also return each image and its heat map, as base64 of PNG.")
_SLICE = Query(alias="slice", description="Name of the image or slice; else the one with the largest marked area.")


class _Service:
    """The handlers of requests.

    Args:
        models: Models that answer.
        metrics: Where answers are counted.
        key: Key that requests have to bring; None: none.
    """

    def __init__(self, models: Models, metrics: Metrics, key: str | None) -> None:
        self.models, self.metrics = models, metrics
        self._key = _digest(key or "")

    def require_key(
        self,
        given: Annotated[
            HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, description="Key of the server."))
        ],
    ) -> None:
        if given is None or not hmac.compare_digest(_digest(given.credentials), self._key):
            raise NotAllowedError("This server asks for a key; send it as the header Authorization: Bearer KEY.")

    def live(self) -> JSONResponse:
        """Whether the process runs."""
        return JSONResponse({"status": "alive"})

    def ready(self) -> JSONResponse:
        """Whether every model answers."""
        if self.models.died:
            return error_response(503, "The server cannot predict any more and restarts.")
        return JSONResponse({"status": "ready"})

    def metrics_text(self) -> Response:
        """Counts for Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def list_models(self) -> JSONResponse:
        """Names and facts of the models; the first one answers at /v1/predict."""
        facts = []
        for name in self.models.names:
            with self.models.use(name) as served:
                facts.append(model_facts(name, served.predictor.bundle, served.predictor.point))
        return JSONResponse({"models": facts})

    def model(self, request: Request) -> JSONResponse:
        """Facts of a model: classes, operating points, limits of use."""
        name = _name(request)
        with self.models.use(name) as served:
            return JSONResponse(
                model_facts(name or self.models.names[0], served.predictor.bundle, served.predictor.point)
            )

    async def predict(self, request: Request, images: Annotated[bool, _IMAGES] = False) -> JSONResponse:
        """Predict images and volumes: JPEG, PNG, TIFF, DICOM or NIfTI files. Nothing of them is kept."""

        def finish(study: Study, memory: Mapping[str, MemoryFile]) -> dict[str, Any]:
            self.metrics.count_answers(study)
            if not study.images:
                raise NoPredictionError(study.left_out)
            return with_images(study, memory) if images else study.to_dict()

        version, found = await self._answer(request, finish)
        return JSONResponse({"model": version, **found, "caution": CAUTION})

    async def explain(self, request: Request, image: Annotated[str | None, _SLICE] = None) -> Response:
        """Draw the heat map and the box on one image or slice of the files that are sent, as PNG."""
        _, drawn = await self._answer(request, lambda study, memory: overlay_of(study, memory, image))
        return Response(drawn, media_type="image/png")

    async def _answer(self, request: Request, finish: Callable[[Study, Mapping[str, MemoryFile]], T]) -> tuple[str, T]:
        with self.models.use(_name(request)) as served, served.admitted():
            files = await receive(request, served.limits)
            return served.predictor.bundle.version, await served.answer(files, request.is_disconnected, finish)


def build_app(models: Models, key: str | None = None) -> FastAPI:
    """Build the application.

    Args:
        models: Models that answer; they are closed at the end.
        key: Key that requests to ``/v1`` and ``/metrics`` have to bring; None: none.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        models.close()

    metrics = Metrics(lambda: models.requests)
    service = _Service(models, metrics, key)
    app = FastAPI(
        title="brain-tumor", version=__version__, description=CAUTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_middleware(Middleware, metrics=metrics)
    for kind, handler in {
        BrainTumorError: _on_error,
        WorkerDiedError: _on_error,
        HTTPException: _on_http,
        RequestValidationError: _on_invalid,
    }.items():
        app.add_exception_handler(kind, handler)
    app.get("/livez", responses={200: _json(_STATE, "The process runs.")})(service.live)
    app.get("/readyz", responses={200: _json(_STATE, "Every model answers."), 503: _ERROR})(service.ready)
    guarded = [] if key is None else [Depends(service.require_key)]
    app.get("/metrics", dependencies=guarded, responses={200: {"content": {"text/plain": {}}}, 401: _ERROR})(
        service.metrics_text
    )
    listed = {"type": "object", "properties": {"models": {"type": "array", "items": MODEL_SCHEMA}}}
    app.get("/v1/models", dependencies=guarded, responses={200: _json(listed, "Models."), 401: _ERROR})(
        service.list_models
    )
    for start, one in (("/v1/", "model"), ("/v1/models/{name}", "")):
        path = f"{start}{one}"
        stem = "/v1" if one else start
        _add(app, "GET", path, service.model, guarded, {200: _json(MODEL_SCHEMA, "Facts of the model."), **_ASKED})
        sent = {200: _json(_STUDY, "Answers."), **_SENT}
        _add(app, "POST", f"{stem}/predict", service.predict, guarded, sent)
        _add(app, "POST", f"{stem}/explain", service.explain, guarded, {200: _PNG, **_SENT, 409: _ERROR})
    app.mount("/page", StaticFiles(directory=PAGE))
    app.get("/", include_in_schema=False)(lambda: FileResponse(PAGE / "index.html", headers=_HTML))
    return app


def _add(
    app: FastAPI, method: str, path: str, handler: Callable[..., Any], guarded: Sequence[Any], responses: dict[Any, Any]
) -> None:
    more: dict[str, Any] = {"requestBody": _FILES} if method == "POST" else {}
    if "{name}" in path:
        more["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    app.add_api_route(
        path,
        handler,
        methods=[method],
        dependencies=guarded,
        responses=responses,
        openapi_extra=more,
        response_class=Response,
    )


def _name(request: Request) -> str | None:
    """Return the model that the address names; None: the default one."""
    name: str | None = request.path_params.get("name")
    return name


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _on_error(_: Request, error: Exception) -> Response:
    response = response_to(error)
    if response is None:
        raise error
    return response


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it alone
    sentences = {
        404: "There is nothing at this address; see /openapi.json.",
        405: "This address takes another method; see /openapi.json.",
    }
    response = error_response(error.status_code, sentences.get(error.status_code, str(error.detail)))
    response.headers.update(error.headers or {})
    return response


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
    first = error.errors()[0]
    return error_response(422, f"{first['loc'][-1]}: {first['msg']}.")
