"""Images that visitors search with: kept encoded, in memory, for an hour."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from mmsearch.errors import InvalidQuery, UnreadableFile

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 20 << 20  # of an image
MAX_PIXELS = 50_000_000  # of an image: a large photo
_KEPT_BYTES = 256 << 20  # of all of them
_KEPT_SECONDS = 3600.0
_PREVIEW_SIDE = 512  # pixels


@dataclass(frozen=True, slots=True)
class _Kept:
    encoded: bytes
    user: str
    since: float


class QueryImages:
    """Query images by an id that cannot be guessed; each is for the user who uploaded it alone."""

    def __init__(self, max_pixels: int) -> None:
        """`max_pixels` is the setting; no query image may have more than `MAX_PIXELS`."""
        self._max_pixels = min(max_pixels, MAX_PIXELS)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def put(self, encoded: bytes, user: str = "", name: str = "the image") -> str:
        """Check an image and keep it.

        Returns:
            Its id.

        Raises:
            InvalidQuery: it is none, or too large.
        """
        self._decoded(encoded, name)
        id_ = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[id_] = _Kept(encoded, user, time.monotonic())
            self._forget()
        return id_

    def encoded(self, id_: str, user: str = "") -> bytes:
        """The bytes of an image as they were uploaded.

        Raises:
            InvalidQuery: there is none of this id, or it is another user's.
        """
        with self._lock:
            self._forget()
            kept = self._kept.get(id_)
            if kept is None or kept.user != user:
                raise InvalidQuery("the image of this search is no longer here; choose it again")
            self._kept.move_to_end(id_)
        return kept.encoded

    def image(self, id_: str, user: str = "") -> Image:
        """The same, decoded."""
        return self._decoded(self.encoded(id_, user), "the image")

    def routes(self) -> APIRouter:
        """`POST /query-images` takes an image's bytes and answers with its id and address."""
        router = APIRouter()

        @router.post("/query-images")
        async def upload(request: Request, name: str = "the image") -> dict[str, str]:
            encoded = await _body(request)
            try:
                id_ = await run_in_threadpool(self.put, encoded, _user(request), name[:200])
            except InvalidQuery as error:
                raise HTTPException(422, str(error)) from error
            return {"id": id_}

        @router.get("/query-images/{id_}.jpg")
        def preview(request: Request, id_: str) -> Response:
            try:
                picture = self.image(id_, _user(request))
            except InvalidQuery as error:
                raise HTTPException(404, str(error)) from error
            headers = {"Cache-Control": "private, no-store"}
            return Response(_preview(picture), media_type="image/jpeg", headers=headers)

        return router

    def _decoded(self, encoded: bytes, name: str) -> Image:
        from mmsearch.images import open_image

        try:
            return open_image(encoded, max_pixels=self._max_pixels)
        except UnreadableFile as error:
            # What is decoded from memory has no name of its own.
            reason = str(error).partition(": ")[2] or str(error)
            raise InvalidQuery(f"{name}: {reason}") from error

    def _forget(self) -> None:
        """Drop what is too old, and the least used of what is too much."""
        now = time.monotonic()
        old = [id_ for id_, kept in self._kept.items() if now - kept.since > _KEPT_SECONDS]
        for id_ in old:
            del self._kept[id_]
        total = sum(len(kept.encoded) for kept in self._kept.values())
        while total > _KEPT_BYTES:
            total -= len(self._kept.popitem(last=False)[1].encoded)


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


def _user(request: Request) -> str:
    return str(getattr(request.state, "user", ""))


def _preview(picture: Image) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    picture.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
