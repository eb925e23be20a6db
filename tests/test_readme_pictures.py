"""The pictures of the README, and the script that takes them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from docs import screenshots

DOCS = Path(screenshots.__file__).parent


def is_fit_for_a_readme(folder: Path) -> None:
    still, walk = folder / "page.png", folder / "walk-through.webp"
    assert still.stat().st_size < 250_000
    assert walk.stat().st_size < 1_200_000
    with Image.open(still) as image:
        assert image.size == (1280, 800)
        image.load()
    duration = 0
    with Image.open(walk) as image:
        assert image.width == 960
        assert image.info["loop"] == 0, "it plays again and again"
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            image.load()
            duration += image.info["duration"]
    assert 10_000 <= duration <= 14_000


def test_the_pictures_are_small_and_the_walk_through_plays() -> None:
    is_fit_for_a_readme(DOCS)
    readme = (DOCS.parent / "README.md").read_text()
    assert "](docs/page.png)" in readme
    assert "](docs/walk-through.webp)" in readme


def test_a_caption_stands_below_the_page_and_covers_nothing() -> None:
    shot = Image.new("RGB", (960, 600), "#808080")
    framed = screenshots.captioned(shot, "A page")
    assert framed.size == (960, 600 + screenshots.STRIP)
    assert not ImageChops.difference(framed.crop((0, 0, 960, 600)), shot).getbbox()
    strip = framed.crop((0, 600, *framed.size))
    box = ImageChops.difference(strip, screenshots.captioned(shot, "").crop((0, 600, 960, 644)))
    left, top, right, bottom = box.getbbox() or (0, 0, 0, 0)
    assert left == pytest.approx(960 - right, abs=3), "it is in the middle"
    assert 0 < top < bottom < screenshots.STRIP


def test_the_pointer_s_tip_is_where_it_points() -> None:
    shot = Image.new("RGB", (960, 600), "#808080")
    pointed = screenshots.captioned(shot, "", (560, 350))  # of 1120 by 700 CSS pixels
    drawn = ImageChops.difference(pointed, screenshots.captioned(shot, "")).getbbox()
    assert drawn is not None
    assert drawn[:2] == pytest.approx((480, 300), abs=2)
    assert drawn[2] - drawn[0] < 24


def test_a_picture_is_held_in_the_middle_of_a_darker_page() -> None:
    shot = Image.new("RGB", (960, 600), "white")
    framed = screenshots.held(shot, Image.new("RGB", (3000, 1000), "red"))
    assert framed.getpixel((480, 300)) == (255, 0, 0)
    assert max(framed.getpixel((5, 5))) < 160  # type: ignore[arg-type]
    assert shot.getpixel((480, 300)) == (255, 255, 255), "the page itself is left alone"


def test_a_folder_in_its_place_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr(screenshots, "ARCHIVE", tmp_path)
    with pytest.raises(SystemExit, match="exists, and the pictures"), screenshots.samples():
        pytest.fail("it went on")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_playwright_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(SystemExit, match="pip install playwright"), screenshots.chromium():
        pytest.fail("it went on")


@pytest.mark.slow
@pytest.mark.browser
def test_it_takes_them_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    monkeypatch.setattr(sys, "argv", ["screenshots.py", "--out", str(tmp_path / "new")])
    monkeypatch.setattr(screenshots, "ARCHIVE", tmp_path / "archive")
    screenshots.main()
    is_fit_for_a_readme(tmp_path / "new")
    assert not (tmp_path / "archive").exists()
