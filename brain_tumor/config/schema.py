"""Type, range and help line of every key that is ours, one dataclass per verb; defaults are in ``conf/*.yaml``.

Keys that a group of options adds for its class (a network's, a loss's, a callback's) are not here: the class checks
them, and a comment in their YAML explains them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import OmegaConf

from brain_tumor.config.fit_keys import Optimizer, Trainer
from brain_tumor.config.inference_keys import Inference, Paths, Predict, Serve, Verb
from brain_tumor.config.key_types import NAMES, Check, is_number, key, list_of, number, one_of, some_of, whole

_INSIDE = number(lambda value: 0 < value < 1, "between 0 and 1")
_FROM_0 = number(lambda value: value >= 0, "a number from 0")
_MONITORS = ("val/f1_macro", "val/accuracy", "val/balanced_accuracy", "val/auroc", "val/loss")


@dataclass(kw_only=True)
class Monitor:
    """How the best epoch is found."""

    metric: str = key("validation metric that selects the best epoch", one_of(*_MONITORS))
    mode: str = key("max: the highest value is the best; min: the lowest, for val/loss")


@dataclass(kw_only=True)
class OOD:
    """The out-of-distribution (OOD) detector."""

    reject_share: float = key(
        "share of validation scans that the OOD detector may reject",
        number(lambda value: 0 < value <= 0.5, "a share above 0, at most 0.5"),
    )


@dataclass(kw_only=True)
class Split:
    """Keys that all splits share."""

    allow_leakage: bool = key("train on a split with a patient or image in two of its parts; reported with the results")
    seed: int = key("seed of the split", whole(0))


@dataclass(kw_only=True)
class TrainingSplit(Split):
    """Keys of the split of a training."""

    tuning: bool = key("leave the test set unseen: half of validation takes its place; reported with the results")


@dataclass(kw_only=True)
class Reading:
    """How images are read."""

    cache: str = key(
        "where decoded images are kept; ram: decoded at each start, off: decoded each time",
        one_of("disk", "ram", "off"),
    )
    on_error: str = key("what to do at an unreadable image; skip names it and leaves it out", one_of("stop", "skip"))


@dataclass(kw_only=True)
class SizedReading(Reading):
    """How images are read and resized."""

    image_size: int = key("height and width that images are resized to, pixels", whole(1))


@dataclass(kw_only=True)
class TrainingData(SizedReading):
    """How images are read and batched."""

    batch_size: int = key("training images per step and device", whole(1))
    eval_batch_size: int = key("images per step in validation and test", whole(1))
    num_workers: int | str = key(
        "processes that load training batches; auto chooses, and the log gives the reason",
        Check(lambda value: value == "auto" or (is_number(value, int) and value >= 0), "auto or a number from 0"),
    )
    copies: str = key("train on all copies of an image, or on one", one_of("all", "one"))
    corrections: str | None = key(
        "table of corrected labels (CSV): sample_id or sha256, and label; an empty label leaves the image out"
    )
    masks: str | None = key("another set whose masks images take that show its pictures: its folder, or manifest")
    label_conflicts: str = key(
        "what to do with images that appear under two classes", one_of("stop", "keep", "leave_out")
    )
    imbalance: str = key(
        "correction for rare classes; sampler draws classes equally often",
        one_of("none", "class_weights", "sampler"),
    )
    random_labels: bool = key("give each patient a random class: a score above chance then shows leakage")


@dataclass(kw_only=True)
class Evaluation:
    """What the evaluation states; thresholds are chosen on validation and applied to test."""

    resamples: int = key("bootstrap resamples behind each confidence interval", whole(1))
    sensitivity: float = key('target of the operating point "sensitive"', _INSIDE)
    specificity: float = key('target of the operating point "specific"', _INSIDE)
    prevalence: float = key("share of tumours at which PPV, NPV and net benefit are stated", _INSIDE)
    abstain: float = key(
        "share of validation images, the least certain, that are left to a person",
        number(lambda value: 0 <= value < 1, "from 0, below 1"),
    )
    coverage: float = key("target coverage of conformal prediction sets", _INSIDE)


@dataclass(kw_only=True)
class Figures:
    """Files of the figures."""

    formats: Sequence[str] = key(
        "formats of figures; png is always written, as the pages embed it",
        list_of("png", "pdf", "svg"),
    )
    dpi: int = key("dots per inch of PNG files, and of images within PDF and SVG files", whole(1))


@dataclass(kw_only=True)
class Train(Verb):
    """Keys of ``brain-tumor train``."""

    seed: int = key("seed of split, initial weights, order of the images and augmentation", whole(0))
    compile: str | None = key(
        "mode of torch.compile for the network; needs a C++ compiler",
        one_of(None, "default", "reduce-overhead", "max-autotune"),
    )
    lr_scaling: str = key(
        "scale optimizer.lr with the number of processes times accumulated batches", one_of("none", "linear", "sqrt")
    )
    tune: Sequence[str] = key(
        "settings to find before training, with Lightning's tuner",
        Check(
            lambda value: OmegaConf.is_list(value) and set(value) <= {"batch_size", "lr"},
            "a list of lr and batch_size: [batch_size,lr]",
        ),
    )
    resume: str | None = key(
        "continue an interrupted run or sweep: its directory, latest, or auto (whatever hydra.run.dir holds)"
    )
    overwrite: bool = key("replace a finished run in the run directory")
    monitor: Monitor
    ood: OOD
    split: TrainingSplit
    data: TrainingData
    optimizer: Optimizer
    trainer: Trainer
    evaluation: Evaluation
    figures: Figures
    paths: Paths


@dataclass(kw_only=True)
class Audit(Verb):
    """Keys of ``brain-tumor audit``."""

    seed: int = key("seed of folds, of a random split and of random classes", whole(0))
    data: SizedReading
    split: Split
    paths: Paths


@dataclass(kw_only=True)
class Evaluate(Inference):
    """Keys of ``brain-tumor evaluate``."""

    run: str | None = key("run directory of brain-tumor train; alone: on its own test, with data=: on other images")
    bundle: str | None = key("bundle to evaluate on the images of data=")
    predictions: str | None = key("table of predictions (CSV): sample_id, label, p_<class>…, optional group")
    val: str | None = key("table of validation predictions (CSV); temperature and thresholds are chosen on it")
    class_map: str | Mapping[str, str] | None = key(
        "classes that are joined: binary (tumour or not), or {glioma: tumor, meningioma: tumor}"
    )
    published_split: str | None = key("evaluate this published split of the data alone")
    overlap: str = key("images or patients that the model was trained or selected on: refuse, leave_out or allow")
    image_evidence: bool = key("evaluate robustness, OOD rejection, saliency and the most confident mistakes, too")
    ood_images: str | None = key("folder of images that the OOD detector should reject, beside the built-in sets")
    limit: int = key("test images used for image_evidence, drawn by class; each is classified 62 times", whole(1))
    seed: int = key("seed of the resamples behind intervals", whole(0))
    overwrite: bool = key("replace a finished evaluation in hydra.run.dir")
    data: Reading
    evaluation: Evaluation
    figures: Figures
    paths: Paths


@dataclass(kw_only=True)
class Export(Verb):
    """Keys of ``brain-tumor export``."""

    bundle: str | None = key("model: run directory of brain-tumor train, or bundle")
    ensemble: Sequence[str] | None = key("runs to join into one model in hydra.run.dir, in place of bundle=", NAMES)
    tta: str = key(
        "test-time augmentation of an ensemble, kept where it lowers the loss on validation", one_of("none", "mirror")
    )
    seed: int = key("seed of the resamples behind the intervals of an ensemble", whole(0))
    overwrite: bool = key("replace an ensemble in hydra.run.dir")
    evaluation: Evaluation
    figures: Figures
    engine: str = key("onnxruntime or openvino; none: only sign the bundle")
    sign: str | None = key("file of a private key (PEM, elliptic curve) that signs the bundle; null: it is not signed")
    precision: str = key("fp32, int8, or bf16 (openvino), the last two refused where macro-F1 falls by over 0.002")
    samples: str | None = key("images to check with (CSV): path, label, split; null: samples.csv of the bundle's run")
    calibration: int = key("training images that int8 is calibrated with", whole(1))
    max_change: float = key("largest change of a validation probability that int8 and bf16 may bring", _FROM_0)
    mean_change: float = key("largest mean change of validation probabilities that int8 and bf16 may bring", _FROM_0)
    threads: int | None = key("threads per prediction; null: one per physical core")
    paths: Paths


@dataclass(kw_only=True)
class Push(Verb):
    """Keys of ``brain-tumor push``."""

    bundle: str = key("model: run directory of brain-tumor train, or bundle")
    repo: str = key("name on the Hugging Face hub, USER/NAME; created if need be")
    private: bool = key("create the repository for its owner alone")
    verify: str | None = key("file of a public key: the model must be signed by its owner; null: it need not be signed")
    paths: Paths


@dataclass(kw_only=True)
class Acceptance:
    """Acceptance criteria: what a candidate must show to replace the champion; null leaves a criterion out."""

    f1_macro: float | None = key("non-inferiority margin of macro-F1; its interval must lie above −margin", _FROM_0)
    sensitivity: float | None = key("largest loss of detection sensitivity, as measured", _FROM_0)
    specificity: float | None = key("largest loss of detection specificity, as measured", _FROM_0)
    ece: float | None = key("largest increase of the expected calibration error, as measured", _FROM_0)
    leakage: bool = key("refuse a candidate with more leaking images than the champion")


@dataclass(kw_only=True)
class Compare:
    """Keys of ``brain-tumor compare``."""

    runs: str | Sequence[str] = key("run directories, folders of runs, or predictions CSV files")
    metric: str = key("metric of results.json that ranks the runs")
    eval_split: str | None = key(
        "split that is compared; null: val for sweeps and folders, test for named runs", one_of("val", "test", None)
    )
    format: str | Sequence[str] | None = key(
        "table for a paper: table.tex (booktabs), table.md or table.csv; null: none",
        some_of("latex", "markdown", "csv"),
    )
    columns: Sequence[str] = key("metrics that this table shows; those that no run has are left out", NAMES)
    pool: bool = key("pool runs that differ only in seed, fold or repeat")
    resamples: int = key("resamples of the paired bootstrap of whole groups", whole(1))
    level: float = key("confidence level of intervals", number(lambda value: 0 < value < 1, "a number between 0 and 1"))
    seed: int = key("seed of the bootstrap", whole(0))
    champion: str | None = key("run in use today; change_record.md compares every other candidate with it")
    acceptance: Acceptance
    fail_if_rejected: bool = key("exit with code 1 where a candidate fails a criterion")
    figures: Figures
    paths: Paths


SCHEMAS: dict[str, type] = {
    "train": Train,
    "audit": Audit,
    "evaluate": Evaluate,
    "predict": Predict,
    "serve": Serve,
    "export": Export,
    "push": Push,
    "compare": Compare,
}
"""Verb → its keys."""
