"""Images and multi-page TIFFs: every frame that is a page becomes one."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ingest.readers import ReadContext
from mmsearch import images
from mmsearch.errors import UnreadableFile
from mmsearch.types import Kind, Page

if TYPE_CHECKING:
    from PIL.Image import Image

_OCR_DPI = 200  # beyond, OCR gets slower and finds no more
_OCR_PIXELS = 16_000_000


def open_file(path: Path, context: ReadContext) -> ImageFile:
    """Open an image for reading; see `ingest.readers.open_file`."""
    return ImageFile(path, context)


class ImageFile:
    """An open image file."""

    kind: Kind = "image"

    def __init__(self, path: Path, context: ReadContext) -> None:
        self.title = path.stem
        self._context = context
        self._frames = images.open_frames(path, max_pixels=context.settings.max_pixels)
        self.page_count = len(self._frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._frames.close()

    def page(self, number: int) -> Page:
        """Read one frame; its text is still to be recognised."""
        if not 1 <= number <= self.page_count:
            raise UnreadableFile(f"{self._frames.name}: has no page {number}")
        image = self._frames.image(number - 1, enough=_OCR_PIXELS)
        picture, width, height = images.page_picture(image, self._context.pixels)
        return Page(number, picture, width, height, unread=self._for_ocr(image, number))

    def _for_ocr(self, image: Image, number: int) -> Image:
        """The image at the resolution where OCR is at its best, as far as the file tells it."""
        shrink = _OCR_DPI / (self._frames.dpi(number - 1) or _OCR_DPI)
        shrink = min(shrink, math.sqrt(_OCR_PIXELS / (image.width * image.height)))
        if self._context.settings.ocr == "off" or shrink > 0.9:
            return image
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        return image.resize(size, reducing_gap=2.0)
