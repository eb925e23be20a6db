"""The nouns of mmsearch: frozen data that flows from file to hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Float32 = NDArray[np.float32]
Kind = Literal["pdf", "image", "slides", "office", "video", "archive", "other"]
TextSource = Literal["layer", "ocr", "sidecar", "none"]
Confidence = Literal["strong", "possible", "weak"]
Span = tuple[int, int]  # of a text: its first character, and the one after its last


class Box(NamedTuple):
    """A rectangle on a page in fractions of its width and height, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float


class Word(NamedTuple):
    """One word of a page and where it stands.

    `confidence` is in [0, 1]; words of a text layer have 1.
    """

    text: str
    box: Box
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page in reading order, and where it came from.

    `confidence` is the mean OCR confidence in [0, 1], None when the text was not recognised.
    """

    text: str = ""
    source: TextSource = "none"
    words: tuple[Word, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One searchable unit: a page, slide, image or frame.

    `number` counts from 1. `picture` is the JPEG that is stored, shown and embedded.
    `seconds` is the time of a video frame. `blank` pages hold nothing to find. `warning` says what
    is missing of a page that was read otherwise. `caption` is text that belongs to the page and
    does not stand on it: speaker notes, subtitles, the description of a photo. `look` is its
    perceptual hash, in hexadecimal. `unread` is a rendering whose text is still to be recognised;
    `text` is then what is known without.
    """

    number: int
    picture: bytes
    width: int
    height: int
    text: PageText = PageText()
    seconds: float | None = None
    blank: bool = False
    warning: str = ""
    caption: str = ""
    look: str = ""
    unread: Image | None = None

    @property
    def full_text(self) -> str:
        """What the page is found by: its text, then its caption."""
        return "\n".join(filter(None, (self.text.text, self.caption)))


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Weights of a few of 2**32 dimensions.

    `indices` is (n,) uint32, unique and ascending; `values` is (n,) float32.
    """

    indices: NDArray[np.uint32]
    values: Float32


# dense: (dimension,) float32; multi: (passages, dimension) float32; sparse: SparseVector
Vector = Float32 | SparseVector
VectorKind = Literal["dense", "multi", "sparse"]


class DocumentState(StrEnum):
    """Where a document stands: `pending` until every page has every vector."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a document's bytes were found.

    `path` is absolute, `name` relative to the folder that was ingested, `mtime` in seconds since
    1970.
    """

    path: str
    name: str
    mtime: float


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, known by the SHA-256 of its bytes.

    `locations` is every place that it was found in, the first one first; `size` is in bytes;
    `failed_pages` maps a page number to the reason. Where it failed as a whole, `reason` says why,
    `error` is the class of error and `attempts` counts the tries. `sidecar` is the SHA-256 of the
    file beside it that its text came from.
    """

    id: str
    state: DocumentState = DocumentState.PENDING
    title: str = ""
    kind: Kind = "other"
    locations: tuple[Location, ...] = ()
    page_count: int = 0
    size: int = 0
    tags: tuple[str, ...] = ()
    reason: str = ""
    error: str = ""
    attempts: int = 0
    sidecar: str = ""
    failed_pages: Mapping[int, str] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the document is known under."""
        return tuple(location.path for location in self.locations)

    @property
    def mtime(self) -> float:
        """When the first found copy was last changed, in seconds since 1970; 0 if unknown."""
        return self.locations[0].mtime if self.locations else 0.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, images, or both.

    `repairs` says what was done to the image that was `given`, such as "inverted". `more_images`
    are further ones, each a query of its image alone. `image_weight` is how much images count
    beside words, in [0, 1]; None takes them together, as one input where a model can.
    """

    text: str = ""
    image: Image | None = None
    repairs: tuple[str, ...] = ()
    given: Image | None = None
    more_images: tuple[Query, ...] = ()
    image_weight: float | None = None

    @property
    def images(self) -> tuple[Query, ...]:
        """Each image as a query of its own, without the words."""
        if self.image is None:
            return ()
        return (Query("", self.image, self.repairs, self.given), *self.more_images)


@dataclass(frozen=True, slots=True)
class Match:
    """That a screenshot was cut from a page: the spot, and what speaks for it.

    `inliers` counts the local features that fit; `agreement` is how well what is drawn there fits,
    its mean correlation in both, in [0, 1]; `inverted` that light and dark are exchanged;
    `repaired` that it is the repaired image that was found.
    """

    box: Box
    inliers: int
    agreement: float
    inverted: bool = False
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Twin:
    """A page of a document that is the same as another's."""

    document: Document
    page: int


class Label(NamedTuple):
    """What a photo shows, and how sure a classifier is of that, in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One page that was found; `score` is higher for better, `rank` counts from 1.

    `scores` keeps each view's raw score. `snippet` is a stretch of the page's text that shows why
    it was found; the query's words stand in it at `snippet_marks`, and on the page in the boxes
    `marks` (words of a caption, which is not on the page, have none). `match` is set where the
    query image was cut from this very page, and `box` is then the spot. `also_in` are the pages of
    other documents that are the same. `labels` are what a photo shows of what was asked for.
    `confidence` says how sure it is that this is what was asked for: where the first hit is weak,
    the archive does not seem to hold it. Where hits are grouped by document, `more` counts the
    other pages of this one in the list, and `more_pages` are the best of them.
    """

    rank: int
    score: float
    document: Document
    page: int
    scores: Mapping[str, float] = field(default_factory=dict)
    snippet: str = ""
    snippet_marks: tuple[Span, ...] = ()
    marks: tuple[Box, ...] = ()
    box: Box | None = None
    seconds: float | None = None
    also_in: tuple[Twin, ...] = ()
    labels: tuple[Label, ...] = ()
    confidence: Confidence = "possible"
    more: int = 0
    more_pages: tuple[int, ...] = ()
    match: Match | None = None


Payload = dict[str, Any]
PointId = str
