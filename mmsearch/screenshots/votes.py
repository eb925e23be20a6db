"""Where on a page a picture may sit: features of the same word vote for a scale and a place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.screenshots.features import Features

_SCALES = np.arange(-2.5, 3.6, 0.25)  # log2 of page pixels a picture pixel
_SCALE_SLACK = 0.35
_PLACE = 24.0  # pixels of the page's features: a bin, and bins overlap by half
_MOST_ALIKE = 8  # features of one word on a page: more say nothing of the place
_LEAST = 3


class Place(NamedTuple):
    """Where a picture seems to sit on a page: page = `scale` * picture + (`x`, `y`), in the pixels
    of both `Features`. `score` is the weight of the votes.
    """

    score: float
    scale: float
    x: float
    y: float


def vote(picture: Features, page: Features) -> Place | None:
    """The place that most features of the picture agree on; None where hardly any do."""
    ours, theirs, weights = _pairs(picture.words, page.words)
    if len(ours) < _LEAST:
        return None
    scales = np.log2(page.sizes[theirs] / picture.sizes[ours])
    best: Place | None = None
    for middle in _SCALES:
        near = np.abs(scales - middle) <= _SCALE_SLACK
        if near.sum() < _LEAST:
            continue
        scale = float(2 ** np.median(scales[near]))
        offsets = page.places[theirs[near]] - scale * picture.places[ours[near]]
        for shift in (0.0, _PLACE / 2):
            bins = np.floor((offsets + shift) / _PLACE).astype(np.int64)
            _, of_bin = np.unique(bins[:, 0] * 1_000_003 + bins[:, 1], return_inverse=True)
            totals = np.bincount(of_bin, weights[near])
            fullest = int(totals.argmax())
            if best is None or totals[fullest] > best.score:
                voters = of_bin == fullest
                x, y = np.median(offsets[voters], axis=0)
                best = Place(float(totals[fullest]), scale, float(x), float(y))
    return best


def _pairs(
    ours: NDArray[np.uint32], theirs: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Indices of features with the same word, and each pair's weight: rare words count more."""
    order = np.argsort(theirs, kind="stable")
    ordered = theirs[order]
    first = np.searchsorted(ordered, ours, "left")
    counts = np.searchsorted(ordered, ours, "right") - first
    mine = np.flatnonzero((counts > 0) & (counts <= _MOST_ALIKE))
    counts = counts[mine]
    left = np.repeat(mine, counts)
    step = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    right = order[np.repeat(first[mine], counts) + step]
    _, alike, repeats = np.unique(ours, return_inverse=True, return_counts=True)
    weights = 1 / (np.repeat(counts, counts) * np.sqrt(repeats[alike[left]]))
    return left, right, weights
