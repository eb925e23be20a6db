"""A process that recognises text, with an engine that misbehaves as the page says.

What it finds is JSON: its process, when it was at work, and what it was given to look at.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import Any

from PIL import Image

from ingest import ocr_worker, scans
from mmsearch.config import Settings
from mmsearch.images import PICTURE_PIXELS, encode_picture
from mmsearch.types import Page, PageText

UPRIGHT = encode_picture(Image.new("RGB", (32, 32), "black"))


def finished(page: Page, settings: Settings, pixels: int = PICTURE_PIXELS) -> Page:
    """In place of `ingest.scans.finished`."""
    begun = time.monotonic()
    image = page.unread
    assert image is not None
    match page.look:
        case "unread hang":
            time.sleep(600)
        case "unread crash":
            os.abort()
        case "unread memory":
            bytearray(64 << 30)
        case "unread alloc":
            raise RuntimeError("Exception during initialization: std::bad_alloc")
        case "unread surprise":
            raise ZeroDivisionError("nobody foresaw\nthis")
        case "unread slow":
            time.sleep(0.3)
    time.sleep(0.05)
    found: dict[str, Any] = {
        "pid": os.getpid(),
        "span": [begun, time.monotonic()],
        "seen": [image.mode, image.size, image.convert("L").getpixel((19, 9))],
        "pixels": pixels,
    }
    return replace(page, text=PageText(json.dumps(found), "ocr"), picture=UPRIGHT, unread=None)


if __name__ == "__main__":
    scans.finished = finished
    ocr_worker.main()
