"""Uploads: whatever a browser or somebody else sends, only whole files with safe names are kept."""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidSetting
from ui.library import uploads
from ui.library.jobs import Jobs
from ui.library.upload_names import MAX_PART, distinct, safe_name
from ui.library.uploads import MAX_OPEN_OF_USER, delete_uploaded, uploads_folder

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

KILOBYTE = 1024


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    settings = Settings(
        profile="lite", max_upload_bytes=KILOBYTE, max_upload_files=3, uploads="", workers=1
    )
    with mmsearch.open(tmp_path_factory.mktemp("uploads") / "index", settings=settings) as engine:
        yield engine


@pytest.fixture
def client(engine: SearchEngine) -> Iterator[TestClient]:
    """A client of the routes; the header `as` says who is signed in."""
    from fastapi import FastAPI, Request
    from fastapi.testclient import TestClient

    jobs = Jobs(engine)
    site = FastAPI()

    @site.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        request.state.user = request.headers.get("as", "")
        return await call_next(request)

    site.include_router(uploads.upload_routes(engine, jobs))
    with TestClient(site) as client:
        yield client
    for job in jobs.all():
        jobs.cancel(job.id)
    jobs.close()


def open_upload(client: TestClient, files: int = 3, size: int = 3 * KILOBYTE, **more: Any) -> str:
    headers = {"as": more.pop("user", "")}
    answer = client.post("/uploads", json={"files": files, "bytes": size, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["upload"])


def put(client: TestClient, id_: str, at: int | str, name: str, body: bytes, **options: Any) -> Any:
    return client.put(f"/uploads/{id_}/{at}", params={"name": name}, content=body, **options)


def incoming(engine: SearchEngine) -> list[Path]:
    return [path for path in (uploads_folder(engine) / "incoming").rglob("*") if path.is_file()]


def test_whole_files_become_a_job_with_safe_names(client: TestClient, engine: SearchEngine) -> None:
    id_ = open_upload(client, tags=["new"])
    assert put(client, id_, 0, "in/a.txt", b"one").json() == {"name": "in/a.txt", "bytes": 3}
    assert put(client, id_, 1, "in/A.txt", b"two").status_code == 200
    assert put(client, id_, 2, "../../Übersicht.txt", b"three").status_code == 200
    assert put(client, id_, 0, "in/a.txt", b"again").json()["bytes"] == 5, "sent anew"
    job = client.post(f"/uploads/{id_}/done", json={}).json()["job"]
    (folder,) = map(Path, job["paths"])
    assert folder.parent == uploads_folder(engine) / "files"
    kept = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in kept.items()} == {
        "in/a.txt": b"again",
        "in/A (2).txt": b"two",
        "Übersicht.txt": b"three",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.values()} == {0o600}
    assert (job["tags"], job["title"]) == (["new"], "3 uploaded files")
    assert not incoming(engine)
    assert put(client, id_, 0, "b.txt", b"late").status_code == 404


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x", "x"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\x\\y.pdf", "x/y.pdf"),
        ("\\\\server\\share\\a.pdf", "server/share/a.pdf"),
        ("a\x00b\n.pdf", "a_b_.pdf"),
        ("fdp.\N{RIGHT-TO-LEFT OVERRIDE}exe", "fdp._exe"),
        ("<script>.pdf", "<script>.pdf"),
        ("a/./b//c.pdf", "a/b/c.pdf"),
        (".htaccess", "_htaccess"),
        ("~$report.docx", "_~$report.docx"),
        ("con/aux.pdf", "_con/_aux.pdf"),
        ("box.zip!/a.pdf", "box.zip_/a.pdf"),
        (" report .pdf. ", "report .pdf"),
        ("отчёт/年报.pdf", "отчёт/年报.pdf"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert str(safe_name(name)) == safe


@pytest.mark.parametrize("name", ["", "..", "/", "../..", " . ", "C:\\", "a/" * 40 + "a.pdf"])
def test_names_that_are_none_are_refused(client: TestClient, name: str) -> None:
    with pytest.raises(InvalidSetting):
        safe_name(name)
    id_ = open_upload(client)
    assert put(client, id_, 0, name, b"x").status_code == 400
    client.delete(f"/uploads/{id_}")


@pytest.mark.parametrize("letter", ["x", "漢", "é"])
def test_overlong_names_keep_their_ending(letter: str) -> None:
    name = safe_name(letter * 300 + ".pdf").name
    assert name.endswith(f"{letter}.pdf")
    assert MAX_PART - 4 < len(name.encode()) <= MAX_PART
    assert len(safe_name("." + letter * 300).name.encode()) <= MAX_PART


def test_no_two_names_are_one_file_on_any_disk() -> None:
    composed, apart = (unicodedata.normalize(form, "é.pdf") for form in ("NFC", "NFD"))
    given = ["a.pdf", "A.pdf", "a.pdf", "a (2).pdf", "a.pdf/b.pdf", composed, apart]
    names = distinct([PurePosixPath(name) for name in given])
    assert names[0] == PurePosixPath("a.pdf")
    keys = [unicodedata.normalize("NFC", str(name)).casefold() for name in names]
    assert len(set(keys)) == len(given)
    assert len(set(distinct([PurePosixPath("a")] * 10_000))) == 10_000


def test_too_much_is_refused(client: TestClient, engine: SearchEngine) -> None:
    def refused(**asked: Any) -> int:
        return int(client.post("/uploads", json=asked).status_code)

    assert refused(files=4, bytes=1) == 413
    assert refused(files=0, bytes=1) == 413
    assert refused(files=1, bytes=1 << 60) == 507
    id_ = open_upload(client, size=KILOBYTE + 10)
    assert put(client, id_, 0, "a.pdf", bytes(KILOBYTE + 1)).status_code == 413
    assert put(client, id_, 0, "a.pdf", bytes(KILOBYTE)).status_code == 200
    assert put(client, id_, 1, "b.pdf", bytes(11)).status_code == 413, "more than announced"
    assert put(client, id_, 3, "c.pdf", b"").status_code == 400, "a fourth file"
    assert len(incoming(engine)) == 1
    assert client.delete(f"/uploads/{id_}").status_code == 204
    assert not incoming(engine)


def test_so_many_uploads_are_open_at_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [open_upload(client, size=1, user="ann") for _ in range(MAX_OPEN_OF_USER)]
    asked = {"files": 1, "bytes": 1}
    assert client.post("/uploads", json=asked, headers={"as": "ann"}).status_code == 429
    other = open_upload(client, size=1, user="bob")
    monkeypatch.setattr(uploads, "IDLE", 0.0)  # the browsers of all of them are gone
    ids = [open_upload(client, size=1, user="ann")]
    assert client.delete(f"/uploads/{ids[0]}", headers={"as": "ann"}).status_code == 204
    assert client.delete(f"/uploads/{other}", headers={"as": "bob"}).status_code == 404


@pytest.mark.parametrize("length", ["5", "50", None, "-1", "x", "1" * 30])
def test_a_body_of_another_length_than_announced_leaves_nothing(
    client: TestClient, engine: SearchEngine, length: str | None
) -> None:
    id_ = open_upload(client)

    def body() -> Iterator[bytes]:
        yield b"ten bytes."

    headers = {"content-length": length} if length else {}
    answer = put(client, id_, 0, "a.pdf", body(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == {"5": 400, "50": 400, "1" * 30: 411}.get(length or "", 411)
    assert "\n" not in answer.json()["detail"]
    assert not incoming(engine)
    assert client.post(f"/uploads/{id_}/done", json={}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"files": "3", "bytes": 1},
        {"files": 1, "bytes": True},
        {"files": 1, "bytes": 1, "tags": "a"},
        {"files": 1, "bytes": 1, "tags": ['"']},
    ],
)
def test_odd_requests_are_one_line(client: TestClient, body: Any) -> None:
    answer = client.post("/uploads", json=body)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["detail"]


def test_what_a_form_of_another_site_could_send_is_refused(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"content-type": kind}
        answer = client.post("/uploads", content=b'{"files":1,"bytes":1}', headers=headers)
        assert answer.status_code == 415
    assert client.post("/uploads", json={"tags": ["x" * (2 << 20)]}).status_code == 413


def test_only_who_opened_an_upload_adds_to_it(client: TestClient, engine: SearchEngine) -> None:
    id_ = open_upload(client, user="ann")
    mine, others = {"as": "ann"}, {"as": "bob"}
    assert put(client, id_, 0, "a.pdf", b"x", headers=others).status_code == 404
    assert client.post(f"/uploads/{id_}/done", json={}, headers=others).status_code == 404
    assert client.delete(f"/uploads/{id_}", headers=others).status_code == 404
    assert put(client, "0" * 32, 0, "a.pdf", b"x", headers=mine).status_code == 404
    for at in ("-1", "1.5", "x", "..", "²", "9" * 12):
        assert put(client, id_, at, "a.pdf", b"x", headers=mine).status_code in (400, 404, 405)
    assert not incoming(engine)
    assert put(client, id_, 0, "a.pdf", b"x", headers=mine).status_code == 200
    assert client.delete(f"/uploads/{id_}", headers=mine).status_code == 204


def test_half_uploads_of_an_earlier_server_are_removed(
    client: TestClient, engine: SearchEngine
) -> None:
    left = uploads_folder(engine) / "incoming" / "left"
    left.mkdir(parents=True)
    (left / "0").write_text("half")
    id_ = open_upload(client)
    assert not left.exists()
    put(client, id_, 0, "a.pdf", b"x")
    uploads.upload_routes(engine, Jobs(engine))  # another server of the same index
    assert len(incoming(engine)) == 1, "an open upload is nobody else's"
    client.delete(f"/uploads/{id_}")


def test_only_uploaded_files_are_deleted(engine: SearchEngine, tmp_path: Path) -> None:
    root = uploads_folder(engine) / "files"
    outside, folder = tmp_path / "outside.pdf", root / "2026" / "in"
    folder.mkdir(parents=True)
    for path in (outside, folder / "a.pdf", folder / "b.pdf"):
        path.write_text("x")
    (folder / "link.pdf").symlink_to(outside)
    (root / "way").symlink_to(tmp_path)
    hostile = [outside, root / "way" / "outside.pdf", root / ".." / "jobs", root, root / "2026"]
    hostile += [Path(f"{root}x/outside.pdf"), Path("a\0b"), folder / "gone.pdf"]
    assert delete_uploaded(engine, map(str, hostile)) == 0
    assert delete_uploaded(engine, [str(folder / "a.pdf"), str(folder / "link.pdf")]) == 2
    assert outside.exists(), "links are not followed"
    assert folder.exists()
    assert delete_uploaded(engine, [str(folder / "b.pdf")]) == 1
    assert not (root / "2026").exists(), "empty folders go as well"
    assert root.exists()
    (root / "way").unlink()


def test_a_read_only_page_takes_nothing(engine: SearchEngine, client: TestClient) -> None:
    id_ = open_upload(client)
    engine.settings, before = replace(engine.settings, read_only="on"), engine.settings
    try:
        assert client.post("/uploads", json={"files": 1, "bytes": 1}).status_code == 403
        assert put(client, id_, 0, "a.pdf", b"x").status_code == 403
        assert client.post(f"/uploads/{id_}/done", json={}).status_code == 403
        assert client.delete(f"/uploads/{id_}").status_code == 403
    finally:
        engine.settings = before
    client.delete(f"/uploads/{id_}")
