"""Where a request was sent to, and from which site: against DNS rebinding and cross-site writes."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_READS = {"GET", "HEAD", "OPTIONS"}


def own_names(settings: Settings) -> frozenset[str]:
    """Names, in lower case, that the page answers to beside addresses and localhost.

    Raises:
        InvalidSetting: an entry of `hosts` is no host name.
    """
    machine = socket.gethostname().lower()
    label = machine.partition(".")[0]
    names = {machine, label, f"{label}.local", settings.host.lower()}
    for entry in filter(None, (part.strip() for part in settings.hosts.split(","))):
        name = entry.lower()
        with contextlib.suppress(UnicodeError):  # as browsers send it
            name = name.encode("idna").decode()
        parts = _HOST.fullmatch(name)
        if not parts:
            raise InvalidSetting(
                f"setting hosts: {entry!r} is no host name; write search.example.com, say"
            )
        names.add(parts[1].rstrip("."))
    return frozenset(names - {""})


def wrong_host(headers: Headers, names: frozenset[str]) -> tuple[int, str] | None:
    """The status and the line that refuse a request for a host that is not this page's."""
    sent = headers.getlist("host")
    parts = _HOST.fullmatch(sent[0]) if len(sent) == 1 else None
    if not parts:
        return 400, "the request needs one Host header that is a host name or an address"
    name = parts[1].lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in names or _is_address(name):
        return None
    return 421, (
        f"{name[:100]} is not a name of this page; if it should be, add it to the setting hosts "
        "(MMSEARCH_HOSTS)"
    )


def foreign(method: str, headers: Headers, *, behind_proxy: bool) -> bool:
    """Whether a request that may change things comes from another site's page.

    Args:
        method: of the request; "" of a WebSocket, which may always change things.
        behind_proxy: whether a trusted proxy tells the host that the browser sees.
    """
    if method in _READS:
        return False
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    sent = headers.getlist("origin")
    if not sent:
        return False  # not from a browser
    try:
        origin = urlsplit(sent[0])
    except ValueError:
        return True
    if len(sent) > 1 or origin.scheme not in ("http", "https"):
        return True
    hosts = headers.getlist("host")
    if behind_proxy:
        hosts += [part.strip() for part in headers.get("x-forwarded-host", "").split(",")[:1]]
    site = _whole(origin.netloc, origin.scheme)
    return site is None or all(_whole(host, origin.scheme) != site for host in hosts)


def _whole(host: str, scheme: str) -> tuple[str, str] | None:
    """Name and port; None of what is no host."""
    parts = _HOST.fullmatch(host)
    return (parts[1].lower().rstrip("."), parts[2] or _PORTS[scheme]) if parts else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
