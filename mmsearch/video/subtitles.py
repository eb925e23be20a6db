"""The text subtitles inside a video file; those that are pictures are left to OCR."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch.video.opening import one_line, open_container, opened
from mmsearch.video.timeline import until_broken

if TYPE_CHECKING:
    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream

_CODECS = {"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"}
_MOST_TRACKS = 4
_MOST_LINES = 50_000
_MOST_CHARACTERS = 5_000_000
_MARKUP = re.compile(r"\{[^}]*\}|<[^<>]{1,80}>")
_BREAKS = re.compile(r"\\[Nnh]|\s+")


@dataclass(frozen=True, slots=True)
class Subtitle:
    """Words that are on show from `start` on, in seconds of the file's own clock."""

    start: float
    text: str


def read_subtitles(
    source: Path | bytes, *, max_pixels: int, alive: Callable[[], None] = lambda: None
) -> list[Subtitle]:
    """Every line of the first four tracks of text subtitles, in order of time.

    What is damaged is left out, and so is what comes after 50,000 lines.

    Args:
        source: a video that `open_video` opens: a path, or the bytes of a file.
        max_pixels: limit of width x height of a frame, should one be decoded on the way.
        alive: called often, to say that the work goes on.

    Raises:
        UnreadableFile: no such file, no video, or damaged.
    """
    name = source.name if isinstance(source, Path) else "video"
    file = opened(source, name)
    with file, one_line(name), open_container(file, name, max_pixels) as container:
        from av.stream import Discard

        tracks = [track for track in container.streams.subtitles if _is_text(track)][:_MOST_TRACKS]
        if not tracks:
            return []
        for stream in container.streams:
            if stream not in tracks:
                stream.discard = Discard.all
        found: list[Subtitle] = []
        characters = 0
        for packet in until_broken(container.demux(tracks)):
            alive()
            text = _text(packet)
            if not text or packet.pts is None or packet.time_base is None:
                continue
            found.append(Subtitle(float(packet.pts * packet.time_base), text))
            characters += len(text)
            if len(found) >= _MOST_LINES or characters > _MOST_CHARACTERS:
                break
        return sorted(found, key=lambda subtitle: subtitle.start)


def _is_text(track: SubtitleStream) -> bool:
    return track.codec_context is not None and track.codec_context.name in _CODECS


def _text(packet: Packet[Any]) -> str:
    from av.error import FFmpegError
    from av.subtitles.subtitle import AssSubtitle

    if not packet.size:
        return ""
    try:
        decoded = packet.decode()
    except (FFmpegError, UnicodeError):
        return ""
    # FFmpeg makes one form of all: eight fields before the text, which has {marks} and \N.
    lines = [
        line.ass.decode("utf-8", "replace").split(",", 8)[-1]
        for line in decoded
        if isinstance(line, AssSubtitle)
    ]
    return " ".join(filter(None, (_plain(line) for line in lines)))


def _plain(line: str) -> str:
    return _BREAKS.sub(" ", _MARKUP.sub("", line)).strip()
