"""Mistakes that are found before the data are read: ``data.root`` does not even exist here."""

from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import torch
from factories import SHORT, TINY

from brain_tumor.errors import BrainTumorError, ConfigError
from brain_tumor.train import train

UNREAD = ["data=folder", "data.root=/no/such", "trainer.accelerator=cpu"]
RESNET = ["model=resnet18", "model.pretrained=false", "data.image_size=32", "callbacks=[]"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([*TINY, "trainer.limit_val_batches=0"], r"trainer\.limit_val_batches=0: expected a number of batches from 1"),
        ([*TINY, "trainer.limit_train_batches=0.0"], r"trainer\.limit_train_batches=0.0: expected .* share"),
        (
            [*TINY, "trainer.check_val_every_n_epoch=5", "trainer.max_epochs=1"],
            r"check_val_every_n_epoch=5 with trainer\.max_epochs=1: expected a validation in time",
        ),
        ([*TINY, "+trainer.fast_dev_run=true"], r"trainer\.fast_dev_run=True: expected debug=fast"),
        ([*TINY, "optimizer.head_lr=None"], r"optimizer\.head_lr=None: .* set optimizer\.head_lr=null"),
        ([*TINY, "trainer.gradient_clip_val=None"], r"set trainer\.gradient_clip_val=null"),
        ([*TINY, "trainer.max_time=5"], r"trainer\.max_time=5: expected DD:HH:MM:SS"),
        ([*TINY, "optimizer.betas=[0.9]"], r"optimizer\.betas=\[0\.9\]: expected 2 values, such as \[0\.9, 0\.999\]"),
        ([*TINY, "optimizer.betas=0.9"], r"optimizer\.betas=0\.9: expected a list of values"),
        ([*TINY, "model.widths=abc"], r"model\.widths=abc: expected a list of numbers from 8"),
        ([*TINY, "model.dropout=much"], r"model\.dropout=much: expected a number"),
        (
            [*TINY, "scheduler=plateau", "+scheduler.interval=step"],
            r"for ReduceLROnPlateau: expected scheduler\.interv",
        ),
        ([*TINY, "trainer.accelerator=gpu"], r"torch finds no GPU .* set trainer=cpu"),
        ([*RESNET, "data.batch_size=1"], r"data\.batch_size=1: a batch norm of ResNet would see one value"),
        (
            [*RESNET, "data.image_size=64", "data.batch_size=1", "callbacks=[progressive_resizing]"],
            r"would see one value per channel at 32 px",
        ),
        (
            ["model=timm", "model.name=resnet1888"],
            r"Invalid model\.name=resnet1888: expected a timm model, .* resnet18,",
        ),
        (["model=resnet18", "model.weights=/no/such.pth"], r"model\.weights=/no/such\.pth does not exist"),
    ],
)
def test_it_is_refused_before_the_data_are_read(overrides, message, tmp_path):
    if "trainer.accelerator=gpu" in overrides and (torch.cuda.is_available() or torch.backends.mps.is_available()):
        pytest.skip("there is a GPU")
    with pytest.raises(BrainTumorError, match=message):
        train([*UNREAD, *overrides], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["text", "other"])
def test_files_that_are_no_weights_of_the_network(content, tmp_path):
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("no weights")
    else:
        torch.save({"conv1.weight": torch.zeros(2, 2)}, path)

    with pytest.raises(BrainTumorError, match=r"weights\.pth does not fit"):
        train([*UNREAD, "model=resnet18", f"model.weights={path}"], tmp_path / "run")


def test_what_passes_is_tried_on_nothing_but_the_settings(tmp_path):
    """The first mistake that is left is that of the data."""
    with pytest.raises(BrainTumorError, match=r"data\.root=/no/such is missing"):
        train([*UNREAD, *TINY, "optimizer.head_lr=null", "scheduler=plateau", "data.batch_size=2"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("share", ["limit_train_batches", "limit_predict_batches"])
def test_a_share_that_is_no_batch(share, flat_folder, tmp_path):
    with pytest.raises(ConfigError, match=rf"trainer\.{share}=0\.001 of \d batches is none"):
        train(["data=folder", f"data.root={flat_folder}", *SHORT, f"trainer.{share}=0.001"], tmp_path)


@pytest.mark.slow
def test_steps_that_end_before_a_validation(flat_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"trainer\.max_steps=2 ends before the first validation, after [3-9] steps"):
        train(["data=folder", f"data.root={flat_folder}", *SHORT, "+trainer.max_steps=2"], tmp_path)


class _Hub:
    """An address that refuses connections, or takes them and never answers."""

    def __init__(self, answers):
        self.server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if not answers:
            self.server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("model", [["model=resnet18"], ["model=hub", "model.name=hf-hub:some/network"]])
@pytest.mark.parametrize("silent", [False, True])
def test_a_hub_that_is_not_there_is_tried_once(model, silent, tmp_path, monkeypatch, caplog):
    hub = _Hub(answers=silent)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("brain_tumor.models.hub.SECONDS", 0.2)

    with pytest.raises(BrainTumorError, match=rf"are not on this machine, and {hub.url} cannot be reached \(.+\)"):
        train([*UNREAD, *model], tmp_path / "run")
    assert not caplog.records
    hub.server.server_close()
