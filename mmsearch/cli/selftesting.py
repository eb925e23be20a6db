"""The command that tries how well screenshots are found: `selftest`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import counted, show, show_json
from mmsearch.cli.progress import told
from mmsearch.cli.spots import THIS_PAGE, spot

_SHOWN = 10  # screenshots that were missed or mistaken


def selftest(
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many screenshots.")] = 60,
    seed: Annotated[int, typer.Option(help="Other pages with another seed.")] = 1,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Cut screenshots from pages of the index, look for them, and say how well that works."""
    from mmsearch.screenshots import selftest
    from mmsearch.types import Box

    with options.open_index(index) as engine:
        tried = selftest.outcomes(engine, count, seed)
        outcomes = list(told(tried, count, "screenshots looked for"))
        figures = selftest.figures(outcomes)
        verdict = selftest.verdict(engine, outcomes)
        at_fault = [outcome for outcome in outcomes if outcome.fault]
        known = engine.documents.get(*{outcome.cut.document for outcome in at_fault})
    faults: list[dict[str, Any]] = [
        {
            "fault": outcome.fault,
            "path": known[outcome.cut.document].paths[0],
            "page": outcome.cut.page,
            "box": list(outcome.cut.box),
        }
        for outcome in at_fault
        if outcome.cut.document in known  # not removed since
    ]
    if as_json:
        show_json(figures | {"faults": faults, "verdict": verdict})
        return
    for line in _lines(figures):
        show(line)
    for row in faults[:_SHOWN]:
        show("{fault:9} {path}#{page}, ".format_map(row) + spot(Box(*row["box"])))
    if len(faults) > _SHOWN:
        show(f"          and {len(faults) - _SHOWN} more: mmsearch selftest --json")
    show(verdict)


def _lines(figures: Mapping[str, float]) -> Iterator[str]:
    count = round(figures["screenshots"])
    first, ten, sure, wrong, hidden = (
        f"{round(figures[name] * count)} ({100 * figures[name]:.0f} %)"
        for name in ("rank1", "rank10", "verified", "wrong", "hidden_wrong")
    )
    yield f"{counted(count, 'screenshot')}, cut from pages of this index and looked for"
    yield f"page first: {first}, among the first ten: {ten}"
    yield f'said to be "{THIS_PAGE}": {sure}'
    yield f"said so wrongly: {wrong}, while the page itself is hidden: {hidden}"
    yield f"the spot: {figures['iou']:.3f} of it overlap (IoU)"
    yield f"seconds a search: {figures['p50']:.2f}, p95 {figures['p95']:.2f}"
