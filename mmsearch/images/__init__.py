"""The only place that opens untrusted images, and where page pictures are made.

A header is checked before a pixel is decoded. Every failure is an `UnreadableFile` (or its
`LimitExceeded`) of one line. Pictures come out upright, RGB, on white.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Self

from PIL import Image, ImageFile, UnidentifiedImageError

from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.images.captions import Caption, caption
from mmsearch.images.formats import (
    ANIMATED_FORMATS,
    COMMON_FORMATS,
    EXTENSIONS,
    PAGED_FORMATS,
    RARE_FORMATS,
    looks_like_image,
)
from mmsearch.images.rgb import as_rgb, upright

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "PICTURE_FACTOR",
    "PICTURE_PIXELS",
    "Frames",
    "encode_picture",
    "looks_like_image",
    "open_frames",
    "open_image",
    "page_picture",
    "picture_size",
    "thumbnail",
]

MAX_PIXELS = 200_000_000
PICTURE_PIXELS = 1_843_200  # 1800 tokens of 32 x 32 pixels
PICTURE_FACTOR = 32  # sides of a page picture are multiples of this
_LEAST_PICTURE_PIXELS = 4096
_MAX_ASPECT = 200  # what Qwen3-VL accepts
_THUMBNAIL_SIDE = 320
_JPEG_QUALITY = 85
_SUBFILE_TYPE = 254  # of TIFF: bit 0 says that this is a small copy of another page
_MOST_SEARCHED = 10_000  # frames of a TIFF

# Pillow raises at twice this; ours is the exact check, this one guards what it decodes inside
# (the PNG in an icon). Between once and twice it only warns.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
ImageFile.LOAD_TRUNCATED_IMAGES = False


def open_image(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, enough: int | None = None
) -> Image.Image:
    """Open the first frame of an image in a common format.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: limit of width x height, checked before decoding.
        enough: pixels that suffice; a larger image is reduced, down to no fewer.

    Returns:
        The decoded RGB image: upright by its EXIF orientation, transparency on white.

    Raises:
        LimitExceeded: the header announces more than `max_pixels`.
        UnreadableFile: no such file, no image, another format, or damaged.
    """
    with Frames(source, max_pixels=max_pixels, formats=COMMON_FORMATS) as frames:
        return frames.image(0, enough=enough)


def open_frames(path: Path, *, max_pixels: int = MAX_PIXELS, animated: bool = False) -> Frames:
    """Open an image file, of rare formats too, for random access to its frames.

    Every page of a TIFF (or DCX) counts, small copies of a page do not. Of an animation only the
    first frame does, unless `animated`.

    Raises:
        UnreadableFile: no such file, no image, another format, or damaged.
    """
    formats = COMMON_FORMATS + RARE_FORMATS
    return Frames(path, max_pixels=max_pixels, formats=formats, animated=animated)


class Frames:
    """The frames of one open image file; a context manager. Index from 0."""

    def __init__(
        self,
        source: Path | bytes,
        *,
        max_pixels: int,
        formats: tuple[str, ...],
        animated: bool = False,
    ) -> None:
        self.name = source.name if isinstance(source, Path) else "image"
        self._max_pixels = max_pixels
        if max_pixels // 2 > (Image.MAX_IMAGE_PIXELS or 0):
            Image.MAX_IMAGE_PIXELS = max_pixels // 2
        with _one_line(self.name):
            self._image = Image.open(_opened(source, self.name), formats=_installed(formats))
            several = PAGED_FORMATS | ANIMATED_FORMATS if animated else PAGED_FORMATS
            self._indices: Sequence[int] = range(1)
            if self._image.format in several:
                self._indices = _page_indices(self._image)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._indices)

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    @property
    def format(self) -> str:
        """Pillow's name of the format, such as `PNG`."""
        return self._image.format or ""

    @property
    def moves(self) -> bool:
        """Whether this is an animation of two frames or more."""
        with _one_line(self.name):
            return self.format in ANIMATED_FORMATS and bool(
                getattr(self._image, "is_animated", False)
            )

    @property
    def seconds(self) -> float:
        """How long the frame that was decoded last stays on show; 0 where the file says nothing."""
        duration = self._image.info.get("duration", 0)
        return float(duration) / 1000 if isinstance(duration, (int, float)) else 0.0

    def caption(self, index: int) -> Caption:
        """The words in the file beside this frame; see `captions`."""
        with _one_line(self.name):
            self._seek(index)
            return caption(self._image)

    def image(self, index: int, *, enough: int | None = None) -> Image.Image:
        """Decode one frame; see `open_image`.

        Raises:
            LimitExceeded: the frame's header announces more than `max_pixels`.
            UnreadableFile: this frame is damaged; others may be fine.
        """
        thing = self.name if len(self) == 1 else f"{self.name}, frame {index + 1}"
        with _one_line(thing):
            self._seek(index)
            width, height = self._image.size
            if width * height > self._max_pixels:
                raise LimitExceeded(
                    f"{thing}: {width} x {height} pixels are more than the limit of "
                    f"{self._max_pixels}; raise max_pixels or make the image smaller"
                )
            if enough and width * height > enough:
                scale = math.sqrt(enough / (width * height))
                self._image.draft("RGB", (math.ceil(width * scale), math.ceil(height * scale)))
            self._image.load()
            return upright(as_rgb(self._image, enough or self._max_pixels), self._image)

    def dpi(self, index: int) -> float:
        """Resolution the frame claims, in dots per inch; 0 where it claims none or nonsense."""
        with _one_line(self.name):
            self._seek(index)
            try:
                value = float(min(self._image.info.get("dpi", (0.0, 0.0))))
            except (TypeError, ValueError, ZeroDivisionError):
                return 0.0
        return value if 50 <= value <= 4800 else 0.0

    def _seek(self, index: int) -> None:
        if len(self._indices) > 1 or self._indices[0]:
            self._image.seek(self._indices[index])


def picture_size(
    width: float, height: float, *, max_pixels: int = PICTURE_PIXELS
) -> tuple[int, int]:
    """Width and height of the page picture of a `width` x `height` image, in pixels.

    Both are multiples of 32 and their product is at most `max_pixels`; the size grows only by
    rounding. Beyond an aspect of 200 the long side is cut short: the picture is squeezed.

    Source: `smart_resize` of QwenLM's qwen-vl-utils.
    """
    width, height = max(width, 1.0), max(height, 1.0)
    sides = [_multiple(round(side / PICTURE_FACTOR)) for side in (width, height)]
    if sides[0] * sides[1] > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        sides = [_multiple(math.floor(side / shrink / PICTURE_FACTOR)) for side in (width, height)]
    elif sides[0] * sides[1] < _LEAST_PICTURE_PIXELS:
        grow = math.sqrt(_LEAST_PICTURE_PIXELS / (width * height))
        sides = [_multiple(math.ceil(side * grow / PICTURE_FACTOR)) for side in (width, height)]
    short = min(sides)
    # A side lifted to 32 can push the product of a very long strip over the budget.
    long = min(max(sides), short * _MAX_ASPECT, max_pixels // short // 32 * 32)
    return (long, short) if sides[0] >= sides[1] else (short, long)


def page_picture(image: Image.Image, max_pixels: int = PICTURE_PIXELS) -> tuple[bytes, int, int]:
    """Make the picture of a page that is stored, shown and embedded.

    Args:
        image: RGB, upright.
        max_pixels: budget; see `picture_size`.

    Returns:
        A JPEG (quality 85, 4:4:4), its width and its height in pixels.
    """
    size = picture_size(*image.size, max_pixels=max_pixels)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encode_picture(image), *size


def encode_picture(image: Image.Image) -> bytes:
    """Encode an RGB image of the right size as page pictures are: JPEG, quality 85, 4:4:4."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def thumbnail(jpeg: bytes) -> bytes:
    """A JPEG of at most 320 pixels a side, made from a page picture."""
    with _one_line("page picture"), Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        # Decoded at a quarter where that suffices: less than half the time of a gap of 2.
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), reducing_gap=1.0)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _multiple(count: int) -> int:
    return max(count, 1) * PICTURE_FACTOR


@cache
def _installed(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Those that this Pillow reads; HEIC photos where `pi-heif` is installed."""
    Image.init()
    with suppress(ImportError):
        import_module("pi_heif").register_heif_opener()
    return tuple(name for name in formats if name in Image.OPEN)


def _opened(source: Path | bytes, name: str) -> Path | io.BytesIO:
    if isinstance(source, bytes):
        if not source:
            raise UnreadableFile(f"{name}: is empty; nothing to read")
        return io.BytesIO(source)
    if not source.exists():
        raise UnreadableFile(f"{name}: no such file; check the path")
    if not source.is_file():
        raise UnreadableFile(f"{name}: is not a regular file; give an image file")
    if not source.stat().st_size:
        raise UnreadableFile(f"{name}: is empty; copy or download it again")
    return source


@contextmanager
def _one_line(thing: str) -> Iterator[None]:
    """Turn whatever Pillow raises on bad input into one clear line; keep its warnings quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (UnreadableFile, KeyboardInterrupt):
            raise
        except Image.DecompressionBombError as error:
            raise LimitExceeded(
                f"{thing}: more pixels than the limit; raise max_pixels or make it smaller"
            ) from error
        except UnidentifiedImageError as error:
            raise UnreadableFile(
                f"{thing}: not an image, or of a format that is not read; convert it to PNG"
            ) from error
        except PermissionError as error:
            raise UnreadableFile(f"{thing}: may not be read; check its permissions") from error
        except MemoryError as error:
            raise LimitExceeded(
                f"{thing}: needs more memory than allowed; make the image smaller"
            ) from error
        except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
            raise UnreadableFile(_damaged(thing, error)) from error
        except Exception as error:  # decoders meet hostile bytes: any exception means damage
            raise UnreadableFile(_damaged(thing, error)) from error


def _damaged(thing: str, error: Exception) -> str:
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{thing}: damaged or cut short ({cause}); copy or export it again"


def _page_indices(image: Image.Image) -> Sequence[int]:
    """The frames that are pages: all but the small copies that some TIFFs keep for previews."""
    count = int(getattr(image, "n_frames", 1))
    if image.format != "TIFF" or not 1 < count <= _MOST_SEARCHED:
        return range(count)
    full = []
    for index in range(count):
        image.seek(index)
        reduced_copy = int(getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)) & 1
        if not reduced_copy:
            full.append(index)
    return full or range(count)
