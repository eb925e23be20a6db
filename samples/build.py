"""Builds the sample corpus: invented documents and pictures, the same bytes on every run.

    python samples/build.py FOLDER

writes FOLDER/corpus (to be ingested), FOLDER/screenshots (to search with, not to be ingested) and
FOLDER/truth.json (what a search should find). Needs reportlab, Pillow, numpy and pypdfium2.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

if not __package__:  # run as a script: make `samples` importable
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from samples import archive, diagrams, invoices, manual, pictures, report, scan, slides
from samples.paper import Paper, rasterise

REPORT = "reports/annual-report-2025.pdf"
MANUAL = "manuals/pump-manual.pdf"
SLIDES = "slides/product-launch.pdf"
LETTERS = "archive/letters-1962.pdf"
LEDGER = "archive/ledger.tif"

PARTS = ("corpus", "screenshots", "truth.json")  # of the folder, in the order they are replaced
PICTURE_DPI = 108  # pictures are drawn in points, 800 or so across


@dataclass(frozen=True)
class Picture:
    """One file of the folder `pictures`."""

    name: str
    size: tuple[float, float]  # points
    draw: Callable[[Paper], None]
    turned: bool = False  # stored lying on its side, with the EXIF tag that rights it


@dataclass(frozen=True)
class Screenshot:
    """A part of a page, saved as a screen would show it."""

    name: str
    path: str  # of the document, inside the corpus
    page: int
    box: tuple[float, float, float, float]  # left, top, right, bottom as parts of the page
    dpi: float
    quality: int  # of the JPEG; 0 writes a PNG


@dataclass(frozen=True)
class Query:
    """Words to search for, and the page that should come first."""

    text: str
    path: str
    page: int = 1
    needs: str = "text"  # "text": the text layer is enough; "ocr": only seen; "picture": no words


PICTURES = (
    Picture("tamsin-bridge.png", (800, 560), pictures.bridge),
    Picture("lighthouse.jpg", (600, 800), pictures.lighthouse),
    Picture("bicycle.png", (800, 600), pictures.bicycle),
    Picture("mount-ansgar.webp", (820, 620), pictures.mountain),
    Picture("fruit-bowl.jpg", (800, 600), pictures.fruit),
    Picture("sailing-boat.jpg", (600, 820), pictures.boat, turned=True),
    Picture("solar-system.png", (840, 560), diagrams.solar_system),
    Picture("office-network.png", (800, 610), diagrams.network),
    Picture("metro-map.png", (800, 640), diagrams.metro),
    Picture("floor-plan.png", (800, 590), diagrams.floor_plan),
    Picture("blinker-circuit.png", (800, 560), diagrams.circuit),
    Picture("weather-map.webp", (820, 640), diagrams.weather),
    Picture("household-water.png", (840, 600), diagrams.household),
)

SCREENSHOTS = (
    Screenshot("report-page-4.jpg", REPORT, 4, (0.07, 0.155, 0.93, 0.48), 100, 62),
    Screenshot("manual-page-6.png", MANUAL, 6, (0.05, 0.2, 0.95, 0.515), 170, 0),
    Screenshot("slide-6.jpg", SLIDES, 6, (0.02, 0.215, 0.7, 0.86), 64, 40),
)

QUERIES = (
    Query("INV-2024/0013", "invoices/brightwater-INV-2024-0013.pdf"),
    Query("Rechnung Gleitringdichtung Schöpfwerk", "invoices/schroeder-RE-2024-0418.pdf"),
    Query("facture restauration d’un lustre", "invoices/lumiere-FA-2024-0092.pdf"),
    Query("revenue by region", REPORT, 4),
    Query("lost-time injuries per million hours", REPORT, 6),
    Query("how to replace the impeller seal", MANUAL, 7),
    Query("TW-80-2105", MANUAL, 6),
    Query("wiring diagram of the motor", MANUAL, 5),
    Query("road map with launch in April 2026", SLIDES, 6),
    Query("hawser parted in the gale", LETTERS, 1, "ocr"),
    Query("cormorants on the breakwater", LETTERS, 3, "ocr"),
    Query("harbour dues July 1931", LEDGER, 2, "ocr"),
    Query("lighthouse at night", "pictures/lighthouse.jpg", 1, "ocr"),
    Query("floor plan of a cottage", "pictures/floor-plan.png", 1, "ocr"),
    Query("a bowl of fruit", "pictures/fruit-bowl.jpg", 1, "picture"),
)


def build(folder: Path) -> None:
    """Write the sample corpus; it appears when it is complete.

    Args:
        folder: made if it does not exist. An earlier build in it is replaced, other files stay.

    Raises:
        FileExistsError: the folder has a `corpus` or `screenshots` that was not built here.
    """
    folder = Path(folder).absolute()
    taken = [name for name in PARTS if (folder / name).exists()]
    if taken and "truth.json" not in taken:
        raise FileExistsError(f"{folder / taken[0]} was not built here; name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
        fresh = Path(work, "fresh")
        _write(fresh)
        if not folder.exists():
            fresh.rename(folder)
            return
        for name in PARTS:
            if (folder / name).exists():
                (folder / name).rename(Path(work, name))
            (fresh / name).rename(folder / name)


def _write(folder: Path) -> None:
    files: dict[str, bytes] = {
        REPORT: report.report(),
        MANUAL: manual.manual(),
        SLIDES: slides.slides(),
        LETTERS: archive.letters(),
        LEDGER: archive.ledger(),
    }
    files |= {f"invoices/{name}": draw() for name, draw in invoices.INVOICES.items()}
    files |= {f"pictures/{picture.name}": _picture(picture) for picture in PICTURES}
    truth = {"screenshots": [], "queries": [asdict(query) for query in QUERIES]}
    for shot in SCREENSHOTS:
        crop, box = _screenshot(files[shot.path], shot)
        _save(folder / "screenshots" / shot.name, crop)
        fact = {"file": shot.name, "path": shot.path, "page": shot.page, "box": box}
        truth["screenshots"].append(fact)
    for name, content in files.items():
        _save(folder / "corpus" / name, content)
    text = json.dumps(truth, indent=2, ensure_ascii=False) + "\n"
    _save(folder / "truth.json", text.encode())


def _picture(picture: Picture) -> bytes:
    paper = Paper(picture.size)
    picture.draw(paper)
    image = rasterise(paper.pdf(), 1, PICTURE_DPI)
    exif = Image.Exif()
    if picture.turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6  # Orientation: to be shown turned a quarter clockwise
    file = BytesIO()
    match Path(picture.name).suffix:
        case ".jpg":
            image.save(file, "JPEG", quality=88, exif=exif)
        case ".webp":
            image.save(file, "WEBP", quality=84)
        case _:
            image.save(file, "PNG")
    return file.getvalue()


def _screenshot(pdf: bytes, shot: Screenshot) -> tuple[bytes, list[float]]:
    """The bytes of the screenshot and its exact box, after rounding to pixels."""
    page = rasterise(pdf, shot.page, 144)
    wide, high = page.size
    left, top, right, bottom = shot.box
    pixels = (round(left * wide), round(top * high), round(right * wide), round(bottom * high))
    crop = page.crop(pixels)
    factor = shot.dpi / 144
    size = (round(crop.width * factor), round(crop.height * factor))
    crop = crop.resize(size, Image.Resampling.LANCZOS)
    box = [round(pixel / (wide, high)[axis % 2], 4) for axis, pixel in enumerate(pixels)]
    if shot.quality:
        return scan.jpeg(crop, shot.quality), box
    file = BytesIO()
    crop.save(file, "PNG")
    return file.getvalue(), box


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the sample corpus.")
    parser.add_argument("folder", type=Path, help="where to write it; an earlier build is replaced")
    folder: Path = parser.parse_args().folder
    try:
        build(folder)
    except FileExistsError as problem:
        sys.exit(str(problem))
    count = sum(path.is_file() for path in (folder / "corpus").rglob("*"))
    print(f"{count} files in {folder / 'corpus'}")


if __name__ == "__main__":
    main()
