"""From a sample of pages to all of them: totals, and how far off they may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

_UNSURE = 0.5  # of a mean that a single page stands for, taken as its deviation


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that is not known, and bounds two standard errors from it."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def plus(self, known: float) -> Self:
        """With a number added that is known."""
        return type(self)(self.value + known, self.low + known, self.high + known)


def total(sample: Mapping[str, Sequence[float]], counts: Mapping[str, int]) -> Estimate:
    """The sum over all pages, of which a few of each kind were looked at.

    Args:
        sample: what was measured, by kind of page; drawn at random within a kind.
        counts: how many pages of each kind there are.
    """
    value = variance = 0.0
    for kind, measured in sample.items():
        if not measured:
            continue
        size = len(measured)
        mean = sum(measured) / size
        squares = sum((number - mean) ** 2 for number in measured)
        spread = squares / (size - 1) if size > 1 else (_UNSURE * mean) ** 2
        unseen = max(1 - size / counts[kind], 0.0)  # where all were looked at, nothing is unsure
        value += counts[kind] * mean
        variance += counts[kind] ** 2 * spread / size * unseen
    # The sum of what was measured is certain.
    margin = 2 * math.sqrt(variance)
    least = sum(sum(measured) for measured in sample.values())
    return Estimate(value, max(value - margin, min(least, value)), value + margin)


def shares(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many pages of each kind to look at: about `size`, by how common they are, at least 2."""
    pages = sum(counts.values())
    return {
        kind: min(count, max(2, round(size * count / pages)))
        for kind, count in counts.items()
        if count
    }
