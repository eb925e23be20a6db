"""What is written to a terminal and to a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINE = "a \x1b[31mpump\u202e leaks"
SHOW = f"from mmsearch.cli.lines import show_marked; show_marked({LINE!a}, [(7, 11)])"
BARE = "a \N{REPLACEMENT CHARACTER}[31mpump leaks"


def written(*, terminal: bool, **environment: str) -> str:
    """What `SHOW` writes, to a terminal of its own or to a pipe."""
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"} | environment
    read, write = pty.openpty() if terminal else os.pipe()
    try:
        subprocess.run([sys.executable, "-c", SHOW], stdout=write, env=env, check=True, timeout=60)
        return os.read(read, 10_000).decode().rstrip()
    finally:
        os.close(read)
        os.close(write)


def test_words_are_bold_on_a_terminal_and_nothing_else_gets_through() -> None:
    bold = BARE.replace("pump", "\x1b[1mpump\x1b[0m")
    assert written(terminal=True) == bold


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_nothing_is_bold_where_that_is_not_wanted(environment: dict[str, str]) -> None:
    assert written(terminal=True, **environment) == BARE


def test_nothing_is_bold_in_a_pipe() -> None:
    assert written(terminal=False) == BARE
