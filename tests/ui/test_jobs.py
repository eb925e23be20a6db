"""Ingestion jobs: real processes over a real index."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidSetting, NotFound
from tests import builders
from ui.library import job_views
from ui.library.job import FAILURES, RECENT, Job, after, begun, from_row
from ui.library.job_process import environment
from ui.library.jobs import Jobs
from ui.library.uploads import uploads_folder

ENDS = 60  # seconds


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MMSEARCH_INDEX", raising=False)
        folder = tmp_path_factory.mktemp("jobs") / "index"
        with mmsearch.open(folder, settings=Settings(profile="lite", workers=1)) as engine:
            yield engine


@pytest.fixture
def jobs(engine: SearchEngine) -> Iterator[Jobs]:
    jobs = Jobs(engine)
    yield jobs
    jobs.close()
    for path in (uploads_folder(engine) / "jobs").glob("*.json"):
        path.unlink()


def wait(jobs: Jobs, id_: str, until: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + ENDS
    while not until(job := jobs.get(id_)):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def is_over(job: Job) -> bool:
    return not job.is_active


def is_running(job: Job) -> bool:
    return job.state == "running"


def test_a_job_reads_a_folder_tags_it_and_says_what_failed(
    engine: SearchEngine, jobs: Jobs
) -> None:
    folder = uploads_folder(engine) / "files" / "2026-01-01-first"
    folder.mkdir(parents=True)
    builders.write_text_pdf(folder / "heron.pdf", ["a heron stands in the river"])
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no more than that")
    (folder / "unknown.xyz").write_text("nothing reads this")
    job = wait(jobs, jobs.start([folder], tags=["birds"], by="ann").id, is_over)
    assert (job.state, job.reason, job.by) == ("done", "", "ann")
    assert (job.done, job.failed, job.skipped, job.files_found) == (1, 1, 1, 3)
    assert job.unsupported == {".xyz": 1}
    html = job_views.jobs(jobs.all(), read_only=False, is_stopping=jobs.is_stopping)
    assert "1 skipped (no reader for .xyz)" in html
    assert "Retry what failed" in html
    (failure,) = job.failures
    assert failure.path == str(folder / "broken.pdf")
    assert "not a PDF" in failure.reason
    assert {document.tags for document in engine.documents.all()} == {("birds",)}
    assert [hit.document.title for hit in engine.search("heron")] == ["heron"]
    assert not (folder / "unknown.xyz").exists(), "nothing refers to it"
    assert (folder / "broken.pdf").exists(), "it may be read again"
    kept = json.loads((uploads_folder(engine) / "jobs" / f"{job.id}.json").read_text())
    assert from_row(kept) == job


def test_what_an_earlier_server_left_goes_on(
    engine: SearchEngine, jobs: Jobs, tmp_path: Path
) -> None:
    builders.write_text_pdf(tmp_path / "kingfisher.pdf", ["a kingfisher dives"])
    job = jobs.start([tmp_path], tags=["later"])
    wait(jobs, job.id, is_running)
    record = uploads_folder(engine) / "jobs" / f"{job.id}.json"
    as_killed = record.read_text()
    assert '"running"' in as_killed
    jobs.close()
    assert jobs.get(job.id).state == "queued"
    assert '"queued"' in record.read_text()
    record.write_text(as_killed)
    again = Jobs(engine)
    try:
        assert wait(again, job.id, is_over).state == "done"
    finally:
        again.close()
    (document,) = engine.documents.at(str(tmp_path / "kingfisher.pdf"))
    assert document.tags == ("later",)


def test_a_job_can_be_cancelled_and_the_next_goes_on(
    engine: SearchEngine, jobs: Jobs, tmp_path: Path
) -> None:
    running, waiting, last = (jobs.start([tmp_path / f"{n}.pdf"]) for n in range(3))
    wait(jobs, running.id, is_running)
    assert jobs.cancel(waiting.id).state == "cancelled"
    jobs.cancel(running.id)
    assert jobs.is_stopping(running.id)
    assert wait(jobs, running.id, is_over).state == "cancelled"
    assert not jobs.is_stopping(running.id)
    wait(jobs, last.id, is_running)
    assert jobs._process is not None
    os.kill(jobs._process.pid, signal.SIGKILL)
    crashed = wait(jobs, last.id, is_over)
    assert crashed.state == "failed"
    assert "ended by SIGKILL" in crashed.reason
    assert jobs.cancel(last.id) == crashed


def test_an_index_that_cannot_be_used_is_one_clear_line(
    engine: SearchEngine, jobs: Jobs, tmp_path: Path
) -> None:
    broken = replace(engine.settings, profile="no-such-profile")
    engine.settings, before = broken, engine.settings
    try:
        job = wait(jobs, jobs.start([tmp_path]).id, is_over)
    finally:
        engine.settings = before
    assert job.state == "failed"
    assert "no-such-profile" in job.reason
    assert "\n" not in job.reason


def test_the_process_gets_settings_by_its_environment_alone(engine: SearchEngine) -> None:
    engine.settings, before = (
        replace(engine.settings, passwords="secret", users="a:b"),
        engine.settings,
    )
    try:
        given = environment(engine)
    finally:
        engine.settings = before
    assert given["MMSEARCH_PASSWORDS"] == "secret"
    assert given["MMSEARCH_INDEX"] == engine.index.address
    assert "MMSEARCH_USERS" not in given


def test_the_password_of_a_server_is_on_no_command_line() -> None:
    from types import SimpleNamespace

    given = "http://ann:secret@localhost:6333"
    engine: Any = SimpleNamespace(
        settings=Settings(index=given), index=SimpleNamespace(address="http://localhost:6333")
    )
    assert environment(engine)["MMSEARCH_INDEX"] == given


@pytest.mark.parametrize(
    ("paths", "tags", "message"),
    [
        ([], [], "at least one"),
        (["relative.pdf"], [], "absolute"),
        (["/a"], ['a"b'], "double quote"),
        ([f"/{n}/{'x' * 200}" for n in range(6000)], [], "too many"),
    ],
)
def test_what_is_no_job_is_refused(
    jobs: Jobs, paths: list[str], tags: list[str], message: str
) -> None:
    with pytest.raises(InvalidSetting, match=message):
        jobs.start(paths, tags=tags)
    assert not jobs.all()
    with pytest.raises(NotFound, match="there is none"):
        jobs.get("x")


def test_a_read_only_page_starts_nothing(engine: SearchEngine, tmp_path: Path) -> None:
    record = uploads_folder(engine) / "jobs" / "left.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(Job("left", (str(tmp_path),)).as_row()))
    engine.settings, before = replace(engine.settings, read_only="on"), engine.settings
    try:
        jobs = Jobs(engine)
        with pytest.raises(InvalidSetting, match="read-only"):
            jobs.start([tmp_path])
        assert not jobs.all()
        jobs.close()
    finally:
        engine.settings = before
        record.unlink()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}', '{"id": "a", "state": "x"}'])
def test_a_record_that_is_none_is_left_out(engine: SearchEngine, text: str) -> None:
    record = uploads_folder(engine) / "jobs" / "odd.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(text)
    jobs = Jobs(engine)
    try:
        assert not jobs.all()
    finally:
        jobs.close()
        record.unlink()


def test_results_of_thousands_of_files_stay_bounded() -> None:
    job = begun(Job("a", ("/in",)))
    for n in range(1000):
        status = "failed" if n % 2 else "done"
        file = {"path": f"/in/{n}.pdf", "status": status, "pages": 1, "document": "", "reason": "x"}
        job = after(job, {"event": "file", **file})
    assert (job.done, job.failed) == (500, 500)
    assert len(job.recent) == RECENT
    assert job.recent[-1].path == "/in/999.pdf"
    assert len(job.failures) == FAILURES
    assert len(json.dumps(job.as_row())) < 100_000
    html = job_views.jobs([job], read_only=False, is_stopping=lambda _: False)
    assert "and 300 more" in html
    assert "500 failed" in html


def test_hostile_names_of_files_are_only_names() -> None:
    name = "<script>alert('x')</script>\" onload=x"
    file = {"path": f"/in/{name}", "status": "failed", "pages": 0, "document": "", "reason": name}
    job = replace(after(begun(Job("a", ("/in",), title=name, by=name)), {"event": "file", **file}),
                  workers=(name,))  # fmt: skip
    for state in ("running", "queued", "done", "failed", "cancelled"):
        shown = replace(job, state=state, reason=name, ended=time.time())
        html = job_views.jobs([shown], read_only=False, is_stopping=lambda _: False)
        assert "<script" not in html
        assert '" onload' not in html
