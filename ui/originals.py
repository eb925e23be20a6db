"""The file that a document was read from: served only while it still is that file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from mmsearch.errors import NotFound
from mmsearch.paths import outermost
from mmsearch.types import Document

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

_Version = tuple[str, int, int, int]  # path, size, time of change in ns, inode
_REMEMBERED = 10_000
# What a browser shows without running anything of it in the page's name. All else is saved.
SHOWN = {
    ".pdf": "application/pdf",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".ogv": "video/ogg",
}


class Originals:
    """The original files of an engine's documents."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self._hashes: OrderedDict[_Version, str] = OrderedDict()
        self._lock = Lock()

    def path(self, document: Document) -> Path:
        """Where the document's file lies, its content being the one that was indexed.

        Raises:
            NotFound: it is gone, has changed, or is inside an archive.
        """
        places = [path for path in document.paths if outermost(path) == path]
        if not places:
            archive = Path(outermost(document.paths[0])).name if document.paths else "an archive"
            raise NotFound(f"the original is inside {archive}; open that to get it")
        for place in places:
            path = Path(place)
            version = _version(path)
            if version and version[1] == document.size and self._hash(path, version) == document.id:
                return path
        raise NotFound("the original is gone or has changed since it was read; ingest it again")

    def routes(self) -> APIRouter:
        """`GET /originals/DOCUMENT` saves the file; with `?open=1` the browser shows it if safe."""
        router = APIRouter()

        @router.get("/originals/{document}")
        def original(request: Request, document: str, open: str = "") -> Response:
            known = self._engine.documents.get(document) if _is_id(document) else {}
            if document not in known:
                raise HTTPException(404, "there is no such document")
            try:
                path = self.path(known[document])
            except NotFound as error:
                raise HTTPException(404, str(error)) from error
            kind = SHOWN.get(path.suffix.lower()) if open == "1" else None
            return FileResponse(
                path,
                filename=path.name,
                media_type=kind or "application/octet-stream",
                content_disposition_type="inline" if kind else "attachment",
                headers={
                    "Cache-Control": "private, no-cache",
                    "X-Content-Type-Options": "nosniff",
                    "Cross-Origin-Resource-Policy": "same-origin",
                    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'"
                    if kind is None
                    else "frame-ancestors 'self'",
                },
            )

        return router

    def _hash(self, path: Path, version: _Version) -> str:
        """SHA-256 of a file, remembered as long as its time of change stays."""
        with self._lock:
            if version in self._hashes:
                self._hashes.move_to_end(version)
                return self._hashes[version]
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        with self._lock:
            self._hashes[version] = found
            while len(self._hashes) > _REMEMBERED:
                self._hashes.popitem(last=False)
        return found


def _version(path: Path) -> _Version | None:
    """What a file is known by; None where there is no regular file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino


def _is_id(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
