"""The commands of the web page: `serve`, and `password` for those who may sign in to it."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import say, show
from mmsearch.cli.watching import watched
from mmsearch.config import CONFIG_FILE
from mmsearch.errors import InvalidSetting
from mmsearch.niceness import BESIDE_SEARCHES

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # names of glibc's mallopt(3)
_LARGE = 1 << 20  # bytes: pictures, which go back to the system when they are freed


def serve(
    index: options.Index = None,
    host: Annotated[str | None, typer.Option(help="Address.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port.", show_default=False)] = None,
    watch: Annotated[
        list[Path] | None,
        typer.Option(help="Keep the index equal to this folder.", show_default=False),
    ] = None,
) -> None:
    """Serve the web page; other commands go on working on the same index."""
    _share_freed_memory()
    # An index that is not there yet is made, for the page takes uploads; where it may not, a
    # mistyped name is an error.
    settings = options.settings_of(index=index)
    create = bool(watch) or settings.read_only == "off"
    niceness = max(settings.worker_niceness, 0) or BESIDE_SEARCHES
    with options.open_index(
        index, create=create, host=host, port=port, worker_niceness=niceness
    ) as engine:
        from ui.serving import serve as serve_page

        with watched(watch or (), engine):
            serve_page(engine, host=engine.settings.host, port=engine.settings.port)


def _share_freed_memory() -> None:
    """Let all threads use what one has freed: else glibc keeps an arena for each of dozens.

    It counts its arenas once, with the first threads: an open index has some already.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_ARENA_MAX, 2)
            library.mallopt(_MMAP_THRESHOLD, _LARGE)


def password(
    name: Annotated[str, typer.Argument(help="Who signs in.", show_default=False)],
) -> None:
    """Ask for a password and print the line that lets NAME sign in to the web page with it."""
    from ui.access import passwords

    user = passwords.name(name)
    show(f"{user}:{passwords.new_hash(_new_password(user))}")
    say(
        "Put this line into the setting users, one a user: MMSEARCH_USERS in the environment, or "
        f"users in {CONFIG_FILE}. Then start mmsearch serve again."
    )


def _new_password(user: str) -> str:
    """Typed twice without echo, or a line of a pipe."""
    import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            typed = getpass.getpass(f"New password of {user}: ", sys.stderr)
            again = getpass.getpass("The same again: ", sys.stderr)
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            raise InvalidSetting(
                "the password cannot be asked for without showing it; pipe it in as one line"
            ) from error
    if typed != again:
        raise InvalidSetting("the two passwords differ; nothing was made, run it again")
    return typed
