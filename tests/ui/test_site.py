"""What the server answers, and what it refuses, with no browser and no model."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import IndexUnavailable, InvalidQuery, InvalidSetting
from mmsearch.types import Query
from tests.ui.loops import run
from tests.ui.small_archive import screenshot, story_id
from ui.library.uploads import KEPT_FREE
from ui.serving import serve


@pytest.fixture(scope="module")
def client(archive: SearchEngine, uploads: Path) -> Iterator[TestClient]:
    from ui.site import create_site

    with TestClient(create_site(archive), base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture(scope="module")
def listener(client: TestClient) -> int:
    """The number of the page's search among Gradio's listeners."""
    known = client.get("/config").json()["dependencies"]
    results = next(d for d in known if [event for _, event in d["targets"]] == ["submit"])
    return int(results["id"])


def search(client: TestClient, listener: int, link: object) -> str:
    """What the page's search answers to a link in the end, as the browser asks it: HTML."""
    body = {
        "data": [], "event_data": {"link": link}, "fn_index": listener,
        "trigger_id": None, "session_hash": "abc",
    }  # fmt: skip
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    events = client.get("/gradio_api/queue/data?session_hash=abc").text
    told = [json.loads(line.removeprefix("data: ")) for line in events.split("\n\n") if line]
    (done,) = (event["output"] for event in told if event["msg"] == "process_completed")
    return str(done["data"][0] if "data" in done else done["error"])


def test_pictures_of_known_documents_are_served(client: TestClient, archive: SearchEngine) -> None:
    for folder in ("pages", "thumbnails"):
        answer = client.get(f"/{folder}/{story_id(archive)}/2.jpg")
        assert answer.status_code == 200
        assert answer.content.startswith(b"\xff\xd8")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"].startswith("private")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("folder", ["pages", "thumbnails"])
@pytest.mark.parametrize(
    "address",
    [
        "{id}/3.jpg",
        "{id}/02.jpg",
        "{id}/0x2.jpg",
        "{id}/-2.jpg",
        "{id}/2.words.json",
        "{id}/..%2f2.jpg",
        "{id}%0a/2.jpg",
        "{id}/2%0a.jpg",
        "{id}/\N{ARABIC-INDIC DIGIT TWO}.jpg",
        "{short}/2.jpg",
        "{unknown}/2.jpg",
        "..%2f..%2fetc/2.jpg",
        "../../../../etc/passwd",
    ],
)
def test_other_pictures_are_not(
    client: TestClient, archive: SearchEngine, folder: str, address: str
) -> None:
    id_ = story_id(archive)
    path = address.format(id=id_, short=id_[1:], unknown="f" * 64)
    assert client.get(f"/{folder}/{path}").status_code == 404


def test_a_search_answers_with_html(
    client: TestClient, listener: int, archive: SearchEngine
) -> None:
    html = search(client, listener, "?q=archive")
    assert "The archive by the sea" in html
    assert f"data-view='{story_id(archive)}/1'" in html
    html = search(client, listener, "")
    assert "3 pages to search" in html
    assert "The archive by the sea" in html, "a title to try"


def test_an_image_that_was_uploaded_is_searched(
    client: TestClient, listener: int, archive: SearchEngine
) -> None:
    id_ = client.post("/query-images", content=screenshot(archive)).json()["id"]
    html = search(client, listener, f"image={id_}")
    assert "This very page" in html
    assert f"data-view='{story_id(archive)}/1'" in html.split("This very page")[0]


def test_a_page_and_a_region_of_it_are_searched(
    client: TestClient, listener: int, archive: SearchEngine
) -> None:
    page = f"page={story_id(archive)}/1"
    html = search(client, listener, page)
    assert "Pages like this one" in html
    html = search(client, listener, f"{page}&region=0.05,0.05,0.8,0.35")
    assert "This very page" in html
    html = search(client, listener, f"page={'f' * 64}/1")
    assert "no longer here" in html


@pytest.mark.parametrize("link", [7, None, ["a"], {"a": "b"}, "x" * 1_000_000, "q=a&n=-1&weight=x"])
def test_odd_links_do_not_break_it(client: TestClient, listener: int, link: object) -> None:
    html = search(client, listener, link)
    assert "mm-" in html


@pytest.mark.parametrize(
    ("link", "line"),
    [
        ("q=the&where=colour%3Dred", "Filter colour=red: fields are"),
        ("q=archive&where=%22", "Filter: "),
        ("image=abcdefghijklmnopqrstuv", "The image of this search is no longer here"),
    ],
)
def test_a_known_error_is_one_line(client: TestClient, listener: int, link: str, line: str) -> None:
    html = search(client, listener, link)
    assert html.startswith("<div data-answer='0'><p class='mm-problem' role='alert'>")
    assert line in html


def test_an_unknown_error_keeps_its_secrets(
    client: TestClient, listener: int, archive: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(archive, "answers", fail)
    html = search(client, listener, "q=words")
    assert "The search failed" in html
    assert "secret" not in html


def test_too_many_searches_are_told_to_wait(archive: SearchEngine, uploads: Path) -> None:
    from dataclasses import replace

    from ui.access.guard import Access
    from ui.site import create_site

    few = Access(replace(archive.settings, searches_per_minute=1))
    with TestClient(create_site(archive, access=few), base_url="http://127.0.0.1:7860") as client:
        known = client.get("/config").json()["dependencies"]
        number = next(d["id"] for d in known if "submit" in [event for _, event in d["targets"]])
        answers = [search(client, number, "q=archive") for _ in range(12)]
    assert "mm-hits" in answers[0]
    assert "Too many searches at a time; try again in" in answers[-1]


@pytest.mark.parametrize("route", ["file=/etc/passwd", "file=page.js", "file=http://example.org/a"])
def test_no_file_is_served_by_its_path(client: TestClient, uploads: Path, route: str) -> None:
    assert client.get(f"/gradio_api/{route}").status_code == 404
    assert client.get(f"/{route}").status_code in (404, 405)


def test_what_another_visitor_uploaded_is_not_served(client: TestClient, uploads: Path) -> None:
    path = client.post("/gradio_api/upload", files={"files": ("a.png", b"mine")}).json()[0]
    assert Path(path).is_relative_to(uploads)
    for route in (f"/gradio_api/file={path}", f"/gradio_api//file={path}", f"/file={path}"):
        assert client.get(route).status_code in (404, 405), route


@pytest.mark.parametrize(
    "route",
    ["process_recording", "vibe-edit", "run-history/connect", "proxy=http://127.0.0.1:1/",
     "stream/a/b/c", "component_server", "deep_link", "upload_progress"],
)  # fmt: skip
def test_what_the_page_does_not_use_is_closed(client: TestClient, route: str) -> None:
    assert client.post(f"/gradio_api/{route}").status_code == 404
    assert client.get(f"/gradio_api/{route}").status_code == 404


@pytest.mark.parametrize(
    "name", ["..%2fsite.py", "site.py", "../site.py", "%2e%2e/config.py", "login.css%00"]
)
def test_of_our_own_files_only_the_page_s_are_served(client: TestClient, name: str) -> None:
    assert client.get("/own/page.js").headers["content-type"].startswith("text/javascript")
    answer = client.get(f"/own/{name}")
    assert answer.status_code == 404


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"port {port} is taken .*--port {port + 1}"):
            serve(None, host="127.0.0.1", port=port)  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 7860), ("127.0.0.1", 99999)])
def test_an_address_that_cannot_be_is_one_clear_line(host: str, port: int) -> None:
    with pytest.raises(InvalidSetting, match="--port"):
        serve(None, host=host, port=port)  # type: ignore[arg-type]


def test_a_url_is_no_image() -> None:
    from ui.site import _in_place

    with pytest.raises(InvalidQuery, match="not fetched"):
        run(_in_place("http://127.0.0.1:1/a.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_serve_says_its_address_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mmsearch.cli", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--index", str(tmp_path / "index")],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("mmsearch is at http://127.0.0.1:")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in err
    assert process.returncode == 0, err
    assert not list(tmp_path.glob("mmsearch-*")), "query images outlive the server"


def test_uploads_leave_some_disk_free(
    client: TestClient, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui import site

    monkeypatch.setattr(site, "KEPT_FREE", 1 << 62)
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", b"mine")})
    assert answer.status_code == 507
    assert "too little disk space" in answer.json()["detail"]


class Reversing:
    """A reranker that turns the order round."""

    reads = "text"
    candidates = 20
    identity = "reversing"

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        return [float(number) for number, _ in enumerate(pages)]


def test_the_first_stage_is_shown_while_the_reranker_reads(archive: SearchEngine) -> None:
    from ui.doors.metrics import Metrics
    from ui.library.jobs import Jobs
    from ui.query_images import QueryImages
    from ui.searching import answer

    jobs = Jobs(archive)
    images, metrics = QueryImages(1_000_000), Metrics(archive, jobs)
    archive.reranker = Reversing()
    try:
        first, second = answer(archive, images, metrics, "?q=lighthouse+keeper+password")
        (alone,) = answer(archive, images, metrics, "?q=lighthouse+keeper+password&rerank=0")
    finally:
        archive.reranker = None
        jobs.close()
    assert "data-more-to-come" in first
    assert "Reading the best ones closely" in first
    assert "data-more-to-come" not in second + alone
    order = [re.findall(r"<h2><a href='\?view=([^']+)'", html) for html in (first, second)]
    assert len(order[0]) > 1
    assert order[1] == order[0][::-1]


def test_a_link_to_pages_like_one_opens_the_page(client: TestClient, archive: SearchEngine) -> None:
    for query in (f"page={story_id(archive)}/1&region=0,0,1,1", "page=x", "deep_link=abc"):
        answer = client.get(f"/?{query}")
        assert answer.status_code == 200
        assert "own/page.js" in answer.text


@pytest.mark.parametrize("route", ["queue/join", "call/search", "cancel", "reset"])
def test_what_gradio_is_sent_has_a_limit(client: TestClient, route: str) -> None:
    from ui.site import MAX_CALL

    body = b'{"session_hash": "' + b"a" * MAX_CALL + b'"}'
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/gradio_api/{route}", content=body, headers=headers)
    assert answer.status_code == 413


def test_an_upload_needs_room_and_a_size(
    client: TestClient, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A disk of its own: the other tests fill and empty this one.
    disk = shutil.disk_usage(uploads)._replace(free=KEPT_FREE + (64 << 20))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", bytes(65 << 20))})
    assert answer.status_code == 507
    file = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n1\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/gradio_api/upload", content=file, headers=headers).status_code == 200
    answer = client.post("/gradio_api/upload", content=iter([file]), headers=headers)
    assert answer.status_code == 411


def test_an_index_that_does_not_answer_is_one_line(
    client: TestClient, archive: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise IndexUnavailable("index http://127.0.0.1:6333: does not answer;\ntry again")

    id_ = story_id(archive)
    monkeypatch.setattr(archive.documents, "get", fail)
    for address in (f"pages/{id_}/1.json", f"pages/{id_}/1.jpg", f"originals/{id_}"):
        answer = client.get(f"/{address}")
        assert answer.status_code == 503
        assert answer.json()["detail"].endswith("does not answer; try again")


def test_self_tests_do_not_queue_up(
    client: TestClient, archive: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that wait would take the places of searches."""
    from mmsearch.screenshots import selftest

    begun, going, outcomes = threading.Event(), threading.Event(), selftest.outcomes

    def slow(*given: Any, **options: Any) -> Any:
        begun.set()
        going.wait(10)
        return outcomes(*given, **options)

    monkeypatch.setattr(selftest, "outcomes", slow)
    known = client.get("/config").json()["dependencies"]
    (button,) = (d["id"] for d in known if [event for _, event in d["targets"]] == ["click"])
    body = {"data": [], "fn_index": button, "trigger_id": None, "session_hash": "other"}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    assert begun.wait(10)
    assert "is under way" in search(client, button, "")
    going.set()
    assert "is under way" not in client.get("/gradio_api/queue/data?session_hash=other").text
