"""Classify the images of a file or folder with a bundle."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.listing import account, describe_counts, file_counts
from brain_tumor.data.readers.volumes import ScanRules
from brain_tumor.errors import DataError, require
from brain_tumor.evaluation.report.console import show
from brain_tumor.run_dir.record import command_line
from brain_tumor.serving.answers_page import write_answers_page
from brain_tumor.serving.console import ood_statement, predictions_summary, rejection_warning, volumes_summary
from brain_tumor.serving.files import PredictedImages, find_images, predict_images
from brain_tumor.serving.output import FORMATS, Found, output_file, with_verdicts, write_overlays
from brain_tumor.serving.predictor import Predictor
from brain_tumor.serving.shards import BLOCK, Parts, Shard, blocks, volumes_file
from brain_tumor.serving.study import answers, volumes_of

log = logging.getLogger(__name__)


def predict(cfg: DictConfig, *, whole: bool = True) -> pd.DataFrame:
    """Predict what a composed configuration names, block by block.

    Args:
        cfg: Composed configuration.
        whole: Whether to return the whole table; else ``prediction``, ``rejected`` and ``abstain`` alone, which need
            little memory for any number of images. A report needs all.

    Returns:
        Predictions table.

    Raises:
        ConfigError: A setting is invalid.
        DataError: None of the images can be read.
    """
    output = output_file(cfg.output, cfg.format, Path(cfg.paths.run_dir))
    require(not cfg.report or Path(cfg.report).suffix == ".html", f"report={cfg.report}", "a name that ends in .html")
    predictor = Predictor.load(cfg.bundle, cfg.engine, cfg.precision, cfg.threads, cfg.plugins, cfg.point, cfg.verify)
    require(
        not cfg.heatmaps or predictor.bundle.has_map,
        f"heatmaps={cfg.heatmaps}",
        "no heatmaps= here: this model was trained without masks (localizer=none) and draws no map",
    )
    data = cfg.data
    rules = ScanRules.parse(
        data.slices, data.plane, cfg.paths.cache_dir, list(data.modalities), data.derived, data.patient
    )
    found = find_images(cfg.input if isinstance(cfg.input, str) else list(cfg.input), rules)
    samples, parts, place = found.listing.samples, None, output
    if cfg.shards > 1:
        require(cfg.output is not None, "output=null with shards", "one file for all shards: output=answers.csv")
        require(not cfg.report, f"report={cfg.report} with shards", "no report, or shards=1")
        shard, parts = Shard(cfg.shard, cfg.shards), Parts(output, samples, predictor.bundle.version, cfg.shards)
        samples, place = shard.of(samples), parts.part(shard)
    output.parent.mkdir(parents=True, exist_ok=True)
    tables: list[pd.DataFrame] = []
    volumes: list[pd.DataFrame] = []
    unreadable: list[str] = []
    first: DataError | None = None
    with FORMATS[output.suffix.lower().removeprefix(".")](place) as write:
        for block in blocks(samples, len(samples) if cfg.report else BLOCK):
            predicted = predict_images(predictor, block, cfg.batch_size)
            for fault in predicted.errors.values():
                log.warning("Left out: %s", fault)
                first = first or fault
            answered = _answered(predictor, predicted, block, {} if tables else found.listing.left_out)
            table = answered.images
            write(answered)
            if cfg.heatmaps:
                write_overlays(answered.study, table["path"], Path(cfg.heatmaps).expanduser())
            unreadable += sorted(set(block["path"]) - set(table["path"]))
            tables.append(table if whole or cfg.report else table[["prediction", "rejected", "abstain"]])
            volumes.append(answered.volumes)
        table = pd.concat(tables, ignore_index=True)
        if table.empty and parts is None:
            raise DataError(f"None of the {len(samples)} images can be read, first: {first}")
    show(predictions_summary(table, predictor.bundle))
    counts = file_counts(account(found.place, found.listing, unreadable))
    notes = [describe_counts(counts)] if counts["left_out"] else []
    if joined := [each for each in volumes if len(each)]:
        notes.append(volumes_summary(pd.concat(joined, ignore_index=True), found.slices, predictor.bundle))
    if statement := ood_statement(predictor.bundle):
        notes.append(statement)
    if warning := rejection_warning(table):
        notes.append(f"Note: {warning}")
    for note in notes:
        show(note, style="yellow" if note.startswith("Note") else None)
    if cfg.heatmaps:
        show(f"Heat maps: {len(table)} in {Path(cfg.heatmaps).expanduser()}", soft_wrap=True)
    if cfg.report:
        page, images = Path(cfg.report).expanduser(), answered.images  # with a report there is one block
        paths = dict(zip(images["sample_id"], images["path"], strict=True))
        page.parent.mkdir(parents=True, exist_ok=True)
        write_answers_page(page, answered.study, paths, predictor.bundle, command_line())
        show(f"Report: {page}", soft_wrap=True)
    if parts is not None and not parts.merge():
        show(f"Predictions of shard {cfg.shard} of {cfg.shards}: {place}; the last shard merges all.", soft_wrap=True)
    else:
        show(f"Predictions: {output}", soft_wrap=True)
        if volumes_file(output).is_file() and output.suffix == ".csv" and any(map(len, volumes)):
            show(f"Volumes: {volumes_file(output)}, one row per series", soft_wrap=True)
    return table


def _answered(
    predictor: Predictor, predicted: PredictedImages, samples: pd.DataFrame, left_out: Mapping[str, str]
) -> Found:
    volumes = volumes_of(predicted.table, predictor)
    study = answers(predictor, predicted, volumes, samples, left_out)
    return Found(study, with_verdicts(predicted.table, study.images), with_verdicts(volumes, study.volumes))
