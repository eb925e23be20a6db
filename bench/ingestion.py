"""How fast files become searchable, and how much faster than the usual way.

    python -m bench.ingestion PDF_OR_FOLDER... [--scans] [--pages N] [--json]

Ours: files to pages that are stored and searchable by words, then vectors. The rival does less:
pdf2image (poppler) at 144 dpi with both cores, pictures only, no text, nothing stored. `--scans`
rasterises the PDFs at 150 dpi first, so that every page has to be read by OCR.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import ingest
import mmsearch
from mmsearch.config import Settings


def main() -> None:
    """Print pages a second of both, and the ratio."""
    arguments = _arguments()
    files = [path for given in arguments.paths for path in _pdfs(given)]
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.scans:
            files = _scanned(files, Path(temporary), arguments.pages)
        figures = _ours(files, Path(temporary))
        if not arguments.scans:  # the rival reads no words, so beside OCR it says nothing
            figures |= _rival(files)
            figures["ratio"] = figures["words pages/s"] / figures["pdf2image pages/s"]
    for name, value in figures.items():
        print(f"{name:20} {value:.2f}")
    if arguments.json:
        print(json.dumps(figures))


def _ours(files: list[Path], folder: Path) -> dict[str, float]:
    with mmsearch.open(folder / "index", settings=Settings()) as engine:
        report = ingest.run(files, engine)
    pages = sum(result.pages for result in report.of("done"))
    return {
        "files": len(files),
        "pages": pages,
        "words pages/s": pages / report.seconds_reading,
        "vectors pages/s": pages / report.seconds_encoding,
    }


def _rival(files: list[Path]) -> dict[str, float]:
    from pdf2image import convert_from_path, pdfinfo_from_path

    started = time.monotonic()
    pages = 0
    for file in files:
        count = pdfinfo_from_path(file)["Pages"]
        for first in range(1, count + 1, 16):
            last = min(first + 15, count)
            pages += len(
                convert_from_path(
                    file, dpi=144, first_page=first, last_page=last, thread_count=os.cpu_count()
                )
            )
    return {"pdf2image pages/s": pages / (time.monotonic() - started)}


def _scanned(files: list[Path], folder: Path, most: int) -> list[Path]:
    """The first pages of the files as PDFs that are only pictures."""
    import pypdfium2

    scans: list[Path] = []
    left = most
    for file in files:
        pictures = []
        with pypdfium2.PdfDocument(file) as pdf:
            for page in list(pdf)[:left]:
                pictures.append(page.render(scale=150 / 72).to_pil().convert("L"))
        left -= len(pictures)
        if pictures:
            scans.append(folder / f"{file.stem}.pdf")
            pictures[0].save(
                scans[-1], save_all=True, append_images=pictures[1:], resolution=150, quality=80
            )
        if left <= 0:
            break
    return scans


def _pdfs(given: Path) -> list[Path]:
    return sorted(given.rglob("*.pdf")) if given.is_dir() else [given]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--scans", action="store_true", help="without text layer, by OCR")
    parser.add_argument("--pages", type=int, default=40, help="at most so many pages as scans")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
