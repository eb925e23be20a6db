"""From videos and animated images to pages: which frames, when, and what is said there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ingest import scans
from ingest.readers import ReadContext, is_supported, open_file
from ingest.readers import video as reader
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.types import Page
from mmsearch.video import decoding
from tests import builders, videos

RATE = 5
SCENES = [
    videos.numbered(number, (320, 240))
    for number in (0b101010101010, 0b010101010101, 0b111000111000)
]
BLACK = Image.new("RGB", (320, 240))


def shown(*scenes: tuple[Image.Image, float]) -> list[Image.Image]:
    """Frames that show each picture for so many seconds."""
    return [picture for picture, seconds in scenes for _ in range(round(seconds * RATE))]


def write(folder: Path, pictures: Sequence[Image.Image], name: str = "clip.mp4") -> Path:
    return videos.write(folder / name, videos.video(pictures, rate=RATE))


def pages_of(path: Path, context: ReadContext | None = None) -> list[Page]:
    with open_file(path, context or ReadContext(Settings(ocr="off"))) as file:
        assert file.kind == "video"
        return [file.page(number) for number in range(1, file.page_count + 1)]


def times(pages: list[Page]) -> list[float]:
    return [page.seconds for page in pages if page.seconds is not None]


def growing(seconds: float) -> list[Image.Image]:
    """Ink that spreads slowly over a page."""
    frames = []
    for index in range(round(seconds * RATE)):
        frame = SCENES[0].copy()
        ImageDraw.Draw(frame).rectangle((0, 0, 160, 2 * index), fill="grey")
        frames.append(frame)
    return frames


def test_each_scene_is_a_page(tmp_path: Path) -> None:
    pages = pages_of(write(tmp_path, shown(*((scene, 4) for scene in SCENES))))
    assert times(pages) == pytest.approx([0, 4, 8], abs=0.7)
    assert [page.number for page in pages] == [1, 2, 3]
    assert [videos.number(page.unread) for page in pages if page.unread] == [2730, 1365, 3640]
    assert all(page.picture.startswith(b"\xff\xd8") for page in pages)


def test_a_scene_that_stays_the_same_is_one_page(tmp_path: Path) -> None:
    assert len(pages_of(write(tmp_path, shown((SCENES[0], 30))))) == 1


def test_a_scene_that_goes_on_changing_has_a_page_every_interval(tmp_path: Path) -> None:
    path = write(tmp_path, growing(20))
    every_six = pages_of(path, ReadContext(Settings(ocr="off", video_interval=6)))
    assert times(every_six) == pytest.approx([0, 6, 12, 18], abs=1)
    assert len(pages_of(path, ReadContext(Settings(ocr="off", video_interval=60)))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (builders.LOREM[:5], builders.LOREM[4:9]),
        (
            ["The lighthouse keeper", "counted seven ships"],
            ["Quarterly revenue", "by region and year"],
        ),
    ],
)
def test_each_slide_is_a_page_though_little_of_it_differs(
    tmp_path: Path, one: Sequence[str], other: Sequence[str]
) -> None:
    slides = [builders.page_image(lines, dpi=110).crop((0, 0, 640, 360)) for lines in (one, other)]
    pages = pages_of(write(tmp_path, shown((slides[0], 4), (slides[1], 4))))
    assert len(pages) == 2
    assert times(pages)[1] == pytest.approx(4.5, abs=0.8)


def test_a_black_beginning_is_passed_over(tmp_path: Path) -> None:
    pages = pages_of(write(tmp_path, shown((BLACK, 2), (SCENES[1], 3))))
    assert times(pages) == pytest.approx([2], abs=0.6)
    assert len(pages_of(write(tmp_path, shown((BLACK, 2))))) == 1


@pytest.mark.parametrize("options", [{}, {"key_every": 40}])
def test_long_videos_are_looked_at_by_key_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, int]
) -> None:
    monkeypatch.setattr(decoding, "_CHEAP", 0)  # as if it were hours long
    encoded = videos.video(shown(*((scene, 6) for scene in SCENES)), rate=RATE, **options)
    with decoding.open_video(encoded) as opened:
        glances = list(opened.glances(step=2))
        assert len(glances) < 10
        assert opened._spent <= 12 * 320 * 240
    path = videos.write(tmp_path / "film.mp4", encoded)
    assert times(pages_of(path)) == pytest.approx([0, 6, 12], abs=2.4)


def test_far_key_frames_do_not_hide_a_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_CHEAP", 0)
    quiet = {"x264-params": "scenecut=0"}  # a recorder that never sets a key frame by itself
    pictures = shown((SCENES[0], 8), (SCENES[1], 8))
    encoded = videos.video(pictures, rate=RATE, key_every=1000, options=quiet)
    with decoding.open_video(encoded) as opened:
        seen = [videos.number(Image.fromarray(glance.grey)) for glance in opened.glances(step=2)]
    assert seen == [2730] * 4 + [1365] * 4


@pytest.mark.parametrize(
    ("container", "codec"),
    [("matroska", "subrip"), ("mp4", "mov_text"), ("matroska", "webvtt"), ("matroska", "ass")],
)
def test_subtitles_belong_to_the_scene_they_are_said_in(
    tmp_path: Path, container: str, codec: str
) -> None:
    lines = [(0.5, "<i>First</i> words"), (3, "still here"), (7, "the\nother scene")]
    if codec == "ass":
        lines = [
            (when, "0,0,Default,,0,0,0,,{\\b1}" + text.replace("\n", "\\N")) for when, text in lines
        ]
    pictures = shown((SCENES[0], 6), (SCENES[1], 4))
    content = videos.subtitled(pictures, lines, container=container, codec=codec, rate=RATE)
    pages = pages_of(videos.write(tmp_path / "film.mkv", content))
    assert [page.caption for page in pages] == ["First words\nstill here", "the other scene"]
    assert pages[1].full_text == "the other scene"


def test_all_processes_read_the_same_frames(tmp_path: Path) -> None:
    path = write(tmp_path, shown(*((scene, 3) for scene in SCENES)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    context = ReadContext(Settings(ocr="off"), scratch=scratch)
    first = pages_of(path, context)
    [kept] = scratch.iterdir()  # and no half-written one beside it
    title, frames = json.loads(kept.read_text())
    kept.write_text(json.dumps([title, frames[1:]]))
    assert times(pages_of(path, context)) == times(first)[1:]
    kept.write_text("{half")
    assert times(pages_of(path, context)) == times(first)


def test_most_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_PAGES", 2)
    pages = pages_of(write(tmp_path, shown(*((scene, 3) for scene in SCENES))))
    assert [page.warning for page in pages] == [
        "",
        "only the first 2 scenes are read; cut it into parts",
    ]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif"])
def test_animated_images_are_videos(tmp_path: Path, suffix: str) -> None:
    first, *rest = shown(*((scene, 3) for scene in SCENES))
    path = tmp_path / f"moving.{suffix}"
    first.save(path, save_all=True, append_images=rest, duration=1000 // RATE)
    pages = pages_of(path)
    assert times(pages) == pytest.approx([0, 3, 6], abs=0.6)
    assert [videos.number(page.unread) for page in pages if page.unread] == [2730, 1365, 3640]


def test_an_animation_cut_short_has_its_first_scenes(tmp_path: Path) -> None:
    first, *rest = shown(*((scene, 3) for scene in SCENES))
    path = tmp_path / "moving.gif"
    noise = [Image.effect_noise((320, 240), index) for index in range(len(rest))]
    first.save(path, save_all=True, append_images=[*rest[:15], *noise], duration=1000 // RATE)
    pages = pages_of(builders.cut_short(path, 0.5))
    assert times(pages)[:2] == pytest.approx([0, 3], abs=0.6)


def test_a_still_gif_is_an_image(tmp_path: Path) -> None:
    path = tmp_path / "still.gif"
    SCENES[0].save(path)
    with open_file(path, ReadContext(Settings(ocr="off"))) as file:
        assert (file.kind, file.page_count, file.page(1).seconds) == ("image", 1, None)


@pytest.mark.parametrize(
    ("container", "codec", "suffix"),
    [
        ("mp4", "libx264", "mp4"),
        ("mov", "libx264", "mov"),
        ("matroska", "libx264", "mkv"),
        ("webm", "libvpx", "webm"),
        ("avi", "mpeg4", "avi"),
        ("mpegts", "mpeg2video", "ts"),
        ("mpeg", "mpeg2video", "mpg"),
        ("asf", "wmv2", "wmv"),
        ("flv", "flv", "flv"),
    ],
)
def test_kinds_of_videos(tmp_path: Path, container: str, codec: str, suffix: str) -> None:
    pictures = shown((SCENES[0], 2), (SCENES[1], 2))
    content = videos.video(pictures, container=container, codec=codec, rate=25)
    for name in (f"clip.{suffix}", "clip.dat"):  # by its content, too
        pages = pages_of(videos.write(tmp_path / name, content))
        found = [videos.number(page.unread) for page in pages if page.unread]
        assert found[0] == 2730
    assert is_supported(Path(f"CLIP.{suffix.upper()}"))


def test_turned_and_deep_coloured(tmp_path: Path) -> None:
    content = videos.video(shown((SCENES[0], 2)), pixels="yuv420p10le", turn=90, rate=RATE)
    [page] = pages_of(videos.write(tmp_path / "phone.mp4", content))
    assert page.height > page.width


def test_stamps_that_lie_years_ahead(tmp_path: Path) -> None:
    pictures = [SCENES[0], SCENES[1], SCENES[2]]
    content = videos.video(pictures, container="matroska", seconds=[0, 3, 100_000_000])
    assert times(pages_of(videos.write(tmp_path / "odd.mkv", content))) == [0, 3, 100_000_000]


def test_title_and_description_come_from_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, shown((SCENES[0], 1)))
    with open_file(path, ReadContext(Settings(ocr="off"))) as file:
        assert file.title == "clip"
    tags = {"title": "Harbour at dawn", "comment": "Seven ships in fog"}
    content = videos.video(shown((SCENES[0], 1)), rate=RATE, tags=tags)
    path = videos.write(tmp_path / "0001.mp4", content)
    with open_file(path, ReadContext(Settings(ocr="off"))) as file:
        assert file.title == "Harbour at dawn"
        assert file.page(1).caption == "Harbour at dawn\nSeven ships in fog"


def test_words_in_the_picture_are_recognised(tmp_path: Path) -> None:
    page = builders.page_image(["The lighthouse keeper", "counted seven ships"], dpi=110)
    [found] = pages_of(write(tmp_path, shown((page.crop((0, 0, 600, 240)), 1))))
    assert "lighthouse" in scans.finished(found, Settings()).text.text.lower()


def test_a_cut_recording_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    pictures = shown(*((scene, 4) for scene in SCENES))
    content = videos.video(pictures, container="mpegts", rate=RATE)
    path = videos.write(tmp_path / "cut.ts", content[: len(content) // 2])
    assert times(pages_of(path))[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("sound.mp4", videos.sound(), "holds no moving pictures"),
        ("half.mp4", videos.video(20)[:900], "damaged, cut short"),
        ("code.ts", b"export const answer: number = 42;\n" * 50, "no video"),
    ],
)
def test_what_has_no_pages_says_why(tmp_path: Path, name: str, content: bytes, cause: str) -> None:
    with pytest.raises(UnreadableFile, match=cause) as caught:
        pages_of(videos.write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_frames_are_limited_in_size(tmp_path: Path) -> None:
    path = write(tmp_path, SCENES)
    with pytest.raises(LimitExceeded, match="320 x 240"):
        pages_of(path, ReadContext(Settings(ocr="off", max_pixels=320 * 240 - 1)))


def test_long_work_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_000_000))
    monkeypatch.setattr(decoding.time, "monotonic", lambda: 2 * next(clock))
    signs: list[None] = []
    path = write(tmp_path, shown((SCENES[0], 4)))
    context = ReadContext(Settings(ocr="off"), alive=lambda: signs.append(None))
    with open_file(path, context) as file:
        assert len(signs) >= 4 * RATE
        before = len(signs)
        file.page(1)
    assert len(signs) > before
