"""What the classes are called, and how much a query means each of them.

A class has names and synonyms, and wider terms it is a kind of: a photo of a golden retriever is
one of a dog as well. A query means a class as much as it is like the most similar of these, as
MiniLM compares words; the expected similarity of a picture is then the sum over its classes, each
by its probability.

Source: Norouzi et al. 2014, Zero-shot learning by convex combination of semantic embeddings,
arXiv:1312.5650; names: WordNet 3.0, see `names.tsv`.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, product
from typing import NamedTuple

import numpy as np

from mmsearch import models
from mmsearch.labels.network import CLASSES
from mmsearch.types import Float32, SparseVector

# A cosine of LOW and less says nothing; from HIGH on it is the same thing. What is less like the
# query than its best name by MARGIN is another thing: who asks for a basset wants no beagle.
# Measured on 250 photos: without MARGIN 7 of 100 labels more are missed at rank 1; with LOW at .3
# every second question about reports finds a photo, with .45 one in fifty.
LOW, HIGH, MARGIN = 0.45, 0.9, 0.25
LEAST_WEIGHT = 0.01

_ASKED = re.compile(
    r"(?:(?:show|find|give)\s+(?:me|us)\s+)?"
    r"(?:(?:an?|the|some|any|my|all)\s+)?"
    r"(?:(?:photo|picture|image|photograph|pic|shot|snapshot)s?\s+(?:of|with|showing)\s+)?"
    r"(?:(?:an?|the|some|any|my)\s+)?",
    re.IGNORECASE,
)


class Names(NamedTuple):
    """The words for the classes.

    `ids` are the WordNet ids of the classes, `labels` their names as they are shown, `texts` all
    names and wider terms. `owners` are pairs of a class and the row of one of its texts, (n, 2),
    in order of class.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    owners: np.ndarray[tuple[int, int], np.dtype[np.intp]]


@cache
def read() -> Names:
    """The names as they are shipped."""
    ids: list[str] = []
    labels: list[str] = []
    rows: dict[str, int] = {}
    pairs: set[tuple[int, int]] = set()
    for line in _content().decode().splitlines():
        if line.startswith("#"):
            continue
        below, _, names = line.partition("\t")
        texts = names.split("; ")
        if below.startswith("n"):
            classes: Sequence[int] = (len(ids),)
            ids.append(below)
            labels.append(texts[0])
        else:
            classes = list(chain.from_iterable(map(_range, below.split(","))))
        known = [rows.setdefault(text, len(rows)) for text in texts]
        pairs |= set(product(classes, known))
    return Names(tuple(ids), tuple(labels), tuple(rows), np.array(sorted(pairs)))


def version() -> str:
    """Of the names, for identities: another one where they change."""
    return hashlib.sha256(_content()).hexdigest()[:8]


def vectors(model: str, encode: Callable[[Sequence[str]], Float32]) -> Float32:
    """The vector of each of the texts, from the cache or made now, which takes seconds.

    Args:
        model: identity of the text encoder.
        encode: makes (n, dimension) unit rows of n texts.
    """

    def make() -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, encode(read().texts), allow_pickle=False)
        return buffer.getvalue()

    kept = models.cached(f"label-names-{model}-{version()}.npy", make)
    rows: Float32 = np.load(io.BytesIO(kept) if isinstance(kept, bytes) else kept)
    return rows


def subject(query: str) -> str:
    """What a query asks for: without "a photo of" and an article before it."""
    query = " ".join(query.split())
    asked = _ASKED.match(query)
    return (query[asked.end() :] if asked else query) or query


def weights(likeness: Float32) -> SparseVector | None:
    """How much a query means each class, in [0, 1].

    Args:
        likeness: (texts,) cosine of the query to each of the texts.

    Returns:
        The classes that it means at all; None where it means none.
    """
    classes, rows = read().owners.T
    starts = np.searchsorted(classes, np.arange(CLASSES))
    best = np.maximum.reduceat(likeness[rows], starts)
    meant = np.clip((best - LOW) / (HIGH - LOW), 0, 1)
    meant *= np.clip(1 - (best.max() - best) / MARGIN, 0, 1)
    indices = np.flatnonzero(meant >= LEAST_WEIGHT)
    if not len(indices):
        return None
    return SparseVector(indices.astype(np.uint32), meant[indices].astype(np.float32))


@cache
def _content() -> bytes:
    return files(__package__).joinpath("names.tsv").read_bytes()


def _range(text: str) -> Iterator[int]:
    first, _, last = text.partition("-")
    yield from range(int(first), int(last or first) + 1)
