"""Animated images (GIF, PNG, WebP, AVIF, FLI) as `video` shows videos: by glances and frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from mmsearch import images
from mmsearch.errors import UnreadableFile
from mmsearch.images.captions import Caption
from mmsearch.video.pictures import GLANCE, Frame, Glance

_DECODED_PIXELS = 20_000_000_000  # a few minutes of work; what comes after is left out
_LEAST_COST = 1 << 16  # pixels that a frame counts at least: tiny ones aren't free
_USUAL_SECONDS = 0.1  # that a frame stays where the file says none, as browsers have it


def open_animation(
    path: Path,
    *,
    max_pixels: int = images.MAX_PIXELS,
    alive: Callable[[], None] = lambda: None,
) -> Animation:
    """Open an animated image for access to its frames; a context manager.

    Args:
        max_pixels: limit of width x height, checked before decoding.
        alive: called with every frame, to say that the work goes on.

    Raises:
        UnreadableFile: no such file, no image, another format, or damaged.
    """
    return Animation(path, max_pixels=max_pixels, alive=alive)


class Animation:
    """One open animation.

    `count` is how many frames it claims, `duration` a guess at how many seconds they last.
    """

    def __init__(self, path: Path, *, max_pixels: int, alive: Callable[[], None]) -> None:
        self._frames = images.open_frames(path, max_pixels=max_pixels, animated=True)
        self._alive = alive
        self.name = path.name
        self.count = len(self._frames)
        self.duration = self.count * _USUAL_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._frames.close()

    @property
    def caption(self) -> Caption:
        """The words in the file beside the pictures."""
        return self._frames.caption(0)

    def glances(self, *, step: float) -> Iterator[Glance]:
        """Look at its frames in order, at least `step` seconds apart, up to where it is damaged."""
        now, due, spent = 0.0, 0.0, 0
        for number in range(self.count):
            self._alive()
            try:
                image = self._frames.image(number)
            except UnreadableFile:
                if number == 0:
                    raise
                return
            lasts = self._frames.seconds or _USUAL_SECONDS
            if now >= due:
                small = image.convert("L").resize((GLANCE, GLANCE), Image.Resampling.BOX)
                yield Glance(number, now, lasts, np.asarray(small))
                due = now + step
            now += lasts
            spent += max(image.width * image.height, _LEAST_COST)
            if spent > _DECODED_PIXELS:
                return

    def frame(self, number: int, *, side: int | None = None) -> Frame:
        """The frame of this number, from 0; its time is that of its `Glance`, and 0 here.

        Args:
            side: longest side of the picture in pixels; a larger frame is reduced.
        """
        image = self._frames.image(number)
        if side:
            image.thumbnail((side, side))
        return Frame(image, 0.0)
