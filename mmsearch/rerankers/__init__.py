"""The reranker seam: what scores a few candidates against a query, slowly and well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mmsearch.encoders import PageContent
from mmsearch.types import Query


class Reranker(Protocol):
    """A model that reads query and page together."""

    identity: str

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float]:
        """One score a page in [0, 1], in order; higher is better."""
        ...
