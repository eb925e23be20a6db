"""The reading process: opens hostile files under limits and sends their pages back.

Started by `crew.py` as `python -P -m ingest.worker FD PARENT`; speaks `frames.py` over that
socket. It reads files and nothing else: whatever happens to it, its parent lives.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.frames import page_to_frame, receive, send
from ingest.process import begin, resident, told
from ingest.readers import OpenFile, ReadContext, open_file
from ingest.sidecars import with_sidecar
from mmsearch.config import Settings
from mmsearch.looks import with_look
from mmsearch.types import Page

_ALIVE = 0.2  # seconds between signs of life


def main() -> None:
    """Answer requests until the parent hangs up."""
    link, settings, start = begin()
    send(link, {"alive": True})  # what follows is the file's time
    reading = _Reading(link, settings, start["pixels"], tuple(start["passwords"]))
    while (frame := receive(link)) is not None:
        request, _ = frame
        if "close" in request:
            reading.close()
            continue
        try:
            reading.open(request)
        except Exception as error:  # a reader's library met something that nobody foresaw
            send(link, {"failed": True, "resident": resident()} | told(error, settings))
        else:
            _serve(link, reading, request["numbers"])


class _Reading:
    """The file that is open just now, kept between requests for its pages."""

    def __init__(
        self, link: socket.socket, settings: Settings, pixels: int, passwords: tuple[str, ...]
    ) -> None:
        self.settings = settings
        self.file: OpenFile | None = None
        self._link = link
        self._pixels = pixels
        self._passwords = passwords
        self._key: str | None = None
        self._sidecar: Path | None = None
        self._stack = contextlib.ExitStack()
        self._last_sign = 0.0

    def open(self, request: dict[str, Any]) -> None:
        if request["key"] == self._key:
            return
        self.close()
        self._sidecar = Path(request["sidecar"]) if request["sidecar"] else None
        context = ReadContext(
            self.settings,
            self._pixels,
            self._passwords,
            Path(request["scratch"]),
            self._alive,
        )
        self.file = self._stack.enter_context(open_file(Path(request["path"]), context))
        self._key = request["key"]

    def page(self, number: int) -> Page:
        """A page, finished but for text that is to be recognised."""
        assert self.file is not None
        page = self.file.page(number)
        if self._sidecar and page.unread:
            page = with_sidecar(page, self._sidecar, self.file.page_count)
        return page if page.unread else with_look(page)

    def close(self) -> None:
        """Close the file; the parent hears of it, for what it takes is that file's fault."""
        if self._key is None:
            return
        self.file = self._key = None
        with contextlib.suppress(Exception):  # what cannot be closed is let go all the same
            self._stack.close()
        self._stack = contextlib.ExitStack()
        send(self._link, {"closed": True, "resident": resident()})

    def _alive(self) -> None:
        now = time.monotonic()
        if now - self._last_sign > _ALIVE:
            self._last_sign = now
            send(self._link, {"alive": True})


def _serve(link: socket.socket, reading: _Reading, numbers: Sequence[int] | None) -> None:
    file = reading.file
    assert file is not None
    if numbers is None:
        opened = {"kind": file.kind, "title": file.title, "page_count": file.page_count}
        send(link, {"opened": opened})
        return
    send(link, {"ready": True})
    for number in numbers:
        try:
            header, blobs = page_to_frame(reading.page(number))
            send(link, header, *blobs)
        except Exception as error:  # as above; the pages behind it may be fine
            send(link, {"failed_page": number} | told(error, reading.settings))
        else:
            is_unread = "unread" in header
            del header, blobs
            # Pages come faster than their text is recognised: go on when the parent says so.
            if is_unread and receive(link) is None:
                sys.exit(0)
    send(link, {"end": True})


if __name__ == "__main__":
    main()
