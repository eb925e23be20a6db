"""One open video: its frames by number and by glances, each decoded when it is asked for.

Sizes are checked before a frame is decoded. Every failure is an `UnreadableFile` (or its
`LimitExceeded`) of one line. Pictures come out upright, RGB, on white.
"""

from __future__ import annotations

import math
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

import numpy as np

from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.images.captions import Caption, caption_of_tags
from mmsearch.video.opening import moving_pictures, one_line, open_container, opened
from mmsearch.video.pictures import GLANCE, Frame, Glance, picture_of
from mmsearch.video.timeline import read_timeline, stamp_of, until_broken

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 36_000_000  # of a frame: 8K
_DECODED_PIXELS = 500_000_000_000  # two hours of 1080p at 30 frames a second, decoded whole
_LEAST_COST = 1 << 16  # pixels that a frame counts at least: tiny ones aren't free
_MOST_FRAMES = 2_000_000  # nine hours at 60 frames a second
_DENSE = 12.0  # seconds between key frames: encoders set one at each cut, and every 250 frames
_CHEAP = 5_000_000_000  # pixels that are decoded in some ten seconds: three minutes of 720p
_MOST_THREADS = 4


def open_video(
    source: Path | bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    alive: Callable[[], None] = lambda: None,
) -> Video:
    """Open a video for access to any of its frames; a context manager.

    Every packet is read once, none decoded, so that frames are counted and timed exactly.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: limit of width x height of a frame, checked before decoding.
        alive: called about every second of long work, here and when frames are asked for.

    Raises:
        LimitExceeded: frames of more than `max_pixels`, or too many of them.
        UnreadableFile: no such file, no video, a format or codec that isn't read, or damaged.
        MissingExtra: PyAV is not installed.
    """
    return Video(source, max_pixels=max_pixels, alive=alive)


class Video:
    """One open video file.

    `count` is its number of frames, `duration` its length in seconds, `rate` the average number of
    frames a second. Frames asked for in order of time are found fastest.
    """

    def __init__(self, source: Path | bytes, *, max_pixels: int, alive: Callable[[], None]) -> None:
        self._alive = _every_second(alive)
        self.name = source.name if isinstance(source, Path) else "video"
        self._max_pixels = max_pixels
        self._spent = 0
        self._file = opened(source, self.name)
        try:
            with one_line(self.name):
                self._open()
                self._line = read_timeline(
                    self.name,
                    self._container,
                    self._stream,
                    most=_MOST_FRAMES,
                    alive=self._alive,
                )
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

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; frames already taken stay."""
        container: InputContainer | None = getattr(self, "_container", None)
        if container is not None:
            container.close()
        self._file.close()

    @property
    def start(self) -> float:
        """When the first frame is shown, in seconds of the file's own clock."""
        return float(self._line.stamps[0] * self._line.tick) if self._line.stamped else 0.0

    @property
    def caption(self) -> Caption:
        """Title and description in the file."""
        with one_line(self.name):
            return caption_of_tags(self._container.metadata)

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
        with one_line(self.name):
            stamp, frame = self._shown(self._line.stamps[index])
            self._check(frame.width, frame.height)
            image = picture_of(frame, self._stream.sample_aspect_ratio, side)
        return Frame(image, self._line.seconds(stamp))

    def glances(self, *, step: float) -> Iterator[Glance]:
        """Look over the whole video, in order of time and at least `step` seconds apart.

        Of a long video only the key frames are decoded, where these are at most 12 seconds apart.
        Frames that are damaged are left out. Don't ask for a frame while this goes on.

        Raises:
            LimitExceeded: more pixels than the limit, or too much to decode.
        """
        from av.video.reformatter import VideoReformatter

        reduce = VideoReformatter()
        with one_line(self.name):
            self._restart()
            self._wanted = self._line.stamps[0]
            self._decoded = self._decode(self._worth_decoding(self._packets()))
            for stamp, frame in self._decoded:
                if stamp < self._wanted:
                    continue
                self._check(frame.width, frame.height)
                small = reduce.reformat(frame, GLANCE, GLANCE, "gray", interpolation="AREA")
                number = bisect_left(self._line.stamps, stamp)
                after = self._line.stamps[min(number + 1, self.count - 1)]
                lasts = float((after - stamp) * self._line.tick)
                grey = small.to_ndarray().astype(np.uint8)
                yield Glance(number, self._line.seconds(stamp), lasts, grey)
                self._wanted = stamp + math.ceil(step / self._line.tick)

    def _worth_decoding(
        self, packets: Iterable[Packet[VideoStream]]
    ) -> Iterator[Packet[VideoStream]]:
        """Key frames from the one that is wanted next; between far ones, all that lies there."""
        context = self._stream.codec_context
        cheap = self.count * max(context.width * context.height, _LEAST_COST) <= _CHEAP
        dense = 0 if cheap else math.ceil(_DENSE / self._line.tick)
        all_of_it = True
        for packet in packets:
            stamp = stamp_of(packet)
            if not packet.size or stamp is None or not self._line.stamped:
                yield packet
            elif packet.is_keyframe:
                all_of_it = self._line.next_key(stamp) - stamp > dense
                if all_of_it or stamp >= self._wanted:
                    yield packet
            elif all_of_it:
                yield packet

    def _open(self) -> None:
        """Open the container from its beginning, and with it the codec, not yet started."""
        self._file.seek(0)
        self._container = open_container(self._file, self.name, self._max_pixels)
        self._stream = moving_pictures(self._container, self.name)
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
        self._restart()
        self._decoded = self._decode(self._packets())

    def _restart(self) -> None:
        self._last = None
        self._container.close()
        self._open()

    def _land(self, position: int, latest: int) -> bool:
        """Seek; say whether that led to a key frame of the timeline, `latest` or one before."""
        from av.error import FFmpegError

        try:
            self._container.seek(position, stream=self._stream)
        except FFmpegError:
            return False
        packets = dropwhile(lambda packet: not packet.is_keyframe, self._packets())
        first = next(packets, None)
        landed = None if first is None else stamp_of(first)
        if first is None or landed is None or landed > latest:
            return False
        self._decoded = self._decode(chain([first], packets))
        return self._line.key(landed)[0] == landed

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        return until_broken(self._container.demux(self._stream))

    def _decode(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Frames in order of presentation with their stamps; damaged ones are left out."""
        from av.error import FFmpegError

        number = -1
        for packet in packets:
            self._alive()
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
                stamp = stamp_of(frame) if self._line.stamped else number
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


def _every_second(alive: Callable[[], None]) -> Callable[[], None]:
    last = time.monotonic()

    def sign() -> None:
        nonlocal last
        if time.monotonic() - last > 1:
            last = time.monotonic()
            alive()

    return sign
