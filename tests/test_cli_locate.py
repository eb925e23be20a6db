"""`locate`, `search --image` and `selftest` as a person runs them, and the contact sheet."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

import ingest
import mmsearch
from mmsearch.cli.reporting import write_whole
from mmsearch.cli.spots import spot
from mmsearch.config import Settings
from mmsearch.screenshots.sheet import Card, sheet
from mmsearch.types import Box
from tests import builders

ROOT = Path(__file__).parents[1]
LOOKS = '[views.picture]\nencoder = "visual-words"\n'  # a profile without a model
PART = (60, 90, 560, 330)  # pixels of the page that is looked for
HOSTILE = '<script>x()</script>\' onload="x()" \x1b[31m.png'

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`index` of two pages, and `shots`: of one of them, of none, in dark, and no image at all."""
    folder = tmp_path_factory.mktemp("located")
    first = builders.page_image(builders.LOREM, dpi=90)
    second = builders.page_image([line[::-1] for line in builders.LOREM], dpi=90)
    builders.write_scan_pdf(folder / "book.pdf", [second, first], dpi=90)
    (folder / "looks.toml").write_text(LOOKS)
    settings = Settings(profile=str(folder / "looks.toml"), workers=1, ocr="off")
    with mmsearch.open(folder / "index", settings=settings) as engine:
        assert not ingest.run([folder / "book.pdf"], engine).of("failed")
    shots = folder / "shots"
    (shots / "more").mkdir(parents=True)
    shot = first.crop(PART)
    shot.save(shots / "a.png")
    ImageOps.invert(shot).save(shots / "more" / "dark.jpg", quality=80)
    Image.new("RGB", (300, 200), "white").save(shots / "white.png")
    (shots / "broken.png").write_bytes(b"\x89PNG\r\n and then nothing")
    (shots / ".hidden.png").write_text("left by a file manager")
    (shots / "notes.txt").write_text("not a screenshot")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    def run_(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mmsearch.cli", *map(str, arguments), "--index", "index"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_


def is_the_part(box: list[float]) -> bool:
    """Whether a box is where the screenshot was cut, to a hundredth of the page."""
    size = builders.page_image(["x"], dpi=90).size
    truth = [side / size[at % 2] for at, side in enumerate(PART)]
    return box == pytest.approx(truth, abs=0.01)


def test_every_screenshot_of_a_folder_is_located(run: Run, folder: Path) -> None:
    done = run("locate", "shots", "absent.png", "--html", "out.html")
    assert done.returncode == 1  # two could not be read
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    page = f"{folder}/book.pdf#2, top centre (8-"
    assert [line[0] for line in lines] == ["shots/a.png", "shots/more/dark.jpg", "shots/white.png"]
    assert [line[1] for line in lines] == ["this very page", "this very page", "not found"]
    assert all(line[2].startswith(page) for line in lines[:2])
    assert all(re.fullmatch(r"\d+\.\d\d s", line[-1]) for line in lines)
    said = done.stderr.splitlines()
    assert said[0].startswith("shots/broken.png: not an image")
    assert said[1:] == ["absent.png: no such file; check the path", "contact sheet: out.html"]
    # The sheet: a screenshot beside its page with the spot, and nothing from elsewhere.
    html = (folder / "out.html").read_text()
    assert "<h1>5 screenshots</h1><p>this very page: 2, unreadable: 2, not found: 1</p>" in html
    assert html.count("<img") == 5  # three screenshots, two pages
    assert html.count("<i style=") == 2
    assert "<script" not in html
    assert set(re.findall(r"(?:src|href)='([a-z]+:)", html)) == {"data:"}
    assert (folder / "out.html").stat().st_mode & 0o777 == 0o600


def test_csv_has_a_header_and_a_row_for_every_file(run: Run) -> None:
    done = run("locate", "shots/a.png", "shots/broken.png", "=1+1.png", "--csv", "--no-repair")
    found, broken, formula = csv.DictReader(io.StringIO(done.stdout))
    assert formula["screenshot"] == "./=1+1.png"  # or a spreadsheet would compute it
    assert done.returncode == 1
    assert (found["screenshot"], found["confidence"]) == ("shots/a.png", "this very page")
    assert found["page"] == "2"
    assert is_the_part([float(found[side]) for side in ("x0", "y0", "x1", "y1")])
    assert float(found["seconds"]) > 0
    assert broken["confidence"] == "unreadable"
    assert broken["reason"].startswith("not an image")


def test_json_has_the_match_and_what_was_repaired(run: Run) -> None:
    done = run("locate", "shots/more", "--json")
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert row["confidence"] == "this very page"
    assert is_the_part(row["box"])
    assert row["match"].keys() == {"box", "inliers", "agreement", "inverted"}
    assert row["match"]["inverted"] or row["repairs"] == ["inverted"]
    assert row["reason"] is None


def test_a_search_says_which_page_is_the_very_one_and_what_was_repaired(run: Run) -> None:
    lines = run("search", "--image", "shots/a.png").stdout.splitlines()
    firsts = [line for line in lines if re.match(r" +\d+  ", line)]
    assert "book, page 2 of 2: this very page, top centre (8-" in firsts[0]
    assert all(line.endswith("page 1 of 2: looks similar") for line in firsts[1:])
    shown = run("search", "--image", "shots/more/dark.jpg", "--json")
    assert shown.stderr == ""  # it was found as it is
    first, *others = [json.loads(line) for line in shown.stdout.splitlines()]
    assert first["match"]["box"] == first["box"]
    assert is_the_part(first["box"])
    assert all(row["match"] is None and row["box"] is None for row in others)


def test_a_selftest_says_how_well_it_works(run: Run) -> None:
    done = run("selftest", "--count", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "1 screenshot, cut from pages of this index and looked for"
    )
    assert "page first: 1 (100 %)" in done.stdout
    assert done.stdout.splitlines()[-1] == "Good: 1 of 1 screenshots have their page first."
    figures = json.loads(run("selftest", "--count", "1", "--json").stdout)
    assert figures["rank1"] == 1.0
    assert figures["faults"] == []
    assert figures["verdict"].startswith("Good: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--csv", "--json"], "--csv and --json: give one of them"),
        (["--html", "nowhere/out.html"], "--html nowhere/out.html: cannot be written"),
    ],
)
def test_wrong_options_are_one_line_before_anything_is_done(
    run: Run, options: list[str], said: str
) -> None:
    done = run("locate", "shots", *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert said in line


def test_a_sheet_shows_hostile_names_as_text() -> None:
    html = "".join(sheet([Card(HOSTILE, "looks similar", place=HOSTILE, note=HOSTILE)]))
    assert "<script" not in html
    assert html.count("&lt;script&gt;x()") == 3
    assert 'onload="' not in html


def test_pictures_of_a_sheet_are_of_bounded_size() -> None:
    large = Image.effect_noise((3000, 4000), 90)
    html = "".join(sheet([Card("a.png", "this very page", screenshot=large, page=large)]))
    shot, page = (
        Image.open(io.BytesIO(base64.b64decode(code)))
        for code in re.findall(r"base64,([^']+)'", html)
    )
    assert max(shot.size) == 500
    assert max(page.size) == 720
    assert shot.mode == page.mode == "RGB"


def test_a_sheet_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def parts() -> Iterator[str]:
        yield "half of it"
        raise RuntimeError

    out = tmp_path / "out.html"
    write_whole(out, ["the first"])
    with pytest.raises(RuntimeError):
        write_whole(out, parts())
    assert out.read_text() == "the first"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(0.1, 0.05, 0.4, 0.2), "top left (10-40 % across, 5-20 % down)"),
        (Box(0.35, 0.4, 0.65, 0.6), "middle (35-65 % across, 40-60 % down)"),
        (Box(0.05, 0.7, 0.95, 1.0), "bottom (5-95 % across, 70-100 % down)"),
        (Box(0.7, 0.0, 1.0, 1.0), "right (70-100 % across, 0-100 % down)"),
        (Box(0.35, 0.0, 0.65, 0.2), "top centre (35-65 % across, 0-20 % down)"),
        (Box(0.0, 0.0, 1.0, 0.99), "nearly all (0-100 % across, 0-99 % down)"),
    ],
)
def test_a_spot_is_said_in_words_and_figures(box: Box, words: str) -> None:
    assert spot(box) == words
