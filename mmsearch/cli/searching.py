"""The commands that ask: `search`, `facets` and `eval`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.cli import options
from mmsearch.cli.documents import twin_row
from mmsearch.cli.lines import counted, number, say, show, show_json, show_marked
from mmsearch.cli.reporting import check_writable, write_whole
from mmsearch.cli.spots import confidence, match_row, repaired, spot
from mmsearch.errors import InvalidSetting

if TYPE_CHECKING:
    from mmsearch.types import Hit, Query

_TWINS = 5  # shown of a hit


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words or a question.", show_default=False)
    ] = None,
    image: options.Images = None,
    image_weight: options.ImageWeight = None,
    repair: options.Repair = True,
    where: options.Where = "",
    group: Annotated[
        bool, typer.Option("--group", help="Only the best page of each document.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 10,
    page: Annotated[int, typer.Option(min=1, max=1000, help="Which so many of them.")] = 1,
    rerank: options.Rerank = None,
    candidates: options.Candidates = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Find pages by words, by images, or by both."""
    with options.open_index(index) as engine:
        query = engine.query(
            " ".join(text or ()), image=image, image_weight=image_weight, repair=repair
        )
        hits = engine.answer(
            query, limit=limit, offset=(page - 1) * limit, where=where, group=group,
            rerank=options.reranking(rerank, candidates),
        )  # fmt: skip
        empty = not hits and not engine.status()["searchable_pages"]
    for line in _repairs(query, hits, image or ()):
        say(line)
    if as_json:
        for hit in hits:
            show_json(_row(hit))
        return
    from mmsearch.where import place_of

    if not hits:
        nothing = "nothing found" if page == 1 else f"nothing more: page {page} is behind the end"
        say("the index is empty; add files: mmsearch ingest PATH" if empty else nothing)
    if hits and not query.images and page == 1 and hits[0].confidence == "weak":
        say("this does not seem to be in the archive; the nearest pages are:")
    for hit in hits:
        sure = f": {_sure(hit)}" if query.images else f": {hit.confidence}"
        show(f"{hit.rank:3}  {hit.score:.4f}  {hit.document.title}, {place_of(hit)}{sure}")
        others = len(hit.document.paths) - 1
        show(f"     {hit.document.paths[0]}" + (f" and {others} more" if others else ""))
        if hit.more:
            numbers = ", ".join(map(str, hit.more_pages))
            rest = ", …" if hit.more > len(hit.more_pages) else ""
            show(f"     {counted(hit.more, 'more page')}: {numbers}{rest}")
        if hit.snippet:
            spans = [(start + 5, end + 5) for start, end in hit.snippet_marks]
            show_marked(f"     {hit.snippet}", spans)
        if hit.labels:
            sure = ", ".join(f"{n} ({f'{p:.2f}'.removeprefix('0')})" for n, p in hit.labels)
            show(f"     label: {sure}")
        if hit.also_in:
            twins = [f"{twin.document.paths[0]}, page {twin.page}" for twin in hit.also_in]
            more = f"; and {len(twins) - _TWINS} more" if len(twins) > _TWINS else ""
            show(f"     also in: {'; '.join(twins[:_TWINS])}{more}")


def facets(
    text: Annotated[
        list[str] | None, typer.Argument(help="Count what is found.", show_default=False)
    ] = None,
    where: options.Where = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Values of a facet.")] = 20,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Count pages by kind, folder, tag, text source, language and year."""
    with options.open_index(index) as engine:
        counts = engine.facets(" ".join(text or ()), where=where, limit=limit)
    if not any(counts.values()) and not as_json:
        say("nothing found")
    for name, values in counts.items():
        if values and not as_json:
            show(name)
        for value, pages in values.items():
            if as_json:
                show_json({"facet": name, "value": value, "pages": pages})
            else:
                show(f"{pages:8,}  {value}")


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
    report: Annotated[
        Path | None,
        typer.Option(help="Write what was found, with pictures, as HTML.", show_default=False),
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
    rerank: options.Rerank = None,
    candidates: options.Candidates = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Run queries with known answers and print how well they were found."""
    from mmsearch.evaluate import ask, summary

    options.check_one_of("level", level, ("page", "document"))
    options.check_one_of("average", average, ("query", "document"))
    for option, path in (("run", run), ("report", report)):
        if path:
            check_writable(option, path)
    with options.open_index(index) as engine:
        answers = ask(
            engine, queries, qrels, limit=limit, level=level, scope=scope,
            views=views.split(",") if views else None, rerank=options.reranking(rerank, candidates),
        )  # fmt: skip
        figures = summary(answers, average)
        shown = {name: number(value) for name, value in figures.items()}
        if as_json:
            show_json(figures)
        else:
            show("  ".join(f"{name} {value}" for name, value in shown.items()))
        if run:
            _write("run", run, (f"{a.query.id}\t{id_}\n" for a in answers for id_ in a.ids))
        if report:
            from mmsearch.report import report as report_

            _write("report", report, report_(shown, answers, engine.store.thumbnail))
            say(f"report: {report}")


def _repairs(query: Query, hits: Sequence[Hit], paths: Sequence[Path]) -> Iterator[str]:
    """What was done to each image that was not found as it is, a line each."""
    from mmsearch.mixing import label
    from mmsearch.screenshots import repairs

    # With a weight of 0 there are paths and no images.
    for n, (asked, path) in enumerate(zip(query.images, paths, strict=False), start=1):
        own = [hit for hit in hits if f"inliers{label(n)}" in hit.scores]
        if done := repairs(asked, own):
            yield f"{path}: {repaired(done)}" if len(paths) > 1 else repaired(done)


def _sure(hit: Hit) -> str:
    return confidence(hit) + (f", {spot(hit.match.box)}" if hit.match else "")


def _row(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": hit.document.id,
        "title": hit.document.title,
        "paths": list(hit.document.paths),
        "page": hit.page,
        "seconds": hit.seconds,
        "kind": hit.document.kind,
        "snippet": hit.snippet,
        "snippet_marks": [list(span) for span in hit.snippet_marks],
        "marks": [list(box) for box in hit.marks],
        "box": list(hit.box) if hit.box else None,
        "match": match_row(hit),
        "confidence": hit.confidence,
        "scores": dict(hit.scores),
        "also_in": [twin_row(twin) for twin in hit.also_in],
        "labels": [{"name": name, "probability": sure} for name, sure in hit.labels],
        "more": hit.more,
        "more_pages": list(hit.more_pages),
    }


def _write(option: str, path: Path, parts: Iterable[str]) -> None:
    """Write the file that an option names, whole or not at all."""
    try:
        write_whole(path, parts)
    except OSError as error:
        raise InvalidSetting(f"--{option} {path}: cannot be written: {error.strerror}") from error
