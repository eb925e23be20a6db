"""Originals are served as long as they are what was indexed, and nothing else ever is."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import ingest
from mmsearch.engine import SearchEngine
from tests import builders
from tests.ui.small_archive import open_empty


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    (folder / "files").mkdir()
    builders.write_text_pdf(folder / "files" / "a <b>.pdf", ["One page of words"])
    builders.write_text_pdf(folder / "files" / "later.pdf", ["Another page of words"])
    builders.photo(400, 300).save(folder / "files" / "picture.png")
    inside = folder / "inside.pdf"
    builders.write_text_pdf(inside, ["This page is in an archive"])
    with zipfile.ZipFile(folder / "files" / "box.zip", "w") as box:
        box.write(inside, "inside.pdf")
    return folder / "files"


@pytest.fixture(scope="module")
def engine(files: Path) -> Iterator[SearchEngine]:
    with open_empty(files.parent, searches_per_minute=0) as engine:
        ingest.run([files], engine)
        yield engine


@pytest.fixture(scope="module")
def client(engine: SearchEngine) -> Iterator[TestClient]:
    from fastapi import FastAPI

    from ui.files import create_files
    from ui.originals import Originals

    originals = Originals(engine)
    site = FastAPI()
    site.include_router(originals.routes())
    site.include_router(create_files(engine, originals))
    with TestClient(site) as client:
        yield client


def id_of(engine: SearchEngine, name: str) -> str:
    return next(d.id for d in engine.documents.all() if d.paths[0].endswith(name))


def test_an_original_is_saved_under_its_name(
    client: TestClient, engine: SearchEngine, files: Path
) -> None:
    answer = client.get(f"/originals/{id_of(engine, 'a <b>.pdf')}")
    assert answer.content == (files / "a <b>.pdf").read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "a%20%3Cb%3E.pdf" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_what_cannot_run_is_opened_in_the_browser(
    client: TestClient, engine: SearchEngine
) -> None:
    pdf = client.get(f"/originals/{id_of(engine, 'a <b>.pdf')}?open=1")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("inline")
    other = client.get(f"/originals/{id_of(engine, 'picture.png')}?open=1")
    assert other.headers["content-type"] == "application/octet-stream"
    assert other.headers["content-disposition"].startswith("attachment")
    assert "default-src 'none'" in other.headers["content-security-policy"]


def test_a_part_of_it_can_be_asked_for(client: TestClient, engine: SearchEngine) -> None:
    headers = {"Range": "bytes=0-3"}
    answer = client.get(f"/originals/{id_of(engine, 'a <b>.pdf')}", headers=headers)
    assert answer.status_code == 206
    assert answer.content == b"%PDF"


@pytest.mark.parametrize("way", ["changed", "same size", "gone", "link", "folder", "pipe"])
def test_it_is_not_once_it_is_another_file(
    client: TestClient, engine: SearchEngine, files: Path, way: str
) -> None:
    path, id_ = files / "later.pdf", id_of(engine, "later.pdf")
    content = path.read_bytes()
    assert client.get(f"/originals/{id_}").content == content
    path.unlink()
    if way == "changed":
        path.write_bytes(b"something else")
    elif way == "same size":
        path.write_bytes(content[::-1])
    elif way == "link":
        path.symlink_to("/etc/passwd")
    elif way == "folder":
        path.mkdir()
    elif way == "pipe":
        os.mkfifo(path)
    try:
        answer = client.get(f"/originals/{id_}")
        assert answer.status_code == 404
        assert "gone or has changed" in answer.json()["detail"]
        facts = client.get(f"/pages/{id_}/1.json").json()
        assert facts["original"] is None
        assert "gone or has changed" in facts["why_not"]
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(content)


def test_what_is_in_an_archive_says_so(client: TestClient, engine: SearchEngine) -> None:
    answer = client.get(f"/originals/{id_of(engine, 'inside.pdf')}")
    assert answer.status_code == 404
    assert "inside box.zip" in answer.json()["detail"]


@pytest.mark.parametrize(
    "id_", ["..", "../../etc/passwd", "%2e%2e%2fetc%2fpasswd", "/etc/passwd", "f" * 64, "F" * 64]
)
def test_nothing_else_is_served(client: TestClient, id_: str) -> None:
    answer = client.get(f"/originals/{id_}")
    assert answer.status_code == 404
    assert b"root:" not in answer.content


def test_a_page_tells_what_there_is_to_know_of_it(client: TestClient, engine: SearchEngine) -> None:
    id_ = id_of(engine, "a <b>.pdf")
    facts = client.get(f"/pages/{id_}/1.json?q=words").json()
    assert (facts["page"], facts["pages"], facts["place"]) == (1, 1, "page 1 of 1")
    assert "One page of words" in facts["text"]
    assert len(facts["marks"]) == 1
    assert all(0 <= x <= 1 for x in facts["marks"][0])
    assert facts["citation"].endswith(f"(SHA-256 {id_[:16]}…)")
    assert facts["opens"] == f"originals/{id_}?open=1"
    picture = client.get(f"/pages/{id_of(engine, 'picture.png')}/1.json").json()
    assert picture["opens"] is None
    assert picture["original"]


def test_a_page_that_is_not_there_says_so(client: TestClient, engine: SearchEngine) -> None:
    answer = client.get(f"/pages/{id_of(engine, 'later.pdf')}/2.json")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "later, page 2: there is no such page; the document has 1"


def test_what_is_sent_is_the_file_that_was_checked(
    client: TestClient, engine: SearchEngine, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.originals import Originals

    path, id_ = files / "later.pdf", id_of(engine, "later.pdf")
    content, kept, checked = path.read_bytes(), path.with_suffix(".kept"), Originals._hash
    (files.parent / "secret").write_bytes(b"a secret of this machine")

    def swapped(*given: object) -> str:
        found = checked(*given)  # type: ignore[arg-type]
        path.rename(kept)
        path.symlink_to(files.parent / "secret")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Originals, "_hash", swapped)
        answer = client.get(f"/originals/{id_}")
    kept.replace(path)
    assert answer.content == content
