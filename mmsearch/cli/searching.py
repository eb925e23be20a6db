"""The commands that ask: `search` and `eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.cli import options
from mmsearch.cli.documents import twin_row
from mmsearch.cli.lines import number, say, show, show_json
from mmsearch.cli.spots import confidence, match_row, repaired, spot

if TYPE_CHECKING:
    from mmsearch.types import Hit

_TWINS = 5  # shown of a hit


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words or a question.", show_default=False)
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="A screenshot or photo.", show_default=False)
    ] = None,
    repair: options.Repair = True,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 10,
    rerank: options.Rerank = True,
    candidates: options.Candidates = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Find pages by words, by an image, or by both."""
    from mmsearch.screenshots import repairs

    with options.open_index(index) as engine:
        query = engine.query(" ".join(text or ()), image=image, repair=repair)
        hits = engine.answer(query, limit=limit, rerank=rerank and (candidates or True))
        empty = not hits and not engine.status()["searchable_pages"]
    if done := repairs(query, hits):
        say(repaired(done))
    if as_json:
        for hit in hits:
            show_json(_row(hit))
        return
    from mmsearch.where import place_of

    if not hits:
        say("the index is empty; add files: mmsearch ingest PATH" if empty else "nothing found")
    for hit in hits:
        sure = f": {_sure(hit)}" if image else ""
        show(f"{hit.rank:3}  {hit.score:.4f}  {hit.document.title}, {place_of(hit)}{sure}")
        others = len(hit.document.paths) - 1
        show(f"     {hit.document.paths[0]}" + (f" and {others} more" if others else ""))
        if hit.snippet:
            show(f"     {hit.snippet}")
        if hit.also_in:
            twins = [f"{twin.document.paths[0]}, page {twin.page}" for twin in hit.also_in]
            more = f"; and {len(twins) - _TWINS} more" if len(twins) > _TWINS else ""
            show(f"     also in: {'; '.join(twins[:_TWINS])}{more}")


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
    rerank: options.Rerank = True,
    candidates: options.Candidates = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Run queries with known answers and print how well they were found."""
    from mmsearch.evaluate import evaluate as evaluate_

    options.check_one_of("level", level, ("page", "document"))
    options.check_one_of("average", average, ("query", "document"))
    with options.open_index(index) as engine:
        figures = evaluate_(
            engine, queries, qrels, limit=limit, level=level, average=average, scope=scope,
            views=views.split(",") if views else None, run=run,
            rerank=rerank and (candidates or True),
        )  # fmt: skip
    if as_json:
        show_json(figures)
    else:
        show("  ".join(f"{name} {number(value)}" for name, value in figures.items()))


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
        "box": list(hit.box) if hit.box else None,
        "match": match_row(hit),
        "scores": dict(hit.scores),
        "also_in": [twin_row(twin) for twin in hit.also_in],
    }
