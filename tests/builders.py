"""Makes the files that tests read: PDFs with and without text, scans, images, broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

A4 = (595, 842)  # PDF points
LOREM = (
    "The lighthouse keeper counted seven ships before the evening fog came down",
    "and wrote their names into the ledger beside the price of lamp oil.",
    "A letter from the harbour office asked for figures of the last quarter,",
    "so the keeper added tonnage, cargo and destination in three columns.",
    "Nobody had ever checked the sums, yet every winter the inspector came",
    "and praised the careful handwriting on the yellow pages of the book.",
    "One spring a storm broke two windows and soaked half of the archive.",
    "Drying took weeks: sheets hung between the stairs like washing on a line,",
    "while gulls watched through empty frames and the stove burned day and night.",
    "What could still be read was copied, what could not was described,",
    "with its size, its colour and whatever a thumb might feel of the ink.",
    "Visitors later thought these descriptions the finest part of the collection.",
)


def write_text_pdf(
    path: Path,
    pages: Sequence[str],
    *,
    title: str = "",
    size: tuple[float, float] = A4,
    rotate: int = 0,
    crop: tuple[float, float, float, float] | None = None,
    password: str = "",
) -> Path:
    """A born-digital PDF, one string a page; a newline starts a new line.

    Args:
        size: of the page, in points. Text starts 72 points from the left and the top.
        rotate: the page's /Rotate, in degrees clockwise.
        crop: left, bottom, right and top of the crop box, in points.
        password: encrypts the file.
    """
    # reportlab swaps the sides of a rotated page's media box
    canvas = _canvas(path, (size[1], size[0]) if rotate in (90, 270) else size, password)
    if title:
        canvas.setTitle(title)
    for text in pages:
        if rotate:
            canvas.setPageRotation(rotate)
        if crop:
            canvas.setCropBox(crop)
        canvas.setFont("Helvetica", 12)
        for number, line in enumerate(text.split("\n")):
            canvas.drawString(72, size[1] - 84 - 16 * number, line)
        canvas.showPage()
    canvas.save()
    return path


def write_scan_pdf(
    path: Path, pages: Sequence[Image.Image], *, dpi: float = 150, hidden: str = ""
) -> Path:
    """A PDF of page images, as scanners write it.

    Args:
        dpi: resolution of the images.
        hidden: invisible text over each of them, the text layer that scanning programs add.
    """
    from reportlab.lib.utils import ImageReader

    canvas = _canvas(path, A4)
    for image in pages:
        size = (image.width * 72 / dpi, image.height * 72 / dpi)
        canvas.setPageSize(size)
        canvas.drawImage(ImageReader(image), 0, 0, *size)
        if hidden:
            text = canvas.beginText(72, size[1] - 84)
            text.setTextRenderMode(3)
            text.textLines(hidden)
            canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return path


def write_empty_page_pdf(path: Path) -> Path:
    """A PDF of one page with nothing on it."""
    canvas = _canvas(path, A4)
    canvas.showPage()
    canvas.save()
    return path


def write_zero_page_pdf(path: Path) -> Path:
    """A well-formed PDF without a page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"xref\n0 3\n0000000000 65535 f \n%strailer\n<< /Root 1 0 R /Size 3 >>\n" % table
    path.write_bytes(body + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body))
    return path


def cut_short(path: Path, share: float = 0.5) -> Path:
    """Cut off the end of a file, as an interrupted download does."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def page_image(
    lines: Sequence[str] = LOREM, *, dpi: int = 150, columns: Sequence[Sequence[str]] = ()
) -> Image.Image:
    """An A4 page in black on white, RGB; `columns` instead of `lines` stand side by side."""
    inch = dpi / 72
    image = Image.new("RGB", (round(A4[0] * inch), round(A4[1] * inch)), "white")
    draw = ImageDraw.Draw(image)
    for index, column in enumerate(columns or [lines]):
        size = 9 if columns else 12
        font = ImageFont.load_default(round(size * inch))
        for number, line in enumerate(column):
            left = (50 + 260 * index) * inch
            draw.text((left, (72 + 18 * number) * inch), line, fill="black", font=font)
    return image


def write_tiff(path: Path, pages: Sequence[Image.Image], *, dpi: int = 150) -> Path:
    """A TIFF of several pages, compressed as fax machines do (1 bit a pixel)."""
    first, *rest = [page.convert("1") for page in pages]
    first.save(path, save_all=True, append_images=rest, compression="group4", dpi=(dpi, dpi))
    return path


def write_turned_jpeg(path: Path, upright: Image.Image) -> Path:
    """A JPEG as a phone held sideways writes it: turned pixels and an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif)
    return path


def _canvas(path: Path, size: tuple[float, float], password: str = "") -> Any:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    encrypt = StandardEncryption(password, canPrint=1) if password else None
    # `invariant` leaves out the time: the same call makes the same bytes.
    return Canvas(str(path), pagesize=size, invariant=1, encrypt=encrypt)
