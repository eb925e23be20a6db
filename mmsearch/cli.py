"""The command line: the verbs of the engine. Results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.errors import InvalidSetting, MissingModel, MMSearchError

if TYPE_CHECKING:
    from ingest import FileResult, Report
    from mmsearch.engine import SearchEngine
    from mmsearch.types import Hit

app = typer.Typer(
    help="Find the page by words or by a screenshot.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="Model weights.", no_args_is_help=True)
app.add_typer(models, name="models")

_debug = False
_INTERRUPTED = 130  # what typer makes of Ctrl-C

RerankOption = Annotated[
    bool, typer.Option(help="Have the profile's reranker reorder the best pages.")
]
CandidatesOption = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="How many pages are reranked.", show_default=False),
]
IndexOption = Annotated[
    str | None,
    typer.Option("--index", help="Index folder or URL of a Qdrant server.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def main() -> None:
    """Run the command line: 0 fine, 1 an error that is explained in one line, 2 wrong usage."""
    # A file name may hold bytes that are no text: shown as \udcff, which JSON reads as well.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except MMSearchError as error:
        if _debug:
            raise
        _say(f"mmsearch: {error}")
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _say("mmsearch: stopped; what was finished is kept, run the command again to go on")
        raise
    except BrokenPipeError:  # the reader of our output, `head` say, has enough
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if _debug:
            raise
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        _say(f"mmsearch: unexpected error: {cause}; run it again with: mmsearch --debug ...")
        sys.exit(1)


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    global _debug
    _debug = debug


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)],
    index: IndexOption = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of a new index.", show_default=False)
    ] = None,
    ocr: Annotated[
        str | None, typer.Option(help="auto, rapidocr, tesseract or off.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read files and folders into the index; unchanged files are skipped."""
    from ingest import run
    from mmsearch.progress import Bar

    with _open(index, profile=profile, create=True, ocr=ocr) as engine:
        if not as_json:
            _say(f"index {engine.index.address}, profile {engine.profile.name}")
            if profile is None:
                _advise(engine)
        with Bar(quiet=as_json) as bar:
            report = run(
                paths,
                engine,
                progress=bar.update,
                on_file=(lambda result: _print_json(_file_row(result))) if as_json else None,
            )
    if not as_json:
        _print_report(report)
    if report.of("failed"):
        raise typer.Exit(1)


@app.command()
def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words or a question.", show_default=False)
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="A screenshot or photo.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 10,
    rerank: RerankOption = True,
    candidates: CandidatesOption = None,
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find pages by words, by an image, or by both."""
    with _open(index) as engine:
        hits = engine.search(
            " ".join(text or ()), image=image, limit=limit, rerank=rerank and (candidates or True)
        )
        empty = not hits and not engine.status()["searchable_pages"]
    if as_json:
        for hit in hits:
            _print_json(_hit_row(hit))
        return
    if not hits:
        _say("the index is empty; add files: mmsearch ingest PATH" if empty else "nothing found")
    for hit in hits:
        print(f"{hit.rank:3}  {hit.score:.4f}  {hit.document.title}, page {hit.page}")
        print(f"     {hit.document.paths[0]}")
        if hit.snippet:
            print(f"     {hit.snippet}")


@app.command("eval")
def evaluate(
    queries: Annotated[
        Path, typer.Option(help='Lines of {"id", "text", "image"}.', show_default=False)
    ],
    qrels: Annotated[
        Path, typer.Option(help="Lines of query, PATH#PAGE, grade.", show_default=False)
    ],
    run: Annotated[
        Path | None, typer.Option(help="Write the run here.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Hits a query.")] = 100,
    level: Annotated[str, typer.Option(help="page or document.")] = "page",
    average: Annotated[str, typer.Option(help="By query or by document.")] = "query",
    scope: Annotated[
        str | None, typer.Option(help="Only queries with this scope.", show_default=False)
    ] = None,
    views: Annotated[
        str | None, typer.Option(help="Only these views, joined by a comma.", show_default=False)
    ] = None,
    rerank: RerankOption = True,
    candidates: CandidatesOption = None,
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run queries with known answers and print how well they were found."""
    from mmsearch.evaluate import evaluate as evaluate_

    _one_of("level", level, ("page", "document"))
    _one_of("average", average, ("query", "document"))
    with _open(index) as engine:
        figures = evaluate_(
            engine, queries, qrels, limit=limit, level=level, average=average, scope=scope,
            views=views.split(",") if views else None, run=run,
            rerank=rerank and (candidates or True),
        )  # fmt: skip
    if as_json:
        _print_json(figures)
    else:
        print("  ".join(f"{name} {_number(value)}" for name, value in figures.items()))


@app.command("list")
def list_documents(
    state: Annotated[
        str | None,
        typer.Option(help="Only pending, done or failed ones.", show_default=False),
    ] = None,
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the documents of the index."""
    from mmsearch import filters
    from mmsearch.types import DocumentState

    if state is not None:
        _one_of("state", state, [str(s) for s in DocumentState])
    with _open(index) as engine:
        where = filters.equals("state", state) if state else None
        found = sorted(engine.documents.all(where), key=lambda document: document.paths)
    for document in found:
        if as_json:
            _print_json(
                {
                    "document": document.id,
                    "state": str(document.state),
                    "title": document.title,
                    "kind": document.kind,
                    "pages": document.page_count,
                    "failed_pages": {str(n): why for n, why in document.failed_pages.items()},
                    "paths": list(document.paths),
                    "reason": document.reason,
                }
            )
        else:
            reason = f"  {document.reason}" if document.reason else ""
            print(
                f"{document.id[:12]}  {document.state:8}{document.page_count:5}  "
                f"{', '.join(document.paths)}{reason}"
            )


@app.command()
def status(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Say what the index is and holds."""
    with _open(index) as engine:
        known = engine.status()
    if as_json:
        _print_json(known)
        return
    for name, value in known.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        print(f"{name.replace('_', ' '):17} {shown}")


@app.command()
def remove(
    names: Annotated[
        list[str], typer.Argument(help="Paths, folders or document ids.", show_default=False)
    ],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove documents from the index; the files themselves stay."""
    with _open(index) as engine:
        for name in names:
            for document in engine.remove(name):
                if as_json:
                    row = {"document": document.id, "paths": list(document.paths)}
                    _print_json(row | {"status": "removed"})
                else:
                    where = ", ".join(document.paths)
                    print(f"removed {document.id[:12]} ({document.page_count} pages): {where}")


@app.command()
def compact(index: IndexOption = None) -> None:
    """Rewrite the index so that nothing of what was removed is left on disk."""
    with _open(index) as engine:
        engine.compact()
        print(f"compacted {engine.index.address}")


@app.command()
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="Address.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port.", show_default=False)] = None,
) -> None:
    """Serve the web page; other commands go on working on the same index."""
    with _open(index, host=host, port=port) as engine:
        from ui.app import serve as serve_page

        serve_page(engine, host=engine.settings.host, port=engine.settings.port)


@app.command()
def doctor(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Check packages, models, programs, folders and the index; say the fix of each failure."""
    from mmsearch.doctor import examine

    checks = examine(_settings(index=index))
    for check in checks:
        if as_json:
            _print_json(
                {"check": check.name, "ok": check.ok, "found": check.found, "fix": check.fix}
            )
        else:
            mark = "ok  " if check.ok else ("--  " if check.optional else "FAIL")
            print(f"{mark} {check.name:22} {check.found}" + (f"; {check.fix}" if check.fix else ""))
    if not all(check.ok or check.optional for check in checks):
        raise typer.Exit(1)


@models.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List every profile's models: size on disk, whether they are here and where, licence."""
    from mmsearch import models, profiles

    model_dir = _settings().model_dir
    for name in profiles.names():
        for need in models.needs(profiles.load(name)):
            path, reason, shown = "", "", "not here"
            try:
                shown = path = str(models.locate(need, model_dir))
            except MissingModel as error:
                reason = str(error)
            except MMSearchError as error:
                shown = reason = str(error)
            if as_json:
                _print_json(
                    {
                        "profile": name,
                        "for": need.use,
                        "model": need.name,
                        "revision": need.revision or None,
                        "bytes": need.size,
                        "licence": need.licence or None,
                        "path": path or None,
                        "reason": reason or None,
                    }
                )
            else:
                size = f"{need.size / 1e9:5.2f} GB" if need.size else " " * 8
                print(f"{name:16} {need.name:27} {size}  {need.licence:11} {shown}")


@models.command()
def pull(name: Annotated[str, typer.Argument(help="A profile.")] = "lite") -> None:
    """Fetch the model weights of a profile."""
    from mmsearch.models import pull as pull_

    for line in pull_(name, model_dir=_settings().model_dir):
        _say(line)


@models.command()
def check(name: Annotated[str, typer.Argument(help="A profile.")] = "lite") -> None:
    """Check that a profile's models are here, complete, safe to load and of the right kind."""
    from mmsearch import model_check, models, profiles

    model_dir, failed = _settings().model_dir, False
    for need in models.needs(profiles.load(name)):
        faults = model_check.faults(need, model_dir, pull=name)
        for fault in faults:
            _say(f"mmsearch: {fault}")
        if not faults:
            print(f"{need.name}: fine, {models.locate(need, model_dir)}")
        failed |= bool(faults)
    if failed:
        raise typer.Exit(1)


def _settings(**options: Any) -> Any:
    from mmsearch import config

    return config.load(options)


def _open(
    index: str | None, *, profile: str | None = None, create: bool = False, **options: Any
) -> SearchEngine:
    from mmsearch.engine import open as open_

    settings = _settings(index=index, **options)
    return open_(settings.index, profile=profile, create=create, settings=settings)


def _advise(engine: SearchEngine) -> None:
    """Say what would make a better index, where `auto` had to do without its weights."""
    from mmsearch import profiles

    settings = engine.settings
    if settings.profile != "auto" or engine.profile.name != profiles.FALLBACK:
        return
    if profiles.accelerator(settings) and not profiles.has_models(profiles.MAIN, settings):
        _say(
            f"this machine has an accelerator; for an index of the page pictures, run: "
            f"mmsearch models pull {profiles.MAIN}, then ingest into a new index"
        )


def _one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise InvalidSetting(f"--{option} {value}: allowed are {', '.join(allowed)}")


def _hit_row(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": hit.document.id,
        "title": hit.document.title,
        "paths": list(hit.document.paths),
        "page": hit.page,
        "kind": hit.document.kind,
        "snippet": hit.snippet,
        "box": list(hit.box) if hit.box else None,
        "scores": dict(hit.scores),
    }


def _file_row(result: FileResult) -> dict[str, Any]:
    return {
        "path": result.path,
        "status": result.status,
        "pages": result.pages,
        "document": result.document or None,
        "reason": result.reason or None,
    }


def _print_report(report: Report) -> None:
    done, skipped, failed = (report.of(s) for s in ("done", "skipped", "failed"))
    for result in failed:
        print(f"failed   {result.path}: {result.reason}")
    reasons: dict[str, int] = {}
    for result in skipped:
        reason = "same content as another" if "same content" in result.reason else result.reason
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        print(f"skipped  {count} {reason}")
    pages = sum(result.pages for result in done)
    print(f"{len(done)} done ({pages} pages), {len(skipped)} skipped, {len(failed)} failed")
    if pages:
        reading, encoding = report.seconds_reading, report.seconds_encoding
        _say(
            f"read in {reading:.1f} s ({pages / max(reading, 1e-9):.1f} pages/s), "
            f"vectors in {encoding:.1f} s ({pages / max(encoding, 1e-9):.1f} pages/s)"
        )


def _print_json(row: Any) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
