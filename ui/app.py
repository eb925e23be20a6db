"""The web page's layout and wiring. What is shown is made in `views`, `library` and `status`."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import __version__
from ui import searching, views
from ui.access.guard import user_of
from ui.query_images import QueryImages
from ui.scripts import once_there

if TYPE_CHECKING:
    import gradio as gr

    from mmsearch.engine import SearchEngine
    from ui.access.guard import Access
    from ui.doors.metrics import Metrics
    from ui.library.jobs import Jobs

WORDS_AT_ONCE, IMAGES_AT_ONCE = 4, 1
SEARCHES_WAITING = 64
FOLDER = Path(__file__).parent
ASSETS = {  # what the page's own files are made of, and their types
    "page.css": (("page.css", "viewer.css", "library/library.css"), "text/css"),
    "page.js": (("page.js", "viewer.js", "library/library.js"), "text/javascript"),
}


# Gradio reads the listeners' annotations, so these are no strings.
def create_app(
    engine: "SearchEngine",
    *,
    access: "Access",
    images: QueryImages,
    jobs: "Jobs",
    metrics: "Metrics",
) -> "gr.Blocks":
    """The page: three tabs, and the endpoints of the API."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    import gradio as gr

    from ui.doors.api import create_api
    from ui.library.tab import create_library
    from ui.status import create_status

    def search(event: gr.EventData, request: gr.Request) -> Iterator[str]:
        asking = request.request
        if asking is None:  # only where a listener is called by hand
            return
        number = getattr(event, "number", 0)
        wait = access.allow_search(asking)
        if wait:
            line = f"too many searches at a time; try again in {wait:.0f} seconds"
            yield views.answered(views.problem(line), number)
            return
        link = getattr(event, "link", "")
        for html in searching.answer(engine, images, metrics, link, user_of(asking)):
            yield views.answered(html, number)

    # What the API's clients upload is kept for an hour.
    app = gr.Blocks(title="mmsearch", analytics_enabled=False, delete_cache=(3600, 3600))
    with app:
        create_api(engine, jobs, access.allow_search, metrics)  # first: it names the endpoints
        gr.HTML(views.header(signs_out=access.signs_out), elem_id="mm-top", apply_default_css=False)
        with gr.Tabs(elem_id="mm-tabs"):
            with gr.Tab("Search", id="search"):
                gr.HTML(
                    views.search_bar(),
                    js_on_load=once_there("mm.bar(element)"),
                    elem_id="mm-bar",
                    apply_default_css=False,
                )
                results = gr.HTML(
                    label="Results",
                    js_on_load=once_there("mm.results(element, trigger, watch)"),
                    elem_id="mm-results",
                    apply_default_css=False,
                )
                # Two events of the script: words do not wait for images, which take longer.
                for kind, searched, at_once in (
                    ("words", results.submit, WORDS_AT_ONCE),
                    ("images", results.upload, IMAGES_AT_ONCE),
                ):
                    searched(
                        search,
                        outputs=results,
                        api_visibility="private",
                        concurrency_limit=at_once,
                        concurrency_id=kind,  # Gradio's own would be one for both
                        show_progress="hidden",
                        trigger_mode="multiple",  # page.js sees to it that they follow each other
                    )
            with gr.Tab("Library", id="library"):
                create_library(engine)
            with gr.Tab("Status", id="status"):
                create_status(engine, jobs)
    app.queue(max_size=SEARCHES_WAITING)
    return app


@cache
def asset(name: str) -> tuple[str, str] | None:
    """One of the page's own files, as it is sent, and its type."""
    if name not in ASSETS:
        return None
    parts, kind = ASSETS[name]
    return "\n".join((FOLDER / part).read_text(encoding="utf-8") for part in parts), kind


def looks() -> dict[str, Any]:
    """Theme, style and scripts of the page; fonts are the system's, so nothing is fetched."""
    import gradio as gr

    theme = gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    # Files of their own: what stands within the page may not run, and Gradio rewrites styles.
    head = (
        f"<link rel='stylesheet' href='own/page.css?{__version__}'>"
        f"<script src='own/page.js?{__version__}'></script>"
    )
    return {"theme": theme, "head": head}
