"""What a page costs, in seconds and in bytes, by a sample that was read and timed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from ingest.forecast.estimates import Estimate, total
from ingest.forecast.samples import Timed
from ingest.vectors import is_immediate
from mmsearch.config import Settings
from mmsearch.encoders import Encoder, PageContent
from mmsearch.errors import UnreadableFile
from mmsearch.types import SparseVector, Vector

# By pages that were ingested into an embedded index: what a page takes there beside its vectors and
# its text, how often its text is held, and the seconds to write it.
_PAGE_BYTES = 4_000
_TEXT_COPIES = 2.0
_PAGE_SECONDS = 0.01


class Costs:
    """The costs of the pages of a sample."""

    def __init__(
        self, timed: Sequence[Timed], encoders: Mapping[str, Encoder], settings: Settings
    ) -> None:
        """Encodes the pages with every encoder, to see how long it takes."""
        self._timed = timed
        self._processes = settings.workers or os.cpu_count() or 1
        self._contents = [
            PageContent(each.page.full_text, each.page.picture)
            if each.page and not (each.page.blank and settings.blank_pages == "skip")
            else None
            for each in timed
        ]
        later = [encoder for encoder in encoders.values() if not is_immediate(encoder)]
        # As in a run: where models leave the CPU to the readers, both go on at the same time.
        self._beside = bool(later) and all(encoder.leaves_cpu for encoder in later)
        self._encoding = [0.0] * len(timed)
        self._vector_bytes = [0] * len(timed)
        for encoder in encoders.values():
            self._encode(encoder)

    def seconds(self, pages: Mapping[str, int]) -> Estimate:
        """Of reading, writing and encoding all pages, whose number is given by kind."""
        reading = self._total(
            [each.seconds / self._processes + _PAGE_SECONDS for each in self._timed], pages
        )
        encoding = self._total(self._encoding, pages)
        if self._beside:
            return max(reading, encoding, key=lambda estimate: estimate.value)
        return self._total(
            [
                each.seconds / self._processes + _PAGE_SECONDS + encoding
                for each, encoding in zip(self._timed, self._encoding, strict=True)
            ],
            pages,
        )

    def disk(self, pages: Mapping[str, int]) -> Estimate:
        """Of the pictures, words, text and vectors of all pages, in bytes."""
        return self._total(
            [
                len(each.page.picture)
                + len(each.words)
                + vectors
                + _PAGE_BYTES
                + _TEXT_COPIES * len(each.page.full_text.encode(errors="replace"))
                if each.page
                else 0
                for each, vectors in zip(self._timed, self._vector_bytes, strict=True)
            ],
            pages,
        )

    def _total(self, measured: Sequence[float], pages: Mapping[str, int]) -> Estimate:
        by_kind: dict[str, list[float]] = {}
        for each, number in zip(self._timed, measured, strict=True):
            by_kind.setdefault(each.place.kind, []).append(number)
        return total(by_kind, pages)

    def _encode(self, encoder: Encoder) -> None:
        """Add the time and the vectors of one encoder."""
        wanted = [index for index, content in enumerate(self._contents) if content]
        contents = [content for content in self._contents if content]
        if not contents:
            return
        encoder.encode_pages(contents[:1])  # loads the model
        started = time.monotonic()
        vectors = encoder.encode_pages(contents)
        spent = time.monotonic() - started
        if encoder.reads == "features":  # a run finds those on all cores
            spent /= os.cpu_count() or 1
        # They are encoded together; of texts, the longer ones take longer.
        weights = [1 + len(content.text) if encoder.reads == "text" else 1 for content in contents]
        for index, weight, vector in zip(wanted, weights, vectors, strict=True):
            self._encoding[index] += spent * weight / sum(weights)
            self._vector_bytes[index] += _size(vector)


def _size(vector: Vector | UnreadableFile | None) -> int:
    if vector is None or isinstance(vector, UnreadableFile):
        return 0
    if isinstance(vector, SparseVector):
        return vector.indices.nbytes + vector.values.nbytes
    return int(vector.nbytes)
