"""The README is short, its sentences are plain, its links lead somewhere, and its commands run as they are written."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories import CENTRES, save

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREENS = TEXT.partition("## How accurate is it?")[0]
FAST = ["debug=fast", "data.image_size=64", "data.num_workers=0", "callbacks=[]", "image_evidence=false"]
"""Overrides that make a command short, where its verb has them; they change nothing else."""
NOT_RUN = {
    "data fetch": "downloads",
    "push": "sends to a server",
    "host=0.0.0.0": "serves until it is stopped; tests/serving/test_service_process.py",
    "serve bundle=RUN ": "serves until it is stopped; tests/serving/test_service_process.py",
    "trainer=ddp ": "needs GPUs; trainer=ddp_cpu is tested",
    "submitit_slurm": "needs Slurm",
    "plugins=[mylab]": "needs the user's package; tests/test_plugins.py",
    "sign=private.pem": "needs a key; tests/serving/test_signature.py",
    "resume=RUN": "needs an interrupted run; tests/test_train.py",
    "hparams_search": "takes minutes; tests/sweeps",
    "champion=": "exits with 1 where the run is no better; tests/test_compare.py",
    "dashboard": "needs a server; tests/tracking/test_wandb_workspace.py",
    "logger=wandb": "needs a server; notebooks/03-sweeps-and-dashboards.ipynb",
}
"""Part of a command → why it is not run here."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [
    re.split(r"\s+#", line)[0] + " "
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("brain-tumor ")
]


def prose(text):
    """Sentences of a Markdown text, without code, tables, pictures and headings."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!", "#", "<"))]
    paragraphs = re.split(r"\n\s*\n|\n- ", "\n".join(lines))
    plain = [re.sub(r"`[^`]*`", "code", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", paragraph)) for paragraph in paragraphs]
    return [sentence for paragraph in plain for sentence in re.split(r"(?<=[.!?:;])\s+", " ".join(paragraph.split()))]


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 200


def test_sentences_on_the_first_screens_are_short():
    long = [sentence for sentence in prose(FIRST_SCREENS) if len(sentence.split()) > 30]
    assert long == []


def test_links_and_pictures_lead_somewhere():
    places = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(places) > 10
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in TEXT.splitlines()}
    for place in places:
        if place.startswith("#"):
            assert place[1:] in headings, place
        elif not place.startswith("http"):
            assert (ROOT / place.partition("#")[0]).exists(), place


def test_pictures_are_small():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / name).stat().st_size <= 150_000, name


def test_reasons_are_for_commands_that_are_there():
    for part in NOT_RUN:
        assert any(part in command for command in COMMANDS), part


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, located):
    """A folder in which every name that the README uses is there: DIR, RUN, scans, runs/first and so on."""
    folder = tmp_path_factory.mktemp("readme")
    for label in CENTRES:
        for number in range(12):
            save(folder / "DIR" / label / f"{number}.png", label, number)
    (folder / "scans").mkdir()
    save(folder / "scans" / "scan.png", "glioma", 1)
    shutil.copytree(located, folder / "RUN")
    for split in ("val", "test"):
        shutil.copy(located / "predictions" / f"{split}.csv", folder / f"{split}.csv")
    rows = [f"DIR/{label}/{number}.png,{label}" for label in CENTRES for number in range(12)]
    (folder / "CSV").write_text("\n".join(["path,label", *rows]))
    return folder


@pytest.mark.slow
def test_commands_run_in_their_order(workplace):
    """One test: some use what those before them have made."""
    failed = {}
    for command in (each for each in COMMANDS if not any(part in each for part in NOT_RUN)):
        verb, *arguments = shlex.split(command)[1:]
        short = {"train": FAST[:-1], "evaluate": [FAST[-1], "limit=8", "overlap=allow"], "init": ["--conf", "conf"]}
        if arguments[:1] == ["RUN"] and verb == "compare":
            arguments = ["RUN", "RUN2"]
            shutil.copytree(workplace / "RUN", workplace / "RUN2", dirs_exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "brain_tumor", verb, *arguments, *short.get(verb, [])],
            cwd=workplace,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            failed[command] = done.stderr[-2000:]
    assert failed == {}
