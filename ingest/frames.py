"""What goes between the worker and its reading processes: a JSON header and a picture.

Nothing is unpickled: the other end of the socket may have been taken over by a hostile file.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from mmsearch.types import Box, Page, PageText, Word

MAX_FRAME = 1 << 28  # bytes; a page's words and picture stay far below


def send(link: socket.socket, header: dict[str, Any], blob: bytes = b"") -> None:
    """Send one frame."""
    data = json.dumps(header, separators=(",", ":")).encode()
    link.sendall(struct.pack(">II", len(data), len(blob)) + data + blob)


def receive(link: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None when the other end is gone or sends nonsense."""
    sizes = _read(link, 8)
    if sizes is None:
        return None
    length, blob_length = struct.unpack(">II", sizes)
    if length + blob_length > MAX_FRAME:
        return None
    data = _read(link, length)
    blob = _read(link, blob_length)
    if data is None or blob is None:
        return None
    header = json.loads(data)
    return (header, blob) if isinstance(header, dict) else None


def page_to_frame(page: Page) -> tuple[dict[str, Any], bytes]:
    """A page as header and picture."""
    text = page.text
    header = {
        "page": page.number,
        "width": page.width,
        "height": page.height,
        "seconds": page.seconds,
        "text": text.text,
        "source": text.source,
        "confidence": text.confidence,
        "words": [[word.text, *word.box, word.confidence] for word in text.words],
    }
    return header, page.picture


def frame_to_page(header: dict[str, Any], picture: bytes) -> Page:
    """The page of a frame."""
    words = tuple(Word(row[0], Box(*row[1:5]), row[5]) for row in header["words"])
    return Page(
        number=header["page"],
        picture=picture,
        width=header["width"],
        height=header["height"],
        text=PageText(header["text"], header["source"], words, header["confidence"]),
        seconds=header["seconds"],
    )


def _read(link: socket.socket, length: int) -> bytes | None:
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
