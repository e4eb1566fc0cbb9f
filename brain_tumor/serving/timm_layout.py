"""The description of a network in timm's own layout, so that timm loads the bundle as any other model folder."""

from collections.abc import Mapping, Sequence
from typing import Any


def timm_layout(
    arguments: Mapping[str, Any], classes: Sequence[str], image_size: int, mean: Sequence[float], std: Sequence[float]
) -> dict[str, Any]:
    """Return the keys of ``config.json`` that ``timm.create_model("local-dir:BUNDLE", pretrained=True)`` reads.

    Args:
        arguments: Arguments of `brain_tumor.models.timm_backbone.timm_backbone`, without those of training.
        classes: Class names, in the order of the logits.
        image_size: Height and width of the images in pixels.
        mean: Mean per channel, of images scaled to [0, 1].
        std: Standard deviation per channel, of images scaled to [0, 1].
    """
    import timm  # only where a bundle is written: reading one needs no timm

    channels = int(arguments.get("in_chans", 3))
    model_args = dict(arguments.get("model_args") or {})
    if channels != 3:
        model_args["in_chans"] = channels
    return {
        "architecture": arguments["name"],
        "num_classes": len(classes),
        "label_names": list(classes),
        "model_args": model_args,
        "pretrained_cfg": {
            "num_classes": len(classes),
            "input_size": [channels, image_size, image_size],
            "mean": [*mean] if len(mean) == channels else [*mean] * channels,
            "std": [*std] if len(std) == channels else [*std] * channels,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "border",
            "fixed_input_size": bool(timm.get_pretrained_cfg_value(arguments["name"], "fixed_input_size")),
        },
    }
