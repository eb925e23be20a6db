"""What goes between the parent and its processes: a JSON header, pictures, words, pixels.

Nothing is unpickled: the other end of the socket may have been taken over by a hostile file.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from mmsearch.errors import LimitExceeded
from mmsearch.page_store import encode_words
from mmsearch.types import Box, Page, PageText, Word

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_HEADER = 1 << 24  # bytes; the text of a page stays far below
MAX_BLOB = 1 << 27  # bytes; so does a page's picture, or its pixels
MAX_BLOBS = 3

_BYTES_A_PIXEL = {"L": 1, "RGB": 3}
_FIELDS: dict[str, tuple[type, ...]] = {
    "page": (int,),
    "width": (int,),
    "height": (int,),
    "seconds": (int, float, type(None)),
    "text": (str,),
    "source": (str,),
    "confidence": (int, float, type(None)),
    "blank": (bool,),
    "warning": (str,),
    "caption": (str,),
    "look": (str,),
}
_LARGEST = 1 << 53  # what the index holds as it is
_SOURCES = {"layer", "ocr", "sidecar", "none"}


def send(link: socket.socket, header: dict[str, Any], *blobs: bytes) -> None:
    """Send one frame: a header and blobs of bytes.

    Raises:
        LimitExceeded: it is larger than the other end would take; nothing was sent.
    """
    data = json.dumps([header, [len(blob) for blob in blobs]], separators=(",", ":")).encode()
    if len(data) > MAX_HEADER or any(len(blob) > MAX_BLOB for blob in blobs):
        raise LimitExceeded("more text or pixels than a page may have; split it")
    link.sendall(struct.pack(">I", len(data)) + data)
    for blob in blobs:
        link.sendall(blob)


def receive(
    link: socket.socket, within: float | None = None
) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next frame, or None when the other end is gone or sends nonsense.

    Args:
        within: seconds that all of the frame may take; by default as long as it likes.
    """
    deadline = None if within is None else time.monotonic() + within
    size = _read(link, 4, 4, deadline)
    data = _read(link, struct.unpack(">I", size)[0], MAX_HEADER, deadline) if size else None
    if data is None:
        return None
    try:
        header, lengths = json.loads(data)
        if not isinstance(header, dict) or len(lengths) > MAX_BLOBS:
            return None
        blobs = [_read(link, int(length), MAX_BLOB, deadline) for length in lengths]
    except (ValueError, TypeError, OverflowError, MemoryError, RecursionError):
        return None
    found = [blob for blob in blobs if blob is not None]
    return (header, found) if len(found) == len(blobs) else None


def page_to_frame(page: Page) -> tuple[dict[str, Any], list[bytes]]:
    """A page as header and blobs: its picture, its words as they are stored, and raw pixels.

    The pixels are there where text is still to be recognised; `unread` of the header is then their
    mode, `L` or `RGB`, width and height.
    """
    text = page.text
    header: dict[str, Any] = {
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
    blobs = [page.picture, encode_words(text.words)]
    if page.unread is not None:
        image = page.unread if page.unread.mode in _BYTES_A_PIXEL else page.unread.convert("RGB")
        header["unread"] = [image.mode, *image.size]
        blobs.append(image.tobytes())
    return header, blobs


def frame_to_page(header: dict[str, Any], picture: bytes) -> Page:
    """The page of a frame; its words stay as bytes, on their way to the page store.

    Raises:
        KeyError, TypeError, ValueError: it is not the frame of a page.
    """
    for name, kind in _FIELDS.items():
        value = header[name]
        if type(value) not in kind:
            raise TypeError(f"{name} is a {type(value).__name__}")
        if isinstance(value, int | float) and not abs(value) < _LARGEST:  # nor is NaN
            raise ValueError(f"{name} is {value!r:.50}")
    if header["source"] not in _SOURCES:
        raise ValueError("source")
    return Page(
        number=header["page"],
        picture=picture,
        width=header["width"],
        height=header["height"],
        text=PageText(_clean(header["text"]), header["source"], (), header["confidence"]),
        seconds=header["seconds"],
        blank=header["blank"],
        warning=_clean(header["warning"]),
        caption=_clean(header["caption"]),
        look=_clean(header["look"]),
    )


def check_unread(header: dict[str, Any], pixels: bytes) -> None:
    """See that there are as many pixels as the header says.

    Raises:
        KeyError, TypeError, ValueError: there are not.
    """
    mode, width, height = header["unread"]
    sides = isinstance(width, int) and isinstance(height, int) and min(width, height) > 0
    if not sides or len(pixels) != width * height * _BYTES_A_PIXEL[mode]:
        raise ValueError(f"{len(pixels)} bytes are not {width} x {height} pixels")


def unread_of_frame(header: dict[str, Any], pixels: bytes) -> Image:
    """The rendering whose text is to be recognised; see `page_to_frame`."""
    from PIL import Image

    check_unread(header, pixels)
    mode, width, height = header["unread"]
    return Image.frombytes(mode, (width, height), pixels)


def words_of_frame(words: bytes) -> tuple[Word, ...]:
    """The words of a page, as `page_store.encode_words` wrote them."""
    return tuple(Word(row[0], Box(*row[1:5]), row[5]) for row in json.loads(words))


def _clean(text: str) -> str:
    """The text without halves of characters, which no file and no database takes."""
    return text.encode("utf-8", "replace").decode()


def _read(link: socket.socket, length: int, most: int, deadline: float | None) -> bytes | None:
    if not 0 <= length <= most:
        return None
    parts = bytearray(length)
    view, done = memoryview(parts), 0
    while done < length:
        try:
            if deadline is not None:
                link.settimeout(max(deadline - time.monotonic(), 0.001))
            count = link.recv_into(view[done:])
        except OSError:
            return None
        if not count:
            return None
        done += count
    return bytes(parts)
