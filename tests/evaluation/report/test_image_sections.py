"""Sections of the report on evidence from images."""

from brain_tumor.evaluation.report.image_sections import LOCALIZATION_SECTIONS

ESTIMATE = {"value": 0.9, "ci_low": 0.8, "ci_high": 1.0, "n": 40}
RESULTS = {
    "test": {"localization/pointing": ESTIMATE, "localization/dice": ESTIMATE},
    "localization": {"threshold": 0.4, "grid": [16, 16], "test": {"centre": 0.5, "chance": 0.2}},
}


section = LOCALIZATION_SECTIONS["localization"]


def hits(results):
    return dict(section(results).tables[1].rows)


def test_the_map_stands_beside_what_needs_no_masks():
    saliency = {"saliency": {"pointing": {"pointing": {"value": 0.3}}}}

    assert hits(RESULTS) == {
        "the map": "0.900",
        "the centre of the head": "0.500",
        "a random point in the head": "0.200",
    }
    assert hits(RESULTS | saliency)["HiResCAM, which needs no masks (recognised tumours)"] == "0.300"


def test_without_a_map_there_is_no_section():
    assert section({"test": {}}) is None
