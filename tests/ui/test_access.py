"""Who gets in, and from where: requests to a tiny site behind the real middleware."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting
from ui import passwords
from ui.access import MAX_FORM, Access
from ui.logins import (
    FAILURES_PER_ADDRESS,
    FAILURES_PER_USER,
    HASHES_WAITING,
    SESSION_SECONDS,
    SESSIONS_PER_USER,
    WINDOW,
    Logins,
    Refused,
)

PASSWORDS = {"ann": "correct horse", "Jörg": "Füße: im Fluß"}
EVERYTHING = [
    "/",
    "/config",
    "/gradio_api/call/search",
    "/gradio_api/queue/join",
    "/mcp",
    "/mcp/",
    "/pages/1/1.jpg",
    "/originals/1",
    "/metrics",
    "/no/such",
]
JPEG = {"Accept": "image/jpeg"}
HTML = {"Accept": "text/html,*/*;q=0.8"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def hashed(password: str) -> str:
    """A hash in the form of the setting, cheap to check."""
    key = hashlib.scrypt(password.encode(), salt=b"s" * 16, n=2, r=1, p=1, dklen=32)
    salt, key_ = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"s" * 16, key))
    return f"scrypt:2:1:1:{salt}:{key_}"


USERS = "\n".join(f"{name}:{hashed(password)}" for name, password in PASSWORDS.items())


def site(access: Access) -> FastAPI:
    """Answers everything with who asked."""
    site = FastAPI(openapi_url=None)
    site.add_middleware(access.middleware)
    site.include_router(access.router)

    @site.get("/healthz")
    def healthz() -> str:
        return "fine"

    @site.get("/page.html")
    def page() -> Response:
        return HTMLResponse("<script>1</script>", headers={"X-Frame-Options": "DENY"})

    @site.websocket("/{path:path}")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"user {socket.state.user}")
        await socket.close()

    @site.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    def other(request: Request) -> Response:
        allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
        return Response(f"user {request.state.user}", headers=allowed)

    return site


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visit(clock: Clock) -> Callable[..., TestClient]:
    """A client of a site with these settings; redirects are not followed."""

    def visit_(
        who: Any = None, url: str = "http://localhost", address: str = "192.0.2.1", **settings: Any
    ) -> TestClient:
        access = Access(Settings(**settings), who, clock=clock)
        return TestClient(
            site(access), base_url=url, client=(address, 1), follow_redirects=False, headers=JPEG
        )

    return visit_


@pytest.fixture
def client(visit: Callable[..., TestClient]) -> TestClient:
    return visit(users=USERS)


def sign_in(client: TestClient, name: str = "ann", password: str | None = None, **more: Any) -> Any:
    fields = {"username": name, "password": password or PASSWORDS.get(name, "guessed it")}
    return client.post("/login", data=fields, **more)


# Hosts and origins


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
def test_the_page_answers_to_its_names(visit: Callable[..., TestClient], host: str) -> None:
    names = {"hosts": "search.example.com, bücher.example", "host": "reader"}
    assert visit(**names).get("/", headers={"Host": host}).status_code == 200


def test_the_page_answers_to_the_name_of_its_machine(visit: Callable[..., TestClient]) -> None:
    import socket

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
def test_other_hosts_are_refused(visit: Callable[..., TestClient], host: str, path: str) -> None:
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
def test_another_sites_page_cannot_change_anything(
    visit: Callable[..., TestClient], method: str, headers: dict[str, str]
) -> None:
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
def test_the_page_itself_and_programs_can(
    visit: Callable[..., TestClient], headers: dict[str, str]
) -> None:
    assert visit().post("/gradio_api/queue/join", headers=headers).status_code == 200


def test_links_from_other_sites_lead_in(client: TestClient) -> None:
    sign_in(client)
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/?q=herons", headers=headers).text == "user ann"


def test_a_declared_proxy_tells_the_host_that_the_browser_sees(
    visit: Callable[..., TestClient],
) -> None:
    headers = {"Origin": "https://a.example", "X-Forwarded-Host": "a.example", "X-User": "ann"}
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 200
    headers["X-Forwarded-Host"] = "b.example"
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 403
    del headers["X-Forwarded-Host"]
    headers["Origin"] = "https://"
    assert visit(user_header="X-User").post("/", headers=headers).status_code == 403


# Passwords


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
def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(
    visit: Callable[..., TestClient], url: str
) -> None:
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


def test_a_cookie_of_another_start_is_none(visit: Callable[..., TestClient]) -> None:
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


# Guessing


def test_guessing_at_a_user_is_stopped_and_goes_on_later(client: TestClient, clock: Clock) -> None:
    for _ in range(FAILURES_PER_USER):
        assert sign_in(client, "ann", "wrong one").status_code == 401
        clock.now += 1
    stopped = sign_in(client)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) == WINDOW - FAILURES_PER_USER
    assert client.get("/", headers=basic("ann:wrong one")).status_code == 429
    assert "10 minutes" in sign_in(client, headers=HTML).text
    assert sign_in(client, "Jörg").status_code == 200
    clock.now += WINDOW - FAILURES_PER_USER
    assert sign_in(client).status_code == 200


def test_guessing_at_many_users_is_stopped(visit: Callable[..., TestClient]) -> None:
    access = Access(Settings(users=USERS))
    app = site(access)
    near, far = (
        TestClient(app, base_url="http://localhost", client=(address, 1))
        for address in ("2001:db8::1", "2001:db8:0:1::1")
    )
    neighbour = TestClient(app, base_url="http://localhost", client=("2001:db8::2", 1))
    names = ["ann", "Jörg"] * 10
    for number, name in enumerate(names):
        wrong = "wrong one" if number % 2 else "wrong two"
        assert sign_in(near, name, wrong).status_code == (401 if number < 10 else 429)
    # Those that were stopped did not count; other names bring it to the limit.
    for number in range(FAILURES_PER_ADDRESS - 10):
        assert sign_in(near, f"user {number}").status_code == 401
    assert sign_in(near).status_code == 429
    assert sign_in(neighbour).status_code == 429
    assert sign_in(far).status_code == 200


def test_signing_in_forgets_the_failures_before(client: TestClient) -> None:
    for _ in range(3 * FAILURES_PER_ADDRESS // FAILURES_PER_USER // 4):
        for _ in range(FAILURES_PER_USER - 1):
            assert sign_in(client, "ann", "wrong one").status_code == 401
        assert sign_in(client).status_code == 200


def test_few_passwords_are_hashed_at_a_time() -> None:
    logins = Logins(passwords.users(USERS))

    async def many() -> list[str | Refused]:
        tries = [logins.check("ann", "wrong one", f"192.0.2.{number}") for number in range(100)]
        return await asyncio.gather(*tries)

    answers = asyncio.run(many())
    assert answers.count(Refused()) == HASHES_WAITING
    assert answers.count(Refused(1.0)) == 100 - HASHES_WAITING


def test_an_unknown_name_costs_what_a_known_one_does() -> None:
    known = passwords.new_hash("correct horse")
    logins = Logins({"ann": known})

    async def seconds(name: str) -> float:
        start = time.perf_counter()
        assert await logins.check(name, "wrong one", name) == Refused()
        return time.perf_counter() - start

    assert asyncio.run(seconds("bob")) > asyncio.run(seconds("ann")) / 5  # not for nothing


def test_a_refused_login_is_in_the_log_as_one_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, "ann\nroot", "wrong one")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "ui.logins"]
    assert line == "sign-in refused: user 'ann\\nroot' from 192.0.2.1"


def test_many_guesses_at_once_are_no_more_than_one_after_the_other() -> None:
    app = site(Access(Settings(users=USERS)))

    async def guess() -> list[int]:
        tries = [asking(app, headers=header(f"ann:guess {number}")) for number in range(40)]
        return [answer["status"] for answer in await asyncio.gather(*tries)]

    codes = asyncio.run(guess())
    assert codes.count(401) == FAILURES_PER_USER
    assert codes.count(429) == 40 - FAILURES_PER_USER


def test_many_requests_at_once_with_the_right_password_all_pass() -> None:
    app = site(Access(Settings(users=USERS)))

    async def ask() -> list[int]:
        tries = [asking(app, headers=header(f"ann:{PASSWORDS['ann']}")) for _ in range(40)]
        return [answer["status"] for answer in await asyncio.gather(*tries)]

    assert asyncio.run(ask()) == [200] * 40


def test_what_is_counted_stays_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import limits

    monkeypatch.setattr(limits, "MAX_VISITORS", 50)
    failures, rate = limits.Failures(window=600, clock=clock), limits.Rate(1, clock=clock)
    for number in range(200):
        failures.add(number, 5)
        rate.wait(str(number))
    assert len(failures._times) == len(rate._buckets) == 50
    for _ in range(200):
        failures.add("one", 5)
    assert len(failures._times["one"]) == 5


# Those who are signed in elsewhere


def test_a_proxy_names_the_user(visit: Callable[..., TestClient]) -> None:
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
def test_a_users_header_that_is_not_set_up_means_nothing(
    visit: Callable[..., TestClient], settings: dict[str, str]
) -> None:
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
def test_who_may_be_a_plain_function_and_nobody_is_refused(
    visit: Callable[..., TestClient], named: str | None
) -> None:
    assert visit(lambda request: request.headers["x-me"]).get("/", headers={"X-Me": "a"}).text
    assert visit(lambda _: named).get("/", headers=HTML).status_code == 401


def test_there_is_one_way_to_sign_in() -> None:
    with pytest.raises(InvalidSetting, match="leave the others empty"):
        Access(Settings(users=USERS, user_header="X-User"))
    with pytest.raises(InvalidSetting, match="leave the others empty"):
        Access(Settings(users=USERS), lambda _: "ann")
    with pytest.raises(InvalidSetting, match="no name of a header"):
        Access(Settings(user_header="X User:"))


# WebSockets


def test_a_websocket_is_guarded_as_well(client: TestClient, visit: Callable[..., Any]) -> None:
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


# Below a path


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


# How often, headers, warnings


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
def test_every_answer_is_guarded_by_headers(visit: Callable[..., TestClient], path: str) -> None:
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


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def header(pair: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"localhost"), (b"authorization", basic(pair)["Authorization"].encode())]


def raw(app: Any, method: str = "GET", path: str = "/", **request: Any) -> dict[str, Any]:
    """An answer to a request that a proper client would not send."""
    return asyncio.run(asking(app, method, path, **request))


async def asking(
    app: Any,
    method: str = "GET",
    path: str = "/",
    *,
    raw_path: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    receive: Any = None,
) -> dict[str, Any]:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw_path or path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost")] if headers is None else headers,
        "client": ("192.0.2.9", 1),
        "server": ("127.0.0.1", 7860),
    }
    sent: list[MutableMapping[str, Any]] = []

    async def empty() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive or empty, send)
    return dict(sent[0])
