"""A reading process with one more reader, for files that say how they misbehave.

A `.hostile` file is JSON: `{"pages": 5, "open": "hang", "3": "crash"}`. Every page tells what its
process knows, in JSON. A page that `unread` is said of has its text recognised by the process of
`hostile_ocr_worker.py`, which misbehaves as the words behind it say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

import ingest.readers
from ingest import worker
from ingest.readers import ReadContext, Reader
from mmsearch.errors import MissingExtra, NeedsPassword, UnreadableFile
from mmsearch.images import encode_picture
from mmsearch.types import Box, Kind, Page, PageText, Word

_KEPT: list[bytes] = []
PICTURE = encode_picture(Image.new("RGB", (32, 32), "white"))


class HostileFile:
    """Misbehaves as its JSON says."""

    kind: Kind = "other"

    def __init__(self, path: Path, context: ReadContext) -> None:
        self.title = path.stem
        self._path = path
        self._context = context
        self._says: dict[str, Any] = json.loads(path.read_text())
        self.page_count: int = self._says["pages"]
        self._misbehave(self._says.get("open"))

    def page(self, number: int) -> Page:
        begun = time.monotonic()
        how = self._says.get(str(number), self._says.get("every"))
        if number in range(*self._says.get("missing", (0, 0))):
            with self._path.with_suffix(".missed").open("a") as missed:
                missed.write("x")
            raise UnreadableFile(f"{self._path.name}, page {number}: is not there")
        self._misbehave(how)
        words = (Word(f"page-{number}", Box(0, 0, 0.5, 0.25)),)
        text = PageText(f"page {number}", "layer", words)
        unread = None
        if how and how.startswith("unread"):
            unread = Image.new("LA" if number % 2 else "L", (20, 10), number)
            time.sleep(0.03)
        return Page(
            number,
            PICTURE,
            32,
            32,
            text,
            caption=json.dumps(self._tell() | {"span": [begun, time.monotonic()]}),
            look=how or "",
            unread=unread,
        )

    def __enter__(self) -> HostileFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._misbehave(self._says.get("close"))

    def _tell(self) -> dict[str, Any]:
        scratch = self._context.scratch
        return {
            "pid": os.getpid(),
            "scratch": str(scratch),
            "there": bool(scratch and scratch.is_dir()),
            "passwords": self._context.passwords,
            "public": [*sys.argv, *os.environ.values()],
        }

    def _misbehave(self, how: str | None) -> None:
        match how:
            case "hang":
                time.sleep(600)
            case "child":
                child = subprocess.Popen(["sleep", "600"])
                self._path.with_suffix(".child").write_text(str(child.pid))
                time.sleep(600)
            case "crash":
                os.abort()
            case "litter":
                Path(tempfile.mkdtemp(), "huge").write_bytes(bytes(1000))
                os.abort()
            case "exit":
                os._exit(3)
            case "memory":
                bytearray(64 << 30)
            case "bloat":
                _KEPT.append(b"x" * (1100 << 20))
            case "surprise":
                raise ZeroDivisionError("nobody foresaw\nthis")
            case "unreadable":
                raise UnreadableFile("the page is torn; scan it again")
            case "locked":
                raise NeedsPassword("it is locked")
            case "extra":
                raise MissingExtra("a package is missing")
            case "slow":
                time.sleep(0.6)
            case "alive":
                for _ in range(5):
                    time.sleep(0.3)
                    self._context.alive()


def open_file(path: Path, context: ReadContext) -> HostileFile:
    """The reader."""
    return HostileFile(path, context)


if __name__ == "__main__":
    reader = Reader("tests.hostile_worker", frozenset({".hostile"}), lambda head: False)
    ingest.readers.READERS = (reader, *ingest.readers.READERS)
    worker.main()
