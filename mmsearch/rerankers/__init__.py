"""The reranker seam: what scores a few candidates against a query, slowly and well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mmsearch.encoders import PageContent, Reads
from mmsearch.types import Query


class Reranker(Protocol):
    """A model that reads query and page together.

    `reads` says what it looks at in a page: its `text` or its `picture`. `candidates` is how many
    pages are reranked unless a search asks for more or fewer.
    """

    reads: Reads
    candidates: int

    @property
    def identity(self) -> str: ...

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        """One score a page in [0, 1], in order, higher is better; None for an unreadable page."""
        ...
