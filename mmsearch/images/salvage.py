"""What can still be seen of an image that Pillow refuses."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, ImageFile

from mmsearch import images
from mmsearch.errors import LimitExceeded, UnreadableFile

_DOUBTFUL = "damaged or of an odd kind, parts or colours may be wrong; export it again"
_PARTIAL = "damaged or cut short, a part of the picture is missing; copy or export it again"
_WORTH_IT = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jp2")


def salvage(
    path: Path, index: int, refusal: UnreadableFile, *, max_pixels: int
) -> tuple[Image.Image, str]:
    """Decode a frame by OpenCV, which forgives other faults, else as far as it goes by Pillow.

    For processes of their own only: Pillow's strictness is a switch for the whole process.

    Args:
        index: of the frame, from 0.
        refusal: why Pillow did not decode it.
        max_pixels: limit of width x height.

    Returns:
        The image, RGB, and a line that says what may be missing of it.

    Raises:
        UnreadableFile: the `refusal`, where nothing can be seen.
    """
    if isinstance(refusal, LimitExceeded):
        raise refusal
    whole = _by_opencv(path, index, max_pixels)
    if whole is not None:
        return whole, _DOUBTFUL
    if path.suffix.lower() not in _WORTH_IT:
        raise refusal
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with images.open_frames(path, max_pixels=max_pixels) as frames:
            part = frames.image(index)
    except (UnreadableFile, IndexError):
        raise refusal from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    low, high = part.convert("L").getextrema()
    if low == high:
        raise refusal
    return part, _PARTIAL


def _by_opencv(path: Path, index: int, max_pixels: int) -> Image.Image | None:
    # Both are read at import. OpenCV tells no size before it decodes.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(max_pixels))
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    import cv2
    import numpy as np

    content = np.fromfile(path, np.uint8)
    try:
        if index:
            _, found = cv2.imdecodemulti(content, cv2.IMREAD_COLOR, range=(index, index + 1))
            pixels = found[0] if found else None
        else:
            pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except (cv2.error, TypeError):
        return None
    if pixels is None or pixels.shape[0] * pixels.shape[1] > max_pixels:
        return None
    return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
