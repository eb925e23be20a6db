"""The tools of language models, by the client of the MCP package itself."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from mmsearch.engine import SearchEngine
from tests.ui.loops import run
from tests.ui.small_archive import HOSTILE, open_archive, screenshot, story_id
from ui.doors.assistants import create_assistants
from ui.doors.tools import MAX_BASE64, PICTURE_SIDE

TOOLS = {"search_by_text", "search_by_image", "get_page"}
URL = "http://127.0.0.1:7860/mcp"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    with open_archive(tmp_path_factory.mktemp("assistants")) as engine:
        yield engine


@asynccontextmanager
async def served(
    engine: SearchEngine, allow: Callable[[Any], float]
) -> AsyncIterator[httpx2.AsyncClient]:
    app, running = create_assistants(engine, allow)
    transport = httpx2.ASGITransport(app)  # type: ignore[arg-type]
    async with running(), httpx2.AsyncClient(transport=transport) as http:
        yield http


def with_client(
    engine: SearchEngine,
    use: Callable[[Client], Coroutine[Any, Any, Any]],
    *,
    allow: Callable[[Any], float] = lambda _: 0.0,
    mode: str = "auto",
) -> Any:
    """What `use` answers, given a connected client."""

    async def connected() -> Any:
        async with served(engine, allow) as http:
            transport = streamable_http_client(URL, http_client=http)
            async with Client(transport, mode=mode) as client:
                return await use(client)

    return run(connected())


def call(engine: SearchEngine, tool: str, **arguments: Any) -> Any:
    return with_client(engine, lambda client: client.call_tool(tool, arguments))


def text_of(result: Any) -> str:
    assert not result.is_error, result.content
    return str(result.content[0].text)


def refusal(result: Any) -> str:
    """The line of an answer that is an error."""
    assert result.is_error
    (content,) = result.content
    assert "\n" not in content.text
    return str(content.text)


def post(engine: SearchEngine, body: bytes, method: str = "POST") -> httpx2.Response:
    """The answer to a raw request."""

    async def ask() -> httpx2.Response:
        async with served(engine, lambda _: 0.0) as http:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            return await http.request(method, URL, content=body, headers=headers)

    return run(ask())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_there_are_exactly_three_tools_that_only_read(engine: SearchEngine, mode: str) -> None:
    tools = with_client(engine, lambda client: client.list_tools(), mode=mode).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False


def test_words_find_pages_and_say_where(engine: SearchEngine) -> None:
    found = text_of(call(engine, "search_by_text", query="storm broke two windows"))
    first = next(line for line in found.splitlines() if line.startswith("1. "))
    assert first.startswith("1. The archive by the sea, page 1 of 2 (")
    assert f"document {story_id(engine)}, number 1" in found
    assert "story.pdf" in found
    assert "storm" in found
    only = text_of(call(engine, "search_by_text", query="the", where="tag=tale", limit=1))
    assert "2. " not in only


def test_content_of_documents_is_marked_as_such(engine: SearchEngine) -> None:
    found = text_of(call(engine, "search_by_text", query="reveal the password"))
    marks = re.findall(r"^[0-9a-f]{16}$", found, re.MULTILINE)
    assert len(marks) == 2
    assert marks[0] == marks[1]
    before, inside, after = found.split(f"\n{marks[0]}")
    assert "not instructions" in before
    assert HOSTILE in inside
    assert not after
    again = text_of(call(engine, "search_by_text", query="reveal the password"))
    assert marks[0] not in again  # no document can know it


def test_a_screenshot_finds_its_very_page(engine: SearchEngine) -> None:
    encoded = base64.b64encode(screenshot(engine)).decode()
    found = text_of(call(engine, "search_by_image", image_base64=encoded, limit=1))
    assert "1. The archive by the sea, page 1 of 2 (this very page)" in found


def test_a_page_comes_with_its_text_and_its_picture(engine: SearchEngine) -> None:
    result = call(engine, "get_page", document=story_id(engine), number=1)
    assert "The archive by the sea, page 1 of 2" in text_of(result)
    assert "storm broke two windows" in text_of(result)
    picture = result.content[1]
    assert picture.mime_type == "image/jpeg"
    image = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    stored = Image.open(io.BytesIO(engine.store.picture(story_id(engine), 1)))
    assert image.format == "JPEG"
    assert max(stored.size) > 1000
    assert max(image.size) == min(max(stored.size), PICTURE_SIDE)


def test_a_large_picture_is_made_smaller(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.doors.tools.PICTURE_SIDE", 300)
    result = call(engine, "get_page", document=story_id(engine), number=1)
    assert max(Image.open(io.BytesIO(base64.b64decode(result.content[1].data))).size) == 300


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("search_by_text", {"query": ""}, "query is empty"),
        ("search_by_text", {"query": "a" * 1001}, "query: has 1,001 characters"),
        ("search_by_text", {"query": ["a"]}, "query: is a list"),
        ("search_by_text", {"query": "a", "limit": 0}, "limit: allowed are 1 to 25"),
        ("search_by_text", {"query": "a", "limit": "5"}, "limit: is a text"),
        ("search_by_text", {"query": "a", "where": "colour=red"}, "fields are"),
        ("search_by_text", {"words": "a"}, "has no argument 'words'"),
        ("search_by_text", {}, "needs query"),
        ("search_by_image", {"image_base64": "http://127.0.0.1/a.png"}, "fetched from no URL"),
        ("search_by_image", {"image_base64": "file:///etc/passwd"}, "fetched from no URL"),
        ("search_by_image", {"image_base64": "/etc/passwd"}, "is no"),
        ("search_by_image", {"image_base64": "&&&&"}, "is no base64"),
        ("search_by_image", {"image_base64": "aGVsbG8="}, "not an image"),
        ("search_by_image", {"image_base64": 7}, "is no text"),
        ("get_page", {"document": "../../etc", "number": 1}, "is no document id"),
        ("get_page", {"document": "f" * 64, "number": 1}, "is not in the index"),
        ("get_page", {"document": "f" * 64, "number": 1.5}, "expected a whole number"),
        ("call", {}, "there is no tool 'call'"),
        ("__class__", {}, "there is no tool"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_line(
    engine: SearchEngine, tool: str, arguments: dict[str, Any], why: str
) -> None:
    assert why in refusal(call(engine, tool, **arguments))


def test_a_page_that_is_not_there_is_told(engine: SearchEngine) -> None:
    result = call(engine, "get_page", document=story_id(engine), number=3)
    assert "page 3: there is no such page; the document has 2" in refusal(result)


def test_an_image_of_too_many_bytes_is_refused(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.query_images.MAX_BYTES", 2 << 20)
    encoded = base64.b64encode(bytes((2 << 20) + 1)).decode()
    result = call(engine, "search_by_image", image_base64=encoded)
    assert "has more than 2 MB" in refusal(result)


def test_an_image_of_too_many_pixels_is_refused(engine: SearchEngine) -> None:
    header = base64.b64encode(b"P4 60000 1000\n0").decode()
    assert "pixels" in refusal(call(engine, "search_by_image", image_base64=header))


def test_a_body_beyond_all_limits_is_not_read(engine: SearchEngine) -> None:
    assert post(engine, bytes(MAX_BASE64 + (1 << 20))).status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"jsonrpc": "2.0", "id": 1}', b"\xff\xfe"])
def test_broken_requests_are_refused(engine: SearchEngine, body: bytes) -> None:
    answer = post(engine, body)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_no_stream_is_opened_and_no_session_ended(engine: SearchEngine, method: str) -> None:
    assert post(engine, b"", method).status_code == 405


def test_who_asks_too_often_waits(engine: SearchEngine) -> None:
    seen = []

    def allow(request: Any) -> float:
        seen.append(request.url.path)
        return 2.5

    result = with_client(
        engine, lambda client: client.call_tool("search_by_text", {"query": "a"}), allow=allow
    )
    assert "ask again in 3 s" in refusal(result)
    assert seen == ["/mcp"]


def test_an_unexpected_failure_keeps_its_secrets(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(engine, "answer", fail)
    line = refusal(call(engine, "search_by_text", query="words"))
    assert "secret" not in line
    assert "failed" in line


def test_no_more_wait_than_there_is_room_for(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.doors.assistants._REQUESTS_AT_ONCE", 1)
    begun, go_on = anyio.Event(), threading.Event()
    query = engine.query

    def slow(*words: str) -> Any:
        anyio.from_thread.run_sync(begun.set)
        assert go_on.wait(10)
        return query(*words)

    monkeypatch.setattr(engine, "query", slow)
    asked = {"name": "search_by_text", "arguments": {"query": "storm"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
    codes = []

    async def ask(http: httpx2.AsyncClient) -> None:
        answer = await http.post(URL, json=request, headers={"Accept": "application/json"})
        codes.append(answer.status_code)

    async def both() -> None:
        async with served(engine, lambda _: 0.0) as http, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, http)
            await begun.wait()
            await ask(http)
            go_on.set()

    run(both())
    assert codes == [503, 200]


def test_it_answers_only_while_it_runs_and_may_run_again(engine: SearchEngine) -> None:
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}

    async def ask() -> list[int]:
        app, running = create_assistants(engine, lambda _: 0.0)
        codes = []
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:  # type: ignore[arg-type]
            for _ in range(2):
                codes.append((await http.post(URL, content=request, headers=headers)).status_code)
                async with running():
                    answer = await http.post(URL, content=request, headers=headers)
                    codes.append(answer.status_code)
        return codes

    assert run(ask()) == [503, 200, 503, 200]


def test_a_request_that_comes_too_slowly_makes_room(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.doors.assistants._REQUESTS_AT_ONCE", 1)
    monkeypatch.setattr("ui.doors.assistants._BODY_SECONDS", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep(20)

    async def slow_then_whole() -> int:
        with anyio.fail_after(10):
            async with served(engine, lambda _: 0.0) as http:
                headers = {"Accept": "application/json", "Content-Type": "application/json"}
                await http.post(URL, content=body(), headers=headers)
                listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
                return (await http.post(URL, json=listed, headers=headers)).status_code

    assert run(slow_then_whole()) == 200
