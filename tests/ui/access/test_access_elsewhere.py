"""Users whom a proxy or an application around the site names; WebSockets; paths above the site."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting
from tests.ui.access.guarded import (
    EVERYTHING,
    HTML,
    PASSWORDS,
    USERS,
    raw,
    sign_in,
    site,
    visit,
)
from ui.access.guard import Access


def test_a_proxy_names_the_user() -> None:
    client = visit(user_header="X-Remote-User")
    assert client.get("/", headers={"x-remote-user": "ann"}).text == "user ann"
    utf8 = {b"X-Remote-User": "Jörg".encode()}
    assert client.get("/", headers=utf8).text == "user Jörg"  # type: ignore[arg-type]
    for path in EVERYTHING:
        assert client.get(path).status_code == 401
    assert "X-Remote-User" in client.get("/").text
    assert client.get("/login", headers=HTML).headers["location"] == "./"
    assert sign_in(client).status_code == 404


@pytest.mark.parametrize(
    "values", [[""], [" "], ["ann", "root"], ["a" * 300], ["a\x1b[0m"], ["\xff"]]
)
def test_a_name_of_a_proxy_is_one_plain_name(values: list[str]) -> None:
    headers = [(b"host", b"localhost")]
    headers += [(b"x-user", value.encode("latin-1")) for value in values]
    answer = raw(site(Access(Settings(user_header="X-User"))), headers=headers)
    assert answer["status"] == 401


@pytest.mark.parametrize("settings", [{}, {"users": USERS}])
def test_a_users_header_that_is_not_set_up_means_nothing(settings: dict[str, str]) -> None:
    headers = {"X-Remote-User": "root", "Remote-User": "root", "X-Forwarded-User": "root"}
    answer = visit(**settings).get("/", headers=headers)
    assert (answer.status_code, answer.text) == (200, "user ") or answer.status_code == 401
    assert (answer.status_code == 401) == bool(settings)


def test_an_application_around_it_names_the_user() -> None:
    async def who(request: HTTPConnection) -> str | None:
        return request.session.get("user")

    def session(app: Any) -> Any:
        async def with_session(scope: Any, receive: Any, send: Any) -> None:
            cookies = HTTPConnection(scope).cookies if scope["type"] != "lifespan" else {}
            await app({**scope, "session": {"user": cookies.get("me")}}, receive, send)

        return with_session

    outer = FastAPI()
    outer.add_middleware(session)
    outer.mount("/search", site(Access(Settings(), who)))
    client = TestClient(outer, base_url="http://localhost", follow_redirects=False)
    assert client.get("/search/").status_code == 401
    client.cookies["me"] = "ann"
    assert client.get("/search/").text == "user ann"
    with client.websocket_connect("ws://localhost/search/live") as socket:
        assert socket.receive_text() == "user ann"


@pytest.mark.parametrize("named", ["", None])
def test_who_may_be_a_plain_function_and_nobody_is_refused(named: str | None) -> None:
    assert visit(lambda request: request.headers["x-me"]).get("/", headers={"X-Me": "a"}).text
    assert visit(lambda _: named).get("/", headers=HTML).status_code == 401


def test_there_is_one_way_to_sign_in() -> None:
    with pytest.raises(InvalidSetting, match="leave the others empty"):
        Access(Settings(users=USERS, user_header="X-User"))
    with pytest.raises(InvalidSetting, match="leave the others empty"):
        Access(Settings(users=USERS), lambda _: "ann")
    with pytest.raises(InvalidSetting, match="no name of a header"):
        Access(Settings(user_header="X User:"))


def test_a_websocket_is_guarded_as_well(client: TestClient) -> None:
    url = "ws://localhost/gradio_api/queue"
    for path in ("/login", "/healthz", "/gradio_api/queue"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"ws://localhost{path}"):
            pass
    sign_in(client)
    with client.websocket_connect(url) as socket:
        assert socket.receive_text() == "user ann"
    for wrong in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect), visit().websocket_connect(url, headers=wrong):
            pass
    with visit().websocket_connect(url, headers={"Origin": "http://localhost"}) as socket:
        assert socket.receive_text() == "user "


@pytest.mark.parametrize("mounted", [True, False])
def test_it_works_below_a_path(mounted: bool) -> None:
    """Mounted in an application, or behind a proxy that tells the path."""
    inner = site(Access(Settings(users=USERS)))
    app: Any = inner
    if mounted:
        app = FastAPI()
        app.mount("/search", inner)
    client = TestClient(
        app,
        base_url="http://localhost",
        follow_redirects=False,
        root_path="" if mounted else "/search",
    )
    assert client.get("/search/pages/1").status_code == 401
    way = client.get("/search/pages/1?x=1", headers=HTML).headers["location"]
    assert way == "../login?next=pages/1%3Fx%3D1"
    assert client.get("/search/login").status_code == 200
    for path in ("/login", "/search/search/login", "/searchlogin", "/search/pages/login"):
        assert client.get(path).status_code in ((401, 404) if mounted else (200, 401))
    done = client.post(
        "/search/login?next=pages/1", data={"username": "ann", "password": PASSWORDS["ann"]}
    )
    assert "Path=/search;" in done.headers["set-cookie"] + ";"
    assert client.get("/search/pages/1").text == "user ann"
    if mounted:
        assert client.get("/pages/1").status_code == 404
