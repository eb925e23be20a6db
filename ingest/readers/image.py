"""Images and multi-page TIFFs: every frame that is a page becomes one; animations are videos."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ingest.readers import OCR_DPI, OCR_PIXELS, OpenFile, ReadContext
from ingest.readers.jbig import is_jbig, unpacked
from mmsearch import images
from mmsearch.errors import UnreadableFile
from mmsearch.images.salvage import salvage
from mmsearch.types import Kind, Page

if TYPE_CHECKING:
    from PIL.Image import Image


def open_file(path: Path, context: ReadContext) -> OpenFile:
    """Open an image for reading; see `ingest.readers.open_file`."""
    file = ImageFile(path, context)
    if not file.moves:
        return file
    from ingest.readers.video import open_animated_image

    try:
        animation = open_animated_image(path, context)
    except UnreadableFile:  # its first frame may be salvaged
        return file
    file.close()
    return animation


class ImageFile:
    """An open image file."""

    kind: Kind = "image"

    def __init__(self, path: Path, context: ReadContext) -> None:
        self._stack = contextlib.ExitStack()
        self._path = path
        if is_jbig(path):
            self._path = self._stack.enter_context(unpacked(path, context))
        self._context = context
        self._frames: images.Frames | None = None
        self._salvaged: tuple[Image, str] | None = None
        self.title, self.page_count, self.moves = path.stem, 1, False
        try:
            self._frames = images.open_frames(self._path, max_pixels=context.settings.max_pixels)
        except UnreadableFile as refusal:
            self._salvaged = self._salvage(0, refusal)
        else:
            self.page_count = len(self._frames)
            self.moves = self._frames.moves
            self.title = self._frames.caption(0).title or path.stem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._frames is not None:
            self._frames.close()
        self._stack.close()

    def page(self, number: int) -> Page:
        """Read one frame; its text is still to be recognised."""
        if not 1 <= number <= self.page_count:
            raise UnreadableFile(f"{self._path.name}: has no page {number}")
        image, warning = self._image(number - 1)
        picture, width, height = images.page_picture(image, self._context.pixels)
        return Page(
            number,
            picture,
            width,
            height,
            warning=warning,
            caption=self._frames.caption(number - 1).text if self._frames else "",
            unread=self._for_ocr(image, number),
        )

    def _image(self, index: int) -> tuple[Image, str]:
        if self._frames is None:
            assert self._salvaged is not None
            return self._salvaged
        try:
            return self._frames.image(index, enough=OCR_PIXELS), ""
        except UnreadableFile as refusal:
            return self._salvage(index, refusal)

    def _salvage(self, index: int, refusal: UnreadableFile) -> tuple[Image, str]:
        limit = self._context.settings.max_pixels
        return salvage(self._path, index, refusal, max_pixels=limit)

    def _for_ocr(self, image: Image, number: int) -> Image:
        """The image at the resolution where OCR is at its best, as far as the file tells it."""
        dpi = self._frames.dpi(number - 1) if self._frames else 0.0
        shrink = OCR_DPI / (dpi or OCR_DPI)
        shrink = min(shrink, math.sqrt(OCR_PIXELS / (image.width * image.height)))
        if self._context.settings.ocr == "off" or shrink > 0.9:
            return image
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        return image.resize(size, reducing_gap=2.0)
