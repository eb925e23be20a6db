"""What shows why a page was found: a snippet of its text, and its words marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmsearch import marks, snippets
from mmsearch.encoders import ByPassage, Encoder
from mmsearch.errors import NotFound
from mmsearch.index import Point
from mmsearch.snippets import Passage, Snippet
from mmsearch.types import Box, Query, Span, Vector

if TYPE_CHECKING:
    from mmsearch.engine import Candidate, SearchEngine


class Evidence(NamedTuple):
    """A page's snippet, and the boxes of the query's words on it."""

    snippet: Snippet = Snippet("", ())
    marks: tuple[Box, ...] = ()


NONE = Evidence()


def passage_view(encoders: Mapping[str, Encoder], found: Sequence[Candidate]) -> str | None:
    """The view whose rows are passages, where it has found one of the pages."""
    asked = {label.split(".")[0] for candidate in found for label in candidate.scores}
    for name, encoder in encoders.items():
        if name in asked and isinstance(encoder, ByPassage):
            return name
    return None


def collect(
    engine: SearchEngine, query: Query, points: Sequence[Point], view: str | None
) -> dict[str, Evidence]:
    """The evidence of pages, by point.

    Args:
        engine: whose pages these are.
        query: what they were found for.
        points: with `document`, `number` and `text`, and with their vectors where there is a view.
        view: the one whose rows are passages of the text.
    """
    cut, vector = _by_passage(engine, query, view)

    def one(point: Point) -> Evidence:
        text = point.payload["text"]
        rows = point.vectors.get(view) if view else None
        passages: list[Passage] = []
        if cut and isinstance(rows, np.ndarray) and isinstance(vector, np.ndarray):
            passages = snippets.by_likeness(cut(text), rows, vector)
        shown = snippets.snippet(text, query.text, passages=passages)
        return Evidence(shown, _boxes(engine, query, point) if query.text else ())

    seen = engine.pool.map(one, points)
    return {point.id: each for point, each in zip(points, seen, strict=True)}


def _by_passage(
    engine: SearchEngine, query: Query, view: str | None
) -> tuple[Callable[[str], Sequence[Span]] | None, Vector | None]:
    """What cuts a text into the passages of a view, and the query's vector there."""
    if view and query.text:
        encoder = engine.encoders[view]
        if isinstance(encoder, ByPassage):
            return encoder.passages, encoder.encode_query(query)
    return None, None


def _boxes(engine: SearchEngine, query: Query, point: Point) -> tuple[Box, ...]:
    # A search does not fail for want of marks: the page was removed just now, the store is away
    # or damaged.
    rows: list[list[Any]] = []
    with suppress(NotFound, OSError, ValueError):
        rows = engine.store.word_rows(point.payload["document"], point.payload["number"])
    return marks.boxes(query.text, rows)
