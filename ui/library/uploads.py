"""Files that come from a browser: opened as an upload, put one by one, then ingested as a job.

UPLOADS/incoming/ID/N     what is still coming; gone after a day, and when the page is served anew
UPLOADS/files/ID/NAME     what was ingested: documents refer to it
UPLOADS/jobs/ID.json      see `ui.library.jobs`
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from mmsearch import documents
from mmsearch.errors import InvalidSetting
from mmsearch.index.folder import UPLOADS
from mmsearch.paths import absolute
from mmsearch.types import Document
from ui.access.guard import user_of
from ui.library.requests import json_object, number, refuse_read_only, strings
from ui.library.upload_names import distinct, safe_name

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine
    from ui.library.jobs import Jobs

MAX_OPEN = 16  # uploads at once, of all users
MAX_OPEN_OF_USER = 4
MAX_NAME = 4096  # characters of the name that is sent
LIFETIME = 86_400.0  # seconds that an upload may stay open,
IDLE = 600.0  # and that nothing need come while there are others
KEPT_FREE = 1 << 30  # bytes of the disk that uploads leave alone
_PIECE = 1 << 20  # bytes written at once
_LOOK_EVERY = 64 << 20  # bytes between two looks at the disk


def uploads_folder(engine: SearchEngine) -> Path:
    """Where uploaded files and the records of jobs are kept."""
    address = engine.index.address
    default = "mmsearch-uploads" if "://" in address else f"{address}/{UPLOADS}"
    return absolute(engine.settings.uploads or default)


def delete_uploaded(engine: SearchEngine, paths: Iterable[str]) -> int:
    """Delete those of the files that were uploaded, and folders that are empty then.

    Nothing outside of the uploads folder is touched, wherever links in it lead.

    Returns:
        How many were deleted.
    """
    root = (uploads_folder(engine) / "files").resolve()
    deleted = 0
    for path in map(Path, paths):
        with contextlib.suppress(OSError, ValueError):
            file = path.parent.resolve(strict=True) / path.name  # a link is deleted, not followed
            if not file.is_relative_to(root) or file.is_dir():
                continue
            file.unlink()
            deleted += 1
            for folder in file.parents:
                if folder == root:
                    break
                folder.rmdir()
    return deleted


@dataclass(slots=True)
class _Upload:
    """An open upload: `received` holds name and size of each file by its number.

    Its folder is locked by the descriptor `held`, so that no other server takes it for abandoned.
    """

    id: str
    user: str
    folder: Path
    held: int
    files: int
    bytes: int
    tags: tuple[str, ...]
    opened: float = field(default_factory=time.monotonic)
    touched: float = field(default_factory=time.monotonic)
    received: dict[int, tuple[PurePosixPath, int]] = field(default_factory=dict)
    coming: int = 0  # bytes of files that are on their way
    closed: bool = False

    @property
    def size(self) -> int:
        return sum(size for _, size in self.received.values())


class _Uploads:
    """The open uploads of a server. Its routes run in one event loop and in threads."""

    def __init__(self, engine: SearchEngine) -> None:
        self._settings = engine.settings
        self._root = uploads_folder(engine)
        self._open: dict[str, _Upload] = {}
        self._lock = threading.Lock()
        if self._settings.read_only == "off":
            self._clear()

    def open(self, user: str, files: int, size: int, tags: tuple[str, ...]) -> _Upload:
        if not 0 < files <= self._settings.max_upload_files:
            most = self._settings.max_upload_files
            raise HTTPException(
                413, f"{files:,} files: between 1 and {most:,} are uploaded at a time"
            )
        self._clear()
        with self._lock:
            mine = [upload for upload in self._open.values() if upload.user == user]
            if len(self._open) >= MAX_OPEN or len(mine) >= MAX_OPEN_OF_USER:
                raise HTTPException(429, "too many uploads are open; wait until one is done")
            id_ = secrets.token_hex(16)
            folder = self._root / "incoming" / id_
            try:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._check_room(size + sum(u.bytes - u.size for u in self._open.values()))
                folder.mkdir(mode=0o700, parents=True)
                held = os.open(folder, os.O_RDONLY)
                fcntl.flock(held, fcntl.LOCK_EX)
            except OSError as error:
                raise _not_written(error) from error
            upload = self._open[id_] = _Upload(id_, user, folder, held, files, size, tags)
            return upload

    def get(self, id_: str, user: str) -> _Upload:
        """An upload of this user's own; of others nobody learns that there are any."""
        upload = self._open.get(id_)
        if upload is None or upload.user != user or upload.closed:
            raise HTTPException(404, "there is no such upload; it may be too old, start it again")
        return upload

    async def put(self, upload: _Upload, at: int, name: PurePosixPath, request: Request) -> int:
        """Take a file in; whatever is not whole leaves nothing. Returns its size in bytes."""
        length = _length(request, self._settings.max_upload_bytes, name)
        before = upload.received.get(at, (name, 0))[1]
        if upload.size - before + upload.coming + length > upload.bytes:
            raise HTTPException(413, "the upload has more bytes than it was opened for")
        path = upload.folder / f"{at}.{secrets.token_hex(4)}"
        upload.coming += length
        try:
            size = await self._write(path, length, request)
            if upload.closed:
                raise HTTPException(409, "the upload has ended meanwhile")
            path.replace(upload.folder / str(at))
            upload.received[at] = (name, size)
        except OSError as error:
            raise _not_written(error) from error
        finally:
            upload.coming -= length
            upload.touched = time.monotonic()
            path.unlink(missing_ok=True)
        return size

    def close(self, upload: _Upload) -> Path | None:
        """Put the files of a closed upload in the folder that comes back, if there are any."""
        folder = self._root / "files" / f"{time.strftime('%Y-%m-%d')}-{upload.id[:12]}"
        try:
            received = sorted(upload.received.items())
            names = distinct(name for _, (name, _) in received)
            for (at, _), name in zip(received, names, strict=True):
                place = folder / name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                (upload.folder / str(at)).rename(place)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _not_written(error) from error
        finally:
            self.drop(upload)
        return folder if received else None

    def drop(self, upload: _Upload) -> None:
        """Forget an upload, and what has come of it."""
        upload.closed = True
        shutil.rmtree(upload.folder, ignore_errors=True)
        with self._lock:
            if self._open.pop(upload.id, None):
                os.close(upload.held)

    async def _write(self, path: Path, length: int, request: Request) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        size = looked = 0
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            async for piece in _pieces(request):
                size += len(piece)
                if size > length:
                    break
                await asyncio.to_thread(file.write, piece)
                if size - looked >= _LOOK_EVERY:
                    looked = size
                    self._check_room(length - size)
        if size != length:
            raise HTTPException(400, f"{length:,} bytes were announced, other than came; try again")
        return size

    def _check_room(self, size: int) -> None:
        if shutil.disk_usage(self._root).free - KEPT_FREE < size:
            raise HTTPException(507, "the server's disk is nearly full; make room there first")

    def _clear(self) -> None:
        """Drop uploads that nobody ends, and what earlier servers have left.

        Where many are open, one to which nothing comes has most likely lost its browser.
        """
        now = time.monotonic()
        with self._lock:
            many = len(self._open) >= MAX_OPEN_OF_USER
            old = [
                upload
                for upload in self._open.values()
                if now - upload.opened > LIFETIME
                or (many and not upload.coming and now - upload.touched > IDLE)
            ]
        for upload in old:
            self.drop(upload)
        with contextlib.suppress(OSError):
            for folder in (self._root / "incoming").iterdir():
                if folder.name not in self._open and _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def upload_routes(engine: SearchEngine, jobs: Jobs) -> APIRouter:
    """`POST /uploads`, `PUT /uploads/ID/N?name=PATH`, `POST /uploads/ID/done`, and `DELETE`.

    Errors are `{"detail": "one line"}`.
    """
    router = APIRouter()
    uploads = _Uploads(engine)

    @router.post("/uploads")
    async def open_(request: Request) -> dict[str, Any]:
        refuse_read_only(engine)
        asked = await json_object(request)
        given = strings(asked, "tags", most=documents.MAX_TAGS)
        files, size = number(asked, "files"), number(asked, "bytes")
        try:
            tags = documents.tagged(Document(""), add=given).tags
        except InvalidSetting as error:
            raise HTTPException(400, str(error)) from error
        upload = await asyncio.to_thread(uploads.open, user_of(request), files, size, tags)
        return {"upload": upload.id, "max_bytes": engine.settings.max_upload_bytes}

    @router.put("/uploads/{id_}/{file}")
    async def put(id_: str, file: str, request: Request, name: str = "") -> dict[str, Any]:
        refuse_read_only(engine)
        upload = uploads.get(id_, user_of(request))
        if not (file.isascii() and file.isdecimal() and len(file) < 9) or int(file) >= upload.files:
            raise HTTPException(
                400, f"files of this upload are numbered from 0 to {upload.files - 1}"
            )
        if len(name) > MAX_NAME:
            raise HTTPException(400, f"the name has more than {MAX_NAME:,} characters; shorten it")
        try:
            place = safe_name(name)
            size = await uploads.put(upload, int(file), place, request)
        except InvalidSetting as error:
            raise HTTPException(400, str(error)) from error
        except ClientDisconnect:
            raise HTTPException(400, "the connection was cut; try again") from None
        return {"name": str(place), "bytes": size}

    @router.post("/uploads/{id_}/done")
    async def done(id_: str, request: Request) -> dict[str, Any]:
        refuse_read_only(engine)
        await json_object(request)
        upload = uploads.get(id_, user_of(request))
        upload.closed = True  # here, where no file can come in between
        folder = await asyncio.to_thread(uploads.close, upload)
        if folder is None:
            raise HTTPException(400, "no file has arrived; choose some and try again")
        try:
            many = len(upload.received)
            title = f"{many:,} uploaded file{'' if many == 1 else 's'}"
            job = jobs.start([folder], title=title, tags=upload.tags, by=upload.user)
        except InvalidSetting as error:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise HTTPException(409, str(error)) from error
        return {"job": job.as_row()}

    @router.delete("/uploads/{id_}")
    async def drop(id_: str, request: Request) -> Response:
        refuse_read_only(engine)
        await asyncio.to_thread(uploads.drop, uploads.get(id_, user_of(request)))
        return Response(status_code=204)

    return router


def _length(request: Request, most: int, name: PurePosixPath) -> int:
    """The bytes that a request announces."""
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise HTTPException(411, "the size of the file must be announced as Content-Length")
    if int(text) > most:
        raise HTTPException(413, f"{name.name}: larger than the {most:,} bytes that are allowed")
    return int(text)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces worth a write."""
    piece = bytearray()
    async for chunk in request.stream():
        piece += chunk
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _is_abandoned(folder: Path) -> bool:
    """Whether it is a folder of no server's open upload."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(held)
    return True


def _not_written(error: OSError) -> HTTPException:
    return HTTPException(507, f"the file could not be stored: {error.strerror}; tell the operator")
