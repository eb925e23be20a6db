"""Pages that are the same page: copies, scans of a print, PDFs made of both.

Their looks are near, and they say the same. A form filled in twice, slides of one template and two
pages of one book look alike too: of those it is the words that differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch import filters, index, looks
from mmsearch.alike import Texts
from mmsearch.documents import READY
from mmsearch.types import Document, Location, Payload, PointId, Twin

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

# Measured by bench/duplicates.py.
NEAR = 64  # bits in which the looks of one page differ at most
NEAR_PICTURES = 24  # where there is no text to tell
LEAST_ALIKE = 0.6  # of the letters of a recognised text, in runs of four

_CANDIDATES = 1000  # looked at for one list of hits
_COMPARED = 32  # a recognised page is compared with so many others, the nearest
_SCANS_COMPARED = 256  # and one known by the letter with so many recognised ones
_NEIGHBOURS = 256  # of a page in the list of those that have one band in common
_BLOCK = 1 << 16  # pairs compared at once: what fits a cache
_ROWS = 64  # of pages compared with all others at once

_FIELDS = ["document", "number", "look", "text_source", "says", "little"]


@dataclass(frozen=True, slots=True)
class Family:
    """Pages that are the same in several documents, the cleanest first."""

    pages: tuple[Twin, ...]


class _Page(NamedTuple):
    """A page under comparison. `says` is what it says if that is known by the letter."""

    point: PointId
    document: str
    number: int
    exact: bool
    little: bool
    says: bytes


def families(engine: SearchEngine) -> list[Family]:
    """Every group of pages that are the same in different documents.

    Of each page a few hundred bytes are held. Copies of the same bytes are one document with
    several paths, and no family: see `copies`.
    """
    pages: list[_Page] = []
    hashes: list[str] = []
    for point in engine.index.pages.scroll(READY, payload=_FIELDS):
        if point.payload.get("look"):
            pages.append(_page(point.id, point.payload))
            hashes.append(point.payload["look"])
    rows = looks.rows(hashes)
    said = np.array([int.from_bytes(page.says[:8]) for page in pages], dtype=np.uint64)
    groups = _groups(pages, rows, near_pairs(rows, said), Texts(engine.index.pages))
    found = [
        [pages[at] for at in group]
        for group in groups
        if len({pages[at].document for at in group}) > 1
    ]
    return [Family(members) for members in sorted(_ordered(engine, found), key=_position)]


def copies(engine: SearchEngine) -> list[Document]:
    """The documents that lie in several places, byte for byte the same, in order of path."""
    several = (document for document in engine.documents.all() if len(document.paths) > 1)
    apart = (replace(d, locations=_apart(d.locations)) for d in several)
    copies = (document for document in apart if len(document.paths) > 1)
    return sorted(copies, key=lambda document: document.paths)


def _apart(places: Sequence[Location]) -> tuple[Location, ...]:
    """Those that are files of their own: a link to one is no copy of it."""
    files: dict[object, Location] = {}
    for place in sorted(places, key=lambda place: Path(place.path).is_symlink()):
        try:
            status = Path(place.path).stat()
        except OSError:  # in an archive, or gone
            files[place.path] = place
        else:
            files.setdefault((status.st_dev, status.st_ino), place)
    return tuple(place for place in places if place in files.values())


def twins(
    pages: index.Collection, points: Sequence[PointId]
) -> dict[PointId, tuple[tuple[str, int], ...]]:
    """Where else the pages `points` stand.

    Returns:
        Document id and page number of each, in order, for the points that have any.
    """
    own = {
        point.id: point.payload
        for point in pages.retrieve(points, payload=_FIELDS)
        if point.payload.get("look")
    }
    if not own:
        return {}
    texts = Texts(pages)
    known = own | _near(pages, own, texts)
    names = sorted(known)
    rows = looks.rows([known[name]["look"] for name in names])
    found = [_page(name, known[name]) for name in names]
    asked = [at for at, name in enumerate(names) if name in own]
    kept = _like(found, rows, asked, texts)
    # Which page a recognised one is a scan of, another may know better.
    kept |= _like(found, rows, [at for at in kept if not found[at].exact], texts)
    order = sorted(kept)
    compared = [found[at] for at in order]
    groups = _groups(compared, rows[order], _all_near(rows[order]), texts)
    result = {}
    for group in groups:
        members = [compared[at] for at in group]
        for page in members:
            others = {(p.document, p.number) for p in members if p.document != page.document}
            if page.point in own and others:
                result[page.point] = tuple(sorted(others))
    return result


def _near(
    pages: index.Collection, own: Mapping[PointId, Payload], texts: Texts
) -> dict[PointId, Payload]:
    """The pages that may be the same as one of these: in one band at least they look the same."""
    wanted = dict.fromkeys(
        band for payload in own.values() for band in looks.bands(payload["look"])
    )
    where = filters.equals("look_bands", *wanted) & READY

    def found(narrower: filters.Filter) -> dict[PointId, Payload]:
        scrolled = pages.scroll(where & narrower, payload=_FIELDS)
        return {point.id: point.payload for point in islice(scrolled, _CANDIDATES)}

    # Of pages whose text is known by the letter, only those that say the same are copies: of
    # hundreds with one layout a few are read. Where a recognised one may be a scan of one of
    # these, which page it is most like decides, so all are.
    if all(payload["text_source"] == "layer" and not payload["little"] for payload in own.values()):
        recognised = found(filters.Filter(must_not=filters.equals("text_source", "layer").must))
        several = {**own, **recognised}
        both = [_page(point, payload) for point, payload in several.items()]
        rows = looks.rows([payload["look"] for payload in several.values()])
        like = _like(both, rows, range(len(own)), texts)
        if all(both[at].exact for at in like):
            return found(filters.equals("says", *{payload["says"] for payload in own.values()}))
    return found(filters.Filter())


def _like(
    pages: Sequence[_Page], rows: NDArray[np.uint16], asked: Sequence[int], texts: Texts
) -> set[int]:
    """Those of `pages` that may be the same as one that was `asked` for, and the latter.

    Where words that were recognised decide, the nearest of each are looked at.
    """
    like = set(asked)
    for one in asked:
        distances = looks.distance(rows[one], rows)
        near = np.flatnonzero(distances <= NEAR)
        unsure = []
        for other in near[np.argsort(distances[near], kind="stable")].tolist():
            a, b = pages[one], pages[other]
            if a.document == b.document or a.little != b.little:
                continue
            if not a.little and not (a.exact and b.exact):
                unsure.append(other)
            elif a.little or a.says == b.says:
                like.add(other)
        # A scan knows its page among its nearest; a page has poor scans behind those of others.
        nearest = unsure[: _SCANS_COMPARED if pages[one].exact else _COMPARED]
        like.update(_alike(pages, one, nearest, texts, strictly=False))
    return like


def near_pairs(rows: NDArray[np.uint16], said: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs of looks that share a band and differ in at most `NEAR` bits, each once, in order.

    Args:
        rows: (n, BANDS), from `looks.rows`.
        said: (n,), equal for equal texts: of very many that look alike those are paired first.
    """
    count = len(rows)
    codes = np.empty(0, dtype=np.int64)
    for band in range(looks.BANDS if count else 0):
        order = np.lexsort((said, rows[:, band]))
        values = rows[order, band]
        # The pages of one value stand together: `rank` counts them, and each is compared with
        # the one 1, 2, 3 ... places before it.
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
        rank = np.arange(count) - np.repeat(starts, np.diff(np.r_[starts, count]))
        later, step = np.flatnonzero(rank >= 1), 1
        found = [codes]
        while len(later) and step <= _NEIGHBOURS:
            for block in np.array_split(later, len(later) // _BLOCK + 1):
                i, j = order[block - step], order[block]
                near = looks.distance(rows[i], rows[j]) <= NEAR
                i, j = i[near].astype(np.int64), j[near].astype(np.int64)
                found.append(np.minimum(i, j) * count + np.maximum(i, j))
            step += 1
            later = later[rank[later] >= step]
        codes = np.unique(np.concatenate(found))
    for code in codes:
        yield divmod(int(code), count)


def _all_near(rows: NDArray[np.uint16]) -> Iterator[tuple[int, int]]:
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS, None]
        near = looks.distance(block, rows[None, start:]) <= NEAR
        for i, j in np.argwhere(np.triu(near, 1)).tolist():
            yield start + i, start + j


def _groups(
    pages: Sequence[_Page],
    rows: NDArray[np.uint16],
    pairs: Iterable[tuple[int, int]],
    texts: Texts,
) -> list[list[int]]:
    """Put pages together that are the same; groups of one are left out.

    A recognised page is the same as the one whose text it is most alike: on a form, what was
    filled in decides, and a scan of it is not each of its kind.
    """
    parent = list(range(len(pages)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    def join(i: int, j: int) -> None:
        first, second = sorted((root(i), root(j)))
        parent[second] = first

    unsure: dict[int, list[int]] = defaultdict(list)
    for i, j in pairs:
        a, b = pages[i], pages[j]
        if a.document == b.document or a.little != b.little:
            continue
        if a.little:
            told = a.exact and b.exact
            if looks.distance(rows[i], rows[j]) <= NEAR_PICTURES and not (
                told and a.says != b.says
            ):
                join(i, j)
        elif a.exact and b.exact:
            if a.says == b.says:
                join(i, j)
        else:
            for one, other in ((i, j), (j, i)):
                if not pages[one].exact:
                    unsure[one].append(other)
    for one, others in unsure.items():
        others.sort(key=lambda at: (int(looks.distance(rows[one], rows[at])), at))
        for other in _same(pages, one, others[:_COMPARED], texts):
            join(one, other)
    groups: dict[int, list[int]] = defaultdict(list)
    for at in {page for i in range(len(pages)) if root(i) != i for page in (i, root(i))}:
        groups[root(at)].append(at)
    return [sorted(group) for _, group in sorted(groups.items())]


def _same(pages: Sequence[_Page], one: int, others: list[int], texts: Texts) -> list[int]:
    """The page that a recognised one is a scan of; other scans where there is no such page."""
    alike = _alike(pages, one, others, texts, strictly=True)
    exact = [other for other in alike if pages[other].exact]
    return [max(exact, key=lambda other: (alike[other], -other))] if exact else list(alike)


def _alike(
    pages: Sequence[_Page], one: int, others: Sequence[int], texts: Texts, *, strictly: bool
) -> dict[int, float]:
    """The others that say what a page says, and how much of it.

    `strictly`: two recognised pages have to agree in their numbers as well.
    """
    known = texts.of([pages[at].point for at in (one, *others)]) if others else {}
    mine = known.get(pages[one].point)
    shares = {
        other: mine.alike(text, strictly=strictly and not pages[other].exact)
        for other in others
        if mine and (text := known.get(pages[other].point))  # else removed since
    }
    return {other: share for other, share in shares.items() if share >= LEAST_ALIKE}


def _page(point: PointId, payload: Payload) -> _Page:
    return _Page(
        point,
        payload["document"],
        payload["number"],
        exact=payload["text_source"] == "layer",
        little=bool(payload["little"]),
        says=bytes.fromhex(payload["says"]),
    )


def _ordered(engine: SearchEngine, found: list[list[_Page]]) -> Iterator[tuple[Twin, ...]]:
    """The families as they are told, the cleanest page first."""
    for members in found:
        ids = [page.point for page in members]
        fields = ["text_source", "width", "height", "confidence"]
        seen = {p.id: p.payload for p in engine.index.pages.retrieve(ids, payload=fields)}
        known = engine.documents.get(*{page.document for page in members})
        there = [page for page in members if page.point in seen and page.document in known]
        ranked = sorted(
            there, key=lambda page: (_dirt(seen[page.point]), page.document, page.number)
        )
        if len({page.document for page in ranked}) > 1:  # else removed since
            yield tuple(Twin(known[page.document], page.number) for page in ranked)


def _dirt(payload: Payload) -> tuple[int, int, float]:
    sources = ("layer", "sidecar", "ocr", "none")
    pixels = payload["width"] * payload["height"]
    return sources.index(payload["text_source"]), -pixels, -(payload["confidence"] or 0.0)


def _position(pages: tuple[Twin, ...]) -> tuple[tuple[str, ...], int]:
    return pages[0].document.paths, pages[0].page
