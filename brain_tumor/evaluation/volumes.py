"""Predictions per volume, from those of its slices.

Three rules are known; which one a model uses is chosen on the volumes of validation, by their log-likelihood.
"""

import numpy as np
import pandas as pd

from brain_tumor.data.labels import HEALTHY
from brain_tumor.evaluation.predictions import Predictions, predictions_frame
from brain_tumor.types import Floats

RULES = {"mean": 1.0, "top_quarter": 0.25, "key_slice": 0.0}
"""Rule → share of the slices of a volume whose probabilities are averaged, those with the highest tumour score first;
at least one is."""
VOLUME_RULES = {
    "mean": "the mean of all slices that are not rejected",
    "top_quarter": "the mean of the quarter of its slices with the highest tumour scores, without rejected ones",
    "key_slice": "the slice with the highest tumour score, of those that are not rejected",
}
"""Rule → what the probabilities of a volume are, in words."""
DEFAULT_RULE = "top_quarter"
"""A tumour shows on some slices of a volume only; the quarter that shows it best is not left to a single slice."""
_MIN_VOLUMES = 10
"""Volumes of validation from which the rule is chosen on them."""
_SMALLEST = 1e-12


def tumour_scores(probabilities: Floats, classes: tuple[str, ...]) -> Floats:
    """Return 1 − p(healthy class) float64 [N]; without a healthy class the largest probability."""
    if HEALTHY in classes:
        return np.asarray(1 - probabilities[:, classes.index(HEALTHY)])
    return np.asarray(probabilities.max(axis=1))


def by_volume(table: pd.DataFrame, classes: tuple[str, ...], rule: str = DEFAULT_RULE) -> pd.DataFrame:
    """Aggregate the slices of each volume; images that belong to none, and rejected slices, are left out.

    Args:
        table: Predictions table with ``series`` and, where there is an OOD detector, ``rejected``.
        classes: C names, in the order of the probability columns.
        rule: One of `RULES`.

    Returns:
        One row per volume in order of appearance: ``series, patient_id, prediction, p_<class>…, slices`` (predicted),
        ``rejected`` (number of them), ``key_slice`` (``sample_id`` of the slice with the highest tumour score). With a
        localizer also ``map_slice``: the slice on which the map marks the largest area, empty if it marks none.
        A volume whose slices are all rejected has an empty prediction.
    """
    rows = []
    columns = [f"p_{name}" for name in classes]
    for series, volume in table[table["series"] != ""].groupby("series", sort=False):
        is_rejected = volume["rejected"].fillna(False).astype(bool) if "rejected" in volume else volume["series"] == ""
        accepted = volume[~is_rejected]
        row = {
            "series": series,
            "patient_id": volume["patient_id"].iloc[0],
            "slices": len(volume),
            "rejected": int(is_rejected.sum()),
            "prediction": "",
            **dict.fromkeys(columns, np.nan),
            "key_slice": "",
        }
        if len(accepted):
            probabilities = accepted[columns].to_numpy(np.float64)
            order = np.argsort(-tumour_scores(probabilities, classes), kind="stable")
            mean = probabilities[order[: max(1, round(RULES[rule] * len(order)))]].mean(axis=0)
            row |= dict(zip(columns, mean.tolist(), strict=True))
            row |= {"prediction": classes[int(mean.argmax())], "key_slice": accepted["sample_id"].iloc[order[0]]}
            if "map_area" in accepted:
                largest = accepted["map_area"].to_numpy(np.float64).argmax()
                row["map_slice"] = accepted["sample_id"].iloc[largest] if accepted["map_area"].iloc[largest] > 0 else ""
        rows.append(row)
    names = ["series", "patient_id", "prediction", *columns, "slices", "rejected", "key_slice"]
    names += ["map_slice"] if "map_area" in table else []
    return pd.DataFrame(rows, columns=names)


def choose_rule(predictions: Predictions) -> tuple[str, int]:
    """Choose the rule with the highest log-likelihood on volumes of several slices.

    A volume with tumour and healthy slices has the tumour; one with several kinds of tumour is not used.

    Args:
        predictions: Calibrated predictions of validation.

    Returns:
        The rule, and the number of volumes that it was chosen on: 0 if there are too few, and it is `DEFAULT_RULE`.
    """
    frame = predictions.frame
    if "series" not in frame or HEALTHY not in predictions.classes:
        return DEFAULT_RULE, 0
    counts = frame["series"].value_counts()
    used = frame["series"].map(counts).gt(1).to_numpy() & (frame["series"] != "").to_numpy()
    table = predictions_frame(frame[used].assign(path=""), predictions.classes, predictions.probabilities[used])
    tumours = frame[used & (frame["label"] != HEALTHY).to_numpy()].groupby("series")["label"].unique()
    label = {series: names[0] for series, names in tumours.items() if len(names) == 1}
    series = [name for name in dict.fromkeys(table["series"]) if name in label or name not in tumours.index]
    if len(series) < _MIN_VOLUMES:
        return DEFAULT_RULE, 0
    likelihood = {}
    for rule in RULES:
        volumes = by_volume(table, predictions.classes, rule).set_index("series").loc[series]
        true = np.array([volumes[f"p_{label.get(name, HEALTHY)}"][name] for name in series], np.float64)
        likelihood[rule] = float(np.log(np.maximum(true, _SMALLEST)).sum())
    return max(RULES, key=lambda rule: likelihood[rule]), len(series)
