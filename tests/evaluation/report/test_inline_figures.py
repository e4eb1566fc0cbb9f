"""Figures inside a page: vector in its colours, raster where that is smaller."""

import base64
import re

import cv2
import numpy as np
from matplotlib.figure import Figure

from brain_tumor.evaluation.report.inline_figures import inline_figure
from brain_tumor.evaluation.report.raster import data_uri


def plot(points=3):
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.set_title("<title>")
    axes.plot(np.arange(points), "o", color="#0072B2", label="a & b")
    axes.axhline(1, color="0.4")
    axes.legend()
    return figure


def test_lines_and_text_have_the_colours_of_the_page():
    found = inline_figure(plot(), 'Points & "lines"')

    assert found.markup.startswith('<svg role="img" aria-label="Points &amp; &quot;lines&quot;"')
    assert not re.search("#000000|#ffffff|#666666", found.markup)
    for colour in ("currentColor", "var(--soft)", "var(--box)", "#0072b2"):
        assert colour in found.markup
    assert ">a &amp; b</text>" in found.markup
    assert "http://purl.org" not in found.markup


def test_the_caption_of_the_page_replaces_the_title_of_one_plot():
    assert "title" not in inline_figure(plot(), "c").markup


def test_equal_figures_are_equal_markup():
    assert inline_figure(plot(), "c") == inline_figure(plot(), "c")


def test_images_and_very_many_points_are_raster():
    gallery = Figure()
    gallery.subplots().imshow(np.zeros((8, 8)))

    for figure in (gallery, plot(points=20_000)):
        assert re.match(
            r'<img src="data:image/(webp|jpeg|png);base64,[^"]+" alt="c">$', inline_figure(figure, "c").markup
        )


def test_images_are_small_and_keep_their_colours():
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200

    kind, _, content = data_uri(red).partition(";base64,")

    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert kind in ("data:image/webp", "data:image/png", "data:image/jpeg")
    assert len(content) < 400
    assert np.abs(decoded[..., ::-1].astype(int) - red).max() < 12
