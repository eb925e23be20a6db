"""The command line: the verbs of the engine. Results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mmsearch.cli import (
    documents,
    ingesting,
    locating,
    machine,
    searching,
    selftesting,
    serving,
    watching,
)
from mmsearch.cli.lines import make_streams_safe, say, show
from mmsearch.errors import MMSearchError

app = typer.Typer(
    help="Find the page by words or by a screenshot.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ingesting.ingest)
app.command()(ingesting.retry)
app.command()(ingesting.sync)
app.command()(watching.watch)
app.command()(searching.search)
app.command()(searching.facets)
app.command()(locating.locate)
app.command("eval")(searching.evaluate)
app.command("list")(documents.list_documents)
app.command()(documents.tag)
app.command()(documents.duplicates)
app.command()(documents.status)
app.command()(documents.remove)
app.command()(documents.compact)
app.command()(serving.serve)
app.command()(serving.password)
app.command()(machine.doctor)
app.command()(selftesting.selftest)
app.add_typer(machine.models, name="models")

_debug = False
_INTERRUPTED, _TERMINATED = 130, 143  # by Ctrl-C, and by SIGTERM


def main() -> None:
    """Run the command line.

    Exit code 0 is fine, 1 an error that is explained in one line, 2 wrong usage, 130 and 143 a run
    that was stopped.
    """
    make_streams_safe()
    try:
        app()
    except MMSearchError as error:
        if _debug:
            raise
        say(f"mmsearch: {error}")
        sys.exit(1)
    except SystemExit as end:
        if end.code in (_INTERRUPTED, _TERMINATED):
            say(f"mmsearch: {ingesting.STOPPED}")
        raise
    except BrokenPipeError:  # the reader of our output, `head` say, has enough
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if _debug:
            raise
        say(f"mmsearch: unexpected error: {type(error).__name__}: {error}; run it again with: "
            "mmsearch --debug ...")  # fmt: skip
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        from mmsearch import __version__

        show(f"mmsearch {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    global _debug
    _debug = debug
