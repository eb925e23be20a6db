"""The only place that opens untrusted video, and the only video decoder.

FFmpeg's libraries (by PyAV) see one nameless stream of bytes and may open nothing else, so that a
playlist in a video's clothes can't make them read another file or address. Containers and codecs
are those of two lists. Sizes are checked before a frame is decoded. Every failure is an
`UnreadableFile` (or its `LimitExceeded`) of one line. Pictures come out upright, RGB, on white.

**Seconds** of a frame are its presentation time minus that of the first frame, so audio that
starts earlier does not count. Qwen3-VL's `<{t:.1f} seconds>` marks are the mean of the two frames
of a pair. The official code takes a frame's number divided by the average rate instead: at a
constant rate that is the same number, to the last bit, and where the rate varies ours is right.
"""

from __future__ import annotations

import io
import math
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Self

import numpy as np
from PIL import Image

from mmsearch.errors import LimitExceeded, MissingExtra, UnreadableFile
from mmsearch.images import looks_like_image

if TYPE_CHECKING:
    from types import TracebackType

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 36_000_000  # of a frame: 8K
_TOTAL_PIXELS = 1 << 29  # of the pictures returned at once, 1.6 GB: 64 frames of 4K
_DECODED_PIXELS = 500_000_000_000  # two hours of 1080p at 30 frames a second, decoded whole
_LEAST_COST = 1 << 16  # pixels that a frame counts at least: tiny ones aren't free
_MOST_FRAMES = 2_000_000  # nine hours at 60 frames a second
_MOST_THREADS = 4
_FALLBACK_RATE = 25.0  # frames a second, of a stream that says nothing

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


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a video, RGB and upright, and its time from the first frame in seconds."""

    image: Image.Image
    seconds: float


def frames(
    source: Path | bytes,
    *,
    fps: float = 1.0,
    max_frames: int = 64,
    max_pixels: int = MAX_PIXELS,
    side: int | None = None,
) -> list[Frame]:
    """Frames evenly spaced over a video, as many as Qwen3-VL wants; see `sample`.

    Args:
        source: a path, or the bytes of a file.
        fps: frames wanted a second.
        max_frames: most frames, at least 2.
        max_pixels: limit of width x height of a frame, checked before decoding.
        side: longest side of the pictures in pixels; larger frames are reduced. All pictures are
            in memory at once: 3 bytes a pixel.

    Returns:
        Frames in order of time: an even number of them, or the only one that there is.

    Raises:
        LimitExceeded: frames of more than `max_pixels`, too many of them, or too much to decode.
        UnreadableFile: no such file, no video, a format or codec that isn't read, or damaged.
        MissingExtra: PyAV is not installed.
    """
    with open_video(source, max_pixels=max_pixels) as video:
        found: list[Frame] = []
        pixels = 0
        for index in sample(video.count, video.rate, fps=fps, max_frames=max_frames):
            found.append(video.frame(index, side=side))
            pixels += math.prod(found[-1].image.size)
            if pixels > _TOTAL_PIXELS:
                raise LimitExceeded(
                    f"{video.name}: frames of {found[-1].image.width} x {found[-1].image.height} "
                    f"pixels are too many to hold; lower side or max_frames"
                )
        return found


def sample(count: int, rate: float, *, fps: float = 1.0, max_frames: int = 64) -> list[int]:
    """Which frames of a video Qwen3-VL looks at.

    Args:
        count: frames of the video.
        rate: its frames a second.
        fps: frames wanted a second.
        max_frames: most frames wanted.

    Returns:
        Indices from 0, the first and the last frame among them: about `fps` a second, an even
        number from 4 to `max_frames`, fewer where the video has fewer; a single frame is alone.

    Raises:
        ValueError: `fps` is not above 0, or `max_frames` below 2.

    Source: `smart_nframes` and the readers of QwenLM's qwen-vl-utils 0.0.14. Of numbers that lie
    halfway, its float32 arithmetic takes either neighbour; here it is the even one.
    """
    if not fps > 0 or max_frames < 2:
        raise ValueError(f"fps={fps}, max_frames={max_frames}: give fps above 0, 2 frames or more")
    if count < 2:
        return list(range(count))
    wanted = min(max(count / rate * fps, 4), max_frames // 2 * 2, count)
    return [int(index) for index in np.linspace(0, count - 1, int(wanted) // 2 * 2).round()]


def open_video(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Video:
    """Open a video for access to any of its frames; a context manager.

    Every packet is read once, none decoded, so that frames are counted and timed exactly.

    Raises:
        LimitExceeded: frames of more than `max_pixels`, or too many of them.
        UnreadableFile: no such file, no video, a format or codec that isn't read, or damaged.
        MissingExtra: PyAV is not installed.
    """
    return Video(source, max_pixels=max_pixels)


class Video:
    """One open video file.

    `count` is its number of frames, `duration` its length in seconds, `rate` the average number of
    frames a second. Frames asked for in order of time are found fastest.
    """

    def __init__(self, source: Path | bytes, *, max_pixels: int) -> None:
        self.name = source.name if isinstance(source, Path) else "video"
        self._max_pixels = max_pixels
        self._spent = 0
        self._file = _opened(source, self.name)
        try:
            with _one_line(self.name):
                self._open()
                self._line = _timeline(self.name, self._container, self._stream)
        except BaseException:
            self.close()
            raise
        self._seekable = self._line.stamped
        self._decoded: Iterator[tuple[int, VideoFrame]] = iter(())
        self._last: tuple[int, VideoFrame] | None = None
        self._wanted = 0
        self.count = len(self._line.stamps)
        self.duration = self._line.duration
        self.rate = self._line.rate

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; frames already taken stay."""
        container: InputContainer | None = getattr(self, "_container", None)
        if container is not None:
            container.close()
        self._file.close()

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame's picture in pixels, upright."""
        return self.frame(0).image.size

    def frame_at(self, seconds: float, *, side: int | None = None) -> Frame:
        """The frame on show `seconds` after the first one; before and after all, the nearest."""
        return self.frame(self._line.index(seconds), side=side)

    def frame(self, index: int, *, side: int | None = None) -> Frame:
        """The frame of this number, from 0; where it is damaged, its nearest neighbour.

        Args:
            index: below `count`.
            side: longest side of the picture in pixels; a larger frame is reduced.

        Raises:
            IndexError: there is no such frame.
            LimitExceeded: more pixels than the limit, or too much to decode.
            UnreadableFile: neither the frame nor a neighbour can be decoded.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"{self.name}: frame {index} of {self.count}")
        with _one_line(self.name):
            stamp, frame = self._shown(self._line.stamps[index])
            self._check(frame.width, frame.height)
            image = _picture(frame, self._stream.sample_aspect_ratio, side)
        return Frame(image, self._line.seconds(stamp))

    def _open(self) -> None:
        """Open the container from its beginning, and with it the codec, not yet started."""
        self._file.seek(0)
        self._container = _container(self._file, self.name, self._max_pixels)
        self._stream = _moving_pictures(self._container, self.name)
        context = self._stream.codec_context
        self._check(context.width, context.height)
        context.options = {"max_pixels": str(self._max_pixels)}  # the size may change on the way
        context.thread_count = min(_MOST_THREADS, os.cpu_count() or 1)
        context.thread_type = "AUTO"

    def _check(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise LimitExceeded(
                f"{self.name}: frames of {width} x {height} pixels are more than the limit of "
                f"{self._max_pixels}; raise max_pixels or make the video smaller"
            )

    def _shown(self, wanted: int) -> tuple[int, VideoFrame]:
        """The frame of this stamp, or the last one before it that decodes; else one after it."""
        self._wanted = wanted
        if self._last is None or wanted < self._last[0] or self._key_ahead(wanted):
            self._jump(wanted)
        shown = self._forward(wanted)
        if shown is None:  # nothing after the last key frame decodes: try the one before
            self._jump(self._line.key(wanted)[0] - 1)
            shown = self._forward(wanted)
        if shown is None:
            self._give_up(self._line.seconds(wanted))
        return shown

    def _give_up(self, seconds: float) -> NoReturn:
        if not self._stream.codec_context.width:  # FFmpeg forgets a size beyond the limit
            raise LimitExceeded(
                f"{self.name}: frames of unknown size, or of more pixels than the limit of "
                f"{self._max_pixels}; raise max_pixels or make the video smaller"
            )
        raise UnreadableFile(
            f"{self.name}: damaged: no frame decodes at {seconds:.1f} s; copy or export it again"
        )

    def _key_ahead(self, wanted: int) -> bool:
        """Whether a key frame lies between here and there, so that a jump saves decoding."""
        assert self._last is not None
        return self._seekable and self._line.key(wanted)[0] > self._last[0]

    def _forward(self, wanted: int) -> tuple[int, VideoFrame] | None:
        shown = self._last if self._last and self._last[0] <= wanted else None
        if shown and shown[0] == wanted:
            return shown
        for found in self._decoded:
            self._last = found
            if found[0] <= wanted or shown is None:
                shown = found
            if found[0] >= wanted:
                break
        return shown

    def _jump(self, stamp: int) -> None:
        """Go on decoding at the last key frame up to `stamp`, or somewhere before it."""
        self._last = None
        if self._seekable:
            key = self._line.key(stamp)
            # Some containers are searched by presentation time, some by decoding time, and some
            # by guessing: one key frame earlier will do.
            for position in (*key, self._line.key(key[0] - 1)[1]):
                if self._land(position, key[0]):
                    return
            self._seekable = False
        self._container.close()
        self._open()
        self._decoded = self._decode(self._packets())

    def _land(self, position: int, latest: int) -> bool:
        """Seek; say whether that led to a key frame of the timeline, `latest` or one before."""
        from av.error import FFmpegError

        try:
            self._container.seek(position, stream=self._stream)
        except FFmpegError:
            return False
        packets = dropwhile(lambda packet: not packet.is_keyframe, self._packets())
        first = next(packets, None)
        landed = None if first is None else _stamp(first)
        if first is None or landed is None or landed > latest:
            return False
        self._decoded = self._decode(chain([first], packets))
        return self._line.key(landed)[0] == landed

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        return _until_broken(self._container.demux(self._stream))

    def _decode(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Frames in order of presentation with their stamps; damaged ones are left out."""
        from av.error import FFmpegError

        number = -1
        for packet in packets:
            if packet.size:
                context = self._stream.codec_context
                self._spend(context.width * context.height)
            self._hurry(packet)
            try:
                decoded = packet.decode()
            except FFmpegError:
                continue
            for frame in decoded:
                number += 1
                stamp = _stamp(frame) if self._line.stamped else number
                if stamp is not None:
                    yield stamp, frame

    def _hurry(self, packet: Packet[VideoStream]) -> None:
        """On the way to the wanted frame pass over those that no other frame is made from.

        Half of the work with H.264. Its successors layer such frames, and some do matter.
        """
        context = self._stream.codec_context
        early = packet.pts is not None and self._line.stamped and packet.pts < self._wanted
        context.skip_frame = "NONREF" if early and context.name == "h264" else "DEFAULT"

    def _spend(self, pixels: int) -> None:
        self._spent += max(pixels, _LEAST_COST)
        if self._spent > _DECODED_PIXELS:
            raise LimitExceeded(
                f"{self.name}: too long for its few key frames; cut it, or encode it with a key "
                f"frame every few seconds (ffmpeg -g 250)"
            )


@dataclass(frozen=True, slots=True)
class _Timeline:
    """When each frame is shown.

    `stamps` are presentation times in ticks of `tick` seconds, in order; `keys` are the stamp and
    the decoding time, in ticks, of each key frame, in order. Without times in the file (`stamped`
    is false) a frame's stamp is its number.
    """

    stamps: list[int]
    keys: list[tuple[int, int]]
    tick: Fraction
    rate: float
    duration: float
    stamped: bool

    def index(self, seconds: float) -> int:
        """The number of the frame on show at that time."""
        # Containers round the stamps, most of them to milliseconds.
        stamp = self.stamps[0] + (seconds + min(self.tick / 2, Fraction(1, 2000))) / self.tick
        return max(bisect_right(self.stamps, stamp) - 1, 0)

    def key(self, stamp: int) -> tuple[int, int]:
        """The last key frame that is shown no later than `stamp`, else the first."""
        return self.keys[max(bisect_right(self.keys, stamp, key=lambda key: key[0]) - 1, 0)]

    def seconds(self, stamp: int) -> float:
        """Time from the first frame; the exact one, where `stamp` is that rounded to ticks."""
        stamped = (stamp - self.stamps[0]) * self.tick
        exact = bisect_left(self.stamps, stamp) / self.rate
        return exact if abs(exact - stamped) <= self.tick else float(stamped)


def _timeline(name: str, container: InputContainer, stream: VideoStream) -> _Timeline:
    """Read every packet of the stream, and decode none."""
    length: dict[int, int] = {}  # of each frame by its stamp, in ticks
    keys: list[tuple[int, int]] = []
    unstamped = 0
    for packet in _until_broken(container.demux(stream)):
        if not packet.size or packet.is_discard:
            continue
        stamp = _stamp(packet)
        if stamp is None:
            unstamped += 1
        else:
            length[stamp] = packet.duration or 0
            if packet.is_keyframe:
                keys.append((stamp, stamp if packet.dts is None else min(stamp, packet.dts)))
        if len(length) + unstamped > _MOST_FRAMES:
            raise LimitExceeded(f"{name}: more than {_MOST_FRAMES} frames; cut it into parts")
    nominal = float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE)
    if unstamped > len(length):
        count = unstamped + len(length)
        tick = 1 / Fraction(nominal)
        return _Timeline(list(range(count)), [(0, 0)], tick, nominal, count / nominal, False)
    if not length:
        raise UnreadableFile(f"{name}: damaged or cut short: no frame; copy or export it again")
    stamps, tick = sorted(length), stream.time_base or Fraction(1, 1000)
    rate, duration = _pace(stamps, length[stamps[-1]], tick, nominal)
    return _Timeline(stamps, sorted(keys) or [(stamps[0],) * 2], tick, rate, duration, True)


def _pace(stamps: list[int], last: int, tick: Fraction, nominal: float) -> tuple[float, float]:
    """Frames a second and duration in seconds, `last` being the length of the last frame in ticks.

    The rate that the file announces stays where it agrees with the stamps to a frame, since many
    containers round these to milliseconds.
    """
    count, span = len(stamps), stamps[-1] - stamps[0]
    duration = float((span + (max(last, 0) or Fraction(span, max(count - 1, 1)))) * tick)
    if not duration or abs(duration * nominal - count) <= 1:
        return nominal, count / nominal
    return count / duration, duration


def _stamp(thing: Packet[VideoStream] | VideoFrame) -> int | None:
    """When it is shown, in ticks; else when it is decoded, which without B-frames is the same."""
    return thing.dts if thing.pts is None else thing.pts


def _until_broken(packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
    """Packets up to where the file is damaged: what comes before can still be seen."""
    from av.error import FFmpegError

    try:
        yield from packets
    except (FFmpegError, IndexError):  # the latter where streams have appeared on the way
        return


def _opened(source: Path | bytes, name: str) -> BinaryIO:
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
    if looks_like_image(head):
        file.close()
        raise UnreadableFile(f"{name}: is a picture, not a video; rename or convert it")
    return file


def _container(file: BinaryIO, name: str, max_pixels: int) -> InputContainer:
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
        # Tags are of no use here, and may be in any encoding.
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


def _moving_pictures(container: InputContainer, name: str) -> VideoStream:
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
def _one_line(thing: str) -> Iterator[None]:
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


def _picture(frame: VideoFrame, pixel_aspect: Fraction | None, side: int | None) -> Image.Image:
    """The frame as RGB: pixels made square, reduced to `side`, on white, upright."""
    width, height = float(frame.width), float(frame.height)
    if pixel_aspect and Fraction(1, 4) <= pixel_aspect <= 4:
        aspect = float(pixel_aspect)
        width, height = width * max(aspect, 1.0), height / min(aspect, 1.0)
    scale = min(1.0, side / max(width, height)) if side else 1.0
    clear = any(component.is_alpha for component in frame.format.components)
    pixels = frame.to_ndarray(
        format="rgba" if clear else "rgb24",
        width=max(round(width * scale), 1),
        height=max(round(height * scale), 1),
        interpolation="BICUBIC",
        threads=1,
    )
    image = Image.fromarray(pixels.astype(np.uint8, copy=False))
    if clear:
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        image = page
    return _upright(image, frame)


def _upright(image: Image.Image, frame: VideoFrame) -> Image.Image:
    """Apply the turn and the mirroring that the camera noted, in steps of 90 degrees."""
    noted: Any = frame.side_data.get("DISPLAYMATRIX")
    if noted is None:
        return image
    # x of the picture seen is a x + c y, its y is b x + d y.
    a, b, _, c, d = np.frombuffer(bytes(noted), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        image = image.transpose(Image.Transpose.TRANSPOSE)
        a, d = c, b
    if a < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if d < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image
