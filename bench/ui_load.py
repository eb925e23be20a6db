"""How the web page bears many visitors while files are being read, in profile `lite`.

    python -m bench.ui_load [--pages 5000] [--visitors 20] [--seconds 120] [--think 5] [--warmup 30]
        [--screenshots 0.1] [--thumbnails 12] [--no-ingestion] [--folder DIR] [--json]

PDFs with made-up text, some pages with figures, are made and ingested. Then `mmsearch serve` runs
in a process of its own, and visitors send to it what the page's script sends: a search, in one of
ten a screenshot cut from a page, then the first thumbnails of what was found; then they think.
Meanwhile the server reads scans that were uploaded to it. Counted is what begins after the warm-up.

words, screenshots   milliseconds until the final answer is there, an image's upload included
thumbnails           milliseconds of one of them
served               mean of what the server itself spent on a search: the rest was waiting for it
found                share of screenshots whose page comes first
own MB, resident MB  memory of the server without and with mapped files: those are the system's to
                     drop; growth is from the end of the warm-up to the end
ingestion pages      pages that were read meanwhile
load                 average of the machine, over a minute

With --folder the index is kept there and used again; what runs is a copy of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psutil

import mmsearch
from mmsearch.filters import Filter
from mmsearch.labels import names
from mmsearch.screenshots.cuts import cuts

CONNECTIONS = 6  # of a browser to one server
SCANS_A_SECOND = 3  # of the run: more than are read
SCAN_DPI = 200
TIMEOUT = 60.0  # seconds that an answer is waited for
UNKNOWN = ("zyxwvut qqqq", "xkcdqwfp", "brzzt vlorpf")  # words that stand nowhere
KINDS = ("words", "screenshots", "thumbnails", "opening")
_THUMBNAIL = re.compile(r"src='(thumbnails/[^']+)'")
_VIEW = re.compile(r"data-view='([^']+)'")


@dataclass(frozen=True, slots=True)
class Shot:
    """A screenshot as PNG, and the page it was cut from: `document/number`."""

    encoded: bytes
    page: str


@dataclass(frozen=True, slots=True)
class Material:
    """What visitors send: words of lines, screenshots in turn; and the scans that are uploaded."""

    lines: Sequence[str]
    shots: Iterator[Shot]
    scans: Sequence[Path]


@dataclass(slots=True)
class Log:
    """What was measured: by kind, pairs of the moment it began and the seconds it took."""

    took: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {k: [] for k in KINDS}
    )
    failures: list[str] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)  # moment, own, resident

    @contextlib.contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except (httpx.HTTPError, ValueError, KeyError, TimeoutError) as error:
            self.failures.append(f"{kind}: {type(error).__name__}: {error}")
        else:
            self.took[kind].append((started, time.monotonic() - started))


def main() -> None:
    """Print the figures of one run."""
    arguments = _arguments()
    seconds = arguments.warmup + arguments.seconds
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="run-") as temporary:
        work = Path(temporary)
        kept = arguments.folder or work
        _make(kept, arguments.pages, round(seconds * SCANS_A_SECOND))
        index = work / "copy"
        shutil.copytree(kept / "index", index, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        scans = sorted((kept / "scans").iterdir())
        most = seconds / arguments.think * arguments.visitors * arguments.screenshots
        material = _material(index, scans, round(1.5 * most))
        log = Log()
        load = os.getloadavg()[0]
        with _served(index, work) as (address, process):
            figures = asyncio.run(_run(address, process, arguments, material, log))
        said = (work / "said").read_text(errors="replace")
    if said:
        log.failures.append(f"the server said: {said[-2000:]}")
    loads = {"load before": load, "load after": os.getloadavg()[0]}
    figures = loads | {"errors": len(log.failures)} | figures
    for name, value in figures.items():
        print(f"{name:24} {value:.4g}")
    for failure in log.failures[:10]:
        print(f"failure: {failure}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(figures))
    sys.exit(bool(log.failures))


# The index, and what is asked of it ---------------------------------------------------------------


def _make(folder: Path, pages: int, scans: int) -> None:
    """The index and the scans, unless they are there from an earlier run."""
    if not (folder / "scans").is_dir():
        shutil.rmtree(folder / "making", ignore_errors=True)
        write_pdfs(folder / "making" / "drawn", scans, seed=2)
        write_scans(folder / "making" / "drawn", folder / "making" / "scans")
        (folder / "making" / "scans").rename(folder / "scans")
    if (folder / "index").is_dir():
        return
    for part in ("files", "new"):
        shutil.rmtree(folder / part, ignore_errors=True)
    write_pdfs(folder / "files", pages, seed=1)
    command = [sys.executable, "-m", "mmsearch.cli", "ingest", str(folder / "files")]
    started = time.monotonic()
    subprocess.run(
        [*command, "--index", str(folder / "new"), "--profile", "lite", "--ocr", "off"], check=True
    )
    (folder / "new").rename(folder / "index")
    print(f"ingested {pages} pages in {time.monotonic() - started:.0f} s", file=sys.stderr)


def write_pdfs(folder: Path, pages: int, seed: int) -> None:
    """PDFs of 1 to 40 pages with a text layer, drawn words by Zipf's law; figures on some pages."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    folder.mkdir(parents=True)
    chance = random.Random(seed)
    words = sorted({word for text in names.read().texts for word in text.split()})
    random.Random(0).shuffle(words)
    odds = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    written = 0
    while written < pages:
        canvas = Canvas(str(folder / f"{written:06}.pdf"), pagesize=A4)
        title = " ".join(chance.choices(words, k=4))
        canvas.setTitle(f"{title} {written}")
        for _ in range(min(chance.choice((1, 2, 4, 12, 40)), pages - written)):
            canvas.setFont("Times-Bold", 18)
            canvas.drawString(60, 770, " ".join(chance.choices(words, cum_weights=odds, k=4)))
            canvas.setFont("Times-Roman", chance.choice((11, 12, 13)))
            for line in range(chance.randint(9, 18)):
                text = " ".join(chance.choices(words, cum_weights=odds, k=9))
                canvas.drawString(60, 735 - 22 * line, f"{text} {chance.randrange(10_000)}")
            if chance.random() < 0.3:
                _draw_figure(canvas, chance)
            canvas.showPage()
            written += 1
        canvas.save()


def _draw_figure(canvas: Any, chance: random.Random) -> None:
    """A bar chart at the foot of the page."""
    canvas.line(80, 80, 480, 80)
    for bar in range(chance.randint(5, 14)):
        canvas.setFillGray(chance.uniform(0.2, 0.8))
        height = chance.uniform(20, 200)
        canvas.rect(90 + 27 * bar, 80, 20, height, fill=1)
        canvas.setFillGray(0)
        canvas.drawString(90 + 27 * bar, 66, str(chance.randrange(1000)))


def write_scans(drawn: Path, folder: Path) -> None:
    """The same PDFs as pictures of their pages."""
    import pypdfium2

    folder.mkdir()
    for file in sorted(drawn.iterdir()):
        with pypdfium2.PdfDocument(file) as pdf:
            first, *more = (page.render(scale=SCAN_DPI / 72).to_pil().convert("L") for page in pdf)
        options = {"resolution": SCAN_DPI, "quality": 80}
        first.save(folder / file.name, "PDF", save_all=True, append_images=more, **options)


def _material(index: Path, scans: Sequence[Path], count: int) -> Material:
    """Lines of the pages that have words, and `count` screenshots of them."""
    with mmsearch.open(index) as engine:
        texts = engine.index.pages.scroll(Filter(), payload=["text"])
        lines = [line for point in texts for line in point.payload["text"].splitlines()]
        shots = []
        for cut in cuts(engine, count):
            buffer = io.BytesIO()
            cut.image.save(buffer, "PNG")
            shots.append(Shot(buffer.getvalue(), f"{cut.document}/{cut.page}"))
    return Material([line for line in lines if len(line.split()) > 1], iter(shots), scans)


def _words(lines: Sequence[str], chance: random.Random) -> str:
    if chance.random() < 0.05:
        return chance.choice(UNKNOWN)
    words = chance.choice(lines).split()
    first = chance.randrange(len(words) - 1)
    return " ".join(words[first : first + chance.randint(2, 5)])


# The server ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _served(index: Path, work: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`mmsearch serve` over an index, at its address; what it complains of is in `work/said`."""
    command = [sys.executable, "-m", "mmsearch.cli", "serve", "--port", "0", "--index", str(index)]
    # All visitors come from one address here, so they would share what one of them may search.
    environment = os.environ | {"MMSEARCH_SEARCHES_PER_MINUTE": "0"}
    with (
        (work / "said").open("wb") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, env=environment, text=True
        ) as server,
    ):
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            if not line.startswith("mmsearch is at "):
                sys.exit(f"the server did not start: {(work / 'said').read_text()}")
            yield line.removeprefix("mmsearch is at ").strip(), psutil.Process(server.pid)
        finally:
            server.terminate()


async def _run(
    address: str,
    process: psutil.Process,
    arguments: argparse.Namespace,
    material: Material,
    log: Log,
) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=f"{address}/", timeout=TIMEOUT) as client:
        before = await _gauge(client, "mmsearch_pages")
        if arguments.ingestion:
            await _ingest(client, material.scans)
        began = time.monotonic()
        warm, end = began + arguments.warmup, began + arguments.warmup + arguments.seconds
        watch = asyncio.create_task(_watch(process, log))
        await asyncio.gather(
            *(
                _visit(address, arguments, material, end, random.Random(number), log)
                for number in range(arguments.visitors)
            )
        )
        watch.cancel()
        read = await _gauge(client, "mmsearch_pages") - before
        if arguments.ingestion and not await _gauge(client, "mmsearch_ingestion_jobs"):
            log.failures.append("the scans were all read before the end; start with a new --folder")
        served = {f"{k} served ms": 1000 * await _served_in(client, k) for k in ("words", "image")}
    return measured(log, warm, end) | served | {"ingestion pages": read}


async def _watch(process: psutil.Process, log: Log) -> None:
    """Note the server's memory every second."""
    while True:
        memory = process.memory_info()
        own = memory.rss - getattr(memory, "shared", 0)
        log.memory.append((time.monotonic(), own, memory.rss))
        await asyncio.sleep(1)


async def _gauge(client: httpx.AsyncClient, name: str) -> float:
    answer = (await client.get("metrics")).raise_for_status()
    found = re.search(rf"^{re.escape(name)} (\S+)$", answer.text, re.MULTILINE)
    if not found:
        raise ValueError(f"metrics: {name} is not told")
    return float(found[1])


async def _served_in(client: httpx.AsyncClient, kind: str) -> float:
    """Seconds that the server itself took for a search, on average."""
    total, count = [
        await _gauge(client, f'mmsearch_search_seconds_{part}{{kind="{kind}"}}')
        for part in ("sum", "count")
    ]
    return total / count if count else float("nan")


async def _ingest(client: httpx.AsyncClient, files: Sequence[Path]) -> None:
    """Upload files, as the library does: a job of the server's then reads them."""
    size = sum(file.stat().st_size for file in files)
    opened = await client.post("uploads", json={"files": len(files), "bytes": size, "tags": []})
    upload = opened.raise_for_status().json()["upload"]
    for number, file in enumerate(files):
        place = f"uploads/{upload}/{number}"
        sent = await client.put(place, params={"name": file.name}, content=file.read_bytes())
        sent.raise_for_status()
    (await client.post(f"uploads/{upload}/done", json={})).raise_for_status()


# The visitors -------------------------------------------------------------------------------------


async def _visit(
    address: str,
    arguments: argparse.Namespace,
    material: Material,
    end: float,
    chance: random.Random,
    log: Log,
) -> None:
    """One visitor: opens the page, then searches and thinks until the end."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    session, seen = secrets.token_hex(6), set[str]()
    await asyncio.sleep(chance.uniform(0, min(arguments.think, arguments.warmup)))
    async with httpx.AsyncClient(base_url=f"{address}/", timeout=TIMEOUT, limits=limits) as client:
        listeners: dict[str, int] = {}
        with log.timed("opening"):
            listeners = await _open(client)
            await _search(client, listeners["submit"], session, "", 1)
        for number in itertools.count(2):
            await asyncio.sleep(chance.expovariate(1 / arguments.think))
            if time.monotonic() > end:
                return
            shot = next(material.shots, None) if chance.random() < arguments.screenshots else None
            html, link = "", {"q": _words(material.lines, chance)}
            with log.timed("screenshots" if shot else "words"):
                if shot:
                    link = {"image": await _sent(client, shot)}
                searched = listeners["upload" if shot else "submit"]
                html = await _search(client, searched, session, urlencode(link), number)
            if shot and html:
                log.found.append((_VIEW.findall(html) or [""])[0] == shot.page)
            shown = _THUMBNAIL.findall(html)[: arguments.thumbnails]
            new = [name for name in shown if name not in seen]
            seen.update(new)
            await asyncio.gather(*(_thumbnail(client, name, log) for name in new))


async def _open(client: httpx.AsyncClient) -> dict[str, int]:
    """Load the page; returns the numbers of its searches among Gradio's listeners, by event."""
    for address in ("", "own/page.css", "own/page.js"):
        (await client.get(address)).raise_for_status()
    config: dict[str, Any] = (await client.get("config")).raise_for_status().json()
    listeners: dict[str, int] = {}
    for listener in config["dependencies"]:
        for _, event in listener["targets"]:
            listeners.setdefault(event, int(listener["id"]))
    return listeners


async def _sent(client: httpx.AsyncClient, shot: Shot) -> str:
    """Upload a screenshot; returns its id."""
    sent = await client.post("query-images?name=screen.png", content=shot.encoded)
    return str(sent.raise_for_status().json()["id"])


async def _search(
    client: httpx.AsyncClient, listener: int, session: str, link: str, number: int
) -> str:
    """The HTML that a search is answered with in the end.

    Raises:
        ValueError: it is no answer, or says that something went wrong.
    """
    body = {
        "data": [], "event_data": {"link": link, "number": number}, "fn_index": listener,
        "trigger_id": None, "session_hash": session,
    }  # fmt: skip
    joined = await client.post("gradio_api/queue/join", json=body)
    event_id = joined.raise_for_status().json()["event_id"]
    done: dict[str, Any] = {}
    events = f"gradio_api/queue/data?session_hash={session}"
    async with asyncio.timeout(TIMEOUT), client.stream("GET", events) as stream:
        async for line in stream.raise_for_status().aiter_lines():
            event = json.loads(line.removeprefix("data: ") or "{}")
            if event.get("event_id") == event_id and event["msg"] == "process_completed":
                done = event["output"]
    html = str(done["data"][0])
    if not html.startswith(f"<div data-answer='{number}'>") or "mm-problem" in html:
        raise ValueError(f"{link}: {html[:200]}")
    return html


async def _thumbnail(client: httpx.AsyncClient, name: str, log: Log) -> None:
    with log.timed("thumbnails"):
        (await client.get(name)).raise_for_status()


# The figures --------------------------------------------------------------------------------------


def measured(log: Log, warm: float, end: float) -> dict[str, float]:
    """What is printed of a run that was warm and ended at these moments."""
    counted = {k: [s for at, s in took if at >= warm] for k, took in log.took.items()}
    figures: dict[str, float] = {
        "searches": len(counted["words"]) + len(counted["screenshots"]),
    }
    for kind in ("words", "screenshots", "thumbnails"):
        spent = sorted(counted[kind]) or [float("nan")]
        figures |= {
            f"{kind}": len(counted[kind]),
            f"{kind} mean ms": 1000 * statistics.mean(spent),
            f"{kind} p50 ms": 1000 * statistics.median(spent),
            f"{kind} p95 ms": 1000 * spent[min(len(spent) - 1, int(0.95 * len(spent)))],
            f"{kind} max ms": 1000 * spent[-1],
        }
    if log.found:
        figures["found"] = statistics.mean(log.found)
    for name, at in (("own MB", 1), ("resident MB", 2)):
        first, after, last = (_around(log.memory, at, moment) for moment in (0.0, warm, end))
        figures |= {
            f"{name} at start": first / 1e6,
            f"{name} after warm-up": after / 1e6,
            f"{name} at end": last / 1e6,
            f"{name} growth": last / after - 1,
        }
    return figures


def _around(samples: list[tuple[float, int, int]], column: int, moment: float) -> float:
    """The median of the samples nearest to a moment: single ones jump."""
    near = sorted(samples, key=lambda sample: abs(sample[0] - moment))[: 9 if moment else 1]
    return statistics.median(sample[column] for sample in near)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--think", type=float, default=5, help="seconds, on average")
    parser.add_argument("--warmup", type=float, default=30, help="seconds that are not counted")
    parser.add_argument("--screenshots", type=float, default=0.1, help="share of the searches")
    # What is in sight before anybody scrolls.
    parser.add_argument("--thumbnails", type=int, default=12, help="loaded after a search")
    parser.add_argument("--ingestion", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--folder", type=Path, help="keep the index here, and use it again")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
