"""Where requests come from and go to, and what answers tell the browser."""

from __future__ import annotations

import re
import socket

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting
from tests.ui.access.guarded import (
    HTML,
    USERS,
    Clock,
    raw,
    sign_in,
    site,
    visit,
)
from ui.access.guard import Access


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.1.7:7860",
        "[::1]:7860",
        "localhost:1",
        "a.localhost",
        "LOCALHOST.",
        "search.example.com",
        "Search.Example.COM.:8443",
        "xn--bcher-kva.example",
        "reader",
    ],
)
def test_the_page_answers_to_its_names(host: str) -> None:
    names = {"hosts": "search.example.com, bücher.example", "host": "reader"}
    assert visit(**names).get("/", headers={"Host": host}).status_code == 200


def test_the_page_answers_to_the_name_of_its_machine() -> None:

    assert visit().get("/", headers={"Host": socket.gethostname()}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "search.example.com.evil.example",
        "2130706433",
        "0x7f.1",
        "[evil]",
        "999.1.1.1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/login", "/healthz"])
def test_other_hosts_are_refused(host: str, path: str) -> None:
    answer = visit(hosts="search.example.com").get(path, headers={"Host": host})
    assert answer.status_code in (400, 421)
    if answer.status_code == 421:
        assert "MMSEARCH_HOSTS" in answer.text


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b"localhost", b"localhost"],
        [b"localhost", b"evil.example"],
        [b""],
        [b"a@localhost"],
        [b"localhost:7860/"],
        [b"localhost, evil.example"],
        [b"localhost:999999"],
        [b"\xff"],
    ],
)
def test_a_request_needs_one_proper_host(hosts: list[bytes]) -> None:
    answer = raw(site(Access(Settings())), headers=[(b"host", host) for host in hosts])
    assert answer["status"] == 400


def test_a_host_that_is_no_name_is_refused_at_the_start() -> None:
    for hosts in ("https://search.example.com", "a b", "*.example.com"):
        with pytest.raises(InvalidSetting, match="setting hosts"):
            Access(Settings(hosts=hosts))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "http://["},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_another_sites_page_cannot_change_anything(method: str, headers: dict[str, str]) -> None:
    client = visit()
    for path in ("/gradio_api/queue/join", "/logout", "/login"):
        assert client.request(method, path, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://LOCALHOST:443", "Host": "localhost"},
        {"Origin": "http://localhost:8080", "Host": "localhost:8080"},
    ],
)
def test_the_page_itself_and_programs_can(headers: dict[str, str]) -> None:
    assert visit().post("/gradio_api/queue/join", headers=headers).status_code == 200


def test_links_from_other_sites_lead_in(client: TestClient) -> None:
    sign_in(client)
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/?q=herons", headers=headers).text == "user ann"


def test_a_declared_proxy_tells_the_host_that_the_browser_sees() -> None:
    headers = {"Origin": "https://a.example", "X-Forwarded-Host": "a.example", "X-User": "ann"}
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 200
    headers["X-Forwarded-Host"] = "b.example"
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 403
    del headers["X-Forwarded-Host"]
    headers["Origin"] = "https://"
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 403


def test_a_visitor_searches_so_often_in_a_minute(clock: Clock) -> None:
    access = Access(Settings(searches_per_minute=3), clock=clock)
    assert [access.allow_search("ann") for _ in range(3)] == [0.0] * 3
    assert access.allow_search("ann") == pytest.approx(20)
    assert access.allow_search("bob") == 0.0
    clock.now += 19
    assert access.allow_search("ann") == pytest.approx(1)
    clock.now += 1
    assert access.allow_search("ann") == 0.0
    assert access.allow_search("ann") > 0
    clock.now += 3600
    assert [access.allow_search("ann") > 0 for _ in range(4)] == [False] * 3 + [True]
    free = Access(Settings(searches_per_minute=0))
    assert {free.allow_search("ann") for _ in range(1000)} == {0.0}


def test_a_visitor_is_the_user_else_the_address() -> None:
    access = Access(Settings())

    def visitor(user: str, host: str) -> str:
        scope = {"type": "http", "headers": [], "client": (host, 1), "state": {"user": user}}
        return access.visitor(Request(scope))

    assert visitor("ann", "192.0.2.1") == "ann"
    assert visitor("", "2001:db8::1") == visitor("", "2001:db8::2") != visitor("", "192.0.2.1")
    assert visitor("", "::ffff:192.0.2.1") == visitor("", "192.0.2.1")
    assert visitor("192.0.2.1", "") != visitor("", "192.0.2.1")


@pytest.mark.parametrize("path", ["/", "/pages/1/1.jpg", "/login", "/healthz", "/page.html"])
def test_every_answer_is_guarded_by_headers(path: str) -> None:
    for client in (visit(), visit(users=USERS)):
        headers = client.get(path, headers={"Origin": "http://evil.example"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy
        assert not re.search(r"https?:|script-src[^;]*('unsafe-inline'|\*)", policy)
        assert "sha256" not in policy.replace("style-src 'sha256", "")
        assert not [name for name in headers if name.startswith("access-control-allow")]
    own = "DENY" if path == "/page.html" else "SAMEORIGIN"
    assert visit().get(path, headers=HTML).headers["x-frame-options"] == own


def test_a_refusal_is_guarded_as_well(client: TestClient) -> None:
    for headers in ({}, {"Host": "evil.example"}):
        assert client.get("/", headers=headers).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "reader", ""])
def test_a_page_that_is_open_to_others_is_warned_of(host: str) -> None:
    warning = Access(Settings(host=host)).warning
    assert "set users" in warning
    assert "\n" not in warning
    assert not Access(Settings(host=host, users=USERS)).warning
    assert not Access(Settings(host=host, user_header="X-User")).warning
    assert not Access(Settings(host=host), lambda _: "ann").warning


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.3.2.1"])
def test_a_page_of_this_machine_alone_is_not(host: str) -> None:
    assert not Access(Settings(host=host)).warning
