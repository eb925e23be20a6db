"""Signing in as it is done: in a real browser, and by gradio_client, to a real Gradio page."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fastapi import FastAPI

from mmsearch.config import Settings
from ui.access.guard import Access

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "correct horse"
OUTSIDE = {
    "connect-src": "fetch('https://example.com/').catch(() => 0)",
    "img-src": "new Image().src = 'https://example.com/a.png'",
    "script-src-elem": "document.head.append("
    "Object.assign(document.createElement('script'), {src: 'https://example.com/a.js'}))",
}
# Which directive of the page's policy was in the way of a script.
REFUSED = """([script]) => new Promise((told) => {
  document.addEventListener('securitypolicyviolation', (event) => told(event.effectiveDirective),
    {once: true});
  new Function(script)();
})"""
HOSTILE = "<b id='shown'>here</b><img src='none' onerror='window.theirs = 1'>"


@pytest.fixture(scope="module")
def address(uploads: object) -> Iterator[str]:
    """A Gradio page that answers `echo` with markup, behind a login of `ann`."""
    import gradio as gr

    salt = b"s" * 16
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=2, r=1, p=1, dklen=32)
    parts = ":".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (salt, key))
    access = Access(Settings(users=f"ann:scrypt:2:1:1:{parts}"))
    with gr.Blocks(title="echo", analytics_enabled=False) as page:
        ready = "element.querySelector('#ready').textContent = 'ran'"
        gr.HTML("<p id='ready'>waits</p>", js_on_load=ready)
        text, shown = gr.Textbox(label="Words"), gr.HTML()
        text.submit(lambda words: f"{words}: {HOSTILE}", text, shown, api_name="echo")
    site = FastAPI(openapi_url=None)
    site.add_middleware(access.middleware)
    site.include_router(access.router)
    gr.mount_gradio_app(
        site, page, path="/", ssr_mode=False, mcp_server=False,
        theme=gr.themes.Base(font=["system-ui"], font_mono=["monospace"]),
    )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(site, log_level="warning", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_gradio_client_signs_in(address: str) -> None:
    import gradio_client

    wrong = gradio_client.exceptions.AuthenticationError
    with pytest.raises(wrong):
        gradio_client.Client(address, auth=("ann", "wrong one"), verbose=False)
    with pytest.raises(wrong):
        gradio_client.Client(address, verbose=False)
    client = gradio_client.Client(address, auth=("ann", PASSWORD), verbose=False)
    assert client.predict("a heron", api_name="/echo").startswith("a heron: ")


def test_gradio_client_sends_the_password_along(address: str) -> None:
    import gradio_client

    basic = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    client = gradio_client.Client(address, headers=headers, verbose=False)
    assert client.predict("a heron", api_name="/echo").startswith("a heron: ")


@pytest.fixture
def window(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 700})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_a_person_signs_in_by_keyboard_and_markup_never_runs(address: str, window: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.goto(f"{address}/?q=herons")
    assert window.url == f"{address}/login?next=%3Fq%3Dherons"
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    window.keyboard.type("ann")
    window.keyboard.press("Tab")
    window.keyboard.type("wrong one")
    window.keyboard.press("Enter")
    window.get_by_role("alert").wait_for()
    for scheme in ("dark", "light"):
        window.emulate_media(color_scheme=scheme)
        assert Axe().run(window).violations_count == 0
    window.keyboard.type(PASSWORD)  # the name is still there
    window.keyboard.press("Enter")
    window.get_by_text("ran", exact=True).wait_for()
    assert window.url == f"{address}/?q=herons"

    window.get_by_label("Words").fill("a heron")
    window.keyboard.press("Enter")
    window.locator("#shown").wait_for()
    window.wait_for_function("document.querySelector('#shown ~ img').complete")
    assert window.evaluate("window.theirs === undefined")
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address[7:]}

    for directive, outside in OUTSIDE.items():
        assert window.evaluate(REFUSED, [outside]) == directive
    assert window.evaluate("document.cookie") == ""
