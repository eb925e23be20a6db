"""The command that serves the web page: `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmsearch.cli import options
from mmsearch.cli.watching import watched


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
    with options.open_index(index, create=bool(watch), host=host, port=port) as engine:
        from ui.app import serve as serve_page

        with watched(watch or (), engine):
            serve_page(engine, host=engine.settings.host, port=engine.settings.port)
