"""All that is served, as one ASGI application: page, API, MCP, pictures; and who may have it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mmsearch.errors import InvalidQuery
from ui.access import Access
from ui.files import create_files
from ui.jobs import Jobs
from ui.metrics import Metrics
from ui.originals import Originals
from ui.query_images import QueryImages
from ui.uploads import upload_routes

if TYPE_CHECKING:
    import gradio as gr

    from mmsearch.engine import SearchEngine

# What the page and API clients use. Gradio has dozens more, some of which fetch URLs for a
# visitor, start programs, or give one visitor's files to another.
_GRADIO_API = "/gradio_api/"
_OPEN = re.compile(
    r"call/.+|cancel|heartbeat/\w+|info/?|queue/(join|data)|reset/?|startup-events|theme\.css|upload"
)
_CACHED = {"Cache-Control": "private, no-cache"}  # asked for again, sent only if changed
MAX_FILE_SIZE = "20mb"  # of what the API's clients upload


def create_site(engine: SearchEngine, *, access: Access | None = None) -> FastAPI:
    """Everything that is served over an engine.

    Args:
        engine: what is searched; it stays open when the site ends.
        access: who may come in; by default as the engine's settings say. A site that is mounted in
            another application, which knows its users, takes `Access(engine.settings, who=...)`.
    """
    from ui.app import ASSETS, FOLDER, create_app, looks
    from ui.assistants import create_assistants

    access = access or Access(engine.settings)
    images, originals = QueryImages(engine.settings.max_pixels), Originals(engine)
    jobs = Jobs(engine)
    metrics = Metrics(engine, jobs)
    page = create_app(engine, access=access, images=images, jobs=jobs, metrics=metrics)
    assistants, running = create_assistants(engine, access.allow_search, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(jobs.close)
            await stack.enter_async_context(running())
            yield

    site = FastAPI(openapi_url=None, lifespan=lifespan)
    site.add_middleware(_closed)
    site.add_middleware(access.middleware)
    for routes in (
        access.router,
        metrics.router,
        create_files(engine, originals),
        originals.routes(),
        images.routes(),
        upload_routes(engine, jobs),
    ):
        site.include_router(routes)

    @site.get("/own/{name}")
    def asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        return FileResponse(FOLDER / name, media_type=ASSETS[name], headers=_CACHED)

    site.router.routes.append(Route("/mcp", assistants))  # a mount would want a slash
    _mount(site, page, looks())
    return site


def _mount(site: FastAPI, page: gr.Blocks, looks: dict[str, object]) -> None:
    import gradio as gr

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


async def _in_place(address: object) -> str:
    """Instead of Gradio's copying into its cache, which fetches URLs for a visitor."""
    if "://" in str(address):
        raise InvalidQuery("an image is uploaded, not fetched from a URL")
    return str(address)


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
