"""The endpoints for programs, as a program calls them: nothing of the page is imitated."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mmsearch.engine import SearchEngine
from tests import builders
from tests.ui.small_archive import open_archive, open_empty, screenshot, story_id

ENDPOINTS = {"/search", "/ingest", "/documents", "/page", "/status"}
FILE = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[SearchEngine]:
    """An index that tests may add to; `folder/open` is open to programs."""
    (folder / "open").mkdir()
    settings = {"ingest_roots": f"{folder / 'open'}:{folder / 'also'}", "searches_per_minute": 0}
    with open_archive(folder, **settings, max_upload_files=3) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine: SearchEngine, uploads: Path) -> Iterator[TestClient]:
    from ui.site import create_site

    with TestClient(create_site(engine), base_url="http://127.0.0.1:7860") as client:
        yield client


def call(client: TestClient, endpoint: str, /, **given: Any) -> Any:
    """What an endpoint answers, or the line of its error; None for an error without one."""
    body = {"content": json.dumps(given), "headers": {"Content-Type": "application/json"}}
    asked = client.post(f"/gradio_api/call/v2/{endpoint}", **body)
    assert asked.status_code == 200, asked.text
    answer = client.get(f"/gradio_api/call/{endpoint}/{asked.json()['event_id']}").text
    event, data = answer.strip().rsplit("event: ", 1)[1].split("\ndata: ", 1)
    found = json.loads(data)
    return found[0] if event == "complete" else found["error"]


def upload(client: TestClient, name: str, data: bytes) -> dict[str, Any]:
    """A file as Gradio's own clients name it once they have uploaded it."""
    (path,) = client.post("/gradio_api/upload", files={"files": (name, data)}).json()
    return {"path": path, "orig_name": name, "meta": FILE}


def ended(client: TestClient, job: str) -> dict[str, Any]:
    """A job once it has ended."""
    for _ in range(400):
        (row,) = call(client, "status", job=job)["jobs"]
        if row["state"] not in ("queued", "running"):
            return dict(row)
        time.sleep(0.05)
    raise AssertionError(row)


def test_there_are_exactly_these_endpoints(client: TestClient) -> None:
    known = client.get("/gradio_api/info").json()
    assert set(known["named_endpoints"]) == ENDPOINTS
    assert not known["unnamed_endpoints"]
    search = known["named_endpoints"]["/search"]
    assert "words, an image" in search["description"]
    names = [parameter["parameter_name"] for parameter in search["parameters"]]
    assert names[:4] == ["text", "image", "where", "limit"]
    assert all(parameter["parameter_has_default"] for parameter in search["parameters"])


def test_words_find_pages(client: TestClient, engine: SearchEngine) -> None:
    found = call(client, "search", text="storm broke two windows", where="tag=tale", limit=1)
    (hit,) = found["hits"]
    assert found["repaired"] == []
    id_ = story_id(engine)
    assert hit["document"] == id_
    assert (hit["rank"], hit["page"], hit["page_count"]) == (1, 1, 2)
    assert (hit["title"], hit["place"]) == ("The archive by the sea", "page 1 of 2")
    assert hit["paths"][0].endswith("/files/story.pdf")
    assert hit["confidence"] in ("strong", "possible", "weak")
    start, end = hit["snippet_marks"][0]
    assert "storm" in hit["snippet"][start:end]
    assert hit["marks"]
    assert hit["spot"] is None
    assert client.get(f"/{hit['picture']}").content.startswith(b"\xff\xd8")
    assert client.get(f"/{hit['thumbnail']}").content.startswith(b"\xff\xd8")


def test_a_screenshot_finds_its_very_page_and_the_spot(
    client: TestClient, engine: SearchEngine
) -> None:
    image = upload(client, "shot.png", screenshot(engine))
    (hit,) = call(client, "search", image=image, limit=1)["hits"]
    assert (hit["document"], hit["page"], hit["confidence"]) == (story_id(engine), 1, "strong")
    assert hit["spot"] == pytest.approx([1 / 12, 1 / 14, 0.8, 1 / 3], abs=0.02)
    both = call(client, "search", text="storm", image=image, image_weight=0.5, limit=1)
    assert both["hits"][0]["document"] == story_id(engine)


def test_hits_are_passed_over_and_grouped(client: TestClient) -> None:
    pages = call(client, "search", text="the of and a", limit=100)["hits"]
    rest = call(client, "search", text="the of and a", offset=1)["hits"]
    assert [hit["rank"] for hit in rest] == [hit["rank"] for hit in pages[1:]]
    grouped = call(client, "search", text="archive storm evihcra", group=True)["hits"]
    assert len({hit["document"] for hit in grouped}) == len(grouped)
    assert sum(hit["more"] for hit in grouped) >= 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "the query is empty"),
        ({"text": "a" * 1001}, "text: has 1,001 characters"),
        ({"text": ["a"]}, "text: is a list"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": "a\ud800b"}, "broken character"),
        ({"text": "a", "limit": 0}, "limit: allowed are 1 to 100"),
        ({"text": "a", "limit": 101}, "limit: allowed are 1 to 100"),
        ({"text": "a", "limit": True}, "limit: is true or false"),
        ({"text": "a", "limit": "1; drop"}, "limit: is a text"),
        ({"text": "a", "offset": -1}, "offset: allowed are 0"),
        ({"text": "a", "offset": 1e300}, "offset: "),
        ({"text": "a", "image_weight": 2}, "image_weight: allowed are 0 to 1"),
        ({"text": "a", "group": "yes"}, "group: is a text, expected true or false"),
        ({"text": "a", "rerank": 7}, "rerank: is a number"),
        ({"text": "a", "where": "colour=red"}, "fields are"),
        ({"text": "a", "where": "a" * 10_001}, "where: has 10,001 characters"),
        ({"image": "shot.png"}, "is no uploaded file"),
        ({"image": {"path": 7}}, "is no uploaded file"),
        ({"image": {"path": "/etc/passwd"}}, "was not uploaded"),
        ({"image": {"path": "/etc/pass\0wd"}}, "is no uploaded file"),
        ({"image": {"path": "/etc/pass\udcffwd"}}, "is no uploaded file"),
        ({"image": {"path": "http://127.0.0.1/a.png"}}, "fetched from no URL"),
        ({"image": {"path": "data:image/png;base64,aGVsbG8="}}, "fetched from no URL"),
    ],
)
def test_a_search_that_cannot_be_made_is_one_clear_line(
    client: TestClient, given: dict[str, Any], why: str
) -> None:
    line = call(client, "search", **given)
    assert why in line
    assert "\n" not in line


def test_an_image_that_is_none_or_too_large_is_refused(client: TestClient) -> None:
    assert "not an image" in call(client, "search", image=upload(client, "a.png", b"hello"))
    large = upload(client, "a.pbm", b"P4 60000 1000\n0")
    assert "pixels" in call(client, "search", image=large)


def test_an_image_of_too_many_bytes_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.query_images.MAX_BYTES", 1 << 20)
    image = upload(client, "a.png", bytes((1 << 20) + 1))
    assert call(client, "search", image=image) == "image: has more than 1 MB; send a smaller one"


@pytest.mark.parametrize("meta", [{"meta": FILE}, {}, {"meta": FILE, "is_stream": True}])
@pytest.mark.parametrize("place", ["image", "text", "files"])
def test_no_file_of_the_machine_is_read(
    client: TestClient, uploads: Path, tmp_path: Path, place: str, meta: dict[str, Any]
) -> None:
    secret = builders.write_text_pdf(tmp_path / "secret.pdf", ["secret"])
    escape = {"path": f"{uploads}/../{secret.relative_to('/')}", **meta}
    for named in ({"path": str(secret), **meta}, escape):
        if place == "files":
            line = call(client, "ingest", files=[named])
        else:
            line = call(client, "search", **{place: named})
        assert line is None or "not uploaded" in line or "text: is an object" in line
    assert not list(uploads.rglob("secret*"))


def test_a_link_in_the_upload_folder_leads_nowhere(
    client: TestClient, uploads: Path, tmp_path: Path
) -> None:
    secret = builders.page_image(["secret"], dpi=50)
    secret.save(tmp_path / "secret.png")
    link = uploads / "link.png"
    link.symlink_to(tmp_path / "secret.png")
    (uploads / "folder").symlink_to(tmp_path)
    try:
        for path in (link, uploads / "folder" / "secret.png"):
            assert "was not uploaded" in call(client, "search", image={"path": str(path)})
    finally:
        link.unlink()
        (uploads / "folder").unlink()


@pytest.mark.parametrize("meta", [{"meta": FILE}, {}])
def test_no_url_is_fetched(client: TestClient, meta: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        for named in ({"path": url, **meta}, {"path": "a.png", "url": url, **meta}):
            for answer in (
                call(client, "search", image=named),
                call(client, "search", text=named),
                call(client, "ingest", files=[named]),
                call(client, "ingest", path=url),
            ):
                told = ("URL", "not uploaded", "text: is an object")
                assert answer is None or any(why in answer for why in told), answer
        with pytest.raises(TimeoutError):
            listener.accept()


def test_an_unexpected_failure_keeps_its_secrets(
    client: TestClient, engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(engine, "answer", fail)
    assert call(client, "search", text="a") == "the search failed; the log of the server says why"


def test_documents_are_listed_narrowed_and_counted(
    client: TestClient, engine: SearchEngine
) -> None:
    both = call(client, "documents", text="/FILES/")
    assert both["total"] == 2
    assert [one["title"] for one in both["documents"]] == ["A note", "The archive by the sea"]
    second = call(client, "documents", text="/files/", limit=1, offset=1)
    assert (second["total"], second["documents"]) == (2, both["documents"][1:])
    (tale,) = call(client, "documents", tag="tale")["documents"]
    assert (tale["document"], tale["tags"]) == (story_id(engine), ["tale"])
    assert (tale["state"], tale["page_count"]) == ("done", 2)
    assert call(client, "documents", text="by the SEA")["total"] == 1
    assert call(client, "documents", state="failed")["total"] == 0
    assert "state: allowed are pending" in call(client, "documents", state="gone")
    assert "limit: allowed are" in call(client, "documents", limit=101)


def test_a_page_is_told_with_its_text_and_its_picture(
    client: TestClient, engine: SearchEngine
) -> None:
    page = call(client, "page", document=story_id(engine), number=1)
    assert "storm broke two windows" in page["text"]
    assert (page["title"], page["page_count"]) == ("The archive by the sea", 2)
    assert page["paths"][0].endswith("/story.pdf")
    assert client.get(f"/{page['picture']}").status_code == 200
    assert "has 2" in call(client, "page", document=story_id(engine), number=3)
    assert "is not in the index" in call(client, "page", document="f" * 64, number=1)
    assert "is no document id" in call(client, "page", document="../..", number=1)


def test_status_keeps_where_the_index_lies(
    client: TestClient, engine: SearchEngine, folder: Path
) -> None:
    told = call(client, "status")
    assert (told["index"], told["read_only"]) == ("index", False)
    assert told["documents"]["done"] >= 2
    assert told["searchable_pages"] == told["pages"] >= 3
    assert set(told["vectors"]) == set(told["models"]) == {"lexical", "picture"}
    assert str(folder) not in json.dumps({**told, "jobs": []})
    assert "job nothing: there is none" in call(client, "status", job="nothing")


def test_uploaded_files_are_kept_and_ingested(
    client: TestClient, engine: SearchEngine, tmp_path: Path
) -> None:
    pdf = builders.write_text_pdf(tmp_path / "a.pdf", ["xylophone maintenance"])
    files = [upload(client, "../../lab/Zeugnis ü.pdf", pdf.read_bytes())]
    files.append(upload(client, "b.pdf", b"%PDF-1.7 broken"))
    job = call(client, "ingest", files=files, tags=["by-program"])
    row = ended(client, job["id"])
    assert (row["state"], row["done"], row["failed"]) == ("done", 1, 1)
    assert row["failures"][0]["file"].endswith("/b.pdf")
    (hit,) = call(client, "search", text="xylophone")["hits"]
    (path,) = hit["paths"]
    assert path.startswith(f"{engine.index.address}/uploads/files/")
    assert path.endswith("Zeugnis ü.pdf")
    assert hit["tags"] == ["by-program"]
    assert "was not uploaded" in call(client, "ingest", files=files)  # they were moved
    brief = call(client, "status")["jobs"][0]
    assert brief["id"] == job["id"]
    assert "failures" not in brief


def test_a_folder_that_is_open_to_programs_is_read_where_it_is(
    client: TestClient, folder: Path
) -> None:
    (folder / "open" / "reports").mkdir()
    for path in ("open/reports", "open/../open/reports/"):
        job = call(client, "ingest", path=f"{folder}/{path}", tags=["a", "b"])
        assert job["paths"] == [str(folder / "open" / "reports")]
        assert job["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "{folder}",
        "{folder}/files",
        "{folder}/open/../files",
        "{folder}/open/nothing",
        "{folder}/opening",
        "open",
        "~",
        "{folder}/open/" + "a" * 300,
    ],
)
def test_other_folders_are_closed(client: TestClient, folder: Path, path: str) -> None:
    (folder / "opening").mkdir(exist_ok=True)
    line = call(client, "ingest", path=path.format(folder=folder))
    assert line.startswith("path: is in no folder that is open to programs, or not there")


def test_links_that_lead_out_are_refused(client: TestClient, folder: Path) -> None:
    place = folder / "open" / "links"
    (place / "deep").mkdir(parents=True)
    out = place / "deep" / "a.pdf"
    for target in (folder / "files" / "story.pdf", Path("/etc")):
        out.symlink_to(target)
        assert "a.pdf is a link to a place" in call(client, "ingest", path=str(place))
        out.unlink()
    (folder / "open" / "out").symlink_to(folder / "files")
    assert "in no folder that is open" in call(client, "ingest", path=str(folder / "open" / "out"))
    (place / "a").symlink_to(place / "b")
    (place / "b").symlink_to(place / "a")
    assert "path: " in call(client, "ingest", path=str(place / "a"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "give files that were uploaded, or a path"),
        ({"files": [{"path": "a"}], "path": "/a"}, "give files that were uploaded, or a path"),
        ({"files": {"path": "a"}}, "files: is no list"),
        ({"files": ["a"]}, "file 1: is no uploaded file"),
        ({"files": [{}] * 4}, "files: 4 are more than 3"),
        ({"path": ["/a"]}, "path: is a list"),
        ({"path": "/a", "tags": "a"}, "tags: is a text, expected a list"),
        ({"path": "/a", "tags": ['"']}, "none of them a double quote"),
        ({"path": "/a", "tags": ["a"] * 101}, "tags: has 101 entries"),
    ],
)
def test_an_ingestion_that_cannot_be_is_one_clear_line(
    client: TestClient, given: dict[str, Any], why: str
) -> None:
    line = call(client, "ingest", **given)
    assert why in line
    assert "\n" not in line


def test_one_upload_is_not_named_twice(client: TestClient) -> None:
    file = upload(client, "a.pdf", b"%PDF")
    assert "named twice" in call(client, "ingest", files=[file, file])
    assert Path(file["path"]).exists()


def test_who_may_only_read_and_asks_too_often_is_told(tmp_path: Path, uploads: Path) -> None:
    from ui.site import create_site

    settings = {"read_only": "on", "ingest_roots": str(tmp_path), "searches_per_minute": 2}
    with (
        open_empty(tmp_path, **settings) as engine,
        TestClient(create_site(engine), base_url="http://localhost") as client,
    ):
        file = upload(client, "a.pdf", b"%PDF")
        for given in ({"path": str(tmp_path)}, {"files": [file]}):
            assert call(client, "ingest", **given).startswith("ingest: this server is read-only")
        assert Path(file["path"]).exists()
        assert call(client, "status")["read_only"] is True
        answers = [call(client, "search", text="a") for _ in range(3)]
        assert answers[0] == answers[1] == {"hits": [], "repaired": []}
        assert answers[2].startswith("too many requests; ask again in ")
        assert not (tmp_path / "index" / "uploads").exists()


def test_searches_of_programs_are_counted(client: TestClient) -> None:
    call(client, "search", text="storm")
    told = client.get("/metrics").text
    count = 'mmsearch_searches_total{kind="words",outcome="answered"} '
    assert float(told.split(count)[1].split()[0]) >= 1


def test_mcp_is_served_where_the_docs_say(client: TestClient) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = client.post("/mcp", json=request, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert len(answer.json()["result"]["tools"]) == 3
    assert os.environ["GRADIO_TEMP_DIR"]
