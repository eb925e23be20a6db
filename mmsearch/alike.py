"""How much recognised texts say the same, whatever mistakes are in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmsearch import index
from mmsearch.saying import letters_of
from mmsearch.types import PointId

LEAST_NUMBERS = 0.4  # of a text's numbers, those that the other has too; see bench/duplicates.py

_KEPT = 512  # texts, of 50 kB each on a dense page
_MOST_LETTERS = 20_000  # of a page
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd and without pattern, so that hashes differ


class Text:
    """A text as it is compared with one that has other mistakes in it."""

    def __init__(self, text: str) -> None:
        letters, numbers = letters_of(text)
        self._runs, self._counts = _runs(letters[:_MOST_LETTERS])
        self._numbers = Counter(numbers)

    def alike(self, other: Text, *, strictly: bool) -> float:
        """The share of runs of four letters in common; 0 where the numbers are others.

        Two scans of one page are misread alike, and two forms may differ in a number alone: so,
        taken `strictly`, numbers are as much the same as the letters are.
        """
        alike = _share(self._in_common(other), self._counts.sum() + other._counts.sum())
        least = max(LEAST_NUMBERS, alike**3) if strictly else LEAST_NUMBERS
        numbers = (self._numbers & other._numbers).total()
        share = _share(numbers, self._numbers.total() + other._numbers.total())
        return alike if share >= least else 0.0

    def _in_common(self, other: Text) -> int:
        """How many runs both have, repeated ones as often as both do."""
        if not len(other._runs):
            return 0
        at = np.searchsorted(other._runs, self._runs)
        at[at == len(other._runs)] = 0
        both = other._runs[at] == self._runs
        return int(np.minimum(self._counts[both], other._counts[at[both]]).sum())


class Texts:
    """The texts of pages; those used just now are kept."""

    def __init__(self, pages: index.Collection) -> None:
        self._pages = pages
        self._kept: dict[PointId, Text] = {}

    def of(self, points: Sequence[PointId]) -> Mapping[PointId, Text]:
        """Those of `points` that still exist, and perhaps others."""
        if len(self._kept) > _KEPT:
            self._kept.clear()
        missing = [point for point in points if point not in self._kept]
        for point in self._pages.retrieve(missing, payload=["text"]) if missing else ():
            self._kept[point.id] = Text(point.payload["text"])
        return self._kept


def _runs(letters: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The runs of four letters in a text, hashed and in order, and how often each is there.

    As arrays they are compared eight times as fast as in `Counter`s.
    """
    codes = np.frombuffer(letters.encode("utf-32-le", "replace"), "<u4").astype(np.uint64)
    count = max(0, len(codes) - 3)
    hashes = codes[:count]
    for later in (1, 2, 3):
        hashes = hashes * _FACTOR + codes[later : later + count]
    return np.unique(hashes, return_counts=True)


def _share(common: int, total: int) -> float:
    return 2 * common / total if total else 1.0
