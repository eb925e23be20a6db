"""Makes the files that tests read: PDFs with and without text, scans, images, broken ones."""

from __future__ import annotations

import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
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


def scanned(
    page: Image.Image, *, skew: float = 0.0, noise: float = 4.0, seed: int = 0
) -> Image.Image:
    """The page as it comes from a scanner: greyish paper, noise, turned clockwise by `skew`."""
    import numpy as np

    grey = page.convert("L")
    if skew:
        grey = grey.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255)
    random = np.random.default_rng(seed)
    pixels = 236 - (255 - np.asarray(grey, np.float32)) * 0.8
    pixels += random.normal(0, noise, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGB")


def empty_sheet(*, dpi: int = 150, through: Image.Image | None = None) -> Image.Image:
    """A scanned sheet without print: grain, a shadow at two edges, punch holes.

    Args:
        through: the page on its other side, which shines through the paper.
    """
    import numpy as np
    from PIL import ImageFilter, ImageOps

    inch = dpi / 72
    width, height = round(A4[0] * inch), round(A4[1] * inch)
    random = np.random.default_rng(1)
    clouds = Image.fromarray(random.integers(0, 14, (12, 9)).astype(np.uint8))
    paper = 232.0 + np.asarray(clouds.resize((width, height), Image.Resampling.BICUBIC))
    paper += random.normal(0, 3.5, (height, width))
    paper[:, :9] -= np.linspace(110, 0, 9)
    paper[-6:, 200:900] -= 90
    if through is not None:
        back = ImageOps.mirror(through.convert("L").resize((width, height)))
        back = back.filter(ImageFilter.GaussianBlur(1.2))
        paper -= (255 - np.asarray(back, np.float32)) * 0.17
    sheet = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(sheet)
    for share in (0.36, 0.64):  # 6 mm, 12 mm from the left edge
        radius, x, y = 8.5 * inch, 34 * inch, height * share
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=40)
    return sheet.convert("RGB")


def photo(width: int = 900, height: int = 700) -> Image.Image:
    """A picture without text: soft shapes, edges that run askew, and grain."""
    import numpy as np

    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    random = np.random.default_rng(2)
    hills = 90 + 60 * np.sin(x / 90 + np.cos(y / 130)) + 40 * np.sin((x + 0.2 * y) / 23)
    stripes = np.where((y - 0.12 * x) % 60 < 9, -70.0, 0.0)
    grey = hills + stripes + random.normal(0, 12, hills.shape)
    channels = [grey, 0.8 * grey + 30, 0.6 * grey + 60 + y / 10]
    return Image.fromarray(np.stack(channels, -1).clip(0, 255).astype(np.uint8))


def script_image(lines: Sequence[str], font: str, *, rtl: bool = False) -> Image.Image:
    """An A4 page at 200 dpi of a script that needs its own font; `font` is a file name.

    Raises:
        OSError: the font is not installed.
    """
    inch = 200 / 72
    image = Image.new("RGB", (round(A4[0] * inch), round(A4[1] * inch)), "white")
    draw = ImageDraw.Draw(image)
    face = ImageFont.truetype(font, round(14 * inch))
    for number, line in enumerate(lines):
        x, anchor = (image.width - 60 * inch, "ra") if rtl else (60 * inch, "la")
        draw.text((x, (72 + 26 * number) * inch), line, fill="black", font=face, anchor=anchor)
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


def write_zip(
    path: Path, files: Mapping[str, bytes] | Sequence[tuple[str, bytes]], method: int = 8
) -> Path:
    """A zip file; given as pairs, a name may come twice. `method` is of `zipfile`."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in files.items() if isinstance(files, Mapping) else files:
            entry = zipfile.ZipInfo(name, (2020, 2, 29, 12, 30, 0))
            archive.writestr(entry, content, method)
    return path


def write_raw_zip(path: Path, names: Mapping[bytes, bytes], *, flags: int = 0) -> Path:
    """A zip file of stored entries whose names are any bytes."""
    body, directory = b"", b""
    for name, content in names.items():
        common = struct.pack(
            "<5H3L2H", 20, flags, 0, 0, 0x5061, zlib.crc32(content), *[len(content)] * 2,
            len(name), 0,
        )  # fmt: skip
        directory += b"PK\x01\x02\x14\x00" + common
        directory += struct.pack("<3H2L", 0, 0, 0, 0, len(body)) + name
        body += b"PK\x03\x04" + common + name + content
    counts = struct.pack("<4H2LH", 0, 0, len(names), len(names), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + counts)
    return path


def write_tar(path: Path, files: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    """A tar file, of contents or of headers of things that have none; `mode` as in `tarfile`."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            header = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            header.name, header.mtime = name, 1_600_000_000
            if isinstance(content, bytes):
                header.size = len(content)
            archive.addfile(header, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def write_7z(
    path: Path, files: Mapping[str, bytes], *, password: str | None = None, names_too: bool = False
) -> Path:
    """A 7z file in one block, encrypted by `password`, `names_too` or only the contents."""
    from py7zr import SevenZipFile

    with SevenZipFile(path, "w", password=password, header_encryption=names_too) as archive:
        for name, content in files.items():
            archive.writestr(content, name)
    return path


def write_rar(path: Path, files: Mapping[str, bytes]) -> Path:
    """A RAR file, version 5, nothing compressed."""

    def number(value: int) -> bytes:
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + number(value >> 7)

    def block(content: bytes) -> bytes:
        content = number(len(content)) + content
        return struct.pack("<L", zlib.crc32(content)) + content

    body = b"Rar!\x1a\x07\x01\x00" + block(b"\x01\x00\x00")
    for name, content in files.items():
        size, title = number(len(content)), name.encode()
        header = b"\x02\x02" + size + b"\x06" + size + number(0o100644)
        header += struct.pack("<2L", 1_600_000_000, zlib.crc32(content))
        body += block(header + b"\x00\x01" + number(len(title)) + title) + content
    path.write_bytes(body + block(b"\x05\x00\x00"))
    return path


def write_bitfield_bmp(path: Path, image: Image.Image) -> Path:
    """A BMP whose colours lie where few programs put them: Pillow refuses it."""
    width, height = image.size
    rows = b"".join(
        b"".join(
            bytes((0, *image.getpixel((column, row))[::-1]))  # type: ignore[index]
            for column in range(width)
        )
        for row in reversed(range(height))
    )
    masks = struct.pack("<III", 0x0000FF00, 0xFF000000, 0x00FF0000)
    core = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 3, len(rows), 2835, 2835, 0, 0)
    offset = 14 + len(core) + len(masks)
    head = b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset)
    path.write_bytes(head + core + masks + rows)
    return path


def write_tiff_with_preview(path: Path, pages: Sequence[Image.Image]) -> Path:
    """A TIFF that keeps a small copy behind each page, as imaging programs do."""
    frames = []
    for page in pages:
        preview = page.resize((page.width // 8, page.height // 8))
        preview.encoderinfo = {"tiffinfo": {254: 1}}
        frames += [page, preview]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def with_iptc(jpeg: bytes, records: Sequence[tuple[int, int, bytes]]) -> bytes:
    """A JPEG with IPTC records (record, data set, value), as picture agencies write them."""
    block = b"".join(
        struct.pack(">BBBH", 0x1C, record, dataset, len(value)) + value
        for record, dataset, value in records
    )
    resource = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block
    resource += b"\0" * (len(block) % 2)
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + jpeg[2:]


def pdf_bytes(folder: Path, text: str, *, password: str = "") -> bytes:
    """A PDF of one page, made beside `folder` and taken away again."""
    path = write_text_pdf(folder.parent / "made.pdf", [text], password=password)
    content = path.read_bytes()
    path.unlink()
    return content


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
