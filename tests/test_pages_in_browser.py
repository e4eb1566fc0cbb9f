"""The pages that are sent to others, in a browser: small, self-contained, readable on a phone and at a desk."""

import re

import pytest
from pipelines.paper_runs import write_run
from sweeps.sweep_files import write_sweep

from brain_tumor.audit import audit
from brain_tumor.compare import compare
from brain_tumor.predict import predict
from brain_tumor.sweeps.page import write_sweep_page
from brain_tumor.sweeps.table import read_rows

pytestmark = pytest.mark.browser
_LARGEST = 2 * 1024 * 1024
_LONELY_TILES = """() => [...document.querySelectorAll(".grid")].filter((grid) => {
    const tiles = [...grid.children].map((tile) => tile.getBoundingClientRect());
    const last = tiles.filter((tile) => tile.top === tiles.at(-1).top);
    return tiles.length > 1 && last.length === 1 && last[0].width < 0.9 * grid.getBoundingClientRect().width;
}).length"""


@pytest.fixture(scope="module")
def pages(located, flat_folder, tmp_path_factory):
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    audit(["data=folder", f"data.root={flat_folder}", "data.image_size=48"], folder / "audit")
    names = ["hf-hub:timm/resnet18.a1_in1k", "hf-hub:timm/vit_tiny.a1_in1k"]
    table = [
        ([f"model.name={name}", f"optimizer.lr={lr}", f"seed={seed}"], 0.5 + lr * 10 + seed / 50, 0.6)
        for name in names
        for lr in (0.001, 0.01, 0.02)
        for seed in (0, 1)
    ]
    plan = write_sweep(folder / "sweep", table, swept=["model.name", "optimizer.lr", "seed"])
    write_sweep_page(folder / "sweep", plan, read_rows(folder / "sweep", plan))
    runs = [
        write_run(folder / f"a-long-common-name-{n}", [f"model.name=m{n}"], accuracy=0.6 + n / 10, seed=n)
        for n in range(3)
    ]
    compare([*map(str, runs), "resamples=200"], folder / "compare")
    predict([f"bundle={located}", f"input={flat_folder / 'glioma'}", f"report={folder / 'p.html'}"], folder / "predict")
    return {
        "run": located / "report.html",
        "audit": folder / "audit" / "audit.html",
        "sweep": folder / "sweep" / "sweep.html",
        "compare": folder / "compare" / "compare.html",
        "predictions": folder / "p.html",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["run", "audit", "sweep", "compare", "predictions"])
def test_it_fits_and_everyone_can_read_it(kind, width, scheme, pages, chromium, serious_faults):
    asked = []
    page = chromium.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))

    page.goto(pages[kind].as_uri())

    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_LONELY_TILES) == 0
    assert serious_faults(page) == []
    assert page.locator("nav a").count() >= 2
    assert page.evaluate(
        "[...document.querySelectorAll('nav a')].every((link) => document.getElementById(link.hash.slice(1)))"
    )
    page.close()


@pytest.mark.parametrize("kind", ["run", "audit", "sweep", "compare", "predictions"])
def test_it_is_small_and_of_one_family(kind, pages):
    text = pages[kind].read_text(encoding="utf-8")

    assert pages[kind].stat().st_size <= _LARGEST
    assert text.count("Research use only; not a medical device.") == 2
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert not re.findall(r'(?:src|href)="(?!data:|#|\d+/report.html)', text)


def test_figures_follow_the_colour_scheme(pages, chromium):
    """Text of a plot is dark on light, and light on dark."""
    shades = {}
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)
        page.goto(pages["run"].as_uri())
        colour = page.evaluate("getComputedStyle(document.querySelector('.plot svg text')).fill")
        shades[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        page.close()

    assert shades["light"] < 200
    assert shades["dark"] > 550


def test_the_first_screen_of_a_run_shows_the_map(pages, chromium):
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    page.goto(pages["run"].as_uri())

    for selector in (".headline", ".tile", ".findings li", ".sample img", ".plot svg"):
        assert page.locator(selector).first.bounding_box()["y"] < 860 * 0.8
    page.close()
