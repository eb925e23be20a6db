"""The reading process: opens hostile files under limits and sends their pages back.

Started by `cage.py` as `python -P -m ingest.worker FD PARENT`; speaks `frames.py` over that
socket. It reads files and nothing else: whatever happens to it, its parent lives.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from ingest.frames import page_to_frame, receive, send
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MMSearchError, UnreadableFile


def main() -> None:
    """Answer requests until the parent hangs up."""
    link = socket.socket(fileno=int(sys.argv[1]))
    settings_frame = receive(link)
    if settings_frame is None:
        return
    settings = Settings(**settings_frame[0]["settings"])
    _limit(settings.worker_memory, parent=int(sys.argv[2]))
    reading = _Reading(settings, settings_frame[0]["pixels"])
    while (request := receive(link)) is not None:
        header, _ = request
        try:
            _serve(link, reading, header)
        except MMSearchError as error:
            send(link, {"failed": str(error), "error": type(error).__name__})
        except MemoryError:
            send(link, {"failed": _too_hungry(settings), "error": LimitExceeded.__name__})
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError) as error:
            # A reader's library met something that nobody foresaw: the file fails, not the run.
            send(link, {"failed": _one_line(error), "error": UnreadableFile.__name__})


class _Reading:
    """The file that is open just now, kept between requests for its pages."""

    def __init__(self, settings: Settings, pixels: int) -> None:
        self.settings = settings
        self._pixels = pixels
        self._path: str | None = None
        self._stack = contextlib.ExitStack()
        self._file: Any = None

    def open(self, path: str) -> Any:
        from ingest.readers import open_file

        if path != self._path:
            self._path = None
            self._stack.close()
            file = open_file(Path(path), self.settings, self._pixels)
            self._file = self._stack.enter_context(file)
            self._path = path
        return self._file


def _serve(link: socket.socket, reading: _Reading, request: dict[str, Any]) -> None:
    file = reading.open(request["path"])
    if request["numbers"] is None:
        opened = {"kind": file.kind, "title": file.title, "page_count": file.page_count}
        send(link, {"opened": opened})
        return
    for number in request["numbers"]:
        try:
            header, picture, words = page_to_frame(file.page(number))
        except MemoryError:
            send(link, {"failed_page": number, "reason": _too_hungry(reading.settings)})
        except (MMSearchError, OSError, ValueError, RuntimeError, TypeError, IndexError) as error:
            send(link, {"failed_page": number, "reason": _one_line(error)})
        else:
            send(link, header, picture, words)
    send(link, {"end": True})


def _limit(memory: int, parent: int) -> None:
    """Bound this process, and have it end with its parent."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this; it may itself be process 1
            sys.exit(1)


def _too_hungry(settings: Settings) -> str:
    return (
        f"needs more than {settings.worker_memory >> 20} MiB of memory; "
        "raise the setting worker_memory"
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, MMSearchError) else f"{type(error).__name__}: {text}"[:300]


if __name__ == "__main__":
    main()
