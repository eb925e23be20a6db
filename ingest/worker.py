"""The reading process: opens hostile files under limits and sends their pages back.

Started by `cage.py` as `python -P -m ingest.worker FD PARENT`; speaks `frames.py` over that
socket. It reads files and nothing else: whatever happens to it, its parent lives.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

from ingest import scans
from ingest.frames import page_to_frame, receive, send
from ingest.process import begin, one_line, too_hungry
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MMSearchError, UnreadableFile
from mmsearch.types import Page


def main() -> None:
    """Answer requests until the parent hangs up."""
    link, settings, start = begin()
    reading = _Reading(settings, start["pixels"])
    while (request := receive(link)) is not None:
        header, _ = request
        try:
            _serve(link, reading, header)
        except MMSearchError as error:
            send(link, {"failed": str(error), "error": type(error).__name__})
        except MemoryError:
            send(link, {"failed": too_hungry(settings), "error": LimitExceeded.__name__})
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError) as error:
            # A reader's library met something that nobody foresaw: the file fails, not the run.
            send(link, {"failed": one_line(error), "error": UnreadableFile.__name__})


class _Reading:
    """The file that is open just now, kept between requests for its pages."""

    def __init__(self, settings: Settings, pixels: int) -> None:
        self.settings = settings
        self._pixels = pixels
        self._path: str | None = None
        self._stack = contextlib.ExitStack()
        self._file: Any = None

    def open(self, path: str) -> Any:
        from ingest.readers import ReadContext, open_file

        if path != self._path:
            self._path = None
            self._stack.close()
            file = open_file(Path(path), ReadContext(self.settings, self._pixels))
            self._file = self._stack.enter_context(file)
            self._path = path
        return self._file

    def page(self, number: int) -> Page:
        return scans.finished(self._file.page(number), self.settings, self._pixels)


def _serve(link: socket.socket, reading: _Reading, request: dict[str, Any]) -> None:
    file = reading.open(request["path"])
    if request["numbers"] is None:
        opened = {"kind": file.kind, "title": file.title, "page_count": file.page_count}
        send(link, {"opened": opened})
        return
    for number in request["numbers"]:
        try:
            header, picture, words = page_to_frame(reading.page(number))
        except MemoryError:
            send(link, {"failed_page": number, "reason": too_hungry(reading.settings)})
        except (MMSearchError, OSError, ValueError, RuntimeError, TypeError, IndexError) as error:
            send(link, {"failed_page": number, "reason": one_line(error)})
        else:
            send(link, header, picture, words)
    send(link, {"end": True})


if __name__ == "__main__":
    main()
