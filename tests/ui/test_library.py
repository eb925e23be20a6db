"""The library: what is listed, and that its actions are checked on the server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.duplicates import Family
from mmsearch.engine import SearchEngine
from mmsearch.types import Document, DocumentState, Location, Twin
from ui.library import duplicate_views
from ui.library import views as library_views
from ui.library.jobs import Jobs
from ui.library.listing import PAGE_ROWS
from ui.library.tab import library_routes
from ui.library.uploads import uploads_folder

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

HOSTILE = "<script>alert('x')</script>\" onload=\"x()' onerror='y() & ${1+1} {{1+1}}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    folder = tmp_path_factory.mktemp("library") / "index"
    with mmsearch.open(folder, settings=Settings(profile="lite", workers=1)) as engine:
        yield engine


@pytest.fixture
def jobs(engine: SearchEngine) -> Iterator[Jobs]:
    jobs = Jobs(engine)
    yield jobs
    for job in jobs.all():
        jobs.cancel(job.id)
    jobs.close()


@pytest.fixture
def client(engine: SearchEngine, jobs: Jobs) -> Iterator[TestClient]:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    site = FastAPI()
    site.include_router(library_routes(engine, jobs))
    with TestClient(site) as client:
        yield client
    for id_ in engine.documents.ids():
        engine.documents.delete(id_)


def add(engine: SearchEngine, name: str, *paths: str, **fields: Any) -> str:
    """A document of the index, read in full unless `fields` say otherwise; returns its id."""
    id_ = hashlib.sha256(f"{name}{paths}".encode()).hexdigest()
    places = tuple(Location(path, path, 1.7e9) for path in paths or (f"/docs/{name}.pdf",))
    given = {"state": DocumentState.DONE, "title": name, "kind": "pdf", "page_count": 3, **fields}
    engine.documents.put(Document(id_, locations=places, **given))
    return id_


def titles(client: TestClient, **query: Any) -> list[str]:
    html = client.get("/library/documents", params=query).text
    return [unescape(t) for t in re.findall(r"class='mm-title' dir='auto'[^>]*>([^<]*)<", html)]


def test_documents_are_sorted_and_narrowed(client: TestClient, engine: SearchEngine) -> None:
    add(engine, "Report 10", "/a/ten.pdf", page_count=9, tags=("finance",))
    add(engine, "report 9", "/b/nine.pdf", page_count=1, failed_pages={2: "too dark"})
    add(engine, "Broken", state=DocumentState.FAILED, page_count=0, reason="no PDF", error="X")
    add(engine, "Half", state=DocumentState.PENDING)
    assert titles(client) == ["Broken", "Half", "report 9", "Report 10"]
    assert titles(client, sort="pages", order="descending") == [
        *("Report 10", "Half", "report 9", "Broken")
    ]
    assert titles(client, sort="state")[:2] == ["Broken", "Half"]
    assert titles(client, state="failed") == ["Broken"]
    assert titles(client, state="incomplete") == ["report 9"]
    assert titles(client, state="unfinished") == ["Half"]
    assert titles(client, text="REPORT nine") == ["report 9"]
    assert titles(client, tag="finance") == ["Report 10"]
    assert titles(client, sort="<b>", state="'", page="-1", order="x") == titles(client)
    html = client.get("/library/documents").text
    assert "4 documents" in html
    assert "13 pages" in html
    assert "1 failed" in html
    assert "page 2: too dark" in html
    assert "No document fits" in client.get("/library/documents", params={"text": "xyzzy"}).text


def test_pages_of_the_list_hold_every_document_once(
    client: TestClient, engine: SearchEngine
) -> None:
    for n in range(PAGE_ROWS + 10):
        add(engine, "The same title", f"/docs/{n}.pdf")
    pages = [
        re.findall("data-document='([0-9a-f]+)'", client.get(f"/library/documents?page={n}").text)
        for n in (1, 2, 99)
    ]
    assert [len(page) for page in pages] == [PAGE_ROWS, 10, 10]
    assert pages[1] == pages[2], "behind the end is the last"
    assert len({*pages[0], *pages[1]}) == PAGE_ROWS + 10


def test_whatever_comes_from_outside_is_escaped(client: TestClient, engine: SearchEngine) -> None:
    add(engine, HOSTILE, f"/docs/{HOSTILE}", f"/more/{HOSTILE}", tags=(HOSTILE.replace('"', ""),))
    add(engine, "b" + HOSTILE, state=DocumentState.FAILED, reason=HOSTILE, error=HOSTILE)
    add(engine, "c" + HOSTILE, failed_pages={1: HOSTILE}, kind="image")
    html = client.get("/library/documents").text + client.get("/library/duplicates").text
    found = engine.documents.get(*engine.documents.ids()).values()
    family = Family(tuple(Twin(document, 1) for document in found))
    html += duplicate_views.duplicates([], [family], lambda document: document.paths[0])
    for harm in ("<script", '" onload', "' onerror"):
        assert harm not in html
    assert html.count("&lt;script&gt;") > 8


def test_tags_are_added_and_taken_off(client: TestClient, engine: SearchEngine) -> None:
    ids = [add(engine, "a"), add(engine, "b", tags=("old",))]
    answer = client.post("/library/tag", json={"documents": ids, "add": ["new"], "remove": ["old"]})
    assert answer.json() == {"changed": 2}
    assert {document.tags for document in engine.documents.all()} == {("new",)}
    assert "<option value='new'>" in client.get("/library/documents").text
    refused = client.post("/library/tag", json={"documents": ids, "add": ['a"b']})
    assert refused.status_code == 400
    assert "double quote" in refused.json()["detail"]


def test_removing_deletes_what_was_uploaded_and_nothing_else(
    client: TestClient, engine: SearchEngine, tmp_path: Path
) -> None:
    folder = uploads_folder(engine) / "files" / "2026"
    folder.mkdir(parents=True)
    uploaded, elsewhere, archive = folder / "a.pdf", tmp_path / "a.pdf", folder / "box.zip"
    for path in (uploaded, elsewhere, archive):
        path.write_text("x")
    first = add(engine, "a", str(uploaded), str(elsewhere))
    inside = add(engine, "inside", f"{archive}!/in.pdf")
    both = add(engine, "both", f"{archive}!/both.pdf", "/docs/both.pdf")
    box = add(engine, "box", str(archive), kind="archive", page_count=0)
    answer = client.post("/library/remove", json={"documents": [first]})
    assert answer.json() == {"removed": 1, "files": 1}
    assert not uploaded.exists()
    assert elsewhere.exists()
    client.post("/library/remove", json={"documents": [inside]})
    assert archive.exists(), "other documents are in it"
    assert client.post("/library/remove", json={"documents": [box]}).json()["removed"] == 2
    assert not folder.exists()
    assert engine.documents.get(both)[both].paths == ("/docs/both.pdf",)


def test_what_failed_is_read_again(client: TestClient, engine: SearchEngine, jobs: Jobs) -> None:
    failed = add(engine, "a", "/x/box.zip!/a.pdf", state=DocumentState.FAILED)
    job = client.post("/library/retry", json={"documents": [failed]}).json()["job"]
    assert (job["paths"], job["retry"], job["title"]) == (["/x/box.zip"], True, "1 document, again")
    assert "1 document, again" in client.get("/library/jobs").text
    cancelled = client.post(f"/library/jobs/{job['id']}/cancel", json={}).json()["job"]
    assert cancelled["id"] == job["id"]
    again = client.post(f"/library/jobs/{job['id']}/again", json={}).json()["job"]
    assert again["paths"] == job["paths"]
    assert again["title"] == "1 document, again"
    for act in ("cancel", "again"):
        assert client.post(f"/library/jobs/nothing/{act}", json={}).status_code == 404


@pytest.mark.parametrize("action", ["tag", "remove", "retry"])
@pytest.mark.parametrize(
    ("documents", "status"),
    [
        (["f" * 64], 404),
        (["F" * 64], 400),
        (["f" * 63], 400),
        (["f" * 64 + "\n"], 400),
        (["../../etc"], 400),
        ([7], 400),
        ([], 400),
        ("f" * 64, 400),
        (["f" * 64] * 1001, 400),
        (None, 400),
    ],
)
def test_ids_are_checked(client: TestClient, action: str, documents: Any, status: int) -> None:
    answer = client.post(f"/library/{action}", json={"documents": documents})
    assert answer.status_code == status
    assert "\n" not in answer.json()["detail"]


def test_a_read_only_page_has_no_buttons_and_refuses(
    engine: SearchEngine, client: TestClient, jobs: Jobs
) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    id_ = add(engine, "a", state=DocumentState.FAILED, tags=("t",))
    engine.settings, before = replace(engine.settings, read_only="on"), engine.settings
    try:
        site = FastAPI()
        site.include_router(library_routes(engine, jobs))
        with TestClient(site) as closed:
            html = library_views.shell(engine.settings) + closed.get("/library/documents").text
            assert ">a<" in html
            assert not re.findall("data-act|data-check|data-choose|type='file'|<dialog", html)
            for action in ("tag", "remove", "retry", "jobs/x/cancel", "jobs/x/again"):
                answer = closed.post(f"/library/{action}", json={"documents": [id_]})
                assert answer.status_code == 403
    finally:
        engine.settings = before
    assert id_ in engine.documents.get(id_)


def test_an_empty_library_invites_to_add_files(client: TestClient) -> None:
    assert "Drop some files" in client.get("/library/documents").text
    assert "No duplicates" in client.get("/library/duplicates").text


def test_duplicates_are_told_by_document() -> None:
    a, b = (
        Document(char * 64, title=char, locations=(Location(f"/{char}.pdf", char, 0),))
        for char in "ab"
    )
    families = [Family((Twin(a, n), Twin(b, n + 1))) for n in range(1, 4)]
    html = duplicate_views.duplicates([], families, lambda document: document.paths[0])
    assert html.count("mm-group'") == 1
    assert "3 pages the same in 2 places" in html
    assert f"href='?view={b.id}/2'" in html
    assert "/b.pdf" in html


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (1 << 30, "1 GB"), (1536, "1.5 KB"), (15 << 20, "15 MB")],
)
def test_sizes_are_short(number: int, said: str) -> None:
    assert library_views.size(number) == said


@pytest.mark.parametrize(("seconds", "day"), [(0, "–"), (1e18, "–"), (1.7e9, "2023-11-14")])
def test_days_of_broken_clocks_are_dashes(seconds: float, day: str) -> None:
    assert library_views.day(seconds) == day
