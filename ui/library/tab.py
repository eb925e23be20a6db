"""The Library tab: what the index holds, adding to it, and taking from it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from mmsearch import changes, documents, duplicates
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidSetting, NotFound
from mmsearch.paths import is_below, outermost
from mmsearch.types import Document
from ui.access.guard import user_of
from ui.library import duplicate_views, job_views
from ui.library import views as library_views
from ui.library.listing import Listing, Row, choice_of
from ui.library.requests import json_object, refuse_read_only, strings
from ui.library.uploads import delete_uploaded, uploads_folder
from ui.scripts import once_there

if TYPE_CHECKING:
    from ui.library.jobs import Jobs

MAX_SELECTED = 1000  # documents of one action

_DUPLICATES_KEPT = 300.0  # seconds, while no document changes its state
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_library(engine: SearchEngine) -> None:
    """Lay out the tab; its script, library.js, asks `library_routes` for everything."""
    import gradio as gr

    gr.HTML(
        library_views.shell(engine.settings),
        js_on_load=once_there("mm.library(element)"),
        apply_default_css=False,
        elem_id="mm-library",
        label="Library",
    )


def library_routes(engine: SearchEngine, jobs: Jobs) -> APIRouter:
    """`/library/...`: parts of the tab as HTML, and what its buttons do as `POST` of JSON.

    Errors are `{"detail": "one line"}`.
    """
    router = APIRouter(prefix="/library")
    listing = Listing(engine, uploads_folder(engine))
    twins = _Duplicates(engine)
    closed = engine.settings.read_only == "on"

    @router.get("/documents")
    def shown_documents(request: Request) -> HTMLResponse:
        ended = [job.id for job in jobs.all() if not job.is_active]
        excerpt = listing.excerpt(choice_of(request.query_params), after=ended)

        def has_picture(row: Row) -> bool:
            document = row.document
            if row.condition == "failed" or document.kind == "archive" or not document.page_count:
                return False
            unsure = row.condition == "unfinished" or 1 in document.failed_pages
            return not unsure or engine.store.has(document.id, 1)

        return _html(library_views.documents(excerpt, read_only=closed, has_picture=has_picture))

    @router.get("/jobs")
    def shown_jobs() -> HTMLResponse:
        found = jobs.all()
        return _html(job_views.jobs(found, read_only=closed, is_stopping=jobs.is_stopping))

    @router.get("/duplicates")
    def shown_duplicates() -> HTMLResponse:
        copies, families = twins.find()
        return _html(duplicate_views.duplicates(copies, families, listing.place))

    @router.post("/tag")
    async def tag(request: Request) -> dict[str, int]:
        asked = await _asked(request, engine)
        add = strings(asked, "add", most=documents.MAX_TAGS)
        remove = strings(asked, "remove", most=documents.MAX_TAGS)
        return await asyncio.to_thread(_tag, engine, listing, asked, add, remove)

    @router.post("/remove")
    async def remove(request: Request) -> dict[str, int]:
        asked = await _asked(request, engine)
        return await asyncio.to_thread(_remove, engine, listing, asked)

    @router.post("/retry")
    async def retry(request: Request) -> dict[str, Any]:
        asked = await _asked(request, engine)
        found = await asyncio.to_thread(_selected, engine, asked)
        paths = dict.fromkeys(outermost(path) for document in found for path in document.paths)
        title = f"{library_views.count(len(found), 'document')}, again"
        return _started(jobs, list(paths), title=title, retry=True, by=user_of(request))

    @router.post("/jobs/{id_}/cancel")
    async def cancel(id_: str, request: Request) -> dict[str, Any]:
        await _asked(request, engine)
        try:
            return {"job": jobs.cancel(id_).as_row()}
        except NotFound as error:
            raise HTTPException(404, str(error)) from error

    @router.post("/jobs/{id_}/again")
    async def again(id_: str, request: Request) -> dict[str, Any]:
        await _asked(request, engine)
        try:
            job = jobs.get(id_)
        except NotFound as error:
            raise HTTPException(404, str(error)) from error
        title = f"{job.title.removesuffix(', again')}, again"
        return _started(
            jobs, job.paths, title=title, tags=job.tags, retry=True, by=user_of(request)
        )

    return router


class _Duplicates:
    """Looks for duplicates, one look at a time, and remembers what it has found."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._made = float("-inf")
        self._counts: dict[str, int] = {}
        self._found: tuple[list[Document], list[duplicates.Family]] = ([], [])

    def find(self) -> tuple[list[Document], list[duplicates.Family]]:
        """The files that lie in several places, and the pages that stand in several documents."""
        with self._lock:
            counts = self._engine.documents.counts()
            age = time.monotonic() - self._made
            if age > _DUPLICATES_KEPT or counts != self._counts:
                self._found = (
                    duplicates.copies(self._engine),
                    duplicates.families(self._engine),
                )
                self._made, self._counts = time.monotonic(), counts
            return self._found


async def _asked(request: Request, engine: SearchEngine) -> dict[str, Any]:
    refuse_read_only(engine)
    return await json_object(request)


def _selected(engine: SearchEngine, asked: dict[str, Any]) -> list[Document]:
    """The documents that were named by their ids; those that are gone are left out."""
    ids = strings(asked, "documents", most=MAX_SELECTED)
    if not ids or not all(map(documents.is_id, ids)):
        raise HTTPException(400, "documents: must be ids of documents, 64 hexadecimal digits each")
    found = list(engine.documents.get(*dict.fromkeys(ids)).values())
    if not found:
        raise HTTPException(404, "there is no such document; it may have been removed meanwhile")
    return found


def _tag(
    engine: SearchEngine,
    listing: Listing,
    asked: dict[str, Any],
    add: Sequence[str],
    remove: Sequence[str],
) -> dict[str, int]:
    before = _selected(engine, asked)
    try:
        after = [documents.tagged(document, add, remove) for document in before]
    except InvalidSetting as error:
        raise HTTPException(400, str(error)) from error
    changed = [new for old, new in zip(before, after, strict=True) if new != old]
    for document in changed:
        changes.rewrite(engine, document)
    listing.forget()
    return {"changed": len(changed)}


def _remove(engine: SearchEngine, listing: Listing, asked: dict[str, Any]) -> dict[str, int]:
    """Remove documents, of archives also what is in them, and files that were uploaded."""
    gone: dict[str, tuple[Document, set[str]]] = {}
    archives: list[str] = []
    for document in _selected(engine, asked):
        gone[document.id] = (document, set(document.paths))
        archives += document.paths if document.kind == "archive" else ()
    if archives:
        for document in listing.documents():
            inside = {path for path in document.paths if is_below(path, archives)}
            if inside and document.id not in gone:
                gone[document.id] = (document, inside)
    for document, paths in gone.values():
        engine.forget(document, paths)
    files = delete_uploaded(engine, [path for _, paths in gone.values() for path in paths])
    listing.forget()
    return {"removed": len(gone), "files": files}


def _started(jobs: Jobs, paths: Sequence[str], **options: Any) -> dict[str, Any]:
    try:
        return {"job": jobs.start(paths, **options).as_row()}
    except InvalidSetting as error:
        raise HTTPException(409, str(error)) from error


def _html(text: str) -> HTMLResponse:
    return HTMLResponse(text, headers=_HEADERS)
