"""What goes between the worker and its reading processes: a JSON header, pictures, words.

Nothing is unpickled: the other end of the socket may have been taken over by a hostile file.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from mmsearch.page_store import encode_words
from mmsearch.types import Page, PageText

MAX_BLOB = 1 << 27  # bytes; a page's text, words and picture stay far below


def send(link: socket.socket, header: dict[str, Any], *blobs: bytes) -> None:
    """Send one frame: a header and blobs of bytes."""
    data = json.dumps([header, [len(blob) for blob in blobs]], separators=(",", ":")).encode()
    link.sendall(b"".join((struct.pack(">I", len(data)), data, *blobs)))


def receive(link: socket.socket) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next frame, or None when the other end is gone or sends nonsense."""
    size = _read(link, 4)
    data = _read(link, struct.unpack(">I", size)[0]) if size else None
    if data is None:
        return None
    try:
        header, lengths = json.loads(data)
        blobs = [_read(link, int(length)) for length in lengths]
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(header, dict) or None in blobs:
        return None
    return header, [blob for blob in blobs if blob is not None]


def page_to_frame(page: Page) -> tuple[dict[str, Any], bytes, bytes]:
    """A page as header, picture, and words as they are stored."""
    text = page.text
    header = {
        "page": page.number,
        "width": page.width,
        "height": page.height,
        "seconds": page.seconds,
        "text": text.text,
        "source": text.source,
        "confidence": text.confidence,
        "blank": page.blank,
        "warning": page.warning,
        "caption": page.caption,
        "look": page.look,
    }
    return header, page.picture, encode_words(text.words)


def frame_to_page(header: dict[str, Any], picture: bytes) -> Page:
    """The page of a frame; its words stay as bytes, on their way to the page store."""
    return Page(
        number=header["page"],
        picture=picture,
        width=header["width"],
        height=header["height"],
        text=PageText(header["text"], header["source"], (), header["confidence"]),
        seconds=header["seconds"],
        blank=header["blank"],
        warning=header["warning"],
        caption=header["caption"],
        look=header["look"],
    )


def _read(link: socket.socket, length: int) -> bytes | None:
    if not 0 <= length <= MAX_BLOB:
        return None
    data = bytearray()
    while len(data) < length:
        try:
            chunk = link.recv(min(length - len(data), 1 << 20))
        except OSError:
            return None
        if not chunk:
            return None
        data += chunk
    return bytes(data)
