"""Images that visitors search with: whose they are, and what is refused."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from PIL import Image

from mmsearch.errors import InvalidQuery
from tests.ui.loops import run
from ui import query_images
from ui.query_images import QueryImages


def png(color: str = "red", size: tuple[int, int] = (80, 60)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def images() -> QueryImages:
    return QueryImages(1_000_000)


@pytest.fixture
def client(images: QueryImages) -> Iterator[TestClient]:
    """Users are named by a header here, instead of signing in."""
    site = FastAPI()

    @site.middleware("http")
    async def user(request: Request, call_next):  # type: ignore[no-untyped-def]
        request.state.user = request.headers.get("x-user", "")
        return await call_next(request)

    site.include_router(images.routes())
    with TestClient(site) as client:
        yield client


def test_an_image_is_found_by_its_id_alone(client: TestClient, images: QueryImages) -> None:
    id_ = client.post("/query-images?name=a.png", content=png()).json()["id"]
    assert images.image(id_).size == (80, 60)
    preview = client.get(f"/query-images/{id_}.jpg")
    assert preview.content.startswith(b"\xff\xd8")
    assert "no-store" in preview.headers["cache-control"]
    assert client.get(f"/query-images/{'x' * 22}.jpg").status_code == 404


def test_another_user_does_not_get_it(client: TestClient, images: QueryImages) -> None:
    headers = {"x-user": "anna"}
    id_ = client.post("/query-images", content=png(), headers=headers).json()["id"]
    assert client.get(f"/query-images/{id_}.jpg", headers=headers).status_code == 200
    for other in ({}, {"x-user": "bert"}):
        assert client.get(f"/query-images/{id_}.jpg", headers=other).status_code == 404
    with pytest.raises(InvalidQuery, match="no longer here"):
        images.image(id_, "bert")


@pytest.mark.parametrize(
    ("content", "status", "line"),
    [
        (b"", 422, "empty"),
        (b"not an image", 422, "a.png: not an image"),
        (png()[:40], 422, "a.png: "),
        (b"P4 100000 100000\n0", 422, "a.png: more pixels"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "a.png: not an image"),
        (bytes(query_images.MAX_BYTES + 1), 413, "20 MB"),
    ],
)
def test_what_is_no_image_is_one_line(
    client: TestClient, content: bytes, status: int, line: str
) -> None:
    answer = client.post("/query-images?name=a.png", content=content)
    assert answer.status_code == status
    assert line in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_the_least_used_go_when_there_are_too_many(
    images: QueryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_images, "_KEPT_BYTES", 3 * len(png()))
    first, second, third = (images.put(png()) for _ in range(3))
    images.image(first)
    images.put(png())
    assert images.image(first)
    with pytest.raises(InvalidQuery):
        images.image(second)
    assert images.image(third)


def test_they_are_forgotten_after_a_while(
    images: QueryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = images.put(png())
    monkeypatch.setattr(query_images, "_KEPT_SECONDS", -1.0)
    with pytest.raises(InvalidQuery):
        images.image(id_)


def test_who_sends_most_loses_his_own_first(
    images: QueryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_images, "_KEPT_BYTES", 3 * len(png()))
    anna = images.put(png(), "anna")
    last = [images.put(png(), "bert") for _ in range(5)][-1]
    assert images.image(anna, "anna")
    assert images.image(last, "bert")


def test_many_at_once_are_not_all_decoded(images: QueryImages) -> None:
    """A small file can be a large image: only so many of a visitor are taken at a time."""
    site = FastAPI()
    site.include_router(images.routes())
    going = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await going.wait()
        yield png()

    async def send() -> list[int]:
        transport = httpx.ASGITransport(site)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
            asked = [
                asyncio.create_task(visitor.post("/query-images", content=body()))
                for _ in range(query_images.COMING_OF_VISITOR + 2)
            ]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert {(await one).status_code for one in done} == {503}
            going.set()
            answers = await asyncio.gather(*asked)
            again = await visitor.post("/query-images", content=png())
            return [*sorted(answer.status_code for answer in answers), again.status_code]

    most = query_images.COMING_OF_VISITOR
    assert run(send()) == [200] * most + [503] * 2 + [200]


def test_what_comes_too_slowly_makes_room(
    images: QueryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_images, "BODY_SECONDS", 0.05)
    site = FastAPI()
    site.include_router(images.routes())

    async def body() -> AsyncIterator[bytes]:
        yield png()[:10]
        await asyncio.sleep(10)

    async def send() -> int:
        transport = httpx.ASGITransport(site)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
            return (await visitor.post("/query-images", content=body())).status_code

    assert run(asyncio.wait_for(send(), 5)) == 408
