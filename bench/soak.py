"""Whether memory stays where it is on a long run: thousands of generated pages, in one go.

    python -m bench.soak [--pages 20000] [--mark 5000] [--folder DIR] [--json]

Files of many sizes and kinds, with text layers, are made and ingested in one run. The memory of all
processes is what only they hold (anonymous and shared memory, without mapped files: the index's
are the operating system's to keep or drop), looked at every second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

import ingest
import mmsearch
from ingest import Progress
from mmsearch.config import Settings

WORDS = """
archive harbour pump valve letter invoice river heron bridge engine station ledger winter contract
surface pressure manual chapter figure signal copper timber anchor lantern
""".split()  # noqa: SIM905 - a list of words is read more easily so
Sample = tuple[str, int, int]  # phase, pages or vectors done, bytes


def main() -> None:
    """Print memory at the mark and at the end, reading and encoding."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        files = write_files(folder / "files", arguments.pages)
        samples: list[Sample] = []
        with mmsearch.open(folder / "index", settings=Settings()) as engine:
            started = time.monotonic()
            with _Watcher(samples) as watcher:
                report = ingest.run([folder / "files"], engine, progress=watcher.update)
            pages = engine.status()["searchable_pages"]
        assert not report.of("failed"), report.of("failed")[:3]
    figures: dict[str, float] = {
        "files": files,
        "pages": pages,
        "seconds": time.monotonic() - started,
        "reading pages/s": pages / report.seconds_reading,
        "encoding pages/s": pages / report.seconds_encoding,
    }
    for phase in ("reading", "encoding"):
        mark, end = (_around(samples, phase, at) for at in (arguments.mark, pages))
        figures |= {
            f"{phase} MB at mark": mark / 1e6,
            f"{phase} MB at end": end / 1e6,
            f"{phase} ratio": end / mark,
        }
    figures["peak MB"] = max(size for *_, size in samples) / 1e6
    for name, value in figures.items():
        print(f"{name:24} {value:.4g}")
    if arguments.json:
        print(json.dumps(figures))


def write_files(folder: Path, pages: int) -> int:
    """PDFs of 1 to 120 pages with text, tables and pictures; how many."""
    from PIL import Image
    from reportlab.lib.pagesizes import A4, landscape, letter
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    folder.mkdir()
    chance = random.Random(1)
    photo = ImageReader(Image.effect_noise((600, 400), 60).convert("RGB"))
    written = files = 0
    while written < pages:
        files += 1
        size = chance.choice((A4, A4, letter, landscape(A4)))
        canvas = Canvas(str(folder / f"{files:05}.pdf"), pagesize=size)
        for _ in range(min(chance.choice((1, 2, 4, 12, 40, 120)), pages - written)):
            top = size[1] - 60
            for line in range(chance.choice((4, 8, 16))):
                words = " ".join(chance.choices(WORDS, k=9))
                canvas.drawString(50, top - 14 * line, f"{written} {line} {words}")
            if chance.random() < 0.2:
                canvas.drawImage(photo, 60, 60, 300, 200)
            if chance.random() < 0.2:
                canvas.grid([60, 160, 260, 360], [60, 90, 120, 150])
            canvas.showPage()
            written += 1
        canvas.save()
    return files


class _Watcher:
    """Looks at the memory of this process and its children every second, in a thread."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples
        self._progress = Progress()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def update(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> _Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(1.0):
            now = self._progress
            done = now.vectors if now.phase == "encoding" else now.pages
            if size := _memory():
                self._samples.append((now.phase, done, size))


def _memory() -> int:
    """Bytes of anonymous and shared memory of this process and all below it."""
    ours = psutil.Process(os.getpid())
    total = 0
    for process in (ours, *_children(ours)):
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue  # it has ended meanwhile
        total += sum(
            int(line.split()[1]) << 10
            for line in status.splitlines()
            if line.startswith(("RssAnon", "RssShmem"))
        )
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:  # one ended while they were counted
        return []


def _around(samples: list[Sample], phase: str, at: int) -> float:
    """The median of the ten samples nearest to a number of pages: single ones jump."""
    near = sorted((abs(done - at), size) for kind, done, size in samples if kind == phase)
    if not near:
        sys.exit(f"{phase} took less than a second: take more pages")
    return statistics.median(size for _, size in near[:10])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--mark", type=int, default=5_000, help="pages at which memory is compared")
    parser.add_argument("--folder", type=Path, help="where to work; by default in /tmp")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
