"""The only place that opens untrusted images, and where page pictures are made.

A header is checked before a pixel is decoded. Every failure is an `UnreadableFile` (or its
`LimitExceeded`) of one line. Pictures come out upright, RGB, on white.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from mmsearch.errors import LimitExceeded, UnreadableFile

if TYPE_CHECKING:
    from types import TracebackType

MAX_PIXELS = 200_000_000
PICTURE_PIXELS = 1_843_200  # 1800 tokens of 32 x 32 pixels
PICTURE_FACTOR = 32  # sides of a page picture are multiples of this
_LEAST_PICTURE_PIXELS = 4096
_MAX_ASPECT = 200  # what Qwen3-VL accepts
_THUMBNAIL_SIDE = 320
_JPEG_QUALITY = 85

# Opened wherever an image comes from, uploads included.
COMMON_FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF"),  # JPEG includes MPO
    *("JPEG2000", "AVIF", "HEIF", "PPM", "ICO"),
)
# Opened only by readers, which run in processes with limits. Never here: formats that start
# another program (EPS) or read a second file.
RARE_FORMATS = (
    *("PCX", "DCX", "TGA", "SGI", "SUN", "PSD", "QOI", "XBM", "XPM", "MSP", "CUR", "ICNS", "IM"),
    *("FITS", "SPIDER", "FLI", "DDS", "FTEX", "BLP"),
)
_PAGED_FORMATS = {"TIFF", "DCX"}  # frames are pages; elsewhere they are an animation

EXTENSIONS = frozenset(
    {
        *(
            ".png",
            ".apng",
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".webp",
            ".tif",
            ".tiff",
            ".bmp",
            ".dib",
        ),
        *(".gif", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".pbm"),
        *(".pgm", ".ppm", ".pnm", ".pfm", ".ico", ".pcx", ".dcx", ".tga", ".sgi", ".rgb"),
        *(".bw", ".ras", ".psd", ".qoi", ".xbm", ".xpm", ".msp", ".cur", ".icns", ".im"),
        *(".fits", ".fit", ".spider", ".fli", ".flc", ".dds", ".ftc", ".ftu", ".blp"),
    }
)
_SIGNATURES = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"8BPS", b"qoif", b"\0\0\1\0", b"\0\0\2\0"),
    *(b"DDS ", b"BLP1", b"BLP2", b"FTEX", b"icns", b"DanM", b"LinS", b"\x59\xa6\x6a\x95"),
    *(b"\x01\xda", b"/* XPM */", b"SIMPLE  =", b"\xb1\x68\xde\x3a"),
)

# Pillow raises at twice this; ours is the exact check, this one guards what it decodes inside
# (the PNG in an icon). Between once and twice it only warns.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
ImageFile.LOAD_TRUNCATED_IMAGES = False


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins with `head` (16 bytes or more) announces itself as an image."""
    if head.startswith(_SIGNATURES):
        return True
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace():
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def open_image(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, enough: int | None = None
) -> Image.Image:
    """Open the first frame of an image in a common format.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: limit of width x height, checked before decoding.
        enough: pixels that suffice; a larger JPEG is then decoded at a reduced scale.

    Returns:
        The decoded RGB image: upright by its EXIF orientation, transparency on white.

    Raises:
        LimitExceeded: the header announces more than `max_pixels`.
        UnreadableFile: no such file, no image, another format, or damaged.
    """
    with Frames(source, max_pixels=max_pixels, formats=COMMON_FORMATS) as frames:
        return frames.image(0, enough=enough)


def open_frames(path: Path, *, max_pixels: int = MAX_PIXELS) -> Frames:
    """Open an image file, of rare formats too, for random access to its frames.

    Every page of a TIFF (or DCX) counts; of an animation only the first frame does.

    Raises:
        UnreadableFile: no such file, no image, another format, or damaged.
    """
    return Frames(path, max_pixels=max_pixels, formats=COMMON_FORMATS + RARE_FORMATS)


class Frames:
    """The frames of one open image file; a context manager. Index from 0."""

    def __init__(self, source: Path | bytes, *, max_pixels: int, formats: tuple[str, ...]) -> None:
        self.name = source.name if isinstance(source, Path) else "image"
        self._max_pixels = max_pixels
        if max_pixels // 2 > (Image.MAX_IMAGE_PIXELS or 0):
            Image.MAX_IMAGE_PIXELS = max_pixels // 2
        with _one_line(self.name):
            self._image = Image.open(_opened(source, self.name), formats=_installed(formats))
            paged = self._image.format in _PAGED_FORMATS
            self._count = int(getattr(self._image, "n_frames", 1)) if paged else 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    @property
    def format(self) -> str:
        """Pillow's name of the format, such as `PNG`."""
        return self._image.format or ""

    def image(self, index: int, *, enough: int | None = None) -> Image.Image:
        """Decode one frame; see `open_image`.

        Raises:
            LimitExceeded: the frame's header announces more than `max_pixels`.
            UnreadableFile: this frame is damaged; others may be fine.
        """
        thing = self.name if len(self) == 1 else f"{self.name}, frame {index + 1}"
        with _one_line(thing):
            if index or len(self) > 1:
                self._image.seek(index)
            width, height = self._image.size
            if width * height > self._max_pixels:
                raise LimitExceeded(
                    f"{thing}: {width} x {height} pixels are more than the limit of "
                    f"{self._max_pixels}; raise max_pixels or make the image smaller"
                )
            if enough and width * height > enough:
                scale = math.sqrt(enough / (width * height))
                self._image.draft("RGB", (math.ceil(width * scale), math.ceil(height * scale)))
            return _as_rgb(_upright(self._image))

    def dpi(self, index: int) -> float:
        """Resolution the frame claims, in dots per inch; 0 where it claims none or nonsense."""
        with _one_line(self.name):
            if index:
                self._image.seek(index)
            try:
                value = float(min(self._image.info.get("dpi", (0.0, 0.0))))
            except (TypeError, ValueError, ZeroDivisionError):
                return 0.0
        return value if 50 <= value <= 4800 else 0.0


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
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), reducing_gap=2.0)
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


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; unreadable EXIF means none."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF is free-form bytes that fail in many ways
        return image


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; never returns the image of an open file itself."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        return _scaled_to_bytes(image).convert("RGB")
    if mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            page = Image.new("RGB", image.size, "white")
            page.paste(image, mask=image.getchannel("A"))
            return page
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _scaled_to_bytes(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits as 8 bits.

    Integers are scaled by the least number of bits that holds the brightest pixel, so 12-bit
    scans in 16-bit files don't come out black; floats beyond 0..1 and negatives by their range.
    """
    import numpy as np

    values = np.asarray(image, dtype=np.float32)
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    if image.mode != "F" and low >= 0:
        low, high = 0.0, float(2 ** max(8, math.ceil(math.log2(high + 1))) - 1)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    span = (high - low) or 1.0
    return Image.fromarray(((finite - low) * (255.0 / span)).round().astype(np.uint8))
