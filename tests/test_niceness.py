"""What reads files beside searches leaves them the CPU, in whatever session it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmsearch.niceness import lower

SESSION = Path("/proc/self/autogroup")
with_sessions = pytest.mark.skipif(
    not SESSION.exists() or not SESSION.read_text(),
    reason="this system shares the CPU by process alone",
)
READING = """
import sys
from pathlib import Path
from ingest.process import Process
from mmsearch.config import Settings

settings = Settings(worker_niceness=int(sys.argv[1]))
reading = Process("ingest.worker", settings, pixels=1, passwords=[])
reading.receive()  # it has begun
print(Path(f"/proc/{reading._process.pid}/autogroup").read_text())
reading.end()
"""


@with_sessions
@pytest.mark.parametrize(("niceness", "setting"), [(0, 0), (7, 0), (0, 10), (7, 3), (0, 100)])
def test_a_process_that_reads_files_is_as_nice_as_its_ingestion_or_more(
    niceness: int, setting: int
) -> None:
    told = subprocess.run(
        ["nice", "-n", str(niceness), sys.executable, "-c", READING, str(setting)],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert told.stdout.strip().endswith(f" nice {max(own + niceness, min(setting, 19))}")


@with_sessions
def test_the_session_of_a_process_is_lowered_with_it() -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        lower(process.pid, 9)
        assert Path(f"/proc/{process.pid}/autogroup").read_text().endswith("nice 9\n")
        status = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        assert status[16] == "9"
        process.communicate(b"\n")


def test_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        lower(process.pid, 9)
