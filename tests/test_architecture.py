"""The rooms of the package: imports only go down, read from the code itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "brain_tumor"

FLOORS = {
    "errors": 1,
    "types": 1,
    "models": 2,
    "config": 2,
    "run_dir": 2,
    "data": 3,
    "evaluation": 4,
    "callbacks": 4,
    "training": 5,
    "tracking": 5,
    "sweeps": 5,
    "serving": 5,
    "pipelines": 6,
    "cli": 6,
}
"""Room → floor. The verbs and ``__main__`` stand above all of them."""


CONSTANTS = ("CAUTION", "__version__", "__file__")
"""Names of the package itself, which every room may import."""


def imports(path):
    """Modules of this package that a file imports, wherever in it, without those for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    skipped = {id(inner) for node in for_types for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("brain_tumor.")}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_only_go_down(path):
    own = path.relative_to(PACKAGE).parts[0]
    for module in imports(path):
        other = module.split(".")[1]
        if other != own and other not in CONSTANTS:
            assert FLOORS[other] < FLOORS[own], f"{own} (floor {FLOORS[own]}) imports {module}"


def test_every_room_has_a_floor_and_says_what_it_is_for():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(FLOORS) - {"errors", "types"}
    for name in rooms:
        assert ast.get_docstring(ast.parse((PACKAGE / name / "__init__.py").read_text(encoding="utf-8"))), name


def test_rooms_of_one_package_do_not_import_each_other_mutually():
    """Within ``data`` and ``evaluation``, too: if folder A imports from folder B, B does not import from A."""
    for parent in ("data", "evaluation", "serving", "training", "tracking"):
        edges = set()
        for path in (PACKAGE / parent).rglob("*.py"):
            parts = path.relative_to(PACKAGE / parent).parts
            own = parts[0] if len(parts) > 1 else "."
            for module in imports(path):
                names = module.split(".")
                if names[1] == parent and len(names) > 3 and (PACKAGE / parent / names[2]).is_dir() and names[2] != own:
                    edges.add((own, names[2]))
        mutual = {edge for edge in edges if edge[::-1] in edges}
        assert not mutual, f"{parent}: {mutual}"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_verbs_are_short_entry_points(path):
    if path.stem in ("train", "evaluate", "audit", "predict", "serve", "push", "export", "compare"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_serving_runs_without_lightning_hydra_wandb_and_matplotlib():
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in (PACKAGE / "serving").rglob("*.py")
        if "engines" not in path.parts or path.name in ("__init__.py", "eager.py")
    ]
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
print([name for name in ("lightning", "hydra", "omegaconf", "wandb", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)

    assert done.stdout.strip() == "[]"
