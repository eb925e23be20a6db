"""The page and the page pictures as one ASGI application, and what of Gradio is closed.

Pictures have routes of their own: what is in Gradio's cache can be read by every visitor, and
files are never served by their path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, HTTPException, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mmsearch.errors import InvalidQuery, NotFound

if TYPE_CHECKING:
    import gradio as gr

    from mmsearch.engine import SearchEngine

MAX_FILE_SIZE = "20mb"

_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    # Other sites open in the same browser can't find out what is in the index.
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What the page and API clients use. Gradio has dozens more, some of which fetch URLs for a
# visitor or start programs.
_GRADIO_API = "/gradio_api/"
_OPEN = re.compile(
    r"call/.+|cancel|file=/(?!.*:/).+|heartbeat/\w+|info/?|queue/(join|data)|reset/?"
    r"|startup-events|theme\.css|upload|upload_progress"
)


def create_site(page: gr.Blocks, engine: SearchEngine, looks: Mapping[str, Any]) -> FastAPI:
    """Mount the page, and serve the pictures of the engine's documents beside it.

    Args:
        page: the Gradio page.
        engine: whose page pictures are served.
        looks: theme, style and script of the page, as `gr.mount_gradio_app` takes them.
    """
    import gradio as gr

    site = FastAPI(openapi_url=None)
    site.add_middleware(_closed)
    site.include_router(_pictures(engine))
    gr.mount_gradio_app(
        site,
        page,
        path="/",
        **looks,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=MAX_FILE_SIZE,
    )
    # Only launch() sets these, and only then does Gradio (6.31) refuse a "file" that was never
    # uploaded: without them a visitor reads any file of the machine by naming its path.
    page.has_launched = page.is_running = True
    for block in page.blocks.values():
        block.async_move_resource_to_block_cache = _in_place  # type: ignore[method-assign,assignment]
    return site


async def _in_place(address: object) -> str:
    """Instead of Gradio's copying into its cache, which fetches URLs for a visitor."""
    if "://" in str(address):
        raise InvalidQuery("an image is uploaded, not fetched from a URL")
    return str(address)


def _pictures(engine: SearchEngine) -> APIRouter:
    """`GET /pages/DOCUMENT/NUMBER.jpg` and `/thumbnails/DOCUMENT/NUMBER.jpg`."""
    router = APIRouter()

    @router.get("/pages/{document}/{number}.jpg")
    def page(document: str, number: str) -> Response:
        return _jpeg(engine, engine.store.picture, document, number)

    @router.get("/thumbnails/{document}/{number}.jpg")
    def thumbnail(document: str, number: str) -> Response:
        return _jpeg(engine, engine.store.thumbnail, document, number)

    return router


def _jpeg(
    engine: SearchEngine, read: Callable[[str, int], bytes], document: str, number: str
) -> Response:
    # Both become parts of a path in the store: nothing but an id and a number may get there.
    if not re.fullmatch("[0-9a-f]{64}", document) or not re.fullmatch("[1-9][0-9]{0,8}", number):
        raise HTTPException(404)
    if document not in engine.documents.get(document):
        raise HTTPException(404)
    try:
        picture = read(document, int(number))
    except NotFound:
        raise HTTPException(404) from None
    return Response(picture, media_type="image/jpeg", headers=_HEADERS)


def _closed(app: ASGIApp) -> ASGIApp:
    """Middleware: of Gradio's own routes, those that the page does not use answer 404."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_GRADIO_API):
            route = scope["path"].removeprefix(_GRADIO_API)
            if not _OPEN.fullmatch(route):
                await Response(status_code=404)(scope, receive, send)
                return
        await app(scope, receive, send)

    return guarded
