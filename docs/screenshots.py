"""Takes the README's pictures of the web page: page.png, and walk-through.webp, which plays.

    python docs/screenshots.py [--out docs]

The sample corpus is built, ingested and served as a user would, and looked at with Chromium. The
pictures are the same on every run, but for the seconds that a search took. Needs what `make test`
needs (playwright, Chromium); a minute or two.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = Path("/tmp/archive")  # where the samples are for the pictures, which show the path
SCREENSHOT = "manual-page-6.png"
WORDS = "revenue by region"
REGION = (0.055, 0.842, 0.945, 0.922)  # of that page: a box that other pages have as well

STILL = {"width": 1280, "height": 800}
MOVING = {"width": 1120, "height": 700}
WIDTH = 960  # pixels of the walk-through
STRIP = 44  # pixels below the page, for the caption
FONT_SIZE = 19
MOVE_MS, TYPE_MS = 60, 130

POINTER = ((0, 0), (0, 17), (4, 13.4), (6.8, 19.8), (9.6, 18.6), (6.9, 12.4), (12.2, 12.1))
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SETTLED = """() => {
    const shown = (one) => {
        const { top, bottom } = one.getBoundingClientRect();
        return one.checkVisibility() && bottom > 0 && top < innerHeight;
    };
    const loaded = (one) => one.complete && one.naturalWidth;
    return document.fonts.status === "loaded"
        && !document.querySelector(".mm-pending, .mm-loading, [data-more-to-come]")
        && [...document.querySelectorAll("img")].every((one) => !shown(one) || loaded(one));
}"""
PASTE = """(encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
    const options = { clipboardData, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
}"""


@dataclass
class Film:
    """What a page looks like, time after time."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)  # milliseconds
    caption: str = ""
    pointer: tuple[float, float] | None = None  # CSS pixels

    def look(self, duration: int) -> None:
        """Add the page as it is now, for so many milliseconds."""
        settle(self.page)
        self._add(seen(self.page), duration)

    def hold(self, picture: Image.Image, duration: int) -> None:
        """Add the page with a picture held in front of it."""
        self._add(held(seen(self.page), picture), duration)

    def move(self, x: float, y: float, *, steps: int = 5) -> None:
        """Move the pointer over a page that stays as it is."""
        shot = seen(self.page)
        from_x, from_y = self.pointer or (MOVING["width"] * 0.55, MOVING["height"] * 0.9)
        for step in range(1, steps + 1):
            part = step / steps
            part = part * part * (3 - 2 * part)  # slow at both ends, as a hand is
            self.pointer = (from_x + (x - from_x) * part, from_y + (y - from_y) * part)
            self._add(shot, MOVE_MS)

    def click(self, target: Locator) -> None:
        """Move the pointer to something and click it."""
        box = target.bounding_box()
        assert box is not None, "what is not seen cannot be clicked"
        self.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self._wait(200)
        target.click()

    def _add(self, shot: Image.Image, duration: int) -> None:
        self.frames.append(captioned(shot, self.caption, self.pointer))
        self.durations.append(duration)

    def _wait(self, duration: int) -> None:
        self.durations[-1] += duration


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Take the README's pictures of the web page.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, samples() as work, served(work) as url:
        screenshot = work / "samples" / "screenshots" / SCREENSHOT
        take_still(browser, url, screenshot, out / "page.png")
        take_walk(browser, url, screenshot, out / "walk-through.webp")
    for name in ("page.png", "walk-through.webp"):
        print(f"{out / name}: {(out / name).stat().st_size / 1000:,.0f} KB")  # noqa: T201


def take_still(browser: Browser, url: str, screenshot: Path, path: Path) -> None:
    """One picture: the page of a screenshot, found."""
    with opened(browser, url, STILL) as page:
        paste(page, screenshot)
        page.wait_for_selector(".mm-hit .mm-spot")
        settle(page)
        # 256 colours look the same at a quarter of the size, if rare ones have their share.
        best = Image.Quantize.MAXCOVERAGE
        shot = seen(page).quantize(256, best, kmeans=1, dither=Image.Dither.NONE)
        shot.save(path, optimize=True)


def take_walk(browser: Browser, url: str, screenshot: Path, path: Path) -> None:
    """Search by words, by a screenshot, and by a region of a page."""
    with opened(browser, url, STILL) as page:
        by_words(Film(page))  # the first search also loads the model
    with opened(browser, url, MOVING, scale=WIDTH / MOVING["width"]) as page:
        film = Film(page)
        by_words(film)
        by_screenshot(film, screenshot)
        by_region(film)
        first, *others = film.frames
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=film.durations,
            loop=0,
            lossless=True,  # text stays sharp, and nothing of a frame is left in the next
            quality=100,
            method=6,
            kmax=0,  # no whole frames in between
        )


def by_words(film: Film) -> None:
    page = film.page
    film.caption = "Search by words"
    film.look(900)
    for start in range(0, len(WORDS), 3):
        page.keyboard.type(WORDS[start : start + 3])
        film.look(TYPE_MS)
    page.keyboard.press("Enter")
    page.wait_for_selector(".mm-hit .mm-word")
    film.caption = "Search by words: they are marked on the page itself"
    film.look(2000)


def by_screenshot(film: Film, screenshot: Path) -> None:
    page = film.page
    film.caption = "Have a screenshot, and no idea where it is from?"
    with Image.open(screenshot) as picture:
        film.hold(picture.convert("RGB"), 1700)
    page.locator(".mm-words").fill("")
    paste(page, screenshot)
    page.wait_for_selector(".mm-hit .mm-spot")
    film.caption = "Paste it: this very page, and the spot on it"
    film.look(1900)
    film.click(page.locator(".mm-hit h2 a").first)
    page.wait_for_selector("dialog .mm-text")
    film.look(1700)


def by_region(film: Film) -> None:
    page = film.page
    film.caption = "Or search with a part of any page"
    film.click(page.get_by_role("button", name="Search a region"))
    sheet = page.locator(".mm-sheet img").bounding_box()
    assert sheet is not None, "the viewer shows the page"
    left, top = sheet["x"] + REGION[0] * sheet["width"], sheet["y"] + REGION[1] * sheet["height"]
    wide, high = (REGION[2] - REGION[0]) * sheet["width"], (REGION[3] - REGION[1]) * sheet["height"]
    film.move(left, top)
    page.mouse.move(left, top)
    page.mouse.down()
    for step in range(1, 7):
        film.pointer = (left + wide * step / 6, top + high * step / 6)
        page.mouse.move(*film.pointer)
        film.look(MOVE_MS)
    page.mouse.up()
    search = page.get_by_role("button", name="Search this region")
    search.wait_for()
    film.look(400)
    film.click(search)
    page.wait_for_selector(".mm-searched")
    page.wait_for_selector(".mm-hit .mm-spot")
    film.look(2400)


def paste(page: Page, picture: Path) -> None:
    """Paste an image into the page, as from the clipboard."""
    page.evaluate(PASTE, base64.b64encode(picture.read_bytes()).decode())
    page.wait_for_url("**image=**")


def settle(page: Page) -> None:
    """Wait until nothing is under way, and every picture in sight is there."""
    page.wait_for_function(SETTLED)


def seen(page: Page) -> Image.Image:
    """The page as it is now, without the blinking cursor."""
    shot = page.screenshot(animations="disabled", caret="hide")
    return Image.open(BytesIO(shot)).convert("RGB")


def held(shot: Image.Image, picture: Image.Image) -> Image.Image:
    """A page in the background, and a picture in a white frame before it."""
    back = Image.blend(shot, Image.new("RGB", shot.size, "#1b2433"), 0.55)
    picture = picture.copy()
    picture.thumbnail((shot.width * 5 // 9, shot.height * 5 // 9), Image.Resampling.LANCZOS)
    x, y = (shot.width - picture.width) // 2, (shot.height - picture.height) // 2
    frame = (x - 10, y - 10, x + picture.width + 9, y + picture.height + 9)
    ImageDraw.Draw(back).rounded_rectangle(frame, 8, fill="white")
    back.paste(picture, (x, y))
    return back


def captioned(
    shot: Image.Image, caption: str, pointer: tuple[float, float] | None = None
) -> Image.Image:
    """A picture of the page with a pointer, in CSS pixels, on it and a caption below it."""
    whole = Image.new("RGB", (shot.width, shot.height + STRIP), "#1b2433")
    whole.paste(shot)
    if pointer is not None:
        scale = shot.width / MOVING["width"]
        _point(whole, pointer[0] * scale, pointer[1] * scale)
    middle = (shot.width / 2, shot.height + STRIP / 2)
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(whole).text(middle, caption, "white", font, anchor="mm")
    return whole


def _point(image: Image.Image, x: float, y: float) -> None:
    """Draw a mouse pointer, four times as large at first so that its edges are smooth."""
    arrow = Image.new("RGBA", (4 * 24, 4 * 32))
    corners = [(4 * (2 + 1.2 * dx), 4 * (2 + 1.2 * dy)) for dx, dy in POINTER]
    ImageDraw.Draw(arrow).polygon(corners, fill="#10151f", outline="white", width=5)
    arrow = arrow.resize((24, 32), Image.Resampling.LANCZOS)
    image.paste(arrow, (round(x) - 2, round(y) - 2), arrow)


@contextmanager
def samples() -> Iterator[Path]:
    """A folder to work in, with the samples; their corpus is at ARCHIVE as long as this lasts."""
    try:
        ARCHIVE.mkdir()
    except FileExistsError:
        sys.exit(f"{ARCHIVE} exists, and the pictures are taken there; move it away first")
    try:
        with tempfile.TemporaryDirectory(prefix="mmsearch-") as folder:
            work = Path(folder)
            run(ROOT / "samples" / "build.py", work / "samples")
            shutil.copytree(work / "samples" / "corpus", ARCHIVE, dirs_exist_ok=True)
            yield work
    finally:
        shutil.rmtree(ARCHIVE)


@contextmanager
def served(work: Path) -> Iterator[str]:
    """The page over an index of ARCHIVE in `work`; yields its address."""
    index = ("--index", work / "index")
    run("-m", "mmsearch.cli", "ingest", ARCHIVE, *index, "--profile", "lite", cwd=work)
    command = [sys.executable, "-m", "mmsearch.cli", "serve", *map(str, index), "--port", "0"]
    with subprocess.Popen(
        command, cwd=work, env=_environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http://" not in line:
                sys.exit("mmsearch serve did not start; what it said is above")
            yield f"{line.split()[-1]}/"
        finally:
            server.terminate()


def run(*arguments: str | Path, cwd: Path = ROOT) -> None:
    """Run Python with these arguments, to its end."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=_environment(), stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed; what it said is above")


def _environment() -> dict[str, str]:
    """This process's, without settings of mmsearch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MMSEARCH_")}
    return {**kept, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, else Playwright's own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("playwright is missing; install it: pip install playwright")
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        path = path or playwright.chromium.executable_path
        if not Path(path).exists():
            sys.exit("there is no Chromium; install it: playwright install chromium")
        with playwright.chromium.launch(executable_path=path, args=[*CHROMIUM]) as browser:
            yield browser


@contextmanager
def opened(browser: Browser, url: str, size: dict[str, int], scale: float = 1) -> Iterator[Page]:
    """The page in a window of its own, ready for words."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=scale,
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    with context:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".mm-message")
        page.locator(".mm-words").focus()
        yield page


if __name__ == "__main__":
    main()
