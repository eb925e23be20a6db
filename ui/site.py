"""All that is served, as one ASGI application: page, API, MCP, pictures; and who may have it."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mmsearch.errors import InvalidQuery, MMSearchError
from ui.access.guard import Access, route_of
from ui.doors.metrics import Metrics
from ui.files import create_files
from ui.library.jobs import Jobs
from ui.library.tab import library_routes
from ui.library.uploads import KEPT_FREE, upload_routes
from ui.originals import Originals
from ui.query_images import QueryImages

if TYPE_CHECKING:
    import gradio as gr

    from mmsearch.engine import SearchEngine

# What the page and API clients use. Gradio has dozens more, some of which fetch URLs for a
# visitor, start programs, or give one visitor's files to another.
_GRADIO_API = "/gradio_api/"
_OPEN = re.compile(
    r"call/(v2/)?(search|documents|page|ingest|status)(/\w+)?/?|cancel|heartbeat/\w+|info/?|queue/(join|data)|reset/?|startup-events|theme\.css|upload"
)
MAX_CALL = 8 << 20  # bytes of JSON that Gradio is sent
_CACHED = {"Cache-Control": "private, max-age=3600"}


def create_site(engine: SearchEngine, *, access: Access | None = None) -> FastAPI:
    """Everything that is served over an engine.

    Args:
        engine: what is searched; it stays open when the site ends.
        access: who may come in; by default as the engine's settings say. A site that is mounted in
            another application, which knows its users, takes `Access(engine.settings, who=...)`;
            that one runs the site's lifespan: `FastAPI(lifespan=lambda _:
            site.router.lifespan_context(site))`.
    """
    from ui.app import asset, create_app, looks
    from ui.doors.assistants import create_assistants

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
    site.add_exception_handler(MMSearchError, _not_now)
    site.add_middleware(_closed)
    site.add_middleware(access.middleware)
    for routes in (
        access.router,
        metrics.router,
        create_files(engine, originals),
        originals.routes(),
        images.routes(),
        upload_routes(engine, jobs),
        library_routes(engine, jobs),
    ):
        site.include_router(routes)

    @site.get("/own/{name}")
    def own(name: str) -> Response:
        found = asset(name)
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1], headers=_CACHED)

    site.router.routes.append(Route("/mcp", assistants))  # a mount would want a slash
    _mount(site, page, looks(), max_file_size=engine.settings.max_upload_bytes)
    return site


def _mount(site: FastAPI, page: gr.Blocks, looks: dict[str, object], *, max_file_size: int) -> None:
    import gradio as gr
    from gradio.utils import get_upload_folder

    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
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
        max_file_size=max_file_size,
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
    from gradio.utils import get_upload_folder

    limited = RequestBodyLimitMiddleware(app, max_body_size=MAX_CALL)
    coming = 0  # bytes of uploads that are on their way

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal coming
        route = route_of(scope) if scope["type"] == "http" else ""
        if route in ("", "/"):
            # `page` is ours, and read in the browser; Gradio would look for a page of that name.
            await app({**scope, "query_string": b""}, receive, send)
        elif not route.startswith(_GRADIO_API):
            await app(scope, receive, send)
        elif not _OPEN.fullmatch(route.removeprefix(_GRADIO_API)):
            await Response(status_code=404)(scope, receive, send)
        elif route != f"{_GRADIO_API}upload":
            await limited(scope, receive, send)
        else:
            length = Headers(scope=scope).get("content-length", "")
            size = int(length) if length.isascii() and length.isdecimal() else None
            if size is None:
                answer = JSONResponse({"detail": "the size of an upload must be announced"}, 411)
            elif shutil.disk_usage(get_upload_folder()).free - coming - size < KEPT_FREE:
                line = "there is too little disk space left for uploads"
                answer = JSONResponse({"detail": line}, 507)
            else:
                coming += size
                try:
                    await app(scope, receive, send)
                finally:
                    coming -= size
                return
            await answer(scope, receive, send)

    return guarded


async def _not_now(_: Request, error: Exception) -> Response:
    """An index that does not answer, say: one line, as all that the page's scripts ask for."""
    return JSONResponse({"detail": " ".join(str(error).split())}, 503)
