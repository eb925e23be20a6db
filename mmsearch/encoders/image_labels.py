"""The `labels` view of profile `lite`: photos found by words for what they show."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads, minilm
from mmsearch.errors import UnreadableFile
from mmsearch.labels import names, network
from mmsearch.types import Float32, Label, Query, SparseVector, Vector, VectorKind

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST_PROBABILITY = 0.01  # of a class: what is less sure adds up to little
MOST_LABELS = 3
_ENOUGH = 400_000  # pixels that suffice of a picture, up to eight times as long as wide
_NEARLY = 1.1  # times as long as wide is a square, or nearly
_LEAST_SHARE = 0.1  # of the best label's part in the score
_NETWORK = models.EFFICIENTNET.files[0].sha256[:12]
_WORDS = f"{models.MINILM.files[0].sha256[:12]}-{minilm.GRAPH_VERSION}"


def create(settings: Settings, _: int = 0) -> ImageLabelsEncoder:
    """The encoder as a profile asks for it."""
    return ImageLabelsEncoder(model_dir=settings.model_dir)


class ImageLabelsEncoder:
    """A photo as the probabilities of what it shows, a query as how much it means each of that.

    Both are sparse vectors over the 1000 classes of ImageNet with values in [0, 1], and so is
    their product: how sure it is that the photo shows what was asked for. Loading waits for the
    first use; calls may come from several threads.

    Args:
        model_dir: folder searched first for the weights.

    Raises:
        MissingModel: at first use, when the weights are not on this machine.
    """

    kind: VectorKind = "sparse"
    reads: Reads = "photo"
    dimension: int | None = None
    leaves_cpu = False
    idf = False
    scale = (0.0, 1.0)  # a score means the same for every query

    def __init__(self, *, model_dir: str = "") -> None:
        self._model_dir = model_dir
        self._text = minilm.MiniLmEncoder(model_dir=model_dir)
        self._loading = threading.Lock()
        self._meant = lru_cache(64)(self._weights)  # asked for again when hits are shown

    @property
    def identity(self) -> str:
        return (
            f"efficientnet-lite0@{_NETWORK}/{network.GRAPH_VERSION} "
            f"all-MiniLM-L6-v2@{_WORDS}/names-{names.version()}"
        )

    def encode_pages(
        self, pages: Sequence[PageContent]
    ) -> Sequence[Vector | UnreadableFile | None]:
        """One sparse vector a page; None for a page without a picture, or of nothing it knows."""
        if len(pages) == 1:
            return [self._page(pages[0])]
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(self._page, pages))

    def encode_query(self, query: Query) -> Vector | None:
        """How much the query's words mean each class; None where they mean none, and for one with
        an image: that is found by its look.
        """
        return None if query.image is not None or not query.text else self._meant(query.text)

    def _weights(self, text: str) -> SparseVector | None:
        vector = self._text.encode_query(Query(names.subject(text)))
        if not isinstance(vector, np.ndarray):
            return None
        return names.weights(self._names @ vector)

    def _page(self, page: PageContent) -> SparseVector | UnreadableFile | None:
        from mmsearch.images import open_image

        if not page.picture:
            return None
        try:
            squares = _squares(open_image(page.picture, enough=_ENOUGH))
        except UnreadableFile as error:
            return error
        (made,) = self._session.run(None, {"picture": squares})
        sure = made.mean(axis=0)
        indices = np.flatnonzero(sure >= LEAST_PROBABILITY)
        if not len(indices):
            return None
        return SparseVector(indices.astype(np.uint32), sure[indices].astype(np.float32))

    @property
    def _names(self) -> Float32:
        with self._loading:
            return self._name_vectors

    @cached_property
    def _name_vectors(self) -> Float32:
        def encode(texts: Sequence[str]) -> Float32:
            rows = self._text.encode_pages([PageContent(text) for text in texts])
            return np.vstack([row for row in rows if isinstance(row, np.ndarray)])

        return names.vectors(_WORDS, encode)

    @property
    def _session(self) -> Any:
        with self._loading:
            return self._loaded

    @cached_property
    def _loaded(self) -> Any:
        folder = models.find(models.EFFICIENTNET, self._model_dir)
        weights = folder / models.EFFICIENTNET.files[0].name
        name = f"efficientnet-lite0-{_NETWORK}-{network.GRAPH_VERSION}.onnx"
        return network.session(models.cached(name, lambda: network.build(weights)))


def shown(query: Vector | None, page: Vector | None) -> tuple[Label, ...]:
    """What a photo shows of what was asked for, the most telling label first, at most three.

    Args:
        query: the vector of a query in this view.
        page: that of a page.
    """
    if not isinstance(query, SparseVector) or not isinstance(page, SparseVector):
        return ()
    classes, asked, found = np.intersect1d(query.indices, page.indices, return_indices=True)
    parts = query.values[asked] * page.values[found]
    order = np.argsort(-parts, kind="stable")[:MOST_LABELS]
    labels = names.read().labels
    return tuple(
        Label(labels[int(classes[at])], round(float(page.values[found[at]]), 4))
        for at in order
        if parts[at] >= _LEAST_SHARE * parts[order[0]]
    )


def _squares(image: Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The two ends of a picture, which are all of it unless it is longer than two squares.

    Returns:
        (1 or 2, side, side, 3) uint8; one where the picture is a square, or nearly.
    """
    from PIL.Image import Resampling

    width, height = image.size
    size, side = (network.SIDE, network.SIDE), min(width, height)
    boxes = [(0, 0, side, side), (width - side, height - side, width, height)]
    if max(width, height) <= _NEARLY * side:
        boxes = [(0, 0, width, height)]
    return np.stack(
        [np.asarray(image.resize(size, Resampling.BICUBIC, box, reducing_gap=2.0)) for box in boxes]
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
