"""Images that visitors search with: kept encoded, in memory, for an hour."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response

from mmsearch.errors import InvalidQuery, UnreadableFile
from ui.access.guard import user_of

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 20 << 20  # of an image
MAX_PIXELS = 50_000_000  # of an image: a large photo
_KEPT_BYTES = 256 << 20  # of all of them
_KEPT_SECONDS = 3600.0
_PREVIEW_SIDE = 512  # pixels
_DECODED_AT_ONCE = 2  # a few kilobytes may become 400 MB for a moment
COMING_OF_VISITOR = 8  # images at once that are sent or decoded,
COMING = 32  # and of all visitors
BODY_SECONDS = 120.0  # in which an image has to come
_decoding = BoundedSemaphore(_DECODED_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Kept:
    encoded: bytes
    preview: bytes  # a small JPEG
    user: str
    since: float


class QueryImages:
    """Query images by an id that cannot be guessed; each is for the user who uploaded it alone."""

    def __init__(self, max_pixels: int) -> None:
        """`max_pixels` is the setting."""
        self._max_pixels = max_pixels
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()
        self._coming: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(_DECODED_AT_ONCE, thread_name_prefix="mmsearch-images")

    def put(self, encoded: bytes, user: str = "", name: str = "the image") -> str:
        """Check an image and keep it.

        Returns:
            Its id.

        Raises:
            InvalidQuery: it is none, or too large.
        """
        preview = _preview(opened(encoded, name, self._max_pixels))
        id_ = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[id_] = _Kept(encoded, preview, user, time.monotonic())
            self._forget()
        return id_

    def encoded(self, id_: str, user: str = "") -> bytes:
        """The bytes of an image as they were uploaded.

        Raises:
            InvalidQuery: there is none of this id, or it is another user's.
        """
        return self._found(id_, user).encoded

    def image(self, id_: str, user: str = "") -> Image:
        """The same, decoded."""
        return opened(self.encoded(id_, user), "the image", self._max_pixels)

    def routes(self) -> APIRouter:
        """`POST /query-images` takes an image's bytes and answers with its id and address."""
        router = APIRouter()

        @router.post("/query-images")
        async def upload(request: Request, name: str = "the image") -> dict[str, str]:
            user = user_of(request)
            visitor = user or f"at {request.client.host if request.client else ''}"
            full = self._coming[visitor] >= COMING_OF_VISITOR or self._coming.total() >= COMING
            if full:
                raise HTTPException(503, "too many images at a time; try again in a moment")
            self._coming[visitor] += 1
            try:
                encoded = await asyncio.wait_for(_body(request), BODY_SECONDS)
                loop = asyncio.get_running_loop()
                id_ = await loop.run_in_executor(self._threads, self.put, encoded, user, name[:200])
            except InvalidQuery as error:
                raise HTTPException(422, str(error)) from error
            except TimeoutError:
                raise HTTPException(408, "the image came too slowly; try a smaller one") from None
            finally:
                self._coming[visitor] -= 1
                self._coming += Counter()  # forgets those of whom nothing comes
            return {"id": id_}

        @router.get("/query-images/{id_}.jpg")
        def preview(request: Request, id_: str) -> Response:
            try:
                kept = self._found(id_, user_of(request))
            except InvalidQuery as error:
                raise HTTPException(404, str(error)) from error
            headers = {"Cache-Control": "private, no-store"}
            return Response(kept.preview, media_type="image/jpeg", headers=headers)

        return router

    def _found(self, id_: str, user: str) -> _Kept:
        with self._lock:
            self._forget()
            kept = self._kept.get(id_)
            if kept is None or kept.user != user:
                raise InvalidQuery("the image of this search is no longer here; choose it again")
            self._kept.move_to_end(id_)
        return kept

    def _forget(self) -> None:
        """Drop what is too old, and where it is too much, the least used of who has the most."""
        now = time.monotonic()
        old = [id_ for id_, kept in self._kept.items() if now - kept.since > _KEPT_SECONDS]
        for id_ in old:
            del self._kept[id_]
        sizes: Counter[str] = Counter()
        for kept in self._kept.values():
            sizes[kept.user] += len(kept.encoded)
        while sizes.total() > _KEPT_BYTES:
            user = max(sizes, key=sizes.__getitem__)
            oldest = next(id_ for id_, kept in self._kept.items() if kept.user == user)
            sizes[user] -= len(self._kept.pop(oldest).encoded)


def opened(source: bytes | Path, name: str, max_pixels: int) -> Image:
    """Decode a query image, whichever way it came; a few at once, others wait.

    Args:
        source: its bytes, or the file they are in.
        name: what it is called in an error.
        max_pixels: the setting; no query image may have more than `MAX_PIXELS`.

    Raises:
        InvalidQuery: it is none, or too large.
    """
    from mmsearch.images import open_image

    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > MAX_BYTES:
        raise InvalidQuery(f"{name}: has more than {MAX_BYTES >> 20} MB; send a smaller one")
    try:
        with _decoding:
            return open_image(source, max_pixels=min(max_pixels, MAX_PIXELS))
    except UnreadableFile as error:
        # The name that it has here is nobody's business.
        raise InvalidQuery(f"{name}: {str(error).partition(': ')[2] or error}") from error


async def _body(request: Request) -> bytes:
    """The body of a request, no byte beyond the limit being read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise HTTPException(
                413, f"the image has more than {MAX_BYTES >> 20} MB; choose a smaller one"
            )
        parts.append(part)
    if not size:
        raise HTTPException(422, "the image is empty; choose another")
    return b"".join(parts)


def _preview(picture: Image) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    picture.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
