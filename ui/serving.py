"""Serves the page: the socket, the server, and where it says that it is."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

import uvicorn

from mmsearch.errors import InvalidSetting

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

KEPT_ALIVE = 75  # seconds that an idle connection is kept


def serve(engine: SearchEngine, *, host: str, port: int) -> None:
    """Serve the page until Ctrl-C; prints its address once.

    Args:
        engine: what is searched; it stays open.
        host: address to listen on.
        port: 0 takes any that is free.

    Raises:
        InvalidSetting: the port is taken, or the machine has no such address.
    """
    from ui.access.guard import Access
    from ui.site import create_site

    with _listen(host, port) as listener, tempfile.TemporaryDirectory(prefix="mmsearch-") as folder:
        # What the API's clients upload: in a folder of this user's own, and gone with the server.
        os.environ["GRADIO_TEMP_DIR"] = folder
        access = Access(engine.settings)
        if access.warning:
            print(f"warning: {access.warning}", file=sys.stderr, flush=True)  # noqa: T201
        site = create_site(engine, access=access)
        config = uvicorn.Config(
            site,
            log_level="warning",
            timeout_graceful_shutdown=2,
            # Longer than proxies keep connections: what they send on one just closed is lost.
            timeout_keep_alive=KEPT_ALIVE,
        )
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises a signal again once it has shut down: so SIGTERM ends as Ctrl-C does.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says where it is once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            print(f"mmsearch is at {_address(listener)}", flush=True)  # noqa: T201


def _listen(host: str, port: int) -> socket.socket:
    """A socket of our own: uvicorn ends the process when a port is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is taken by another program; "
                f"choose another: mmsearch serve --port {port + 1}"
            ) from error
        raise InvalidSetting(
            f"cannot listen on {host}, port {port}: {error.strerror}; see --host and --port"
        ) from error
    except OverflowError as error:
        raise InvalidSetting(f"port {port}: allowed are 0 to 65535; see --port") from error


def _address(listener: socket.socket) -> str:
    """Where a browser on this machine finds the page."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
