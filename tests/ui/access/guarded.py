"""A tiny site behind the real middleware, and its visitors."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from mmsearch.config import Settings
from tests.ui.loops import run
from ui.access.guard import Access

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


def visit(
    who: Any = None,
    url: str = "http://localhost",
    address: str = "192.0.2.1",
    clock: Clock | None = None,
    **settings: Any,
) -> TestClient:
    """A client of a site with these settings; redirects are not followed."""
    access = Access(Settings(**settings), who, clock=clock or Clock())
    return TestClient(
        site(access), base_url=url, client=(address, 1), follow_redirects=False, headers=JPEG
    )


def sign_in(client: TestClient, name: str = "ann", password: str | None = None, **more: Any) -> Any:
    fields = {"username": name, "password": password or PASSWORDS.get(name, "guessed it")}
    return client.post("/login", data=fields, **more)


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def header(pair: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"localhost"), (b"authorization", basic(pair)["Authorization"].encode())]


def raw(app: Any, method: str = "GET", path: str = "/", **request: Any) -> dict[str, Any]:
    """An answer to a request that a proper client would not send."""
    return run(asking(app, method, path, **request))


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
