"""When each frame of a video is shown, and from where it can be decoded: read, not decoded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from mmsearch.errors import LimitExceeded, UnreadableFile

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

T = TypeVar("T")
_FALLBACK_RATE = 25.0  # frames a second, of a stream that says nothing


@dataclass(frozen=True, slots=True)
class Timeline:
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

    def key(self, stamp: int) -> tuple[int, int]:
        """The last key frame that is shown no later than `stamp`, else the first."""
        return self.keys[max(bisect_right(self.keys, stamp, key=lambda key: key[0]) - 1, 0)]

    def next_key(self, stamp: int) -> int:
        """When the key frame after `stamp` is shown; where none follows, when all is over."""
        after = bisect_right(self.keys, stamp, key=lambda key: key[0])
        return self.keys[after][0] if after < len(self.keys) else self.stamps[-1]

    def seconds(self, stamp: int) -> float:
        """Time from the first frame; the exact one, where `stamp` is that rounded to ticks."""
        stamped = (stamp - self.stamps[0]) * self.tick
        exact = bisect_left(self.stamps, stamp) / self.rate
        return exact if abs(exact - stamped) <= self.tick else float(stamped)


def read_timeline(
    name: str,
    container: InputContainer,
    stream: VideoStream,
    *,
    most: int,
    alive: Callable[[], None],
) -> Timeline:
    """Read every packet of the stream, and decode none.

    Args:
        name: of the video, for messages.
        most: frames that it may have.
        alive: called often, to say that the work goes on.

    Raises:
        LimitExceeded: more frames than `most`.
        UnreadableFile: not one frame.
    """
    length: dict[int, int] = {}  # of each frame by its stamp, in ticks
    keys: list[tuple[int, int]] = []
    unstamped = 0
    for packet in until_broken(container.demux(stream)):
        if not packet.size or packet.is_discard:
            continue
        alive()
        stamp = stamp_of(packet)
        if stamp is None:
            unstamped += 1
        else:
            length[stamp] = packet.duration or 0
            if packet.is_keyframe:
                keys.append((stamp, stamp if packet.dts is None else min(stamp, packet.dts)))
        if len(length) + unstamped > most:
            raise LimitExceeded(f"{name}: more than {most} frames; cut it into parts")
    nominal = float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE)
    if unstamped > len(length):
        count = unstamped + len(length)
        tick = 1 / Fraction(nominal)
        return Timeline(list(range(count)), [(0, 0)], tick, nominal, count / nominal, False)
    if not length:
        raise UnreadableFile(f"{name}: damaged or cut short: no frame; copy or export it again")
    stamps, tick = sorted(length), stream.time_base or Fraction(1, 1000)
    rate, duration = _pace(stamps, length[stamps[-1]], tick, nominal)
    return Timeline(stamps, sorted(keys) or [(stamps[0],) * 2], tick, rate, duration, True)


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


def stamp_of(thing: Packet[VideoStream] | VideoFrame) -> int | None:
    """When it is shown, in ticks; else when it is decoded, which without B-frames is the same."""
    return thing.dts if thing.pts is None else thing.pts


def until_broken(packets: Iterator[T]) -> Iterator[T]:
    """Packets up to where the file is damaged: what comes before can still be seen."""
    from av.error import FFmpegError

    try:
        yield from packets
    except (FFmpegError, IndexError):  # the latter where streams have appeared on the way
        return
