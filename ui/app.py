"""The web page's layout and wiring. What is shown is made in `views`, `library` and `status`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import __version__
from ui import searching, views
from ui.query_images import QueryImages

if TYPE_CHECKING:
    import gradio as gr

    from mmsearch.engine import SearchEngine
    from ui.access import Access
    from ui.jobs import Jobs
    from ui.metrics import Metrics

SEARCHES_AT_ONCE = 2
SEARCHES_WAITING = 64
FOLDER = Path(__file__).parent
ASSETS = {
    "page.css": "text/css",
    "viewer.css": "text/css",
    "library.css": "text/css",
    "page.js": "text/javascript",
    "viewer.js": "text/javascript",
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

    from ui.api import create_api
    from ui.library import create_library
    from ui.status import create_status

    def search(event: gr.EventData, request: gr.Request) -> Iterator[str]:
        link = getattr(event, "link", "")
        asking = request.request
        if asking is None:  # only where a listener is called by hand
            return
        wait = access.allow_search(asking)
        if wait:
            yield views.problem(f"too many searches at a time; try again in {wait:.0f} seconds")
            return
        user = str(getattr(asking.state, "user", ""))
        yield from searching.answer(engine, images, metrics, link, user)

    app = gr.Blocks(title="mmsearch", analytics_enabled=False)
    with app:
        gr.HTML(views.HEADER, elem_id="mm-top", apply_default_css=False)
        with gr.Tabs(elem_id="mm-tabs"):
            with gr.Tab("Search", id="search"):
                gr.HTML(
                    views.search_bar(),
                    js_on_load="mm.bar(element)",
                    elem_id="mm-bar",
                    apply_default_css=False,
                )
                results = gr.HTML(
                    label="Results",
                    js_on_load="mm.results(element, trigger, watch)",
                    elem_id="mm-results",
                    apply_default_css=False,
                )
                results.submit(
                    search,
                    outputs=results,
                    api_visibility="private",
                    concurrency_limit=SEARCHES_AT_ONCE,
                    concurrency_id="search",
                    show_progress="hidden",
                    trigger_mode="always_last",  # Enter during a search counts
                )
            with gr.Tab("Library", id="library"):
                create_library(engine, jobs)
            with gr.Tab("Status", id="status"):
                create_status(engine, jobs)
        create_api(engine, jobs, access.allow_search, metrics)
    app.queue(max_size=SEARCHES_WAITING)
    return app


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
    linked = {
        "text/css": "<link rel='stylesheet' href='own/{}'>",
        "text/javascript": "<script src='own/{}'></script>",
    }
    head = "".join(linked[kind].format(f"{name}?{__version__}") for name, kind in ASSETS.items())
    return {"theme": theme, "head": head}
