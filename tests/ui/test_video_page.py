"""A video in a real browser: found by a frame, played from that moment on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ingest
from tests.ui.browsing import ask, keep, opened
from tests.ui.small_archive import open_empty
from tests.videos import numbered, video

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCENE = 4  # seconds
SCENES = (0x0F0, 0xA5A, 0x3C3)


@pytest.mark.browser
def test_a_video_plays_from_the_second_that_was_found(
    browser: Browser, serving: Callable[[Any], Any], tmp_path: Path
) -> None:
    scenes = [numbered(scene, (320, 240)) for scene in SCENES for _ in range(SCENE * 5)]
    film = tmp_path / "harbour-film.mp4"
    film.write_bytes(video(scenes, rate=5, tags={"title": "The harbour film"}))
    with open_empty(tmp_path) as engine:
        assert not ingest.run([film], engine).of("failed")
        with serving(engine) as url, opened(browser, f"{url}/") as page:
            ask(page, "harbour film")
            page.locator(".mm-hit h2 a").first.click()
            page.locator(".mm-play").wait_for()
            # Keys work on the first and the last page as well, where a button was just disabled.
            for move, scene in (("ArrowRight", 1), ("click", 2), ("ArrowLeft", 1), ("click", 2)):
                if move == "click":
                    page.locator(".mm-next").click()
                else:
                    page.keyboard.press(move)
                page.locator(".mm-viewer .mm-place", has_text=f"at 0:{scene * SCENE:02}").wait_for()
            page.locator(".mm-play").click()
            page.wait_for_function("document.querySelector('.mm-stage video').currentTime > 0")
            seen = page.evaluate("document.querySelector('.mm-stage video').currentTime")
            assert 2 * SCENE - 0.5 <= seen <= len(SCENES) * SCENE
            assert page.locator(".mm-stage .mm-problem").count() == 0
            keep(page, "video")
            page.keyboard.press("Escape")
            page.locator(".mm-stage video").wait_for(state="detached")
