"""Processes of our own that do the dangerous work: started, limited, told apart when they die.

They are started as `python -P -m MODULE FD PARENT` and speak `frames.py` over that socket.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.frames import receive, send
from mmsearch import niceness
from mmsearch.config import SECRETS, Settings
from mmsearch.errors import LimitExceeded, MMSearchError, UnreadableFile

NONSENSE = "the reader sent nonsense and was ended"

_MEMORY = re.compile(
    r"bad.?alloc|(?:fail\w* to|can ?not|could not|unable to) allocate|insufficient memory"
    r"|out of memory|can't start new thread|failed to map segment",
    re.IGNORECASE,
)


class Process:
    """A process as its parent sees it."""

    def __init__(
        self, module: str, settings: Settings, *, temporary: Path | None = None, **start: Any
    ) -> None:
        """Start `module` and send it the settings, without secrets, and what `start` holds.

        `temporary` is a folder for its temporary files, and those of the processes that it starts.
        """
        ours, theirs = socket.socketpair()
        secret_free = {k: v for k, v in os.environ.items() if not k.startswith("MMSEARCH_")}
        # -P: else a file of the current folder, `json.py` say, would be run in place of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("MMSEARCH_DEBUG") else subprocess.DEVNULL,
            env=secret_free
            | {
                "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path),
                "OMP_THREAD_LIMIT": "1",
            }
            | ({"TMPDIR": str(temporary)} if temporary else {}),
            start_new_session=True,
        )
        theirs.close()
        self._patience = settings.page_timeout  # for the rest of a frame once it has begun
        self.link = ours
        self.send(start | {"settings": asdict(settings) | dict.fromkeys(SECRETS, "")})

    def send(self, header: Mapping[str, Any], *blobs: bytes) -> None:
        """Send a frame; a process that is dead already shows when it is heard from next."""
        with contextlib.suppress(OSError, LimitExceeded):
            self.link.settimeout(self._patience)
            send(self.link, dict(header), *blobs)

    def receive(self) -> tuple[dict[str, Any], list[bytes]] | None:
        """The next frame, or None when the process is gone or sends nonsense."""
        return receive(self.link, self._patience)

    def cause_of_death(self) -> str:
        """Why nothing more is heard, for people."""
        code = self.exit_code()
        if code is None:
            return NONSENSE
        if code < 0:
            return (
                f"the reader crashed ({shown(code)}): the file is damaged or needs too much memory"
            )
        return f"the reader ended ({shown(code)}): the file is damaged or needs too much memory"

    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None where it goes on, though nothing is heard."""
        try:
            return self._process.wait(timeout=2)  # its socket closes a little before it is gone
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End it at once, with every process that it has started."""
        self.link.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # One that waits for a disk that is away ends when that answers; nobody waits with it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)


def shown(code: int) -> str:
    """How a process ended, for people."""
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


# What follows is for the process itself.


def begin() -> tuple[socket.socket, Settings, dict[str, Any]]:
    """Take the first frame and set the limits: the link, the settings, and what else was sent."""
    link = socket.socket(fileno=int(sys.argv[1]))
    first = receive(link)
    if first is None:
        sys.exit(0)
    start, _ = first
    settings = Settings(**start.pop("settings"))
    niceness.keep(settings.worker_niceness)
    _limit(settings.worker_memory, parent=int(sys.argv[2]))
    return link, settings, start


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


def too_hungry(settings: Settings) -> str:
    """The reason of a failure for want of memory."""
    return (
        f"needs more than {settings.worker_memory >> 20} MiB of memory; "
        "raise the setting worker_memory"
    )


def is_hungry(error: BaseException) -> bool:
    """Whether an error is for want of memory, which libraries tell in ways of their own."""
    return isinstance(error, MemoryError) or bool(_MEMORY.search(str(error)))


def resident() -> int:
    """Memory that this process holds, in bytes, once it has given back what is free; 0 unknown."""
    if sys.platform != "linux":
        return 0
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def one_line(error: BaseException) -> str:
    """An error as a reason: ours as it is, others with their type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, MMSearchError) else f"{type(error).__name__}: {text}"[:300]


def told(error: Exception, settings: Settings) -> dict[str, str]:
    """An error as it is sent to the parent: its reason and its class."""
    if isinstance(error, MMSearchError):
        return {"reason": one_line(error), "error": type(error).__name__}
    if is_hungry(error):
        return {"reason": too_hungry(settings), "error": LimitExceeded.__name__}
    return {"reason": one_line(error), "error": UnreadableFile.__name__}
