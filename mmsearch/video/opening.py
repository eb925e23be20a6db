"""Opens untrusted video files: FFmpeg's libraries (PyAV) see nothing but one stream of bytes.

They get no name and may open nothing else, so that a playlist in a video's clothes can't make them
read another file or address. Containers and codecs are those of two lists.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from mmsearch.errors import LimitExceeded, MissingExtra, UnreadableFile
from mmsearch.images import looks_like_image

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

EXTENSIONS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ts"),
        *(".m2ts", ".mts", ".mpg", ".mpeg", ".m2v", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
        *(".h264", ".264", ".h265", ".hevc"),
    }
)
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"pnot")
_SIGNATURES = (
    *(b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"OggS"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
)

# By FFmpeg's names. Never here: formats that name other files or addresses (hls, dash, concat,
# image2, sdp, vobsub, ...), devices, and pictures, which `images` opens.
_FORMATS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "asf"),
    *("h264", "hevc", "m4v", "mpegvideo"),
)
_CODECS = (
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg1video", "mpeg2video", "mpeg4"),
    *("msmpeg4v1", "msmpeg4v2", "msmpeg4", "h263", "h263i", "h263p", "flv", "vp6", "vp6a", "vp6f"),
    *("theora", "vp3", "wmv1", "wmv2", "wmv3", "vc1", "mjpeg", "mjpegb", "png", "qtrle", "svq1"),
    *("svq3", "cinepak", "indeo3", "indeo4", "indeo5", "dvvideo", "prores", "dnxhd", "cfhd"),
    *("ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "v210", "vvc", "rpza", "msvideo1"),
    *("tscc", "tscc2", "mss1", "mss2", "flashsv", "flashsv2", "zmbv"),  # recordings of a screen
)


def looks_like_video(head: bytes) -> bool:
    """Whether a file that begins with `head` (1 KiB or more) announces itself as a video."""
    if looks_like_image(head):
        return False
    if head.startswith(_SIGNATURES) or head[4:8] in _BOXES:
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    # MPEG transport streams, in packets of 188 bytes or, with a time before each, of 192
    return any(
        all(head[start + size * packet :][:1] == b"G" for packet in range(4))
        for start, size in ((0, 188), (4, 192))
    )


def opened(source: Path | bytes, name: str) -> BinaryIO:
    file: BinaryIO
    if isinstance(source, bytes):
        head, file = source[:64], io.BytesIO(source)
        if not source:
            raise UnreadableFile(f"{name}: is empty; nothing to read")
    else:
        if not source.exists():
            raise UnreadableFile(f"{name}: no such file; check the path")
        if not source.is_file():
            raise UnreadableFile(f"{name}: is not a regular file; give a video file")
        if not source.stat().st_size:
            raise UnreadableFile(f"{name}: is empty; copy or download it again")
        try:
            # By descriptor: FFmpeg learns no name, beside which it could look for other files.
            file = os.fdopen(os.open(source, os.O_RDONLY), "rb")
        except PermissionError as error:
            raise UnreadableFile(f"{name}: may not be read; check its permissions") from error
        head = file.read(64)
        file.seek(0)
    if looks_like_image(head):
        file.close()
        raise UnreadableFile(f"{name}: is a picture, not a video; rename or convert it")
    return file


def open_container(file: BinaryIO, name: str, max_pixels: int) -> InputContainer:
    try:
        import av
    except ImportError as error:
        raise MissingExtra(
            "PyAV, which reads video, is not installed; run: pip install av"
        ) from error

    def refuse(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
        raise UnreadableFile(f"{name}: asks for another file; convert it to MP4")

    options = {
        "format_whitelist": ",".join(_FORMATS),
        "codec_whitelist": ",".join(_CODECS),
        "protocol_whitelist": "none",  # no protocol has this name
        "max_pixels": str(max_pixels),  # looking for the codec's parameters may decode a frame
    }
    try:
        # Tags may be in any encoding.
        return av.open(
            file,
            "r",
            options=options,
            io_open=refuse,
            metadata_errors="replace",
            buffer_size=1 << 18,
        )
    except av.error.ArgumentError as error:  # the lists said no
        raise UnreadableFile(
            f"{name}: not a video, or of a format that is not read; convert it to MP4"
        ) from error


def moving_pictures(container: InputContainer, name: str) -> VideoStream:
    """The video to look at; everything else in the file is passed over."""
    from av.stream import Discard, Disposition
    from av.video.stream import VideoStream

    stream = container.streams.best("video")
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    if not isinstance(stream, VideoStream) or stream.disposition & still:
        raise UnreadableFile(f"{name}: holds no moving pictures; give a video file")
    if stream.codec_context is None or stream.codec_context.name not in _CODECS:
        raise UnreadableFile(f"{name}: coded in a way that is not read; convert it to MP4 (H.264)")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


@contextmanager
def one_line(thing: str) -> Iterator[None]:
    """Turn whatever FFmpeg raises on bad input into one clear line."""
    try:
        yield
    except (UnreadableFile, MissingExtra):
        raise
    except MemoryError as error:
        raise LimitExceeded(
            f"{thing}: needs more memory than allowed; make the video smaller"
        ) from error
    except Exception as error:  # decoders meet hostile bytes: any exception means damage
        cause = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UnreadableFile(
            f"{thing}: damaged, cut short or no video ({cause or type(error).__name__}); "
            f"copy or export it again"
        ) from error
