"""How long the command line takes from cold: `--help`, and a search of a small index.

    python -m bench.cold [--index DIR] [--json]

Beside them stands a bare Python process, which no command can beat.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def main() -> None:
    """Print median seconds of each command, a fresh process each time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--index", type=Path, help="an index; a sample one is built by default")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        index = arguments.index or _sample_index(Path(temporary))
        figures = {
            "bare python": _median([sys.executable, "-c", ""]),
            "--help": _median(_mmsearch("--help")),
            "search": _median(_mmsearch("search", "revenue by region", "--index", str(index))),
        }
    for name, seconds in figures.items():
        print(f"{name:12} {seconds:.2f} s")
    if arguments.json:
        print(json.dumps(figures))


def _mmsearch(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mmsearch.cli", *arguments]


def _median(command: list[str]) -> float:
    seconds = []
    for _ in range(RUNS):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


def _sample_index(folder: Path) -> Path:
    from samples.build import build

    build(folder / "samples")
    corpus = folder / "samples" / "corpus"
    command = _mmsearch("ingest", str(corpus / "reports"), "--index", str(folder / "index"))
    subprocess.run(command, check=True, capture_output=True)
    return folder / "index"


if __name__ == "__main__":
    main()
