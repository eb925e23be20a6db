"""What every answer tells the browser: nothing from other sites runs here, nor reads what is here.

Gradio needs `eval` for the scripts of its own components, and styles made on the fly; scripts
within HTML and in attributes stay forbidden. Those of Gradio's first page are named by their
hashes, as it is sent: markup that is put into the page later cannot run.
"""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

MAX_PAGE = 8 << 20  # bytes of HTML whose scripts are named

_DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private",
}
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'{scripts}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script", re.DOTALL | re.IGNORECASE)


def secured(send: Send, *, names_scripts: bool) -> Send:
    """A `send` that adds to every HTTP answer the headers that it has not set itself.

    Args:
        names_scripts: the scripts within an HTML answer may run.
    """
    held: list[Message] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _DEFAULTS.items():
                headers.setdefault(name, value)
            # Gradio lets every site on the network's other machines read its answers.
            for name in [name for name in headers if name.startswith("access-control-allow-")]:
                del headers[name]
            if names_scripts and _is_page(headers):
                held.append(message)
                return
            headers.setdefault("Content-Security-Policy", _POLICY.format(scripts=""))
        elif held and message["type"] == "http.response.body":
            held.append(message)
            body = b"".join(part.get("body", b"") for part in held[1:])
            if message.get("more_body") and len(body) <= MAX_PAGE:
                return
            headers = MutableHeaders(scope=held[0])
            headers["Content-Security-Policy"] = _POLICY.format(scripts=_hashes(body))
            await send(held[0])
            held.clear()
            message = {**message, "body": body}
        await send(message)

    return sending


def _is_page(headers: MutableHeaders) -> bool:
    return (
        headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
        and "content-security-policy" not in headers
    )


def _hashes(page: bytes) -> str:
    found = {hashlib.sha256(script).digest() for script in _SCRIPT.findall(page)}
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in sorted(found))
