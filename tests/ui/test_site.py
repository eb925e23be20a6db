"""What the server answers, and what it refuses, with no browser and no model."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.types import Query
from tests.ui.fake_engine import FakeEngine
from ui.app import MAX_IMAGE_PIXELS, serve

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

FILE = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> FakeEngine:
    return FakeEngine(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def site(engine: FakeEngine, uploads: Path) -> Iterator[TestClient]:
    from fastapi.testclient import TestClient

    from ui.app import create_app, looks
    from ui.site import create_site

    with TestClient(create_site(create_app(engine), engine, looks())) as client:
        yield client


@pytest.fixture
def client(site: TestClient, engine: FakeEngine) -> Iterator[TestClient]:
    """A client of the page over an empty engine; making a page takes a second."""
    yield site
    engine.hits.clear()
    vars(engine).pop("answer", None)


def search(client: TestClient, text: object, image: object = None) -> str:
    """The page's answer by its API, as HTML, or the error."""
    called = client.post("/gradio_api/call/search", json={"data": [text, image]})
    answer = client.get(f"/gradio_api/call/search/{called.json()['event_id']}").text
    data = json.loads(answer.split("data: ", 1)[1])
    return str(data[0] if isinstance(data, list) else data["error"])


def upload(client: TestClient, name: str, data: bytes) -> dict[str, object]:
    paths = client.post("/gradio_api/upload", files={"files": (name, data)}).json()
    return {"path": paths[0], "meta": FILE}


def test_pictures_of_known_documents_are_served(client: TestClient, engine: FakeEngine) -> None:
    id_ = engine.add("Report", page=3)
    for folder in ("pages", "thumbnails"):
        answer = client.get(f"/{folder}/{id_}/3.jpg")
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
        "{id}/2.jpg",
        "{id}/03.jpg",
        "{id}/0x3.jpg",
        "{id}/-3.jpg",
        "{id}/3.words.json",
        "{id}/..%2f3.jpg",
        "{id}%0a/3.jpg",
        "{id}/3%0a.jpg",
        "{id}/\N{ARABIC-INDIC DIGIT THREE}.jpg",
        "{short}/3.jpg",
        "{unknown}/3.jpg",
        "..%2f..%2fetc/3.jpg",
        "../../../../etc/passwd",
    ],
)
def test_other_pictures_are_not(
    client: TestClient, engine: FakeEngine, folder: str, address: str
) -> None:
    id_ = engine.add("Report", page=3)
    path = address.format(id=id_, short=id_[1:], unknown="f" * 64)
    assert client.get(f"/{folder}/{path}").status_code == 404


def test_a_removed_document_has_no_pictures(client: TestClient, engine: FakeEngine) -> None:
    id_ = engine.add("Report")
    engine.hits.clear()  # its files may still be there
    assert client.get(f"/pages/{id_}/1.jpg").status_code == 404


def test_search_is_the_one_endpoint(client: TestClient) -> None:
    known = client.get("/gradio_api/info").json()
    assert list(known["named_endpoints"]) == ["/search"]
    assert not known["unnamed_endpoints"]


def test_a_search_answers_with_html(client: TestClient, engine: FakeEngine) -> None:
    engine.add("Annual report")
    assert ">Annual report</a>" in search(client, "revenue")
    assert "1 page to search" in search(client, "  ")


@pytest.mark.parametrize("text", [7, ["a"], {"a": "b"}, None, "x" * 1_000_000])
def test_odd_texts_do_not_break_it(client: TestClient, engine: FakeEngine, text: object) -> None:
    engine.add("Annual report")
    assert "mm-" in search(client, text)


def test_a_known_error_is_one_line(client: TestClient, engine: FakeEngine) -> None:
    def refuse(query: Query, **_: object) -> list[Any]:
        raise InvalidQuery("the query holds no word")

    engine.answer = refuse
    assert "The query holds no word</p>" in search(client, "?")


def test_an_unknown_error_keeps_its_secrets(client: TestClient, engine: FakeEngine) -> None:
    def fail(query: Query, **_: object) -> list[Any]:
        raise RuntimeError("secret")

    engine.answer = fail
    answer = search(client, "words")
    assert "The search failed" in answer
    assert "secret" not in answer


def test_an_upload_that_is_no_image_is_one_line(client: TestClient) -> None:
    answer = search(client, "", upload(client, "a.png", b"not an image"))
    assert "Query image a.png: not an image" in answer


def test_a_picture_of_too_many_pixels_is_refused(client: TestClient) -> None:
    header = b"P4 %d %d\n" % (MAX_IMAGE_PIXELS, 1000)
    answer = search(client, "", upload(client, "a.pbm", header + b"0"))
    assert "more pixels than the limit" in answer or "more than the limit" in answer


def test_an_upload_of_too_many_bytes_is_refused(client: TestClient) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", bytes(21 << 20))})
    assert answer.status_code == 413


@pytest.mark.parametrize("place", ["text", "image"])
@pytest.mark.parametrize("meta", [{"meta": FILE}, {}])
def test_no_file_of_the_machine_is_read(
    client: TestClient, uploads: Path, tmp_path: Path, place: str, meta: dict[str, object]
) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text("secret")
    named = {"path": str(secret), **meta}
    answer = search(client, *((named, None) if place == "text" else ("", named)))
    assert "not uploaded" in answer or place == "text"
    assert not list(uploads.rglob("secret*"))
    assert client.get(f"/gradio_api/file={secret}").status_code == 403


@pytest.mark.parametrize("place", ["text", "image"])
def test_no_url_is_fetched(client: TestClient, place: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        named = {"path": url, "meta": FILE}
        assert "not fetched" in search(client, *((named, None) if place == "text" else ("", named)))
        assert client.get(f"/gradio_api/file={url}").status_code == 404
        assert client.get(f"/gradio_api/proxy={url}").status_code == 404
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("route", ["process_recording", "vibe-edit", "run-history/connect"])
def test_what_the_page_does_not_use_is_closed(client: TestClient, route: str) -> None:
    assert client.post(f"/gradio_api/{route}").status_code == 404


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"port {port} is taken .*--port {port + 1}"):
            serve(None, host="127.0.0.1", port=port)  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 7860), ("127.0.0.1", 99999)])
def test_an_address_that_cannot_be_is_one_clear_line(host: str, port: int) -> None:
    with pytest.raises(InvalidSetting, match="--port"):
        serve(None, host=host, port=port)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_its_address_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    code = "from ui.app import serve; serve(None, host='127.0.0.1', port=0); print('closed')"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("mmsearch is at http://127.0.0.1:")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "closed\n", "")
    assert not list(tmp_path.glob("mmsearch-*")), "query images outlive the server"
