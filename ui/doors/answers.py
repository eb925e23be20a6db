"""What programs are told of hits, pages and documents: plain dictionaries, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mmsearch import filters
from mmsearch.errors import MMSearchError, NotFound
from mmsearch.filters import Filter
from mmsearch.screenshots import repairs
from mmsearch.types import Document, Hit, Query
from mmsearch.where import place_of
from ui.files import page_of, title_of

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine
    from ui.library.job import Job

_FAILED_PAGES = 100  # of a document, that are told of


def found(query: Query, hits: Sequence[Hit]) -> dict[str, Any]:
    """The answer to a search."""
    return {"hits": [hit_row(hit) for hit in hits], "repaired": list(repairs(query, hits))}


def hit_row(hit: Hit) -> dict[str, Any]:
    """A hit; boxes are [x0, y0, x1, y1] in fractions of the page, origin top left."""
    document = hit.document
    return {
        "rank": hit.rank,
        "score": hit.score,
        "confidence": hit.confidence,
        "document": document.id,
        "title": title_of(document),
        "kind": document.kind,
        "paths": list(document.paths),
        "tags": list(document.tags),
        "page": hit.page,
        "page_count": document.page_count,
        "place": place_of(hit),
        "seconds": hit.seconds,
        "snippet": hit.snippet,
        "snippet_marks": [list(span) for span in hit.snippet_marks],
        "marks": [list(box) for box in hit.marks],
        "spot": list(hit.match.box) if hit.match else None,
        "labels": [{"name": name, "probability": sure} for name, sure in hit.labels],
        "also_in": [
            {
                "document": twin.document.id,
                "title": title_of(twin.document),
                "paths": list(twin.document.paths),
                "page": twin.page,
            }
            for twin in hit.also_in
        ],
        "more": hit.more,
        "more_pages": list(hit.more_pages),
        **_addresses(document.id, hit.page),
    }


def page_row(engine: SearchEngine, document_id: str, number: int) -> dict[str, Any]:
    """A page with all of its text.

    Raises:
        NotFound: there is no such document, or it has no such page.
    """
    document = engine.documents.get(document_id).get(document_id)
    if document is None:
        raise NotFound(f"document {document_id[:12]}: is not in the index; search again")
    page, place = page_of(engine, document, number)
    return {
        "document": document.id,
        "title": title_of(document),
        "kind": document.kind,
        "paths": list(document.paths),
        "tags": list(document.tags),
        "page": number,
        "page_count": document.page_count,
        "place": place,
        "seconds": page.get("seconds"),
        "text": page.get("text", ""),
        "text_source": page.get("text_source", "none"),
        "language": page.get("language"),
        "warning": page.get("warning", ""),
        **_addresses(document.id, number),
    }


def documents(
    engine: SearchEngine, *, text: str, state: str, tag: str, limit: int, offset: int
) -> dict[str, Any]:
    """Documents in order of their paths, and how many there are.

    Args:
        text: stands in the title or in a path, in capitals or not.
        state: `pending`, `done`, `failed` or `skipped`; empty for any.
        tag: that they have; empty for any.
    """
    where = filters.equals("state", state) if state else Filter()
    where &= filters.equals("tags", tag) if tag else Filter()
    wanted = text.casefold()
    found = [
        document
        for document in engine.documents.all(where)
        if not wanted or any(wanted in n.casefold() for n in (document.title, *document.paths))
    ]
    found.sort(key=lambda document: (document.paths, document.id))
    shown = found[offset : offset + limit]
    return {"documents": [document_row(one) for one in shown], "total": len(found)}


def document_row(document: Document) -> dict[str, Any]:
    """A document; `size` is in bytes, `mtime` in seconds since 1970."""
    failed = sorted(document.failed_pages.items())
    return {
        "document": document.id,
        "state": str(document.state),
        "title": title_of(document),
        "kind": document.kind,
        "paths": list(document.paths),
        "tags": list(document.tags),
        "page_count": document.page_count,
        "size": document.size,
        "mtime": document.mtime,
        "reason": document.reason,
        "failed_pages": {str(number): why for number, why in failed[:_FAILED_PAGES]},
    }


def status(engine: SearchEngine) -> dict[str, Any]:
    """What the index holds, without where it lies on the server."""
    known = engine.status()
    models = {view: _last_part(name) for view, name in known["models"].items()}
    if engine.reranker:
        try:
            models["rerank"] = _last_part(engine.reranker.identity)
        except MMSearchError:  # its message names folders
            models["rerank"] = "not available"
    name = engine.settings.collection if "://" in known["index"] else known["index"]
    return {
        **known,
        "index": _last_part(name),
        "models": models,
        "read_only": engine.settings.read_only == "on",
    }


def job_row(job: Job) -> dict[str, Any]:
    """All of a job. Its results say `file`: `path` has Gradio's client take them for downloads."""
    row = job.as_row()
    for name in ("recent", "failures"):
        row[name] = [{"file": result.pop("path"), **result} for result in row[name]]
    return row


def brief_job_row(job: Job) -> dict[str, Any]:
    """A job without its paths, which may be thousands, and without results."""
    row = job.as_row()
    return {name: row[name] for name in row if name not in ("paths", "recent", "failures")}


def _addresses(document: str, number: int) -> dict[str, str]:
    """Relative to the page's address, so that they hold below a path of a proxy."""
    return {
        "picture": f"pages/{document}/{number}.jpg",
        "thumbnail": f"thumbnails/{document}/{number}.jpg",
    }


def _last_part(name: object) -> str:
    """The last part of what is an absolute path; other names stay."""
    path = PurePath(str(name))
    return path.name if path.is_absolute() or ".." in path.parts else str(name)
