"""The encoder seam: what turns pages and queries into the vectors of one view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from mmsearch.errors import UnreadableFile
from mmsearch.types import Query, Span, Vector, VectorKind

if TYPE_CHECKING:
    from mmsearch.screenshots.features import Features

Reads = Literal["text", "picture", "features", "photo"]


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a model may look at: a page's text, its stored picture (JPEG), or features of that."""

    text: str = ""
    picture: bytes = b""
    features: Features | None = None


class Encoder(Protocol):
    """A model that makes the vectors of one view.

    `identity` names the model, its revision and everything that changes its vectors; it is kept
    in the index, and opening the index with another one is an error. Reading it may raise
    `MissingModel`, where it depends on weights that are not on this machine.
    `reads` says what it looks at: the page's `text`, its `picture`, or `features` of that; `photo`
    is the picture of pages that are photos, and nothing of others.
    `dimension` is the length of a row in dense and multi vectors, None for sparse ones.
    A sparse one that has `idf = False` wants no IDF of the index: its values are used as they are.
    One whose scores mean the same for every query has a `scale`: a score that says nothing, and one
    that is good; lists of others are measured by their best alone.
    `leaves_cpu` says that pages are encoded elsewhere, on a GPU or a server, so that files can be
    read meanwhile; reading it may load the model.
    """

    kind: VectorKind
    reads: Reads
    dimension: int | None

    @property
    def identity(self) -> str: ...

    @property
    def leaves_cpu(self) -> bool: ...

    def encode_pages(
        self, pages: Sequence[PageContent]
    ) -> Sequence[Vector | UnreadableFile | None]:
        """One vector a page, in order; None for a page that holds nothing for this view.

        A page that cannot be encoded has its error in place of a vector; its neighbours have
        theirs.
        """
        ...

    def encode_query(self, query: Query) -> Vector | None:
        """The query's vector; None where the query holds nothing for this view."""
        ...


@runtime_checkable
class ByPassage(Protocol):
    """An encoder of kind `multi` with a row for each passage of a page's text."""

    def passages(self, text: str) -> Sequence[Span]:
        """Where in the text the passages stand, in the order of the rows."""
        ...
