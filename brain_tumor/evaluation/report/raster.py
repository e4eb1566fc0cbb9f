"""Images as part of a page: encoded as small as a browser can read them. Needs no matplotlib, as serving uses it."""

import base64

import cv2

from brain_tumor.types import GreyImage

_ENCODINGS = {
    "image/webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 82]),
    "image/jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85]),
    "image/png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 9]),
}


def data_uri(image: GreyImage) -> str:
    """Encode an image as WebP, JPEG or PNG, whichever is smallest, for the ``src`` of an ``<img>``.

    Args:
        image: Grey image uint8 [H, W], or RGB image uint8 [H, W, 3].
    """
    pixels = image if image.ndim == 2 else image[..., ::-1]
    encoded = {kind: cv2.imencode(end, pixels, options)[1].tobytes() for kind, (end, options) in _ENCODINGS.items()}
    kind = min(encoded, key=lambda each: len(encoded[each]))
    return f"data:{kind};base64,{base64.b64encode(encoded[kind]).decode()}"
