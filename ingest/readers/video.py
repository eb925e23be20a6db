"""Videos and animated images: a page for each scene, and more where a scene goes on changing.

The process that opens a file first looks through it and chooses the frames; the others take its
choice from the scratch folder. Each frame is decoded when its page is read.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ingest.readers import ReadContext
from mmsearch import images
from mmsearch.errors import UnreadableFile
from mmsearch.images.captions import Caption
from mmsearch.types import Kind, Page
from mmsearch.video import Video, open_video, scenes
from mmsearch.video.animations import Animation, open_animation
from mmsearch.video.subtitles import read_subtitles

MOST_PAGES = 20_000  # of a video: more than two days of a film that changes every ten seconds
_LONGEST_SIDE = 4096  # pixels
_TOLERANCE = 0.05  # seconds that a subtitle may come before the scene it belongs to
_CHOICE = "frames.json"


def open_file(path: Path, context: ReadContext) -> VideoFile:
    """Open a video for reading; see `ingest.readers.open_file`."""
    limit = context.settings.max_pixels
    video = open_video(path, max_pixels=limit, alive=context.alive)

    def choose() -> Choice:
        found = read_subtitles(path, max_pixels=limit, alive=context.alive)
        spoken = [(subtitle.start - video.start, subtitle.text) for subtitle in found]
        return _choice(video, video.caption, spoken, context)

    return VideoFile(path, video, context, choose)


def open_animated_image(path: Path, context: ReadContext) -> VideoFile:
    """Open an animated image for reading; see `ingest.readers.open_file`."""
    limit = context.settings.max_pixels
    animation = open_animation(path, max_pixels=limit, alive=context.alive)
    return VideoFile(
        path, animation, context, lambda: _choice(animation, animation.caption, [], context)
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """The frames that are pages: number, seconds and the words that belong to each."""

    title: str
    frames: list[tuple[int, float, str]]


class VideoFile:
    """An open video or animated image."""

    kind: Kind = "video"

    def __init__(
        self,
        path: Path,
        source: Video | Animation,
        context: ReadContext,
        choose: Callable[[], Choice],
    ) -> None:
        self._path = path
        self._source = source
        self._pixels = context.pixels
        try:
            choice = _made_once(context.scratch, choose)
        except BaseException:
            source.close()
            raise
        self._frames = choice.frames
        self.title = choice.title or path.stem
        self.page_count = len(choice.frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def page(self, number: int) -> Page:
        """Decode one of the chosen frames; its text is still to be recognised."""
        if not 1 <= number <= self.page_count:
            raise UnreadableFile(f"{self._path.name}: has no page {number}")
        index, seconds, words = self._frames[number - 1]
        image = self._source.frame(index, side=_LONGEST_SIDE).image
        picture, width, height = images.page_picture(image, self._pixels)
        cut = number == MOST_PAGES
        return Page(
            number,
            picture,
            width,
            height,
            seconds=seconds,
            caption=words,
            warning=f"only the first {MOST_PAGES} scenes are read; cut it into parts" * cut,
            unread=image,
        )


def _choice(
    source: Video | Animation,
    caption: Caption,
    spoken: list[tuple[float, str]],
    context: ReadContext,
) -> Choice:
    """Look through a video; `spoken` are its subtitles and their times from the first frame."""
    glances = source.glances(step=scenes.step_of(source.duration))
    interval = context.settings.video_interval
    chosen = list(scenes.choose(glances, interval=interval, most=MOST_PAGES))
    frames = [(glance.number, glance.seconds) for glance in chosen]
    if not frames:
        source.frame(0)  # says why there is nothing to see, unless there is after all
        frames = [(0, 0.0)]
    words: list[list[str]] = [[] for _ in frames]
    words[0].append(caption.text)
    times = [seconds for _, seconds in frames]
    for seconds, text in spoken:
        said = words[max(bisect_right(times, seconds + _TOLERANCE) - 1, 0)]
        if text not in said[-1:]:
            said.append(text)
    pages = [
        (number, seconds, "\n".join(filter(None, said)))
        for (number, seconds), said in zip(frames, words, strict=True)
    ]
    return Choice(caption.title, pages)


def _made_once(scratch: Path | None, choose: Callable[[], Choice]) -> Choice:
    """The choice of the process that made it first."""
    if scratch is None:
        return choose()
    kept = scratch / _CHOICE
    with suppress(OSError, ValueError, TypeError):
        title, frames = json.loads(kept.read_text("utf-8"))
        return Choice(str(title), [(int(n), float(s), str(words)) for n, s, words in frames])
    choice = choose()
    new = scratch / f"{_CHOICE}.{os.getpid()}"
    new.write_text(json.dumps([choice.title, choice.frames]), "utf-8")
    new.replace(kept)
    return choice
