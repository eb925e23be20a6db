"""Who gets in with a password, and on which paths."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mmsearch.config import Settings
from tests.ui.access.guarded import (
    EVERYTHING,
    HTML,
    PASSWORDS,
    USERS,
    Clock,
    basic,
    raw,
    sign_in,
    site,
    visit,
)
from ui.access.guard import Access
from ui.access.login import MAX_FORM
from ui.access.logins import (
    FAILURES_PER_USER,
    SESSION_SECONDS,
    SESSIONS_PER_USER,
)


@pytest.mark.parametrize("path", EVERYTHING)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_without_a_login_everything_is_closed(client: TestClient, path: str, method: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert "user" not in answer.text.replace("username", "")
    if method != "HEAD":
        assert set(answer.json()) == {"detail"}
    assert "basic" not in answer.headers["www-authenticate"].lower()  # no window of the browser's


@pytest.mark.parametrize(
    "path",
    [
        "//login/../pages",
        "/login%2f..%2fpages",
        "/login/",
        "//login",
        "/login/..",
        "/LOGIN",
        "/login;/pages",
        "/login%00",
        "/login%0a",
        "/./login/x",
        "/healthz/../pages",
        "/login\\x",
    ],
)
def test_no_spelling_of_a_path_gets_around_the_login(path: str) -> None:
    from urllib.parse import unquote

    app = site(Access(Settings(users=USERS)))
    assert raw(app, path=unquote(path), raw_path=path.encode())["status"] == 401
    assert raw(app, path=path, raw_path=path.encode())["status"] == 401


def test_the_login_page_and_the_health_are_open(client: TestClient) -> None:
    assert client.get("/healthz").text == '"fine"'
    page = client.get("/login", headers=HTML)
    assert page.status_code == 200
    assert 'autocomplete="current-password"' in page.text
    assert not re.search("src=|href=|url\\(|<script", page.text)
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", PASSWORDS)
def test_who_signs_in_is_in_until_signing_out(client: TestClient, name: str) -> None:
    answer = sign_in(client, name)
    assert answer.status_code == 200  # what gradio_client takes for a yes
    assert answer.json() == {"success": True}
    for path in EVERYTHING:
        assert client.get(path).text == f"user {name}"
    stolen = dict(client.cookies)
    assert client.post("/logout").status_code == 200
    assert client.get("/").status_code == 401
    client.cookies.update(stolen)
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("url", ["http://localhost", "https://localhost"])
def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(url: str) -> None:
    cookie = sign_in(visit(url=url, users=USERS)).headers["set-cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", f"max-age={SESSION_SECONDS}"} <= parts
    assert ("secure" in parts) == url.startswith("https")
    assert len(cookie.split(";")[0].split("=", 1)[1]) == 43


def test_a_session_ends_after_seven_days(client: TestClient, clock: Clock) -> None:
    sign_in(client)
    clock.now += 7 * 24 * 3600 - 1
    assert client.get("/").status_code == 200
    clock.now += 1
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\xff", '"', "None", "ann"])
def test_a_forged_cookie_is_none(client: TestClient, token: str) -> None:
    sign_in(client)
    cookie = f"mmsearch-7860={token}".encode("latin-1")
    client.cookies.clear()
    assert client.get("/", headers={b"Cookie": cookie}).status_code == 401  # type: ignore[dict-item]


def test_a_cookie_of_another_start_is_none() -> None:
    before, after = visit(users=USERS), visit(users=USERS)
    sign_in(before)
    after.cookies.update(before.cookies)
    assert after.get("/").status_code == 401


def test_one_user_cannot_push_out_another_by_signing_in_often(client: TestClient) -> None:
    def token(name: str) -> str:
        sign_in(client, name)
        (value,) = client.cookies.values()
        client.cookies.clear()
        return str(value)

    def is_in(token: str) -> bool:
        cookie = {"Cookie": f"mmsearch-7860={token}"}
        return bool(client.get("/", headers=cookie).status_code == 200)

    other, first = token("Jörg"), token("ann")
    later = [token("ann") for _ in range(SESSIONS_PER_USER)]
    assert is_in(other)
    assert not is_in(first)
    assert is_in(later[0])


@pytest.mark.parametrize(
    ("asked", "way", "onward"),
    [
        ("/", "./login", "./"),
        ("/?q=a%20b&where=kind%3Dpdf", None, "./?q=a%20b&where=kind%3Dpdf"),
        ("/pages/1/2.jpg?x=%2F", None, "./pages/1/2.jpg?x=%2F"),
        ("/a%2fb/%C3%BC", None, "./a/b/%C3%BC"),
        ("/?next=//evil.example", None, "./?next=//evil.example"),
        ("//evil.example", None, "./evil.example"),
        ("/https://evil.example/", "../../../login", "./"),
    ],
)
def test_a_browser_is_led_to_the_login_and_on_to_where_it_wanted(
    client: TestClient, asked: str, way: str | None, onward: str
) -> None:
    from urllib.parse import urljoin

    sent = client.get(f"http://localhost{asked}", headers=HTML)
    assert sent.status_code == 303
    target = sent.headers["location"]
    assert urljoin(f"http://localhost{asked}", target).startswith("http://localhost/login")
    assert way is None or target == way
    page = client.get(urljoin("http://localhost/", target.lstrip("./")), headers=HTML)
    action = re.search('action="([^"]*)"', page.text)
    assert action
    fields = {"username": "ann", "password": PASSWORDS["ann"]}
    done = client.post(f"/{action[1]}", data=fields, headers=HTML)
    assert (done.status_code, done.headers["location"]) == (303, onward)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/evil",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)//",
        "../other",
        "a/../../other",
        "%2e%2e/other",
        "a/%2E%2E/b",
        "%2f%2fevil.example",
        "a\r\nSet-Cookie: x=1",
        "a\tb",
        "ü",
        "x" * 9000,
        "logout",
    ],
)
def test_nobody_is_led_away_from_the_site(client: TestClient, target: str) -> None:
    from urllib.parse import urljoin

    answer = sign_in(client, headers=HTML, params={"next": target})
    assert answer.status_code == 303
    assert re.match(r"\./[^\\\s]*$", answer.headers["location"])
    whole = urljoin("http://localhost/search/login", answer.headers["location"])
    assert whole.startswith("http://localhost/search/")


def test_a_wrong_password_and_an_unknown_name_look_the_same(client: TestClient) -> None:
    wrong, unknown = sign_in(client, "ann", "wrong one"), sign_in(client, "bob", "wrong one")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text == unknown.text
    assert "set-cookie" not in wrong.headers
    page = sign_in(client, "ann", "wrong one", headers=HTML)
    assert page.status_code == 401
    assert "role='alert'" in page.text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "\" onfocus='x'", "a\x00\r\nb", "ü" * 300, "{style}", ""]
)
def test_a_hostile_name_is_shown_as_text(client: TestClient, name: str) -> None:
    page = sign_in(client, name, "wrong one", headers=HTML)
    assert page.status_code == 401
    assert "<script" not in page.text
    assert page.text.count("<input") == 2
    assert page.text.count('"') % 2 == 0
    shown = re.search('name="username" value="([^"]*)"', page.text)
    assert shown
    assert len(shown[1]) <= 400


def test_a_login_is_a_small_form(client: TestClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    right = f"username=ann&password={PASSWORDS['ann']}".encode()
    assert client.post("/login", content=right, headers=form).status_code == 200
    client.cookies.clear()
    padded = right + b"&x=" + b"y" * MAX_FORM
    for body, kind in ((padded, form), (b"y" * (8 << 20), form), (right, {}), (b"\xff=1", form)):
        assert client.post("/login", content=body, headers=kind).status_code == 400
    many = b"&".join(b"a=1" for _ in range(50))
    assert client.post("/login", content=many, headers=form).status_code == 400
    json = client.post("/login", json={"username": "ann", "password": PASSWORDS["ann"]})
    assert json.status_code == 400
    assert client.get("/").status_code == 401


def test_a_large_login_is_not_read_to_its_end() -> None:
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 1024, "more_body": True}

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    headers = [(b"host", b"localhost"), kind]
    app = site(Access(Settings(users=USERS)))
    assert raw(app, "POST", "/login", headers=headers, receive=endless)["status"] == 400
    assert taken == 5


def test_programs_send_the_password_along(client: TestClient) -> None:
    for name, password in PASSWORDS.items():
        assert client.get("/", headers=basic(f"{name}:{password}")).text == f"user {name}"
    assert "mmsearch-7860" not in client.cookies


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"ann").decode(),
        "Bearer ann:correct horse",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + "A" * 10_000,
    ],
)
def test_a_broken_authorization_is_none(client: TestClient, header: str) -> None:
    assert client.get("/", headers={"Authorization": header}).status_code == 401


def test_a_password_that_is_sent_along_is_hashed_once_in_a_while(
    client: TestClient, clock: Clock
) -> None:
    """A user's failures do not keep out who is in; forgetting shows that it was not hashed."""
    right = basic(f"ann:{PASSWORDS['ann']}")
    assert client.get("/", headers=right).status_code == 200
    for _ in range(FAILURES_PER_USER):
        sign_in(client, "ann", "wrong one")
    assert client.get("/", headers=right).status_code == 200
    clock.now += 301
    assert client.get("/", headers=right).status_code == 429
