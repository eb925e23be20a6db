"""The web page: layout and wiring. What is shown is made in `views`, what is served in `site`."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from mmsearch.errors import InvalidQuery, InvalidSetting, MMSearchError, UnreadableFile
from ui import views

if TYPE_CHECKING:
    import gradio as gr
    from PIL.Image import Image

    from mmsearch.engine import SearchEngine

LIMIT = 20  # pages shown
MAX_TEXT = 1000  # characters
MAX_IMAGE_PIXELS = 50_000_000  # of a query image: a large photo
KEEP_UPLOADS = 3600  # seconds
SEARCHES_AT_ONCE = 2
SEARCHES_WAITING = 32

_FOLDER = Path(__file__).parent
_log = logging.getLogger(__name__)


def create_app(engine: SearchEngine) -> gr.Blocks:
    """The page's layout, and what its search bar does."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    import gradio as gr

    def search(text: Any, image: Any) -> str:
        """Find pages by words, by an image, or by both. Answers with HTML."""
        return _answer(engine, str(text or "").strip()[:MAX_TEXT], image)

    def start() -> str:
        return _answer(engine, "", None)

    uploads = (KEEP_UPLOADS, KEEP_UPLOADS)
    app = gr.Blocks(title="mmsearch", analytics_enabled=False, delete_cache=uploads)
    with app:
        gr.HTML(views.HEADER)
        with gr.Row(elem_id="mm-query"):
            text = gr.Textbox(
                placeholder="Words or a question",
                label="Search",
                show_label=False,
                container=False,
                autofocus=True,
                max_lines=1,
                max_length=MAX_TEXT,
            )
            button = gr.Button("Search", variant="primary", elem_id="mm-button")
        image = gr.Image(
            sources=["upload", "clipboard"],
            label="Screenshot",
            show_label=False,
            buttons=[],
            placeholder="Paste a screenshot, or choose one",
            elem_id="mm-image",
        )
        results = gr.HTML(label="Results", elem_id="mm-results")

        app.load(start, outputs=results, api_visibility="private")
        gr.on(
            [text.submit, button.click, image.upload, image.clear],
            search,
            inputs=[text, image],
            outputs=results,
            api_name="search",
            preprocess=False,  # Gradio would decode the image, without our limits
            concurrency_limit=SEARCHES_AT_ONCE,
            show_progress="minimal",
            trigger_mode="always_last",  # Enter during a search counts
        )
    app.queue(max_size=SEARCHES_WAITING)
    return app


def serve(engine: SearchEngine, *, host: str, port: int) -> None:
    """Serve the page until Ctrl-C; prints its address once.

    Args:
        engine: what is searched; it stays open.
        host: address to listen on.
        port: 0 takes any that is free.

    Raises:
        InvalidSetting: the port is taken, or the machine has no such address.
    """
    from ui.site import create_site

    with _listen(host, port) as listener, tempfile.TemporaryDirectory(prefix="mmsearch-") as folder:
        # Query images: in a folder of this user's own, and gone with the server.
        os.environ["GRADIO_TEMP_DIR"] = folder
        site = create_site(create_app(engine), engine, looks())
        config = uvicorn.Config(site, log_level="warning", timeout_graceful_shutdown=2)
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises a signal again once it has shut down: so SIGTERM ends as Ctrl-C does.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says where it is once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            print(f"mmsearch is at {_address(listener)}", flush=True)  # noqa: T201


def looks() -> dict[str, Any]:
    """Theme, style and script of the page; fonts are the system's, so nothing is fetched."""
    import gradio as gr

    theme = gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    script = (_FOLDER / "page.js").read_text()
    return {
        "theme": theme,
        "css_paths": [_FOLDER / "page.css"],
        "head": f"<script>{script}</script>",
    }


def _answer(engine: SearchEngine, text: str, upload: Any) -> str:
    """The HTML of a search: results, or a line that says why there are none."""
    started = time.perf_counter()
    try:
        image = _picture(engine, upload)
        if not text and image is None:
            return views.welcome(engine.status()["searchable_pages"])
        query = engine.query(text, image=image)
        hits = engine.answer(query, limit=LIMIT)
    except MMSearchError as error:
        return views.problem(str(error))
    except Exception:
        _log.exception("search failed")
        return views.problem("The search failed; the terminal that runs mmsearch says why.")
    return views.results(hits, query, seconds=time.perf_counter() - started)


def _picture(engine: SearchEngine, upload: Any) -> Image | None:
    """The query image of an upload as Gradio describes it; whoever calls the API writes that."""
    from gradio.utils import get_upload_folder

    from mmsearch.images import open_image

    if not upload:
        return None
    path = Path(str(upload.get("path"))).resolve() if isinstance(upload, dict) else Path()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise InvalidQuery("the image was not uploaded; choose it again")
    try:
        return open_image(path, max_pixels=min(engine.settings.max_pixels, MAX_IMAGE_PIXELS))
    except UnreadableFile as error:
        raise InvalidQuery(f"query image {error}") from error


def _listen(host: str, port: int) -> socket.socket:
    """A socket of our own: uvicorn ends the process when a port is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InvalidSetting(
                f"port {port} is taken by another program; "
                f"choose another: mmsearch serve --port {port + 1}"
            ) from error
        raise InvalidSetting(
            f"cannot listen on {host}, port {port}: {error.strerror}; see --host and --port"
        ) from error
    except OverflowError as error:
        raise InvalidSetting(f"port {port}: allowed are 0 to 65535; see --port") from error


def _address(listener: socket.socket) -> str:
    """Where a browser on this machine finds the page."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
