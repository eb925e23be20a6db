"""Which frames of a video are worth a page: one of each scene, more where it goes on changing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from mmsearch.video.pictures import Glance

# Shares of a small picture that change by more than _LEVELS of 256, as measured: compression
# changes nothing; a speaker beside a slide .002 to .02, another slide of two lines or a line more
# on a slide .02 to .03, another page of text .06 to .12, another photo more than .9.
_LEVELS = 5
_SAME = 0.004  # up to this, a mouse pointer or a clock
_REST = 0.01
_OTHER_PAGE = 0.015
_CUT = 0.5
_STILL = 1.0  # seconds that one frame lasts: a slide show
_FAR = 2.5  # seconds between looks: only key frames are looked at, and those begin a scene
_FLAT = 12  # levels between the darkest and the brightest part of a picture with nothing on it


def step_of(duration: float) -> float:
    """Seconds between looks at a video of this duration: two, less where it is short."""
    return min(2.0, max(duration / 20, 0.5))


def choose(glances: Iterable[Glance], *, interval: float, most: int) -> Iterator[Glance]:
    """Pick frames that differ.

    Args:
        glances: small pictures in order of time.
        interval: seconds after which a picture is picked that differs but a little.
        most: pictures that are picked; what follows is left out.

    Returns:
        The first one; those after a cut; other pages and slides once they have come to rest; and
        beside these whatever is new every `interval` seconds. Pictures of one colour only where
        there is nothing else.
    """
    first = kept = before = None
    count = 0
    for glance in glances:
        first = first or glance
        if np.ptp(glance.grey) >= _FLAT and _worth_keeping(kept, before, glance, interval):
            kept = glance
            count += 1
            yield glance
            if count == most:
                return
        before = glance
    if kept is None and first is not None:
        yield first


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Share of a small picture that differs by more than noise, in [0, 1]."""
    return float(np.mean(np.abs(one.astype(np.int16) - other) > _LEVELS))


def _worth_keeping(
    kept: Glance | None, before: Glance | None, glance: Glance, interval: float
) -> bool:
    if kept is None or before is None:
        return True
    change = changed(kept.grey, glance.grey)
    if change >= _CUT:
        return True
    if change >= _OTHER_PAGE and _at_rest(before, glance):
        return True
    return change > _SAME and glance.seconds - kept.seconds >= interval


def _at_rest(before: Glance, glance: Glance) -> bool:
    """Whether the picture stands still, as far as can be told."""
    return (
        glance.lasts >= _STILL
        or glance.seconds - before.seconds >= _FAR
        or changed(before.grey, glance.grey) <= _REST
    )
