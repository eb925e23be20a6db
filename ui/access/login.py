"""The login page, and what it answers: plain HTML without scripts."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

MAX_FORM = 4096  # bytes
SECONDS = 10.0  # that sending the form may take
MAX_NEXT = 8000  # characters of the address that is gone on to

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Sign in · mmsearch</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>mmsearch</h1>
{line}
<form method="post" action="{action}">
<label for="username">User name</label>
<input id="username" name="username" value="{user}" autocomplete="username" autocapitalize="none"
 spellcheck="false" maxlength="256" required{focus_user}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 maxlength="256" required{focus_password}>
<button>Sign in</button>
</form>
</main>
</body>
</html>
"""


def page(onward: str, *, problem: str = "", user: str = "", status: int = 200) -> Response:
    """The form.

    Args:
        onward: where to go afterwards, as `checked_onward` gives it.
        problem: why it is shown again.
        user: the name that was typed.
    """
    style, policy = _style()
    line = f"<p role='alert'>{escape(problem)}</p>" if problem else "<p>Please sign in.</p>"
    action = f"login?next={quote(onward)}" if onward else "login"
    html = _PAGE.format(
        style=style,
        line=line,
        action=escape(action),
        user=escape(user),
        focus_user="" if user else " autofocus",
        focus_password=" autofocus" if user else "",
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers)


async def fields(request: Request) -> dict[str, str]:
    """The fields of a small form.

    Raises:
        ValueError: it is larger, or no form.
    """
    body = b""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise ValueError("no form")
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise ValueError("too large")
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=10))


def checked_onward(text: str) -> str:
    """A path and query of this site, relative to its root; "" for anything else."""
    path = unquote(text.partition("?")[0].partition("#")[0])
    steps = path.split("/")
    if len(text) > MAX_NEXT or not text.isascii() or not text.isprintable() or " " in text:
        return ""
    if "\\" in path or "%" in path or {".", ".."} & set(steps) or "" in steps[:-1]:
        return ""
    return "" if path in ("login", "logout") else text


def refusal(
    connection: HTTPConnection, status: int, line: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A line that says why not: as text for a browser's window, else as JSON."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    if wants_html(connection):
        return Response(f"{line}\n", status, kept, "text/plain")
    return JSONResponse({"detail": line}, status, kept)


def too_many(wait: float) -> tuple[str, dict[str, str]]:
    """The line and the header of an answer 429."""
    seconds = math.ceil(wait)
    shown = f"{seconds} seconds" if seconds < 100 else f"{math.ceil(seconds / 60)} minutes"
    return f"Too many attempts. Try again in {shown}.", {"Retry-After": str(seconds)}


def wants_html(connection: HTTPConnection) -> bool:
    return "text/html" in connection.headers.get("accept", "")


@cache
def _style() -> tuple[str, str]:
    """The style, and the policy that allows it and nothing else."""
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return style, (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    )
