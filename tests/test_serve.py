"""While the page is served, other commands work on the same index."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder whose index is being served, and the page's address."""
    builders.write_text_pdf(tmp_path / "first.pdf", ["a heron stands in the river"])
    _mmsearch(tmp_path, "ingest", "first.pdf")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mmsearch.cli", "serve", "--port", str(port)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield tmp_path, address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_a_second_terminal_searches_ingests_lists_and_asks(served: tuple[Path, str]) -> None:
    folder, address = served
    assert "heron" in _mmsearch(folder, "search", "heron")
    builders.write_text_pdf(folder / "second.pdf", ["a kingfisher dives"])
    assert "1 done (1 page)" in _mmsearch(folder, "ingest", "second.pdf")
    assert _mmsearch(folder, "list").count(".pdf") == 2
    assert json.loads(_mmsearch(folder, "status", "--json"))["searchable_pages"] == 2
    assert "kingfisher" in _mmsearch(folder, "search", "kingfisher")
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200


def _mmsearch(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "mmsearch.cli", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def _wait_for(address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout and process.stdout.read()
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the page did not come up")
