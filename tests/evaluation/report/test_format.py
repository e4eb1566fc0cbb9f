import numpy as np
import pytest

from brain_tumor.evaluation.report import format as formats

UNKNOWN = {"value": None, "sd": None, "ci_low": None, "ci_high": None}


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (formats.format_number, 0.95349, "0.953"),
        (formats.format_number, np.float64(2), "2.000"),
        (formats.format_number, None, "–"),
        (formats.format_number, float("nan"), "–"),
        (formats.format_estimate, {"value": 0.5, "ci_low": 0.25, "ci_high": 0.75}, "0.500 [0.250, 0.750]"),
        (formats.format_estimate, {"value": 0.5, "ci_low": None, "ci_high": None}, "0.500"),
        (formats.format_estimate, UNKNOWN, "–"),
        (formats.format_interval, UNKNOWN, ""),
        (formats.format_mean, {"value": 0.5, "sd": 0.0125}, "0.500 ± 0.013"),
        (formats.format_mean, {"value": 0.5, "sd": None}, "0.500"),
        (formats.format_mean, UNKNOWN, "–"),
        (formats.format_difference, {"value": -0.5, "ci_low": -0.75, "ci_high": 0.25}, "−0.500 [−0.750, +0.250]"),
        (formats.format_difference, UNKNOWN, "–"),
        (formats.format_difference, None, "–"),
        (formats.format_signed, 0.0123, "+0.012"),
        (formats.format_signed, -0.0123, "−0.012"),
        (formats.format_signed, -0.0001, "0.000"),
        (formats.format_p, 0.0004, "<0.001"),
        (formats.format_p, 0.25, "0.250"),
        (formats.format_p, None, "–"),
        (formats.format_share, 0.625, "62 %"),
        (formats.format_share, None, "–"),
        (formats.format_level, 0.95, "95 %"),
        (formats.format_level, 0.975, "97.5 %"),
        (formats.format_setting, "0.00123456789", "0.001235"),
        (formats.format_setting, "1e-3", "1e-3"),
        (formats.format_setting, "mobilenetv2", "mobilenetv2"),
        (formats.format_fact, {"a": 1.50, "b": ["x", "y"], "c": [], "d": None}, "a: 1.5; b: x, y; c: none; d: none"),
    ],
)
def test_notation(function, value, text):
    assert function(value) == text


def test_digits_can_be_chosen():
    assert formats.format_number(0.12345, 1) == "0.1"
    assert formats.format_share(0.12345, 1) == "12.3 %"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["hub:timm/resnet18.a1_in1k", "hub:timm/vit_tiny.a1_in1k"], ["resnet18", "vit_tiny"]),
        (["model=a,lr=0.1,seed=0,depth=2", "model=b,lr=0.2,seed=0,depth=2"], ["model=a,lr=0.1", "model=b,lr=0.2"]),
        (["model=small_cnn", "model=reference_cnn"], ["model=small_cnn", "model=reference_cnn"]),
        (["short-a", "short-b"], ["short-a", "short-b"]),
        (["the only name, and a long one"], ["the only name, and a long one"]),
        (["a-name-that-is-long", "a-name-that-is-long-too"], ["a-name-that-is-long", "a-name-that-is-long-too"]),
    ],
)
def test_long_names_are_abbreviated_to_what_differs(names, short):
    assert formats.differing_parts(names) == dict(zip(names, short, strict=True))
