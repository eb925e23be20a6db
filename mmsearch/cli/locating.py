"""The command that finds the pages of many screenshots: `locate`."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import say, show, show_csv, show_json
from mmsearch.cli.progress import told
from mmsearch.cli.reporting import check_writable, write_whole
from mmsearch.cli.spots import THIS_PAGE, confidence, match_row, repaired, spot
from mmsearch.errors import InvalidQuery, InvalidSetting, NotFound, UnreadableFile

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.engine import SearchEngine
    from mmsearch.screenshots.sheet import Card
    from mmsearch.types import Hit

UNREADABLE = "unreadable"
COLUMNS = ("screenshot", "confidence", "path", "page", "x0", "y0", "x1", "y1", "seconds", "reason")


@dataclass(frozen=True, slots=True)
class _Located:
    """A screenshot and the best hit; `reason` is why it could not be read."""

    path: Path
    image: Image | None = None
    hit: Hit | None = None
    repairs: tuple[str, ...] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def confidence(self) -> str:
        return UNREADABLE if self.reason else confidence(self.hit)

    @property
    def spotted(self) -> str:
        """PATH#PAGE of the page and the spot on it, as far as they are known."""
        if self.hit is None:
            return ""
        page = f"{self.hit.document.paths[0]}#{self.hit.page}"
        return f"{page}, {spot(self.hit.box)}" if self.hit.box else page


def locate(
    screenshots: Annotated[
        list[Path], typer.Argument(help="Images, and folders of them.", show_default=False)
    ],
    repair: options.Repair = True,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on stdout, with a header.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a contact sheet here, with the spots.", show_default=False),
    ] = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Find the pages that screenshots were cut from, and where on them."""
    if as_csv and as_json:
        raise InvalidSetting("--csv and --json: give one of them")
    if html:
        check_writable("html", html)
    failed = 0
    with options.open_index(index) as engine:
        images = list(_images(screenshots))
        located = (_locate(engine, path, reason, repair=repair) for path, reason in images)
        # On a terminal, the lines tell how far it is.
        quiet = sys.stdout.isatty()
        found = located if quiet else told(located, len(images), "screenshots looked for")

        def shown() -> Iterator[_Located]:
            nonlocal failed
            if as_csv:
                show_csv(COLUMNS)
            for one in found:
                failed += bool(one.reason)
                _show(one, as_csv=as_csv, as_json=as_json)
                yield one

        if html:
            _write_sheet(html, engine, shown())
        else:
            deque(shown(), maxlen=0)
    if failed:
        raise typer.Exit(1)


def _images(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The image files that are named or lie in folders, and why a folder gives none."""
    from mmsearch.images import EXTENSIONS

    for path in paths:
        if not path.is_dir():
            yield path, ""
            continue
        found = [
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in EXTENSIONS and not name.startswith(".")
        ]
        yield from ((file, "") for file in sorted(found))
        if not found:
            yield path, "no image in this folder"


def _locate(engine: SearchEngine, path: Path, reason: str, *, repair: bool) -> _Located:
    """Find the page of a screenshot, unless there is a `reason` why that cannot be read."""
    from mmsearch.images import open_image
    from mmsearch.screenshots import repairs

    if reason:
        return _Located(path, reason=reason)
    started = time.perf_counter()
    try:
        image = open_image(path, max_pixels=engine.settings.max_pixels)
    except (UnreadableFile, OSError) as error:
        return _Located(path, reason=str(error).replace(f"{path.name}: ", "", 1))
    query = engine.query(image=image, repair=repair)
    hits: list[Hit] = []
    with suppress(InvalidQuery):  # nothing on it that could be looked for
        hits = engine.answer(query, limit=1)
    seconds = time.perf_counter() - started
    return _Located(path, image, next(iter(hits), None), repairs(query, hits), seconds)


def _show(located: _Located, *, as_csv: bool, as_json: bool) -> None:
    hit, seconds = located.hit, round(located.seconds, 3)
    box = list(hit.box) if hit and hit.box else None
    path, page = (hit.document.paths[0], hit.page) if hit else (None, None)
    if as_csv:
        corners = [f"{side:.4f}" for side in box] if box else [""] * 4
        show_csv(
            (_cell(located.path), located.confidence, path, page, *corners, seconds, located.reason)
        )
    elif as_json:
        show_json(
            {
                "screenshot": str(located.path),
                "confidence": located.confidence,
                "path": path,
                "page": page,
                "box": box,
                "match": match_row(hit),
                "repairs": list(located.repairs),
                "seconds": seconds,
                "reason": located.reason or None,
            }
        )
    elif located.reason:
        say(f"{located.path}: {located.reason}")
    else:
        where = f"  {located.spotted}" if hit else ""
        show(f"{located.path}  {located.confidence}{where}  {seconds:.2f} s")


def _cell(path: Path) -> str:
    """A path that no spreadsheet takes for a formula."""
    return f"./{path}" if str(path)[:1] in "=+-@" else str(path)


def _write_sheet(path: Path, engine: SearchEngine, found: Iterable[_Located]) -> None:
    from mmsearch.screenshots.sheet import sheet

    try:
        write_whole(path, sheet(_card(engine, located) for located in found))
    except BrokenPipeError:  # of stdout
        raise
    except OSError as error:
        raise InvalidSetting(f"--html {path}: cannot be written: {error.strerror}") from error
    say(f"contact sheet: {path}")


def _card(engine: SearchEngine, located: _Located) -> Card:
    from mmsearch.images import open_image
    from mmsearch.screenshots.sheet import Card

    page = None
    if located.hit:
        with suppress(NotFound, UnreadableFile):  # removed since, or damaged
            stored = engine.store.picture(located.hit.document.id, located.hit.page)
            page = open_image(stored)
    notes = [located.reason, repaired(located.repairs) if located.repairs else ""]
    return Card(
        name=str(located.path),
        answer=located.confidence,
        sure=located.confidence == THIS_PAGE,
        place=located.spotted,
        note="; ".join(filter(None, notes)),
        screenshot=located.image,
        page=page,
        box=located.hit.box if located.hit else None,
    )
