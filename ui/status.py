"""The Status tab: what the index is and holds, what it runs on, what is amiss, and a self-test."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import doctor
from mmsearch.errors import MMSearchError
from ui.scripts import once_there

if TYPE_CHECKING:
    from mmsearch.doctor import Check
    from mmsearch.engine import SearchEngine
    from ui.library.jobs import Jobs

TRIED = 12  # screenshots of the self-test
_FRESH = 60.0  # seconds that what was examined counts: it takes some, and everybody may ask
_PACKAGES = ("qdrant-edge-py", "onnxruntime", "gradio")
_log = logging.getLogger(__name__)


def create_status(engine: SearchEngine, jobs: Jobs) -> None:
    """Put the tab's content into the Blocks that are being made."""
    import gradio as gr

    checked: tuple[float, Sequence[Check]] = (0.0, ())
    testing = threading.Lock()

    def look() -> str:
        nonlocal checked
        try:
            if not checked[0] or time.monotonic() - checked[0] > _FRESH:
                checked = (time.monotonic(), examine(engine))
            return status(engine, jobs, checked[1])
        except MMSearchError as error:
            return f"<p class='mm-problem' role='alert'>{escape(str(error))}</p>"

    def test() -> Iterator[str]:
        # Whoever waits would take a place in the queue of everybody's searches.
        if not testing.acquire(blocking=False):
            yield _line("A self-test is under way; try again when it is done.")
            return
        try:
            yield from self_test(engine)
        except MMSearchError as error:
            yield f"<p class='mm-problem' role='alert'>{escape(str(error))}</p>"
        except Exception:
            _log.exception("self-test failed")
            yield "<p class='mm-problem' role='alert'>The self-test failed; see the terminal.</p>"
        finally:
            testing.release()

    shown = gr.HTML(
        "<p class='mm-quiet'>Looking …</p>",
        label="Status",
        elem_id="mm-status",
        apply_default_css=False,
        js_on_load=once_there("mm.status(element, trigger)"),
    )
    button = gr.Button("Test the screenshot search", elem_id="mm-self-test", size="sm")
    tested = gr.HTML(label="Self-test", elem_id="mm-tested", apply_default_css=False)
    shown.submit(look, outputs=shown, api_visibility="private", show_progress="hidden")
    button.click(
        test,
        outputs=tested,
        api_visibility="private",
        concurrency_limit=None,
        show_progress="hidden",
    )


def examine(engine: SearchEngine) -> list[Check]:
    """What `mmsearch doctor` finds, without the index, which is open here."""
    return doctor.machine(engine.settings, engine.profile)


def status(engine: SearchEngine, jobs: Jobs, checks: Sequence[Check]) -> str:
    """The tab as HTML."""
    known = engine.status()
    return f"{_warnings(known, checks)}{_facts(engine, known, jobs)}{_checks(checks)}"


def self_test(engine: SearchEngine) -> Iterator[str]:
    """Look for screenshots cut from the index's own pages: how far that is, then what it says."""
    from mmsearch.screenshots import selftest

    outcomes = []
    yield _line(f"Looking for screenshots: 0 of {TRIED} …")
    for outcome in selftest.outcomes(engine, TRIED, seed=int(time.time())):
        outcomes.append(outcome)
        yield _line(f"Looking for screenshots: {len(outcomes)} of {TRIED} …")
    figures = selftest.figures(outcomes)
    yield _line(
        f"{selftest.verdict(engine, outcomes)} "
        f"A search took {figures['p50']:.2f} s, the slowest {figures['p95']:.2f} s."
    )


def _line(text: str) -> str:
    return f"<p role='status'>{escape(text)}</p>"


def _facts(engine: SearchEngine, known: Mapping[str, Any], jobs: Jobs) -> str:
    waiting = sum(job.is_active for job in jobs.all())
    documents = ", ".join(f"{count:,} {state}" for state, count in known["documents"].items())
    vectors = ", ".join(f"{name} {count:,}" for name, count in known["vectors"].items())
    return _table(
        {
            "Index": Path(str(known["index"])).name if "://" not in known["index"] else "server",
            "Documents": documents or "none",
            "Pages": f"{known['pages']:,}, {known['searchable_pages']:,} of them searchable",
            "Vectors": vectors,
            "Disk": _disk(engine),
            "Ingestion": f"{waiting} under way or waiting" if waiting else "nothing to do",
            "Profile": known["profile"],
            **{f"Model of {name}": model for name, model in known["models"].items()},
            "Models run": _where(engine),
            "Versions": _versions(),
        }
    )


def _disk(engine: SearchEngine) -> str:
    """What the index takes, and what is left; of a server, what this machine has left."""
    folder = Path(engine.index.address)
    here = folder if folder.is_dir() else Path.cwd()
    free = f"{_size(shutil.disk_usage(here).free)} free"
    if not folder.is_dir():
        return free
    return f"{_size(_used(folder))} of the index without page pictures, {free}"


def _used(folder: Path) -> int:
    """Bytes of the index itself: page pictures are many small files, and would take long."""
    total = 0
    for inside, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("store", "uploads")]
        for name in files:
            try:
                total += os.stat(Path(inside, name)).st_blocks * 512  # noqa: PTH116
            except OSError:
                continue
    return total


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


def _where(engine: SearchEngine) -> str:
    service = engine.settings.encoder_service
    where = f"by the service {service}" if service else f"on this machine ({platform.machine()})"
    return f"{where}, device {engine.settings.device}"


def _versions() -> str:
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    from mmsearch import __version__

    return f"mmsearch {__version__}, Python {platform.python_version()}, {packages}"


def _warnings(known: Mapping[str, Any], checks: Sequence[Check]) -> str:
    """What is amiss, each with its fix."""
    lines = [
        f"{check.name}: {check.found}" + (f". To mend it: {check.fix}" if check.fix else "")
        for check in checks
        if not check.ok and not check.optional
    ]
    if known["searchable_pages"] and known["vectors"].get("text") == 0:
        lines.append("No page has vectors of its text. To mend it: mmsearch ingest PATH")
    if failed := known["documents"].get("failed"):
        noun = "document" if failed == 1 else "documents"
        lines.append(f"{failed:,} {noun} could not be read; the Library says why")
    if not lines:
        return "<p class='mm-fine' role='status'>All is well.</p>"
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<div class='mm-note' role='status'><ul>{rows}</ul></div>"


def _table(rows: dict[str, Any]) -> str:
    body = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return (
        f"<table class='mm-facts-table'><caption>This index</caption><tbody>{body}</tbody></table>"
    )


def _checks(checks: Sequence[Check]) -> str:
    """Every check: what there is, what is missing, and how to get it."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(check.name)}</th><td>{_mark(check)}</td>"
        f"<td>{escape(check.found)}{_fix(check)}</td></tr>"
        for check in checks
    )
    return (
        "<details class='mm-checks'><summary>What it runs on</summary>"
        "<table class='mm-facts-table'><caption class='mm-unseen'>Checks</caption>"
        f"<tbody>{rows}</tbody></table></details>"
    )


def _mark(check: Check) -> str:
    return "fine" if check.ok else "not there" if check.optional else "to be mended"


def _fix(check: Check) -> str:
    return f": <code>{escape(check.fix)}</code>" if check.fix else ""
