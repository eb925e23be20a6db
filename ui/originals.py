"""The file that a document was read from: served only while it still is that file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import OrderedDict
from io import BufferedReader
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from mmsearch.documents import is_id
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
        path, file = self.opened(document)
        file.close()
        return path

    def opened(self, document: Document) -> tuple[Path, BufferedReader]:
        """The same, and the file: what its path leads to may be another one a moment later.

        Raises:
            NotFound: as above.
        """
        places = [path for path in document.paths if outermost(path) == path]
        if not places:
            archive = Path(outermost(document.paths[0])).name if document.paths else "an archive"
            raise NotFound(f"the original is inside {archive}; open that to get it")
        for place in places:
            file = _opened(Path(place))
            if file is None:
                continue
            version = _version(place, file)
            if version[1] == document.size and self._hash(file, version) == document.id:
                return Path(place), file
            file.close()
        raise NotFound("the original is gone or has changed since it was read; ingest it again")

    def routes(self) -> APIRouter:
        """`GET /originals/DOCUMENT` saves the file; with `?open=1` the browser shows it if safe."""
        router = APIRouter()

        @router.get("/originals/{document}")
        def original(request: Request, document: str, open: str = "") -> Response:
            known = self._engine.documents.get(document) if is_id(document) else {}
            if document not in known:
                raise HTTPException(404, "there is no such document")
            try:
                path, file = self.opened(known[document])
            except NotFound as error:
                raise HTTPException(404, str(error)) from error
            kind = SHOWN.get(path.suffix.lower()) if open == "1" else None
            return _OpenFile(
                file,
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

    def _hash(self, file: BufferedReader, version: _Version) -> str:
        """SHA-256 of a file, remembered as long as its time of change stays."""
        with self._lock:
            if version in self._hashes:
                self._hashes.move_to_end(version)
                return self._hashes[version]
        try:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        with self._lock:
            self._hashes[version] = found
            while len(self._hashes) > _REMEMBERED:
                self._hashes.popitem(last=False)
        return found


class _OpenFile(FileResponse):
    """Sends an open file, and closes it."""

    def __init__(self, file: BufferedReader, **options: Any) -> None:
        self._file = file
        number = file.fileno()
        super().__init__(f"/dev/fd/{number}", stat_result=os.fstat(number), **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def _opened(path: Path) -> BufferedReader | None:
    """A regular file; None where there is none."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        return None
    return os.fdopen(number, "rb")


def _version(place: str, file: BufferedReader) -> _Version:
    """What a file is known by."""
    found = os.fstat(file.fileno())
    return place, found.st_size, found.st_mtime_ns, found.st_ino
