"""A reading process with one more reader, for files that say how they misbehave.

A `.hostile` file is JSON: `{"pages": 5, "open": "hang", "3": "crash"}`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import ingest.readers
from ingest import worker
from ingest.readers import ReadContext, Reader
from mmsearch.errors import UnreadableFile
from mmsearch.types import Kind, Page, PageText


class HostileFile:
    """Misbehaves as its JSON says."""

    kind: Kind = "other"

    def __init__(self, path: Path) -> None:
        self.title = path.stem
        self._says: dict[str, Any] = json.loads(path.read_text())
        self.page_count: int = self._says["pages"]
        _misbehave(self._says.get("open"))

    def page(self, number: int) -> Page:
        _misbehave(self._says.get(str(number)))
        return Page(number, b"picture", 32, 32, PageText(f"page {number}", "layer"))

    def __enter__(self) -> HostileFile:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _misbehave(how: str | None) -> None:
    match how:
        case "hang":
            time.sleep(600)
        case "crash":
            os.abort()
        case "exit":
            os._exit(3)
        case "memory":
            bytearray(64 << 30)
        case "surprise":
            raise RuntimeError("nobody foresaw\nthis")
        case "unreadable":
            raise UnreadableFile("the page is torn; scan it again")
        case "slow":
            time.sleep(0.6)


def open_file(path: Path, _: ReadContext) -> HostileFile:
    """The reader."""
    return HostileFile(path)


if __name__ == "__main__":
    reader = Reader("other", "tests.hostile_worker", frozenset({".hostile"}), lambda head: False)
    ingest.readers.READERS = (reader, *ingest.readers.READERS)
    worker.main()
