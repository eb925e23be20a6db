"""Page pictures and what the viewer shows of a page, by document and page number."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Response

from mmsearch import duplicates, marks
from mmsearch.documents import READY, is_id, of_document, point_id
from mmsearch.errors import NotFound
from mmsearch.types import Document, Hit, Payload
from mmsearch.where import place_of
from ui.address import MAX_TEXT
from ui.originals import SHOWN, Originals

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

# A browser asks for a dozen at a time: in as many threads these would take turns with searches.
PICTURES_AT_ONCE = 2
_TOLD = ("text", "text_source", "language", "seconds", "warning", "ready")  # of a page
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    # Other sites open in the same browser can't find out what is in the index.
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_files(engine: SearchEngine, originals: Originals) -> APIRouter:
    """`GET /pages/DOCUMENT/NUMBER.jpg`, `/thumbnails/DOCUMENT/NUMBER.jpg`, `/pages/….json`."""
    router = APIRouter()

    few = CapacityLimiter(PICTURES_AT_ONCE)

    @router.get("/pages/{document}/{number}.jpg")
    async def page(document: str, number: str) -> Response:
        return await run_sync(_jpeg, engine, engine.store.picture, document, number, limiter=few)

    @router.get("/thumbnails/{document}/{number}.jpg")
    async def thumbnail(document: str, number: str) -> Response:
        return await run_sync(_jpeg, engine, engine.store.thumbnail, document, number, limiter=few)

    @router.get("/pages/{document}/{number}.json")
    def facts(document: str, number: str, q: str = "") -> dict[str, Any]:
        known = _known(engine, document, number)
        try:
            return facts_of(engine, originals, known, int(number), q)
        except NotFound as error:
            raise HTTPException(404, str(error)) from error

    return router


def facts_of(
    engine: SearchEngine, originals: Originals, document: Document, number: int, query: str = ""
) -> dict[str, Any]:
    """What the viewer shows of a page, as plain values.

    Args:
        engine: whose page this is.
        originals: of the same engine.
        document: the page's.
        number: counts from 1.
        query: words that are marked on the page.

    Raises:
        NotFound: there is no such page.
    """
    payload, place = page_of(engine, document, number)
    words: list[Any] = []
    with suppress(NotFound, OSError, ValueError):  # removed just now, or damaged
        words = engine.store.word_rows(document.id, number)
    id_ = point_id(document.id, number)
    twins = duplicates.twins(engine.index.pages, [id_]).get(id_, ())
    known = engine.documents.get(*{twin for twin, _ in twins})
    return {
        "document": document.id,
        "page": number,
        "pages": document.page_count,
        "numbers": _numbers(engine, document),
        "title": title_of(document),
        "place": place,
        "path": document.paths[0] if document.paths else "",
        "paths": list(document.paths),
        "tags": list(document.tags),
        "text": payload["text"],
        "source": payload.get("text_source", "none"),
        "warning": payload.get("warning", ""),
        "marks": [list(box) for box in marks.boxes(query[:MAX_TEXT], words)],
        "seconds": payload.get("seconds"),
        "citation": citation(document, place),
        "also_in": [
            {"title": title_of(known[twin]), "document": twin, "page": at}
            for twin, at in twins
            if twin in known
        ],
    } | _original(originals, document)


def page_of(engine: SearchEngine, document: Document, number: int) -> tuple[Payload, str]:
    """What is told of a page of this document, and where it is, as people say it.

    Raises:
        NotFound: it has no such page that can be found.
    """
    points = engine.index.pages.retrieve([point_id(document.id, number)], payload=_TOLD)
    if not points or not points[0].payload.get("ready"):
        reason = document.failed_pages.get(number) or (
            f"there is no such page; the document has {document.page_count:,}"
        )
        raise NotFound(f"{title_of(document)}, page {number:,}: {reason}")
    payload = points[0].payload
    return payload, place_of(Hit(1, 0.0, document, number, seconds=payload.get("seconds")))


def title_of(document: Document) -> str:
    """The title of a document, else the name of its file."""
    return document.title or PurePath(next(iter(document.paths), "")).name or "Untitled"


def citation(document: Document, place: str) -> str:
    """A page as it is cited: title, place, file, and the SHA-256 by which it is known for good."""
    name = PurePath(next(iter(document.paths), "")).name
    file = f", {name}" if name and name != document.title else ""
    return f"{title_of(document)}, {place}{file} (SHA-256 {document.id[:16]}…)"


def _original(originals: Originals, document: Document) -> dict[str, Any]:
    """How the original is got, or why it is not."""
    try:
        path = originals.path(document)
    except NotFound as error:
        return {"original": None, "why_not": str(error)}
    kind = SHOWN.get(path.suffix.lower(), "")
    address = f"originals/{document.id}"
    return {
        "original": address,
        "opens": f"{address}?open=1" if kind == "application/pdf" else None,
        "video": f"{address}?open=1" if kind.startswith("video/") else None,
    }


def _numbers(engine: SearchEngine, document: Document) -> list[int]:
    """The numbers of the pages that can be seen: some may have failed, frames are a selection."""
    if not document.failed_pages and document.kind != "video":
        return []  # all of them
    pages = engine.index.pages.scroll(of_document(document.id) & READY, payload=["number"])
    return sorted(point.payload["number"] for point in pages)


def _known(engine: SearchEngine, document: str, number: str) -> Document:
    # Both become parts of a path in the store: nothing but an id and a number may get there.
    if not is_id(document) or not re.fullmatch("[1-9][0-9]{0,8}", number):
        raise HTTPException(404, "there is no such page")
    known = engine.documents.get(document)
    if document not in known:
        raise HTTPException(404, "there is no such document; it may have been removed")
    return known[document]


def _jpeg(
    engine: SearchEngine, read: Callable[[str, int], bytes], document: str, number: str
) -> Response:
    _known(engine, document, number)
    try:
        picture = read(document, int(number))
    except NotFound:
        raise HTTPException(404, "there is no such page") from None
    return Response(picture, media_type="image/jpeg", headers=_HEADERS)
