"""Keys of the verbs that run a trained model for others: ``predict`` and ``serve``; and those that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brain_tumor.config.key_types import NAMES, Check, is_number, key, number, one_of, whole

_ABOVE_0 = number(lambda value: value > 0, "a number above 0")
_FROM_0 = number(lambda value: value >= 0, "a number from 0")


@dataclass(kw_only=True)
class Verb:
    """Keys of every verb that builds objects."""

    plugins: Sequence[str] = key("packages of your own that may be named in a _target_", NAMES)


@dataclass(kw_only=True)
class Inference(Verb):
    """How a trained model is run."""

    engine: str = key("auto, torch, onnxruntime or openvino; auto: the first that was exported, else torch")
    precision: str = key("fp32, or int8 or bf16 after brain-tumor export")
    threads: int | None = key("threads per prediction; null: one per physical core")
    batch_size: int = key("images per prediction", whole(1))


@dataclass(kw_only=True)
class Paths:
    """Where files are written."""

    run_dir: str = key("run directory; set it with hydra.run.dir=OUT")
    cache_dir: str = key("decoded images and phantoms, shared by all runs; safe to delete")
    cache_limit_gb: float | None = key("size at which the least recently used images are removed, GB", _FROM_0)


@dataclass(kw_only=True)
class Slices:
    """How volumes are cut into slices."""

    slices: str = key("slices of each volume: largest:N (most tissue), every:N, index:I,J or all")
    plane: str | None = key(
        "plane of all slices: axial, coronal or sagittal; null: NIfTI axial, DICOM as acquired",
        one_of("axial", "coronal", "sagittal", None),
    )
    modalities: Sequence[str] = key("modalities of DICOM files that are taken, or [any]")
    derived: bool = key("take localizers and computed images (ADC, reformatted, …) in DICOM files, too")
    patient: str = key(
        "what tells patients of DICOM files apart: PatientID, study or file", one_of("id", "study", "file")
    )


@dataclass(kw_only=True)
class Predict(Inference):
    """Keys of ``brain-tumor predict``."""

    bundle: str = key("model: run directory of brain-tumor train, or bundle")
    input: str | Sequence[str] = key("images, scans, slices of them (scan.nii.gz#axial:57), or folders of these")
    output: str | None = key("file of the answers; null: predictions in hydra.run.dir")
    format: str | None = key("csv, json, jsonl or xlsx; null: by the ending of output, else csv")
    verify: str | None = key("file of a public key: the model must be signed by its owner; null: it need not be signed")
    shards: int = key("number of jobs that share the images; the last one merges their tables into output", whole(1))
    shard: int = key("number of this job's share, from 0", whole(0))
    heatmaps: str | None = key("folder for a PNG of each image with heat map and box; null: none are drawn")
    report: str | None = key("page (.html) with images, heat maps, probabilities and warnings; null: none")
    point: str = key("operating point of the decision: sensitive, balanced or specific")
    data: Slices
    paths: Paths


@dataclass(kw_only=True)
class RequestQueue:
    """How many requests are worked on."""

    working: int = key("requests whose files are read at the same time", whole(1))
    waiting: int = key("further requests that wait; more are answered with status 429", whole(0))
    connections: int = key("open connections; more are answered with status 503", whole(1))


@dataclass(kw_only=True)
class RequestLimits:
    """What one request may hold."""

    files: int = key("number of files", whole(1))
    megabytes: float = key("size of the request, 10⁶ bytes", _ABOVE_0)
    megapixels: float = key("pixels of all files, unpacked, 10⁶", _ABOVE_0)
    file_megapixels: float = key("pixels of one file, unpacked, 10⁶", _ABOVE_0)
    frames: int = key("slices of one file", whole(1))
    header_seconds: float = key("time for the headers of the request to arrive", _ABOVE_0)
    upload_seconds: float = key("time for the request to arrive", _ABOVE_0)
    seconds: float = key("time until an answer is given up", _ABOVE_0)


@dataclass(kw_only=True)
class Serve(Inference):
    """Keys of ``brain-tumor serve``."""

    bundle: str | Mapping[str, str] = key("model: run directory or bundle; or several by name, the default one first")
    host: str = key("name or address to listen at; 0.0.0.0 accepts requests from other machines")
    port: int = key(
        "port; 0 takes a free one", Check(lambda value: is_number(value, int) and 0 <= value < 65536, "0 to 65535")
    )
    key_file: str | None = key("file with a key that requests have to bring; null: no key is asked for")
    point: str = key("operating point of the decision: sensitive, balanced or specific")
    verify: str | None = key("file of a public key: models must be signed by its owner; null: they need not be signed")
    queue: RequestQueue
    limits: RequestLimits
    grace_seconds: float = key("time for accepted requests to be answered after SIGTERM or Ctrl-C, seconds", _ABOVE_0)
    data: Slices
    paths: Paths
