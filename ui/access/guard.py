"""Who gets in, and from where: one middleware around everything that the site serves.

Everything is closed but `OPEN`. A request passes if it was sent to a name of this page, if it is
not another site's, and if somebody is signed in: with a password, by the proxy in front, or by the
application that the site is mounted in. Where nothing of these is set up, everybody is.
"""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting
from ui.access import limits, login, origins, passwords
from ui.access.headers import secured
from ui.access.logins import SESSION_SECONDS, Logins, Refused

OPEN = {"/login", "/healthz"}
MAX_USER = 256  # characters of a name that a proxy sends
_TOKEN = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)

# Names the user of a request, or, as an HTTPConnection, of a WebSocket; None or "" refuses it.
Who: TypeAlias = Callable[[Request], "str | Awaitable[str | None] | None"]


class Access:
    """Guards a site as its settings say.

        access = Access(settings)
        site.include_router(access.router)  # before anything is mounted at /
        site.add_middleware(access.middleware)  # last: outside all others

    Afterwards `request.state.user` is the user's name, "" where nobody needs to sign in.
    """

    def __init__(
        self, settings: Settings, who: Who | None = None, *, clock: limits.Clock = time.monotonic
    ) -> None:
        """
        Args:
            settings: `users`, `user_header`, `hosts`, `host` and `searches_per_minute` are used.
            who: names the user of a request, for a site within another application; may be async,
                must not block.

        Raises:
            InvalidSetting: `users`, `user_header` or `hosts` is broken, or there are two ways to
                sign in.
        """
        users = passwords.users(settings.users)
        if sum(map(bool, (users, settings.user_header, who))) > 1:
            raise InvalidSetting(
                "settings users and user_header, and who=: one of them says who signs in; "
                "leave the others empty"
            )
        if settings.user_header and not _TOKEN.fullmatch(settings.user_header):
            raise InvalidSetting(
                f"setting user_header={settings.user_header!r}: is no name of a header; "
                "write X-Remote-User, say"
            )
        self._names = origins.own_names(settings)
        self._logins = Logins(users, clock=clock) if users else None
        self._header = settings.user_header
        self._who = who
        self._rate = limits.Rate(settings.searches_per_minute, clock=clock)
        self._cookie = f"mmsearch-{settings.port}"  # cookies do not tell ports apart
        self.warning = "" if users or self._header or who else _warning(settings.host)
        self.router = self._routes()

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """The application, guarded."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
                return
            is_http = scope["type"] == "http"
            if is_http:
                send = secured(send, names_scripts=route_of(scope) in ("", "/"))
            answer = await self._refused(scope)
            if answer is None:
                await app(scope, receive, send)
            elif is_http:
                await answer(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})

        return guarded

    @property
    def signs_out(self) -> bool:
        """Whether visitors signed in here, and so can sign out."""
        return self._logins is not None

    def allow_search(self, visitor: HTTPConnection | str) -> float:
        """Count a search of a visitor.

        Args:
            visitor: the request, one that Gradio wraps, or what `visitor` says of it.

        Returns:
            0.0 if it may go on, else the seconds until the next may.
        """
        return self._rate.wait(visitor if isinstance(visitor, str) else self.visitor(visitor))

    def visitor(self, request: HTTPConnection) -> str:
        """Whom searches are counted for: the user, else the client's address."""
        scope = getattr(request, "request", request).scope
        return scope.get("state", {}).get("user") or f"at {_address(scope)}"

    async def _refused(self, scope: Scope) -> Response | None:
        """The answer to a request that does not get in; else its user is in the state."""
        is_http = scope["type"] == "http"
        connection = Request(scope) if is_http else HTTPConnection(scope)
        wrong = origins.wrong_host(connection.headers, self._names)
        if wrong:
            return login.refusal(connection, *wrong)
        method = scope["method"] if is_http else ""
        if origins.foreign(method, connection.headers, behind_proxy=bool(self._header)):
            return login.refusal(
                connection,
                403,
                "this was sent by another site's page; a proxy must pass on the Host header",
            )
        user: str | Refused | None = ""
        if not (is_http and route_of(scope) in OPEN):
            user = await self._user(connection)
        if isinstance(user, str):
            scope["state"] = {**scope.get("state", {}), "user": user}
            return None
        if user and user.wait:
            line, headers = login.too_many(user.wait)
            return login.refusal(connection, 429, line, headers)
        return self._unknown(connection)

    async def _user(self, connection: HTTPConnection) -> str | Refused | None:
        """Who is signed in; "" where nobody needs to be."""
        if self._who:
            named = self._who(connection)  # type: ignore[arg-type]
            return (await named if inspect.isawaitable(named) else named) or None
        if self._header:
            return _named(connection.headers.getlist(self._header))
        if not self._logins:
            return ""
        token = connection.cookies.get(self._cookie)
        user = self._logins.user(token) if token else None
        sent = connection.headers.get("authorization")
        if user or not sent:
            return user
        return await self._logins.basic(sent, _address(connection.scope))

    def _unknown(self, connection: HTTPConnection) -> Response:
        if self._logins and login.wants_html(connection):
            return RedirectResponse(_way_to_login(connection.scope), 303)
        line = "sign in first: POST username and password to login, or send them as HTTP Basic"
        if self._header:
            line = f"the proxy in front names no user in the header {self._header}"
        elif self._who:
            line = "sign in first"
        # No "Basic": browsers would ask for it in a window of their own.
        return login.refusal(connection, 401, line, {"WWW-Authenticate": "Session"})

    def _routes(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)

        @router.get("/login")
        async def form(request: Request) -> Response:
            onward = login.checked_onward(request.query_params.get("next", ""))
            token = request.cookies.get(self._cookie)
            if not self._logins or (token and self._logins.user(token)):
                return RedirectResponse(f"./{onward}", 303)
            return login.page(onward)

        @router.post("/login")
        async def sign_in(request: Request) -> Response:
            if not self._logins:
                return login.refusal(request, 404, "nobody signs in here with a password")
            try:
                fields = await asyncio.wait_for(login.fields(request), login.SECONDS)
            except (ValueError, TimeoutError):
                line = f"a login is a form of username and password, {login.MAX_FORM} bytes at most"
                return login.refusal(request, 400, line)
            name, password = fields.get("username", ""), fields.get("password", "")
            answer = await self._logins.check(name, password, _address(request.scope))
            if isinstance(answer, Refused):
                return self._no_login(request, name, answer)
            done = _done(request, login.checked_onward(request.query_params.get("next", "")))
            self._set_cookie(done, request, self._logins.open_session(answer))
            return done

        @router.post("/logout")
        async def sign_out(request: Request) -> Response:
            if self._logins:
                self._logins.close_session(request.cookies.get(self._cookie, ""))
            done = _done(request, "login" if self._logins else "")
            self._set_cookie(done, request, "")
            return done

        return router

    def _no_login(self, request: Request, name: str, refused: Refused) -> Response:
        status, line = 401, "This name and password do not belong together."
        headers: dict[str, str] = {}
        if refused.wait:
            status = 429
            line, headers = login.too_many(refused.wait)
        if not login.wants_html(request):
            return login.refusal(request, status, line, headers)
        onward = login.checked_onward(request.query_params.get("next", ""))
        shown = login.page(onward, problem=line, user=name[: passwords.MAX_LENGTH], status=status)
        shown.headers.update(headers)
        return shown

    def _set_cookie(self, answer: Response, request: Request, token: str) -> None:
        # Whoever claims to come by https only gets a cookie that is kept more carefully.
        schemes = (request.url.scheme, request.headers.get("x-forwarded-proto", "").split(",")[0])
        answer.set_cookie(
            self._cookie,
            token,
            max_age=SESSION_SECONDS if token else 0,
            path=quote(request.scope.get("root_path", "")) or "/",
            secure="https" in schemes,
            httponly=True,
            samesite="lax",  # links from other sites lead in
        )
        answer.headers["Cache-Control"] = "no-store"


def user_of(request: HTTPConnection | None) -> str:
    """Who sent a request that has passed; "" where nobody needs to sign in."""
    return str(getattr(request.state, "user", "")) if request else ""


def route_of(scope: Scope) -> str:
    """The path below the application's root, as the router sees it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :]
    return path


def _done(request: Request, onward: str) -> Response:
    """Onward for a browser; programs, gradio_client among them, want a plain yes."""
    if login.wants_html(request):
        return RedirectResponse(f"./{onward}", 303)
    return JSONResponse({"success": True})


def _named(values: list[str]) -> str | None:
    """The user in a proxy's header: one value, as UTF-8, of printable characters."""
    if len(values) != 1:
        return None
    try:
        name = values[0].encode("latin-1").decode().strip()
    except UnicodeDecodeError:
        return None
    return name if 0 < len(name) <= MAX_USER and name.isprintable() else None


def _way_to_login(scope: Scope) -> str:
    """The login page, relative to what was asked for: a proxy may hide where the site is."""
    route = route_of(scope)
    asked = quote(route.lstrip("/"))
    if scope["query_string"]:
        asked += f"?{scope['query_string'].decode('latin-1')}"
    reads = scope["method"] in ("GET", "HEAD")
    onward = login.checked_onward(asked) if reads else ""
    query = f"?next={quote(onward)}" if onward else ""
    if not route:
        return f"{quote(scope['root_path'])}/login{query}"
    # As the browser counts: in the path as it was sent, where %2F is no step.
    sent = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    root = scope.get("root_path", "")
    steps = sent.count("/") - 1
    if scope["path"].startswith(f"{root}/"):
        steps -= root.count("/")
    return f"{'../' * steps or './'}login{query}"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return limits.address(client[0] if client else None)


def _warning(host: str) -> str:
    name = host.strip("[]")
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = name == "localhost" or name.endswith(".localhost")
    if local:
        return ""
    return (
        f"everybody who can reach {host} can use this page; set users (mmsearch password NAME) or "
        "user_header, or listen on 127.0.0.1"
    )
