"""The process that carries out a job: `mmsearch ingest --json`, beside the server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from typing import IO, TYPE_CHECKING

from mmsearch.config import ENVIRONMENT_PREFIX, Settings
from mmsearch.niceness import BESIDE_SEARCHES, lower
from mmsearch.opening import without_password
from ui.library.job import Job

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine


def start(job: Job, engine: SearchEngine, said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start to read a job's files, at low priority: events come on stdout.

    Args:
        job: what is read.
        engine: of the index; its settings are passed on.
        said: takes what the process says beside that.

    Raises:
        OSError: it cannot be started.
    """
    command = [sys.executable, "-m", "mmsearch.cli", "ingest", "--json"]
    command += ["--retry"] * job.retry + ["--", *job.paths]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        env=environment(engine),
        start_new_session=True,  # Ctrl-C is for the server, which then ends it
    )
    lower(process.pid, BESIDE_SEARCHES)
    return process


def end(process: subprocess.Popen[bytes] | None, grace: float) -> None:
    """Ask a process to finish the pages in hand, and kill it if that takes longer than `grace`."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    timer = threading.Timer(grace, _kill, [process])
    timer.daemon = True
    timer.start()


def environment(engine: SearchEngine) -> dict[str, str]:
    """Every setting of this server, as the process reads them: a command line can be seen."""
    settings = engine.settings
    address = engine.index.address
    if "://" in address and without_password(settings.index) == address:
        address = settings.index
    variables = dict(os.environ)
    for item in fields(Settings):
        variables[ENVIRONMENT_PREFIX + item.name.upper()] = str(getattr(settings, item.name))
    del variables[f"{ENVIRONMENT_PREFIX}USERS"]
    return variables | {f"{ENVIRONMENT_PREFIX}INDEX": address}


def why(code: int, said: IO[bytes]) -> str:
    """Why a process has ended without a report: its own last line, or the signal."""
    said.seek(max(said.seek(0, os.SEEK_END) - 4096, 0))
    lines = said.read().decode(errors="replace").strip().splitlines()
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
        return f"the process was ended by {name}{memory}; what was finished is kept, start it again"
    if lines:
        return lines[-1].removeprefix("mmsearch: ")[:1000]
    return f"the process ended with exit code {code}; start it again"


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
