"""Frames spread over a video as Qwen3-VL looks at it: which, and their pictures at once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mmsearch.errors import LimitExceeded
from mmsearch.video.decoding import MAX_PIXELS, open_video
from mmsearch.video.pictures import Frame

_TOTAL_PIXELS = 1 << 29  # of the pictures returned at once, 1.6 GB: 64 frames of 4K


def frames(
    source: Path | bytes,
    *,
    fps: float = 1.0,
    max_frames: int = 64,
    max_pixels: int = MAX_PIXELS,
    side: int | None = None,
) -> list[Frame]:
    """Frames evenly spaced over a video, as many as Qwen3-VL wants; see `sample`.

    Args:
        source: a path, or the bytes of a file.
        fps: frames wanted a second.
        max_frames: most frames, at least 2.
        max_pixels: limit of width x height of a frame, checked before decoding.
        side: longest side of the pictures in pixels; larger frames are reduced. All pictures are
            in memory at once: 3 bytes a pixel.

    Returns:
        Frames in order of time: an even number of them, or the only one that there is.

    Raises:
        LimitExceeded: frames of more than `max_pixels`, too many of them, or too much to decode.
        UnreadableFile: no such file, no video, a format or codec that isn't read, or damaged.
        MissingExtra: PyAV is not installed.
    """
    with open_video(source, max_pixels=max_pixels) as video:
        found: list[Frame] = []
        pixels = 0
        for index in sample(video.count, video.rate, fps=fps, max_frames=max_frames):
            found.append(video.frame(index, side=side))
            pixels += math.prod(found[-1].image.size)
            if pixels > _TOTAL_PIXELS:
                raise LimitExceeded(
                    f"{video.name}: frames of {found[-1].image.width} x {found[-1].image.height} "
                    f"pixels are too many to hold; lower side or max_frames"
                )
        return found


def sample(count: int, rate: float, *, fps: float = 1.0, max_frames: int = 64) -> list[int]:
    """Which frames of a video Qwen3-VL looks at.

    Args:
        count: frames of the video.
        rate: its frames a second.
        fps: frames wanted a second.
        max_frames: most frames wanted.

    Returns:
        Indices from 0, the first and the last frame among them: about `fps` a second, an even
        number from 4 to `max_frames`, fewer where the video has fewer; a single frame is alone.

    Raises:
        ValueError: `fps` is not above 0, or `max_frames` below 2.

    Source: `smart_nframes` and the readers of QwenLM's qwen-vl-utils 0.0.14. Of numbers that lie
    halfway, its float32 arithmetic takes either neighbour; here it is the even one.
    """
    if not fps > 0 or max_frames < 2:
        raise ValueError(f"fps={fps}, max_frames={max_frames}: give fps above 0, 2 frames or more")
    if count < 2:
        return list(range(count))
    wanted = min(max(count / rate * fps, 4), max_frames // 2 * 2, count)
    return [int(index) for index in np.linspace(0, count - 1, int(wanted) // 2 * 2).round()]
