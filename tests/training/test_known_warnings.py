import logging
import warnings

from brain_tumor.training.known_warnings import ignore_known_warnings


def test_remarks_pass_over_and_substance_stays():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with ignore_known_warnings():
            warnings.warn("The 'val_dataloader' does not have many workers which may be a bottleneck.", stacklevel=1)
            warnings.warn("Your GPU is on fire.", stacklevel=1)

    assert [str(warning.message) for warning in seen] == ["Your GPU is on fire."]


def test_levels_are_restored():
    lightning = logging.getLogger("lightning.pytorch")
    before = lightning.level

    with ignore_known_warnings():
        assert lightning.level == logging.WARNING

    assert lightning.level == before
