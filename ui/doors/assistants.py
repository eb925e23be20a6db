"""The search for language models: an MCP server with three tools that only read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from mmsearch.errors import MMSearchError
from ui.doors import given
from ui.doors.tools import MAX_BASE64, TOOLS, Tools

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mmsearch.engine import SearchEngine
    from ui.doors.metrics import Metrics

_CALLS_AT_ONCE = 2
_REQUESTS_AT_ONCE = 16  # that wait, too: each may hold an image
_BODY_SECONDS = 60.0  # in which a request has to come: slow ones keep others out
_MAX_BODY = MAX_BASE64 + (64 << 10)  # bytes of a request
_INSTRUCTIONS = (
    "Searches an archive of documents: PDFs, scans, slides, images, videos. Search by words or by "
    "a screenshot, then read the pages that were found with get_page. Cite title and page."
)
_log = logging.getLogger(__name__)
Allow = Callable[[Any], float]


def create_assistants(
    engine: SearchEngine, allow: Allow, metrics: Metrics | None = None
) -> tuple[ASGIApp, Callable[[], AbstractAsyncContextManager[None]]]:
    """The MCP server, for one path of a site: add it as a route, a mount would want a slash.

    Args:
        engine: what is searched.
        allow: says of a request how many seconds its sender has to wait, 0 for none.
        metrics: counts the searches.

    Returns:
        The application, and what it runs in: `async with running():` in the site's lifespan.
    """
    assistants = _Assistants(engine, allow, metrics)
    return assistants, assistants.running


class _Assistants:
    """An ASGI application that answers while it is `running`.

    Every request stands for itself and is answered with JSON; nothing is kept between them.
    """

    def __init__(self, engine: SearchEngine, allow: Allow, metrics: Metrics | None = None) -> None:
        self._tools = Tools(engine, metrics)
        self._allow = allow
        self._app: ASGIApp | None = None
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST; there are no streams to be opened by GET, and no sessions to end."""
        if scope["method"] != "POST":
            answer = JSONResponse({"error": "send JSON-RPC by POST"}, 405, {"Allow": "POST"})
            await answer(scope, receive, send)
        elif self._app is None or self._open >= _REQUESTS_AT_ONCE:
            answer = JSONResponse({"error": "busy; try again"}, 503, {"Retry-After": "2"})
            await answer(scope, receive, send)
        else:
            self._open += 1
            try:
                await self._app(scope, _in_time(receive), send)
            finally:
                self._open -= 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers until this ends; it may begin again."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        sessions = StreamableHTTPSessionManager(
            self._server(), json_response=True, stateless=True, max_request_body_size=_MAX_BODY
        )
        async with sessions.run():
            self._app = sessions.handle_request
            try:
                yield
            finally:
                self._app = None

    def _server(self) -> Any:
        import anyio
        from mcp.server.lowlevel import Server
        from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

        import mmsearch

        at_once = anyio.CapacityLimiter(_CALLS_AT_ONCE)
        hints = ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        )
        tools = [
            Tool(name=name, description=about, input_schema=schema, annotations=hints)
            for name, (about, schema) in TOOLS.items()
        ]

        async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
            return ListToolsResult(tools=tools)

        async def call_tool(
            context: ServerRequestContext[Any, Any], params: CallToolRequestParams
        ) -> CallToolResult:
            try:
                given.patience(self._allow(context.request))
                content = await anyio.to_thread.run_sync(
                    self._tools.call, params.name, params.arguments or {}, limiter=at_once
                )
            except MMSearchError as error:
                line = " ".join(str(error).split())
            except Exception:
                _log.exception("tool %r failed", params.name)
                line = "the tool failed; the log of the server says why"
            else:
                return CallToolResult(content=content)
            return CallToolResult(content=[TextContent(text=line)], is_error=True)

        return Server(
            "mmsearch",
            version=mmsearch.__version__,
            instructions=_INSTRUCTIONS,
            on_list_tools=list_tools,
            on_call_tool=call_tool,
        )


def _in_time(receive: Receive) -> Receive:
    """The same, which takes a body that does not come in `_BODY_SECONDS` for one cut off."""
    end = time.monotonic() + _BODY_SECONDS
    is_whole = False

    async def received() -> Message:
        nonlocal is_whole
        if is_whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(end - time.monotonic(), 0))
        except TimeoutError:
            return {"type": "http.disconnect"}
        is_whole = not message.get("more_body", False)
        return message

    return received
