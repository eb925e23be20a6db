"""The `text` view of profile `lite`: all-MiniLM-L6-v2 over passages, on any CPU, offline."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import regex

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, minilm_graph, passages
from mmsearch.types import Float32, Query, Span, Vector, VectorKind

TOKENS = 256  # of a passage at most, as the model was trained
GRAPH_VERSION = 2  # another graph is another file in the cache, and other vectors
_LETTERS = regex.compile(r"\p{L}+")
_LATIN = regex.compile(r"\p{Latin}+")
_loading = threading.Lock()
_LEAST_LETTERS = 3
_REVISION = models.MINILM.files[0].sha256[:12]


def create(settings: Settings, _: int = 0) -> MiniLmEncoder:
    """The encoder as a profile asks for it."""
    return MiniLmEncoder(model_dir=settings.model_dir)


class MiniLmEncoder:
    """A page as one vector a passage; the best passage counts.

    Vectors are (passages, 384) float32 with unit rows, a query's is (384,). A passage is encoded
    alone, so its vector depends on nothing else. Loading waits for the first use; calls may come
    from several threads.

    Args:
        model_dir: folder searched first for the weights.
        threads: passages encoded side by side; one per CPU core by default.

    Raises:
        MissingModel: at first use, when the weights are not on this machine.
    """

    identity = f"all-MiniLM-L6-v2@{_REVISION}/int8-{GRAPH_VERSION}/{passages.SCHEME}-latin"
    kind: VectorKind = "multi"
    reads: Literal["text", "picture"] = "text"
    dimension: int | None = minilm_graph.WIDTH
    leaves_cpu = False
    scale = (0.15, 0.45)  # cosines of texts that have nothing to do with each other, and that do

    def __init__(self, *, model_dir: str = "", threads: int = 0) -> None:
        self._model_dir = model_dir
        self._threads = threads or _cores()

    def encode_pages(self, pages: Sequence[PageContent]) -> list[Vector | None]:
        """One array of passage vectors a page, in order; None for a page without Latin text."""
        cut = [[page.text[start:end] for start, end in self.passages(page.text)] for page in pages]
        vectors = self._encode([text for texts in cut for text in texts])
        bounds = pairwise(accumulate((len(texts) for texts in cut), initial=0))
        return [vectors[first:last] if last > first else None for first, last in bounds]

    def passages(self, text: str) -> list[Span]:
        """Where in a page's text the passages stand whose vectors are its rows, in their order."""
        return [p[1:] for p in passages.split(text) if _understood(p.text)]

    def encode_query(self, query: Query) -> Vector | None:
        """The vector of the query's words; None without Latin ones."""
        return self._encode([query.text])[0] if _understood(query.text) else None

    def _encode(self, texts: Sequence[str]) -> Float32:
        """(n, 384) float32 unit rows, one a text."""
        vectors = np.empty((len(texts), minilm_graph.WIDTH), np.float32)
        if not texts:
            return vectors
        tokenizer, session = self._loaded
        # A lone surrogate, as damaged PDFs yield them, is no character and would be refused.
        whole = [text.encode("utf-8", "replace").decode() for text in texts]
        tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(whole)]

        def encode(number: int) -> None:
            passage = np.array([tokens[number]], np.int64)
            vectors[number] = session.run(None, {"tokens": passage})[0][0]

        # The longest first, so that no core waits for a long one at the end.
        order = sorted(range(len(texts)), key=lambda number: -len(tokens[number]))
        if len(order) == 1 or self._threads == 1:
            for number in order:
                encode(number)
            return vectors
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(encode, order):
                pass
        return vectors

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with _loading:
            return _tokenizer_and_session(models.find(models.MINILM, self._model_dir))


def _understood(text: str) -> bool:
    """Whether most letters are Latin: the model knows English, and other scripts only letter by
    letter, so that its answers would push down right ones of the lexical view. A letter or two, as
    OCR sees them on photos, is like anything.
    """
    if text.isascii():
        return sum(map(len, _LETTERS.findall(text))) >= _LEAST_LETTERS
    letters, latin = (sum(map(len, each.findall(text))) for each in (_LETTERS, _LATIN))
    return letters >= _LEAST_LETTERS and 2 * latin >= letters


@lru_cache
def _tokenizer_and_session(folder: Path) -> tuple[Any, Any]:
    """One for all encoders of a process: pages and the names of what photos show share it."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    return tokenizer, minilm_graph.session(_graph(folder))


def _graph(folder: Path) -> str | bytes:
    name = f"minilm-{_REVISION}-{GRAPH_VERSION}.onnx"
    return models.cached(name, lambda: minilm_graph.build(folder / "model.safetensors"))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
