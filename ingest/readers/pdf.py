"""PDFs: rendered by PDFium; poppler is the second opinion on what PDFium refuses or leaves blank.

PDFium is not safe for use by several threads: read one file at a time in a process.
"""

from __future__ import annotations

import logging
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ingest.passwords import locked
from ingest.readers import OCR_DPI, OCR_PIXELS, ReadContext
from ingest.text_layer import read_text_layer
from mmsearch import images
from mmsearch.errors import LimitExceeded, NeedsPassword, UnreadableFile
from mmsearch.types import Kind, Page

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument, PdfPage

logger = logging.getLogger(__name__)

_POINTS_PER_INCH = 72
_PICTURE_DPI = 200  # of small pages; large ones are bound by the pixel budget
_LEAST_OCR_DPI = 150
_POPPLER_SIDE = 2600  # pixels of the long side: never let poppler choose the size
_POPPLER_SECONDS = 20
_FEW_WORDS = 20  # a stamp or a page number over a scan, not its text
_MAX_OBJECTS = 2000

_FILE, _FORMAT, _PASSWORD, _SECURITY = 2, 3, 4, 5  # PDFium's error codes
_NO_PAGES = -1  # ours

_TITLE_PREFIX = re.compile(r"^Microsoft (?:Office )?\w+ ?- ", re.IGNORECASE)
_TITLE_SUFFIX = re.compile(
    r"\.(?:pdf|docx?|odt|rtf|pptx?|xlsx?|tex|dvi|ps|eps|indd|qxd|p65|fm|html?|tiff?|jpe?g|cdr|ai)$",
    re.IGNORECASE,
)
_EMPTY_TITLES = re.compile(
    r"(?:untitled|title|no title|document ?\d*|(?:powerpoint|slide) presentation|presentation ?\d*"
    r"|scan(?:ned)?(?: document)?|unknown|none|null|default|print|layout ?\d*|about:blank)",
    re.IGNORECASE,
)


def open_file(path: Path, context: ReadContext) -> PdfFile:
    """Open a PDF for reading; see `ingest.readers.open_file`."""
    return PdfFile(path, context)


class PdfFile:
    """An open PDF file."""

    kind: Kind = "pdf"

    def __init__(self, path: Path, context: ReadContext) -> None:
        self._path = path
        self._pixels = context.pixels
        self._document: PdfDocument | None = None
        try:
            self._document = _open_document(path, context.passwords)
            self.page_count = len(self._document)
            self.title = _title(self._document, path)
        except NeedsPassword:
            raise
        except UnreadableFile as refusal:
            self.page_count = _poppler_page_count(path, refusal)
            self.title = path.stem
            logger.info("%s: PDFium refuses it, poppler reads it", path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._document is not None:
            self._document.close()

    def page(self, number: int) -> Page:
        """Render one page and read its text layer; where that is none, render it for OCR."""
        if not 1 <= number <= self.page_count:
            raise UnreadableFile(f"{self._path.name}: has no page {number}")
        thing = f"{self._path.name}, page {number}"
        if self._document is None:
            return self._poppler_page(number)
        import pypdfium2

        try:
            page = self._document[number - 1]
        except pypdfium2.PdfiumError:
            return self._poppler_page(number)
        try:
            return self._read(page, number)
        except MemoryError as error:
            raise LimitExceeded(f"{thing}: needs more memory than allowed; split it") from error
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(f"{thing}: damaged ({error}); export it again") from error
        finally:
            page.close()

    def _read(self, page: PdfPage, number: int) -> Page:
        size = page.get_size()
        if not all(math.isfinite(side) and side > 0 for side in size):
            return self._poppler_page(number)
        scan = _scan_of(page)
        width, height = images.picture_size(
            *_pixels(size, min(_PICTURE_DPI, scan.dpi)), max_pixels=self._pixels
        )
        image = _render(page, width, height)
        if _is_blank(image):
            if not _has_content(page):
                return Page(number, images.encode_picture(image), width, height)
            second = self._second_opinion(number)
            if second is not None:
                return second
        layer = read_text_layer(page)
        few = scan.share > 0.5 and len(layer.text.words) < _FEW_WORDS
        doubtful = (layer.verdict != "sane" or few) and not _is_blank(image)
        unread = _render_for_ocr(page, scan) if doubtful else None
        return Page(number, images.encode_picture(image), width, height, layer.text, unread=unread)

    def _second_opinion(self, number: int) -> Page | None:
        """What poppler makes of a page that PDFium left blank; None if that is no better."""
        try:
            image = _poppler_render(self._path, number)
        except UnreadableFile:
            return None
        return None if _is_blank(image) else self._page_of(image, number)

    def _poppler_page(self, number: int) -> Page:
        return self._page_of(_poppler_render(self._path, number), number)

    def _page_of(self, image: Image.Image, number: int) -> Page:
        unread = None if _is_blank(image) else image
        return Page(number, *images.page_picture(image, self._pixels), unread=unread)


class Scan(NamedTuple):
    """The images on a page: the share of its area they cover, and their resolution.

    `dpi` is infinite where images don't make up the page.
    """

    share: float
    dpi: float


def _open_document(path: Path, passwords: tuple[str, ...]) -> PdfDocument:
    import pypdfium2

    for password in (None, *passwords):
        try:
            document = pypdfium2.PdfDocument(path, password=password)
        except pypdfium2.PdfiumError as error:
            code = _NO_PAGES if _opens(path, password) else error.err_code
        else:
            try:
                document.init_forms()
            except pypdfium2.PdfiumError:
                logger.info("%s: its form fields are not drawn", path.name)
            return document
        if code != _PASSWORD:
            break
    if code == _PASSWORD:
        raise NeedsPassword(f"{path.name}: {locked(passwords)}")
    cause = {
        _FILE: "it cannot be opened",
        _FORMAT: "not a PDF, or too damaged to repair",
        _SECURITY: "encrypted in a way that is not supported",
        _NO_PAGES: "it has no pages",
    }.get(code, f"PDFium reports error {code}")
    raise UnreadableFile(f"{path.name}: {cause}; export it again")


def _opens(path: Path, password: str | None) -> bool:
    """Whether PDFium opens a file that pypdfium2 refused: then it has no pages.

    The error code does not tell, it is that of the last failure in this process.
    """
    import pypdfium2.raw as pdfium

    secret = None if password is None else f"{password}\0".encode()
    document = pdfium.FPDF_LoadDocument(os.fsencode(path) + b"\0", secret)
    if not document:
        return False
    pdfium.FPDF_CloseDocument(document)
    return True


def _title(document: PdfDocument, path: Path) -> str:
    """The title in the metadata where it is one, else the file name."""
    title = " ".join(document.get_metadata_value("Title").replace("\0", "").split())
    title = _TITLE_SUFFIX.sub("", _TITLE_PREFIX.sub("", title)).strip()
    sensible = (
        3 <= len(title) <= 300
        and title.isprintable()
        and "\ufffd" not in title
        and sum(map(str.isalpha, title)) >= max(2, len(title) // 3)
        and not _EMPTY_TITLES.fullmatch(title)
        and not re.search(r"[\\/]\S*[\\/]|^\w:\\|^https?:|^file:", title)
    )
    return title if sensible else path.stem


def _pixels(size: tuple[float, float], dpi: float) -> tuple[float, float]:
    """Size of a page of `size` points at `dpi`."""
    return size[0] * dpi / _POINTS_PER_INCH, size[1] * dpi / _POINTS_PER_INCH


def _scan_of(page: PdfPage) -> Scan:
    """How much of the page its images cover, and the highest resolution among them."""
    import ctypes

    import pypdfium2.raw as pdfium

    count = pdfium.FPDFPage_CountObjects(page)
    if count > _MAX_OBJECTS:
        return Scan(0.0, math.inf)
    page_width, page_height = page.get_size()
    sides = [ctypes.c_float() for _ in range(4)]
    wide, high = ctypes.c_uint(), ctypes.c_uint()
    share, densest = 0.0, 0.0
    for index in range(count):
        item = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_IMAGE:
            continue
        if not pdfium.FPDFPageObj_GetBounds(item, *map(ctypes.byref, sides)):
            continue
        left, bottom, right, top = (side.value for side in sides)
        area = (right - left) * (top - bottom)
        if area <= 0 or not pdfium.FPDFImageObj_GetImagePixelSize(item, wide, high):
            continue
        share += area / (page_width * page_height)
        if area > 0.02 * page_width * page_height:
            density = wide.value * high.value / area
            densest = max(densest, math.sqrt(density) * _POINTS_PER_INCH)
    dpi = max(densest, 72.0) if share > 0.5 and densest else math.inf
    return Scan(min(share, 1.0), dpi)


def _render(page: PdfPage, width: int, height: int) -> Image.Image:
    """Draw the visible page, annotations and form fields on white, `width` x `height` pixels."""
    import pypdfium2
    import pypdfium2.raw as pdfium
    from PIL import Image

    bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_BGRx)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        where: tuple[Any, ...] = (bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
        pdfium.FPDF_RenderPageBitmap(*where)
        if page.formenv:
            pdfium.FPDF_FFLDraw(page.formenv, *where)
        return Image.frombytes(
            "RGB", (width, height), bytes(bitmap.buffer), "raw", "BGRX", bitmap.stride, 1
        )
    finally:
        bitmap.close()


def _render_for_ocr(page: PdfPage, scan: Scan) -> Image.Image:
    dpi = min(max(scan.dpi, _LEAST_OCR_DPI), OCR_DPI)
    width, height = _pixels(page.get_size(), dpi)
    shrink = min(1.0, math.sqrt(OCR_PIXELS / (width * height)))
    return _render(page, max(1, round(width * shrink)), max(1, round(height * shrink)))


def _is_blank(image: Image.Image) -> bool:
    extremes: Any = image.getextrema()
    return all(low == high for low, high in extremes)


def _has_content(page: PdfPage) -> bool:
    import pypdfium2.raw as pdfium

    return bool(pdfium.FPDFPage_CountObjects(page) or pdfium.FPDFPage_GetAnnotCount(page))


def _poppler_page_count(path: Path, refusal: UnreadableFile) -> int:
    """Pages of a file that PDFium refuses; raises `refusal` where poppler sees none either."""
    try:
        import pdf2image

        found = pdf2image.pdfinfo_from_path(str(path.resolve()), timeout=_POPPLER_SECONDS)
        count = int(found["Pages"])
    except Exception:  # poppler is not installed, or fails in one of many ways
        raise refusal from None
    if count < 1:
        raise refusal
    return count


def _poppler_render(path: Path, number: int) -> Image.Image:
    """One page by poppler, 2600 pixels on its long side."""
    import pdf2image
    from pdf2image.exceptions import PDFPopplerTimeoutError

    thing = f"{path.name}, page {number}"
    try:
        rendered = pdf2image.convert_from_path(
            str(path.resolve()),
            first_page=number,
            last_page=number,
            size=_POPPLER_SIDE,
            use_cropbox=True,
            timeout=_POPPLER_SECONDS,
        )
        return rendered[0].convert("RGB")
    except PDFPopplerTimeoutError as error:
        raise LimitExceeded(
            f"{thing}: takes longer than {_POPPLER_SECONDS} s to draw; export it again"
        ) from error
    except Exception as error:  # poppler is not installed, or what it draws is no image
        raise UnreadableFile(
            f"{thing}: neither PDFium nor poppler can draw it; export it again"
        ) from error
