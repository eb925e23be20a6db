"""BM25 as sparse vectors: words, numbers and codes of a page, no model.

The score of a page is the dot product of its vector and the query's, times the IDF that the
index keeps. A page's weights depend on nothing but its own text, so two ingestions of the same
files are equal in any order.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import Stemmer

from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.tokens import matches, page_terms, query_terms
from mmsearch.types import Query, SparseVector, Vector, VectorKind

__all__ = ["Bm25Encoder", "matches", "page_terms", "query_terms", "term_id"]

TOKENISER_VERSION = 1
# More distinct terms than this on one page are noise; the first ones count.
MAX_TERMS = 65_536


class Bm25Encoder:
    """Term weights of pages, `tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / avg_len))`.

    `k1` and `b` have no unit. `avg_len` is in words and the same for every collection, because
    a true average would change the vectors of old pages with every new one.

    Source: Robertson & Zaragoza 2009, The Probabilistic Relevance Framework.
    """

    kind: VectorKind = "sparse"
    reads: Literal["text", "picture"] = "text"
    dimension: int | None = None
    leaves_cpu = False

    def __init__(self, *, k1: float = 1.2, b: float = 0.6, avg_len: float = 150.0) -> None:
        self.k1 = k1
        self.b = b
        self.avg_len = avg_len
        self.identity = (
            f"bm25-v{TOKENISER_VERSION} k1={k1:g} b={b:g} avg_len={avg_len:g}"
            f" snowball={'.'.join(Stemmer.version().split('.')[:2])}"
        )

    def encode_pages(self, pages: Sequence[PageContent]) -> list[Vector | None]:
        """One sparse vector a page; None for a page without a term."""
        return [self._page(page.text) for page in pages]

    def encode_query(self, query: Query) -> Vector | None:
        """The weight of each distinct term; None for a query without one."""
        weights: dict[str, float] = {}
        for word in query_terms(query.text):
            for term, weight in word.items():
                weights[term] = max(weight, weights.get(term, 0.0))
        return _vector(weights)

    def _page(self, text: str) -> SparseVector | None:
        terms, length = page_terms(text)
        norm = self.k1 * (1 - self.b + self.b * length / self.avg_len)
        counts = Counter(terms)
        return _vector({term: tf * (self.k1 + 1) / (tf + norm) for term, tf in counts.items()})


def create(
    _: Settings, __: int = 0, *, k1: float = 1.2, b: float = 0.6, avg_len: float = 150.0
) -> Bm25Encoder:
    """The encoder of a profile's view; the options are those of `Bm25Encoder`."""
    return Bm25Encoder(k1=k1, b=b, avg_len=avg_len)


def term_id(term: str) -> int:
    """The dimension of a term, in [0, 2**32): the same on every machine, for good.

    CRC-32 never maps two terms of up to four bytes, or two that differ within four neighbouring
    bytes, to one dimension: a million words and numbers collide 3 times, 121 by chance.
    """
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def _vector(weights: Mapping[str, float]) -> SparseVector | None:
    """The vector of terms' weights; two terms of one dimension add up."""
    if not weights:
        return None
    terms = list(weights)[:MAX_TERMS]
    ids = np.fromiter(map(term_id, terms), np.uint32, len(terms))
    indices, places = np.unique(ids, return_inverse=True)
    values = np.bincount(places, [weights[term] for term in terms], len(indices))
    return SparseVector(indices, values.astype(np.float32))
