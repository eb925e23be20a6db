"""The client of model services, against a test server over real HTTP."""

from __future__ import annotations

import json
import logging
import re
import shlex
import socket
import time
import tomllib
import traceback
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from mmsearch import profiles, remote
from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting, ModelUnavailable
from mmsearch.remote import Patience, Refused, Server, connect, cut, in_order
from tests.model_server import Fault, ModelServer

MODEL = "Qwen/Qwen3-Embedding-0.6B"
BODY = {"model": MODEL, "input": ["a word"]}
KEY = "sk-very-secret"
ROOT = Path(__file__).parents[1]
SERVERS_PAGE = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
HASTY = Patience(timeout=5.0, first_pause=0.01, longest_pause=0.3)


def _server(server: ModelServer, key: str = "", **options: Any) -> Server:
    return Server("vllm", server.url, key, **{"patience": HASTY} | options)


def _ask(server: Server) -> Any:
    return server.post("/v1/embeddings", BODY)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, times=2),
        Fault(status=503, times=4),
        Fault(status=429, times=2),
        Fault(status=429, headers={"Retry-After": "0.1"}),
        Fault(cut=True, times=2),
        Fault(text="<html>Bad gateway</html>", status=502),
    ],
)
def test_what_fails_for_a_moment_is_asked_again(fault: Fault) -> None:
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(fault)
        times = fault.times
        assert len(_ask(_server(server))["data"]) == 1
        assert len(server.requests) == times + 1


def test_a_slow_answer_is_asked_for_again() -> None:
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(Fault(delay=2.0))
        patience = Patience(timeout=0.5, first_pause=0.01)
        assert len(_ask(_server(server, patience=patience))["data"]) == 1


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [
        ("0.2", 0.2, 1.0),
        ("3600", 0.3, 1.5),  # as long as patience allows
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 0.3, 1.5),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0.0, 0.3),
        ("soon", 0.0, 0.3),
    ],
    ids=["seconds", "too many", "in an hour", "an hour ago", "no date"],  # processes agree on these
)
def test_the_pause_that_a_server_asks_for_is_kept(after: str, least: float, most: float) -> None:
    with ModelServer("vllm", MODEL) as server:
        client = _server(server)
        _ask(client)
        server.faults.append(Fault(status=429, headers={"Retry-After": after}))
        start = time.monotonic()
        _ask(client)
        assert least <= time.monotonic() - start <= most


def test_a_server_that_stays_busy_is_an_error_after_five_attempts() -> None:
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(Fault(status=503, times=99))
        with pytest.raises(ModelUnavailable) as caught:
            _ask(_server(server))
        assert len(server.requests) == 5
    assert str(caught.value) == (
        f"vllm at {server.url}: the server is busy or fails (503: asked to fail) (5 attempts); "
        "try again later"
    )


def test_no_repeat_starts_after_the_total() -> None:
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(Fault(status=503, times=99))
        with pytest.raises(ModelUnavailable, match="1 attempts"):
            _ask(_server(server, patience=Patience(total=0.0)))


def test_a_server_that_is_down_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ModelUnavailable, match=r"refused.*is the server running\?") as caught:
        _ask(Server("vllm", url.replace("//", "//ann:hunter2@"), patience=HASTY))
    assert url in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refused_key_says_which_setting_holds_it() -> None:
    with ModelServer("vllm", MODEL, key=KEY) as server:
        for role in ("encoder", "reranker"):
            with pytest.raises(InvalidSetting, match=f"set MMSEARCH_{role.upper()}_KEY") as caught:
                _ask(_server(server, "sk-wrong", role=role))
            assert "sk-wrong" not in str(caught.value)
        assert _ask(_server(server, KEY))


def test_a_refusal_is_not_repeated_and_tells_what_the_server_says() -> None:
    with ModelServer("vllm", MODEL) as server:
        with pytest.raises(Refused, match=r"\(400: .*\); check the profile's model") as caught:
            _server(server).post("/v1/embeddings", {"model": MODEL, "surprise": True})
        assert caught.value.is_about_the_input
        assert len(server.requests) == 1
        with pytest.raises(Refused, match=r"404.*check encoder_url") as caught:
            _server(server).post("/v2/embeddings", BODY)
        assert not caught.value.is_about_the_input


def test_a_long_reason_becomes_one_short_line() -> None:
    with ModelServer("vllm", MODEL) as server:
        page = "<html><body>\n" + "Request\n too large " * 500 + "</body></html>"
        server.faults.append(Fault(status=413, text=page))
        with pytest.raises(Refused) as caught:
            _ask(_server(server))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "413: Request too large" in str(caught.value)


@pytest.mark.parametrize("text", ["<html>Welcome</html>", "", "[" * 100_000])
def test_an_answer_that_is_no_json_says_what_to_check(text: str) -> None:
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(Fault(text=text or " ", status=200))
        with pytest.raises(ModelUnavailable, match=r"not as vllm does.*check encoder_url"):
            _ask(_server(server))


def test_an_answer_of_any_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_BYTES", 1 << 20)
    with ModelServer("vllm", MODEL) as server:
        server.faults.append(Fault(text="[" + "1," * (1 << 20) + "1]"))
        with pytest.raises(ModelUnavailable, match="more than 1 MiB"):
            _ask(_server(server))


def test_a_redirect_is_not_followed() -> None:
    with ModelServer("vllm", MODEL) as server, ModelServer("vllm", MODEL) as other:
        target = {"Location": f"{other.url}/v1/embeddings"}
        server.faults.append(Fault(status=307, headers=target))
        with pytest.raises(InvalidSetting, match="redirects elsewhere"):
            _ask(_server(server, KEY))
        assert not other.requests


def test_a_key_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ModelServer("vllm", MODEL, key=KEY) as server:
        client = _server(server, KEY)
        server.faults.append(Fault(status=503))
        _ask(client)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        server.faults.append(Fault(status=400, text=f'{{"error": "bad key {KEY} given"}}'))
        with pytest.raises(Refused, match=r"bad key \*\*\* given") as caught:
            _ask(client)
    shown = caplog.text + repr(client) + "".join(traceback.format_exception(caught.value))
    assert "again in" in caplog.text
    assert KEY not in shown


@pytest.mark.parametrize("key", ["sk-né", "sk\nfolded", "sk-\x00"])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidSetting, match="MMSEARCH_ENCODER_KEY") as caught:
        Server("vllm", "http://localhost:8000", key)
    assert key not in str(caught.value)


def test_an_unencrypted_key_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    Server("vllm", "http://localhost:8000", KEY)
    Server("vllm", "https://gpu.example.org", KEY)
    assert not caplog.text
    Server("vllm", "http://gpu.example.org", KEY)
    assert "http://gpu.example.org: the API key travels unencrypted" in caplog.text


@pytest.mark.parametrize(
    ("service", "url", "address"),
    [
        ("vllm", "http://localhost:8000/", "http://localhost:8000"),
        ("vllm", "http://localhost:8000/v1/", "http://localhost:8000"),
        ("tei", "https://user:pass@example.org/tei", "https://example.org/tei"),
        ("ollama", "http://localhost:11434/api", "http://localhost:11434"),
        (
            "dashscope",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "https://dashscope-intl.aliyuncs.com",
        ),
    ],
)
def test_an_address_may_be_copied_with_its_ending(service: str, url: str, address: str) -> None:
    assert Server(service, url).address == address


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000", "ftp://host", "http://", "http://host:port", "http://[", "sk-secret"),
        "http://host/?api_key=sk-secret",
    ],
)
def test_what_is_no_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidSetting, match="setting encoder_url: no address") as caught:
        Server("vllm", url)
    assert "secret" not in str(caught.value)


def test_settings_name_the_service() -> None:
    settings = Settings(encoder_service="ollama", encoder_key=KEY, reranker_service="dashscope")
    assert repr(connect(settings, "encoder")) == "<ollama at http://127.0.0.1:11434>"
    assert repr(connect(settings, "reranker")) == "<dashscope at https://dashscope.aliyuncs.com>"
    here = connect(settings, "encoder", "tei", "http://127.0.0.1:8080")  # a profile's own
    assert repr(here) == "<tei at http://127.0.0.1:8080>"


def test_a_service_without_an_address_says_which_setting_is_missing() -> None:
    with pytest.raises(InvalidSetting, match="setting encoder_url: not set, and vllm has no"):
        connect(Settings(encoder_service="vllm"), "encoder")
    with pytest.raises(InvalidSetting, match="setting reranker_url: not set, and tei has no"):
        connect(Settings(reranker_service="tei"), "reranker")


def test_an_unknown_service_lists_the_known_ones() -> None:
    with pytest.raises(InvalidSetting, match="one of vllm, tei, ollama, dashscope"):
        connect(Settings(), "encoder")
    with pytest.raises(InvalidSetting, match="one of vllm, tei, dashscope"):
        connect(Settings(), "reranker", "ollama")


@pytest.mark.parametrize(
    ("service", "served", "right", "advice"),
    [
        ("vllm", MODEL, MODEL, "start the server with that model"),
        ("tei", MODEL, MODEL, "start the server with that model"),
        ("ollama", "nomic-embed-text:latest", "nomic-embed-text", "run: ollama pull bge-m3"),
    ],
)
def test_another_model_than_served_is_told(
    service: str, served: str, right: str, advice: str
) -> None:
    with ModelServer(service, served) as server:
        client = Server(service, server.url, patience=HASTY)
        client.check_model(right)
        with pytest.raises(InvalidSetting, match=f"serves {served}, .* asks for bge-m3; {advice}"):
            client.check_model("bge-m3")


def test_a_service_that_tells_no_models_is_believed() -> None:
    with ModelServer("dashscope", "text-embedding-v4") as server:
        Server("dashscope", server.url).check_model("any")
    with ModelServer("tei", "/data/weights") as server:  # a folder of the server
        Server("tei", server.url).check_model("any")
    with ModelServer("ollama", "any") as server:  # has no such page
        Server("vllm", server.url).check_model("any")


def test_so_many_requests_at_once_and_no_more() -> None:
    with ModelServer("vllm", MODEL, pause=0.1) as server:
        client = _server(server, concurrency=3)
        start = time.monotonic()
        assert client.map(lambda n: (_ask(client), n)[1], range(9)) == list(range(9))
        assert server.busiest == 3
        assert time.monotonic() - start < 0.9


def test_the_first_error_ends_the_rest() -> None:
    with ModelServer("vllm", MODEL) as server:
        client = _server(server, concurrency=2)
        server.faults.append(Fault(status=404, times=99))
        with pytest.raises(Refused):
            client.map(lambda _: _ask(client), range(100))
        time.sleep(0.2)
        assert len(server.requests) < 20


def test_results_are_put_in_order() -> None:
    assert in_order([(1, "b"), (0, "a")], 2) == ["a", "b"]
    for wrong in ([(0, "a")], [(0, "a"), (0, "b")], [(1, "a"), (2, "b")], [(0, 0), (1, 1), (2, 2)]):
        with pytest.raises(ValueError, match="results for 2 inputs"):
            in_order(wrong, 2)


def test_a_long_text_is_cut_and_a_short_one_is_not() -> None:
    assert cut("short", 8) == "short"
    assert cut("one two three", 3) == "one two thre"
    assert cut("一二三四五", 3) == "一二三"
    assert cut("", 3) == ""


def test_the_page_about_servers_names_settings_and_options_that_exist(tmp_path: Path) -> None:
    sections = re.findall(r"^## (\w+)", SERVERS_PAGE, re.MULTILINE)
    assert {section.lower() for section in sections} >= set(remote.SERVICES["encoder"])
    names = {item.name for item in fields(Settings)}
    assert {name.lower() for name in re.findall(r"MMSEARCH_(\w+)=", SERVERS_PAGE)} <= names
    for block in re.findall(r"```toml\n(.*?)```", SERVERS_PAGE, re.DOTALL):
        if "[views" not in block:
            assert Settings(**tomllib.loads(block))
            continue
        (tmp_path / "own.toml").write_text(block, encoding="utf-8")
        profile = profiles.load(str(tmp_path / "own.toml"))
        for view in profile.views:
            profiles.create_encoder(view, profile, Settings())
        profiles.create_reranker(profile, Settings())


def test_the_commands_for_vllm_are_whole() -> None:
    served = {}
    for command in re.findall(r"```sh\n(vllm serve .*?)```", SERVERS_PAGE, re.DOTALL):
        words = shlex.split(command.replace("\\\n", " "))
        options = dict(zip(words[3::2], words[4::2], strict=True))
        assert options["--runner"] == "pooling"
        assert json.loads(options["--hf-overrides"])
        if "Reranker" in words[2]:
            assert (ROOT / options["--chat-template"]).is_file()
        served[words[2]] = options
    assert set(served) == {
        f"Qwen/Qwen3-{family}{kind}-{size}"
        for kind in ("Embedding", "Reranker")
        for family, sizes in (("VL-", ("2B", "8B")), ("", ("0.6B", "4B", "8B")))
        for size in sizes
    }
