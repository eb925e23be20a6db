"""What `mmsearch ingest` and its kin show, write and leave behind, as processes of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import mmsearch
from ingest import FileResult, Progress, Report, run
from mmsearch import filters, looks
from mmsearch.cli import app, lines, reporting
from mmsearch.cli.progress import STOPPING, Pace, fitted
from mmsearch.errors import InvalidSetting
from mmsearch.filters import Filter
from mmsearch.types import Document, DocumentState, Location
from tests import builders

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "MMSEARCH_PROFILE": "words.toml"}
HOSTILE = "\x1b]0;owned\x07[red]\n\u202etxt.pdf"


@pytest.fixture(autouse=True)
def _words_only(tmp_path: Path) -> None:
    """A profile whose indexes need no model, which would take most of the time to load."""
    (tmp_path / "words.toml").write_text('[views.lexical]\nencoder = "bm25"\n')


def mmsearch_(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mmsearch.cli", *map(str, arguments)]


def rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_events_and_the_report_file_tell_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    builders.write_text_pdf(folder / "good.pdf", ["a heron", "a kingfisher"])
    (folder / "empty.pdf").touch()
    (folder / "notes.xyz").touch()
    done = mmsearch_(tmp_path, "ingest", folder, "--json")
    assert done.returncode == 1
    events = rows(done.stdout)
    assert {event["event"] for event in events[:-1]} == {"file", "progress"}
    last = events[-1]
    assert (last["event"], last["done"], last["failed"], last["skipped"]) == ("report", 1, 1, 1)
    assert last["pages"] == 2
    assert last["unsupported"] == {".xyz": 1}
    (file,) = (tmp_path / "mmsearch-index" / "reports").iterdir()
    assert done.stderr == f"report: {file.relative_to(tmp_path)}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    told = [event for event in events if event["event"] == "file"]
    assert [{"event": "file"} | row for row in kept.pop("files")] == told
    assert {"event": "report"} | kept == last
    # Nothing failed but what failed before, and that is said.
    again = mmsearch_(tmp_path, "retry", "--report", "mine.json")
    assert again.returncode == 1
    assert "is empty" in again.stdout
    assert json.loads((tmp_path / "mine.json").read_text())["failed"] == 1
    assert "report: mine.json" in again.stderr
    # A folder is made equal to what is there.
    (folder / "empty.pdf").unlink()
    (folder / "good.pdf").rename(folder / "better.pdf")
    synced = mmsearch_(tmp_path, "sync", folder)
    assert synced.returncode == 0, synced
    assert f"no longer there, still at {folder / 'better.pdf'}" in synced.stdout
    assert "0 done (0 pages), 2 skipped, 0 failed, 2 removed" in synced.stdout


def test_what_failed_is_listed_with_every_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(tmp_path / "index")
    with mmsearch.open(index, profile=str(tmp_path / "words.toml")) as engine:
        at = (Location("/x/a.pdf", "a.pdf", 1.0),)
        torn = {2: "torn", 3: "torn", 5: "torn", 6: "burnt"}
        failed = DocumentState.FAILED
        for document in (
            Document("a" * 64, DocumentState.DONE, locations=at, page_count=9, failed_pages=torn),
            Document("b" * 64, failed, reason="no", error="NeedsPassword", attempts=2),
            Document("c" * 64, DocumentState.DONE),
        ):
            engine.documents.put(document)
    app(["list", "--failed", "--index", index], standalone_mode=False)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "bbbbbbbbbbbb  failed      0",
        "no (NeedsPassword, tried 2 times)",
        "aaaaaaaaaaaa  done        9  /x/a.pdf",
        "pages 2-3: torn",
        "page 5: torn",
        "page 6: burnt",
    ]
    app(["list", "--failed", "--json", "--index", index], standalone_mode=False)
    first, second = rows(capsys.readouterr().out)
    assert (first["error"], first["attempts"]) == ("NeedsPassword", 2)
    assert second["failed_pages"] == {"2": "torn", "3": "torn", "5": "torn", "6": "burnt"}


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in the middle of a long file."""
    builders.write_text_pdf(tmp_path / "long.pdf", [builders.LOREM[0]] * 800)
    process = subprocess.Popen(
        command("ingest", "long.pdf", "--json", "--jobs", "1"),
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("mmsearch-index/store/*/*/*.jpg")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def test_the_first_interrupt_ends_the_run_well(
    reading: subprocess.Popen[str], tmp_path: Path
) -> None:
    reading.send_signal(signal.SIGINT)
    told, said = reading.communicate(timeout=60)
    assert reading.returncode == 130, said
    first, *_, last = said.splitlines()
    assert first == STOPPING
    assert last == "mmsearch: stopped; what was finished is kept, run the same command to go on"
    report = rows(told)[-1]
    assert (report["event"], report["stopped"], report["done"]) == ("report", True, 0)


def test_sigterm_ends_the_run_well_and_a_second_signal_at_once(
    reading: subprocess.Popen[str],
) -> None:
    reading.send_signal(signal.SIGTERM)
    assert reading.stderr is not None
    assert reading.stderr.readline() == f"{STOPPING}\n"
    reading.send_signal(signal.SIGTERM)
    _, said = reading.communicate(timeout=60)
    assert reading.returncode == 143
    assert said.splitlines()[-1].startswith("mmsearch: stopped")
    assert "Traceback" not in said


def test_on_a_terminal_a_password_is_asked_for_and_names_are_harmless(tmp_path: Path) -> None:
    builders.write_text_pdf(tmp_path / HOSTILE, ["a secret heron"], password="sesame")
    seen, code = on_terminal(
        tmp_path, ["ingest", str(tmp_path), "--ask-password"], [b"wrong\n", b"sesame\n", b"\n"]
    )
    assert code == 0, seen
    assert "1 done (1 page), 1 skipped" in seen
    assert "sesame" not in seen
    assert re.search(r"reading .* of 2 files", seen, re.DOTALL)
    # What the terminal was told to do is only what draws the view, and the cursor.
    assert set(re.findall(r"\x1b\[[0-9;?]*([a-zA-Z])", seen)) <= set("mAKJHlh")
    assert "\x1b]" not in seen
    assert "\x07" not in seen
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert max(len(line) for line in re.split(r"[\r\n]+", drawn) if "mmsearch-" not in line) <= 80
    listed = mmsearch_(tmp_path, "list").stdout
    assert listed.endswith(
        "\N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER}[red] txt.pdf\n"
    )


def on_terminal(folder: Path, arguments: list[str], typed: list[bytes]) -> tuple[str, int]:
    """Run `mmsearch` on a terminal of 80 columns; answers each prompt for a password."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        shown = {"TERM": "xterm", "COLUMNS": "80"}
        os.execve(sys.executable, command(*arguments), ENVIRONMENT | shown)
    seen = b""
    answered = 0
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        seen += block
        if answered < len(typed) and len(re.findall(rb"password[^\n]*: ", seen)) > answered:
            os.write(terminal, typed[answered])
            answered += 1
    os.close(terminal)
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_password_is_not_asked_for_without_a_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        command("ingest", "x.pdf", "--ask-password"),
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("mmsearch: --ask-password: there is no terminal")
    assert not (tmp_path / "mmsearch-index").exists()


def test_a_report_that_cannot_be_written_is_known_before_the_run(tmp_path: Path) -> None:
    done = mmsearch_(tmp_path, "ingest", "x.pdf", "--report", "nowhere/report.json")
    assert done.returncode == 1
    assert done.stderr.startswith("mmsearch: --report nowhere/report.json: cannot be written")
    assert not (tmp_path / "mmsearch-index").exists()


def test_a_dry_run_is_printed_and_makes_no_index(tmp_path: Path) -> None:
    builders.write_text_pdf(tmp_path / "a.pdf", ["a heron"] * 3)
    (tmp_path / "b.xyz").touch()
    done = mmsearch_(tmp_path, "ingest", tmp_path, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "skipped  2 unsupported: 1 .xyz, 1 .toml" in done.stdout
    assert "1 file pdf, 3 pages" in done.stdout
    assert re.search(r"about \d+ s.*; from a sample of 3 pages", done.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "b.xyz", "words.toml"]


def test_watching_tells_what_is_new_until_it_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    (folder / "empty.pdf").touch()
    process = subprocess.Popen(
        command("watch", "files", "--settle", "0.2", "--sweep", "0.5", "--json"),
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told: list[tuple[str, str]] = []
        for event in map(json.loads, process.stdout):
            if event["event"] == "file":
                told.append((event["status"], Path(event["path"]).name))
            if len(told) == 2 and (folder / "a.pdf").exists():
                (folder / "a.pdf").unlink()
            if len(told) == 3:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert sorted(told[:2]) == [("done", "a.pdf"), ("failed", "empty.pdf")]
    assert told[2] == ("removed", "a.pdf")  # nor was the old failure told again by a sweep
    assert process.returncode == 0, said
    assert said.splitlines()[-1] == STOPPING


@pytest.mark.slow
def test_the_page_is_served_while_a_folder_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    process = subprocess.Popen(
        command("serve", "--watch", "files", "--port", "0"),
        cwd=tmp_path,
        env=ENVIRONMENT | {"MMSEARCH_WATCH_SETTLE": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("mmsearch is at http://")
        builders.write_text_pdf(folder / "a.pdf", ["a heron"])
        assert process.stderr.readline() == f"done     {folder / 'a.pdf'}: 1 pages\n"
        assert "a heron" in mmsearch_(tmp_path, "search", "heron").stdout
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (0, "")


def test_a_page_that_is_in_two_documents_is_shown_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "\n".join(builders.LOREM)
    builders.write_text_pdf(tmp_path / "a.pdf", [page], title="One")
    builders.write_text_pdf(tmp_path / "b.pdf", ["a cover", page], title="Two")
    (tmp_path / "copy.pdf").write_bytes((tmp_path / "a.pdf").read_bytes())
    index = str(tmp_path / "index")
    with mmsearch.open(index, profile=str(tmp_path / "words.toml")) as engine:
        run([tmp_path], engine)
        for point in list(engine.index.pages.scroll(Filter())):
            document, number = point.payload["document"], point.payload["number"]
            look = looks.look_of(engine.store.picture(document, number))
            found = {"look": look, "look_bands": looks.bands(look)}
            engine.index.pages.set_payload(found, filters.ids([point.id]))
    app(["duplicates", "--index", index], standalone_mode=False)
    first, second, third, same, *twins, last = capsys.readouterr().out.splitlines()
    assert first == "the same file (1 page)"
    assert [second, third] == [f"    {tmp_path / 'a.pdf'}", f"    {tmp_path / 'copy.pdf'}"]
    assert same == "the same page"
    assert sorted(twins) == [
        f"    {tmp_path / 'a.pdf'}, page 1",
        f"    {tmp_path / 'b.pdf'}, page 2",
    ]
    assert last == "1 file in several places, 1 page in several documents"
    app(["search", "lighthouse", "--index", index], standalone_mode=False)
    shown = capsys.readouterr().out.splitlines()
    where = {f"{tmp_path / 'a.pdf'}, page 1", f"{tmp_path / 'b.pdf'}, page 2"}
    assert {line.removeprefix("     also in: ") for line in shown if "also in" in line} == where


def test_the_version_is_said(tmp_path: Path) -> None:
    assert mmsearch_(tmp_path, "--version").stdout == f"mmsearch {mmsearch.__version__}\n"


def test_long_lists_are_cut_and_alike_ones_counted(capsys: pytest.CaptureFixture[str]) -> None:
    results = [FileResult(f"/{n}.pdf", "failed", reason="torn") for n in range(30)]
    results += [FileResult(f"/{n}.TXT", "skipped", reason="unsupported type .txt") for n in "ab"]
    results += [FileResult("/no", "skipped", reason="unsupported type (no ending)")]
    results += [FileResult("/same", "skipped", 1, "d", "same content as /other")]
    missing = {1: "no Arabic", 2: "no Arabic", 7: "no Thai"}
    results += [FileResult("/a.pdf", "done", 8, "e", failed_pages=missing)]
    reporting.show_report(Report(results))
    shown = capsys.readouterr().out.splitlines()
    assert shown[19:21] == [
        "failed   /19.pdf: torn",
        "         and 10 more: mmsearch list --failed",
    ]
    assert shown[21:] == [
        "missing  2 pages: no Arabic",
        "missing  1 page: no Thai",
        "skipped  1 same content as another",
        "skipped  3 unsupported: 2 .txt, 1 (no ending)",
        "1 done (8 pages), 4 skipped, 30 failed",
    ]


def test_only_the_newest_reports_are_kept(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "notes.json").touch()
    for _ in range(22):
        reporting.write_report(Report(), str(tmp_path), None)
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert len(names) == 21
    assert names[-1] == "notes.json"
    newest = names[-2]
    reporting.write_report(Report(), str(tmp_path), None)
    left = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert newest in left
    assert names[0] not in left


def test_a_report_of_an_index_on_a_server_needs_a_name(tmp_path: Path) -> None:
    reporting.write_report(Report(), "http://server:6333", tmp_path / "mine.json")
    assert json.loads((tmp_path / "mine.json").read_text())["failed"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "words.toml"]
    with pytest.raises(InvalidSetting, match="cannot be written"):
        reporting.write_report(Report(), "http://server:6333", tmp_path / "none" / "mine.json")


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("a\x1b[31mb", "a�[31mb"),
        ("two\r\nlines\u2028three", "two lines three"),
        ("fdp\u202etxt", "fdptxt"),
        ("c1\x9b31m", "c1�31m"),
        ("naïve [bold] 日本 عربي", "naïve [bold] 日本 عربي"),
    ],
)
def test_text_of_others_is_harmless(hostile: str, harmless: str) -> None:
    assert lines.plain(hostile) == harmless
    written = lines.as_json({"x": hostile})
    assert lines.plain(written) == written
    assert json.loads(written) == {"x": hostile}


def test_names_are_shortened_in_the_middle() -> None:
    long = "reading annual-report-of-1998.pdf, page 7"
    assert lines.shortened(long, 24) == "reading …998.pdf, page 7"
    assert lines.shortened("short", 5) == "short"
    for width in range(12):
        assert len(lines.shortened("something long", width)) <= width
        assert cell_len(fitted("日本語の年次報告書.pdf, page 3", width)) <= width
    assert fitted("日本語の年次報告書.pdf, page 3", 20).endswith("page 3")


def test_the_time_left_goes_by_what_was_done_lately() -> None:
    pace = Pace()
    progress = Progress(bytes_found=10_000, walked=True)
    pace.look(progress, now=0.0)
    assert pace.seconds_left(now=0.0) is None
    # A resumed run: the first half is known already and passes at once.
    for second in range(1, 301):
        progress.bytes_done = 5_000 + 10 * second
        pace.look(progress, now=float(second))
    assert pace.seconds_left(now=300.0) == pytest.approx(200, rel=0.02)
    progress.phase, progress.vectors_wanted = "encoding", 100
    pace.look(progress, now=301.0)
    assert pace.seconds_left(now=301.0) is None
    progress.vectors = 50
    pace.look(progress, now=311.0)
    assert pace.seconds_left(now=311.0) == pytest.approx(10)
