"""What the page's own routes have in common: JSON in, one line of JSON out where it fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

MAX_JSON_BYTES = 1 << 20


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object that a request carries, of at most `MAX_JSON_BYTES`.

    Raises:
        HTTPException: 415 unless it says that it is JSON: no form of another site can say so
            without asking first. 413 for too much, 400 for anything else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "the request must be of type application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise HTTPException(413, f"the request has more than {MAX_JSON_BYTES:,} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is not valid JSON") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "the request must be a JSON object")
    return found


def strings(found: dict[str, Any], name: str, *, most: int) -> list[str]:
    """A field that is a list of at most `most` strings; an empty one where it is not there.

    Raises:
        HTTPException: 400, it is something else.
    """
    value = found.get(name, [])
    if (
        not isinstance(value, list)
        or len(value) > most
        or not all(isinstance(v, str) for v in value)
    ):
        raise HTTPException(400, f"{name}: must be a list of at most {most:,} strings")
    return value


def number(found: dict[str, Any], name: str) -> int:
    """A field that is a whole number, not below 0.

    Raises:
        HTTPException: 400, it is something else.
    """
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HTTPException(400, f"{name}: must be a whole number, 0 or more")
    return value


def refuse_read_only(engine: SearchEngine) -> None:
    """Raise 403 where the page only searches."""
    if engine.settings.read_only == "on":
        raise HTTPException(403, "this page is read-only; nothing can be changed here")
