"""What to cite."""

from pathlib import Path

import pytest
import yaml

import brain_tumor
from brain_tumor.data.public.registry import SETS
from brain_tumor.evaluation.comparison.citations import SOFTWARE, data_citation

CFF = Path(__file__).parents[3] / ".github" / "CITATION.cff"


@pytest.mark.parametrize("name", SETS)
def test_public_sets_are_known(name):
    entry = data_citation({"name": name})

    assert entry.fields["note"] == SETS[name].citation
    text = entry.bibtex()
    assert text.startswith(f"@misc{{{name},\n")
    assert text.count("{") == text.count("}")


def test_what_the_run_says_comes_first():
    assert data_citation({"name": "cheng", "citation": "Cheng 2017"}).fields["note"] == "Cheng 2017"


@pytest.mark.parametrize("facts", [{}, {"name": "folder"}])
def test_other_data_are_not_known(facts):
    assert data_citation(facts) is None


def test_the_file_of_the_repository_says_the_same():
    content = yaml.safe_load(CFF.read_text(encoding="utf-8"))

    assert str(content["version"]) == brain_tumor.__version__
    assert content["license"] == "MIT"
    assert content["title"] == SOFTWARE.fields["title"]
    assert content["authors"] == [{"name": SOFTWARE.fields["author"]}]
    assert {"cff-version", "message", "type"} <= set(content)
    assert f"Version {brain_tumor.__version__}" in SOFTWARE.bibtex()
