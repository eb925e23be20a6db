"""Which kinds of images are opened, and how their files begin and are called."""

from __future__ import annotations

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
PAGED_FORMATS = {"TIFF", "DCX"}  # their frames are pages
ANIMATED_FORMATS = {"GIF", "PNG", "WEBP", "AVIF", "FLI"}  # their frames follow each other in time

EXTENSIONS = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".tif", ".tiff", ".bmp",
    ".dib", ".gif", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".pbm",
    ".pgm", ".ppm", ".pnm", ".pfm", ".ico", ".pcx", ".dcx", ".tga", ".sgi", ".rgb", ".bw", ".ras",
    ".psd", ".qoi", ".xbm", ".xpm", ".msp", ".cur", ".icns", ".im", ".fits", ".fit", ".spider",
    ".fli", ".flc", ".dds", ".ftc", ".ftu", ".blp",
})  # fmt: skip
_SIGNATURES = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"8BPS", b"qoif", b"\0\0\1\0", b"\0\0\2\0"),
    *(b"DDS ", b"BLP1", b"BLP2", b"FTEX", b"icns", b"DanM", b"LinS", b"\x59\xa6\x6a\x95"),
    *(b"\x01\xda", b"/* XPM */", b"SIMPLE  =", b"\xb1\x68\xde\x3a"),
)


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins with `head` (16 bytes or more) announces itself as an image."""
    if head.startswith(_SIGNATURES):
        return True
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace():
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"
