"""A model server for tests: vLLM's, TEI's, Ollama's and DashScope's routes, without a model.

It speaks each service's wire format on a loopback port and refuses, with the service's own error,
every request of another form. It misbehaves on demand:

    with ModelServer("vllm", "Qwen/Qwen3-VL-Embedding-2B") as server:
        server.faults.append(Fault(status=503, times=2))
        connect(Settings(encoder_service="vllm", encoder_url=server.url), "encoder")

Vectors follow from the content: each word and each picture has a direction of its own, and the
vector is their sum, so that texts with words in common are near each other. As of a Matryoshka
model, a shorter vector is the beginning of the longer one. A page's score is the share of the
query's words that it holds; a picture scores by its bytes. Whatever holds `REFUSED` is refused.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REFUSED = "too long for this model"
WIDTH = 2048  # dimensions of the models served


@dataclass
class Fault:
    """What goes wrong with the next `times` requests for vectors or scores.

    `status` is answered at once, with `headers`, and `text` where it is no error of the service's
    own; `delay` waits that many seconds before the right answer; `cut` hangs up within it; `spoil`
    changes the JSON of the right answer.
    """

    status: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    spoil: Callable[[Any], Any] | None = None
    times: int = 1


@dataclass(frozen=True)
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: Any


class ModelServer:
    """The server, on a free loopback port, in a thread of this process.

    `requests` holds what came in, without the questions for the model's name. `busiest` is the
    most requests that were under way at once.
    """

    def __init__(
        self, service: str, model: str, *, key: str = "", width: int = WIDTH, pause: float = 0.0
    ) -> None:
        self.service, self.model, self.key = service, model, key
        self.width, self.pause = width, pause
        self.faults: list[Fault] = []
        self.requests: list[Received] = []
        self.under_way = self.busiest = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        # Cut answers make uvicorn complain; they are meant.
        config = uvicorn.Config(
            Door(self, make_app(self)), lifespan="off", log_level="critical", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> ModelServer:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def next_fault(self) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error as this service words it."""
        body: dict[str, Any]
        match self.service:
            case "vllm":
                kind = "NotFoundError" if status == 404 else "BadRequestError"
                body = {"error": {"message": message, "type": kind, "param": None, "code": status}}
            case "tei":
                body = {"error": message, "error_type": "Validation"}
            case "ollama":
                body = {"error": message}
            case _:
                body = {"code": "InvalidParameter", "message": message, "request_id": "r-1"}
        return JSONResponse(body, status, headers)


class Door:
    """What a request passes before it is answered: the key, the log, faults."""

    def __init__(self, server: ModelServer, app: ASGIApp) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._server
        body = await _body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if server.key and headers.get("authorization") != f"Bearer {server.key}":
            status = 401
            await server.error(status, "Incorrect API key provided")(scope, receive, send)
            return
        if scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        server.requests.append(Received(scope["path"], headers, json.loads(body)))
        server.under_way += 1
        server.busiest = max(server.busiest, server.under_way)
        try:
            await self._answer(scope, body, send, server.next_fault() or Fault())
        finally:
            server.under_way -= 1

    async def _answer(self, scope: Scope, body: bytes, send: Send, fault: Fault) -> None:
        await asyncio.sleep(fault.delay + self._server.pause)
        app = self._app
        if fault.text:
            app = Response(fault.text, fault.status or 200, fault.headers, "text/html")
        elif fault.status:
            app = self._server.error(fault.status, "asked to fail", fault.headers)
        door = _cut(send) if fault.cut else _spoilt(send, fault.spoil) if fault.spoil else send
        await app(scope, _replay(body), door)


def make_app(server: ModelServer) -> FastAPI:
    """The routes of the server's one service."""
    app = FastAPI()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return server.error(422 if server.service == "tei" else 400, f"{where}: {first['msg']}")

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return server.error(refusal.status, str(refusal))

    {"vllm": _vllm, "tei": _tei, "ollama": _ollama, "dashscope": _dashscope}[server.service](
        app, server
    )
    return app


class Refusal(Exception):
    """A request of the right form that the model can't take."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Exact(BaseModel):
    """A part of a request in which nothing else may stand."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _jpeg(url: str) -> str:
    head, _, data = url.partition(",")
    if head != "data:image/jpeg;base64" or not base64.b64decode(data).startswith(b"\xff\xd8"):
        raise ValueError("no picture")
    return url


Picture = Annotated[str, BeforeValidator(_jpeg)]


class Url(Exact):
    url: Picture


class TextPart(Exact):
    type: Literal["text"]
    text: str


class PicturePart(Exact):
    type: Literal["image_url"]
    image_url: Url


Part = TextPart | PicturePart


class Turn(Exact):
    role: Literal["system", "user", "assistant"]
    content: list[Part]


class VllmChat(Exact):
    model: str
    encoding_format: Literal["float"] = "float"
    dimensions: int | None = None
    messages: list[Turn]
    continue_final_message: bool = False
    add_special_tokens: bool = False


class VllmText(Exact):
    model: str
    encoding_format: Literal["float"] = "float"
    dimensions: int | None = None
    input: list[str]
    truncate_prompt_tokens: Annotated[int, Field(ge=-1)] | None = None


class Content(Exact):
    content: list[Part]


class VllmRerank(Exact):
    model: str
    query: str | Content
    documents: list[str | Content]
    instruction: str | None = None
    top_n: int = 0


def _vllm(app: FastAPI, server: ModelServer) -> None:
    @app.get("/v1/models")
    async def models() -> Any:
        return {"object": "list", "data": [{"id": server.model, "object": "model"}]}

    @app.post("/v1/embeddings")
    async def embed(body: VllmChat | VllmText) -> Any:
        _known(server, body.model)
        contents = body.input if isinstance(body, VllmText) else [_conversation(body)]
        data = [
            {"index": n, "object": "embedding", "embedding": vector}
            for n, vector in enumerate(_vectors(server, contents, body.dimensions))
        ]
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        return {"id": "embd-1", "object": "list", "created": 1, "data": data, "usage": usage}

    @app.post("/v1/rerank")
    async def rerank(body: VllmRerank) -> Any:
        _known(server, body.model)
        scores = _scores(_flat(body.query), [_flat(d) for d in body.documents])
        return {
            "id": "rerank-1",
            "model": server.model,
            "usage": {"prompt_tokens": 9, "total_tokens": 9},
            "results": [
                {"index": n, "document": {"text": None}, "relevance_score": score}
                for n, score in scores[: body.top_n or None]
            ],
        }


def _conversation(body: VllmChat) -> str:
    """What the user's turn says; the other turns have to be there."""
    if [message.role for message in body.messages] != ["system", "user", "assistant"]:
        raise Refusal("three turns are expected")
    if not (body.continue_final_message and body.add_special_tokens):
        raise Refusal("the prompt would not end as it should")
    return _flat(Content(content=body.messages[1].content))


class TeiEmbed(Exact):
    inputs: list[str]
    normalize: bool = True
    truncate: bool = False
    dimensions: int | None = None


class TeiRerank(Exact):
    query: str
    texts: list[str]
    raw_scores: bool = False
    return_text: bool = False
    truncate: bool = False


def _tei(app: FastAPI, server: ModelServer) -> None:
    @app.get("/info")
    async def info() -> Any:
        return {"model_id": server.model, "max_client_batch_size": 32}

    @app.post("/embed")
    async def embed(body: TeiEmbed) -> Any:
        if len(body.inputs) > 32:
            raise Refusal("batch size > maximum allowed batch size 32", 413)
        return _vectors(server, body.inputs, body.dimensions)

    @app.post("/rerank")
    async def rerank(body: TeiRerank) -> Any:
        if len(body.texts) > 32:
            raise Refusal("batch size > maximum allowed batch size 32", 413)
        return [{"index": n, "score": score} for n, score in _scores(body.query, body.texts)]


class OllamaEmbed(Exact):
    model: str
    input: list[str]
    truncate: bool = True
    dimensions: int | None = None


def _ollama(app: FastAPI, server: ModelServer) -> None:
    @app.get("/api/tags")
    async def tags() -> Any:
        return {"models": [{"name": server.model, "model": server.model}]}

    @app.post("/api/embed")
    async def embed(body: OllamaEmbed) -> Any:
        _known(server, body.model)
        return {
            "model": server.model,
            "embeddings": _vectors(server, body.input, body.dimensions),
            "total_duration": 1,
            "load_duration": 1,
            "prompt_eval_count": 8,
        }


class DashScopeTexts(Exact):
    texts: Annotated[list[str], Field(max_length=10)]


class DashScopeTextParameters(Exact):
    dimension: int = 1024
    text_type: Literal["query", "document"] = "document"
    instruct: str | None = None
    output_type: Literal["dense"] = "dense"


class DashScopeText(Exact):
    model: str
    input: DashScopeTexts
    parameters: DashScopeTextParameters


class DashScopeItem(Exact):
    text: str | None = None
    image: Picture | None = None


class DashScopeContents(Exact):
    contents: Annotated[list[DashScopeItem], Field(min_length=1, max_length=20)]


class DashScopePictureParameters(Exact):
    dimension: int = 2560
    enable_fusion: bool = False
    instruct: str | None = None


class DashScopePictures(Exact):
    model: str
    input: DashScopeContents
    parameters: DashScopePictureParameters


class DashScopePairs(Exact):
    query: str | DashScopeItem
    documents: list[str | DashScopeItem]


class DashScopeRerankParameters(Exact):
    top_n: int | None = None
    return_documents: bool = False
    instruct: str | None = None


class DashScopeRerank(Exact):
    model: str
    input: DashScopePairs
    parameters: DashScopeRerankParameters


def _dashscope(app: FastAPI, server: ModelServer) -> None:
    base = "/api/v1/services"

    @app.post(f"{base}/embeddings/text-embedding/text-embedding")
    async def texts(body: DashScopeText) -> Any:
        _known(server, body.model)
        made = _vectors(server, body.input.texts, body.parameters.dimension)
        items = [{"text_index": n, "embedding": vector} for n, vector in enumerate(made)]
        return {"output": {"embeddings": items}, "usage": {"total_tokens": 9}, "request_id": "r"}

    @app.post(f"{base}/embeddings/multimodal-embedding/multimodal-embedding")
    async def pictures(body: DashScopePictures) -> Any:
        _known(server, body.model)
        contents = [_item(item) for item in body.input.contents]
        if body.parameters.enable_fusion:
            contents = [" ".join(contents)]
        made = _vectors(server, contents, body.parameters.dimension)
        items = [{"index": n, "embedding": v, "type": "vl"} for n, v in enumerate(made)]
        return {"output": {"embeddings": items}, "usage": {"input_tokens": 9}, "request_id": "r"}

    @app.post(f"{base}/rerank/text-rerank/text-rerank")
    async def rerank(body: DashScopeRerank) -> Any:
        _known(server, body.model)
        sides = [body.input.query, *body.input.documents]
        if any(isinstance(side, str) == ("-vl-" in body.model) for side in sides[1:]):
            raise Refusal("documents are strings for text models, else objects")
        query, *documents = [side if isinstance(side, str) else _item(side) for side in sides]
        results = [
            {"index": n, "relevance_score": score}
            for n, score in _scores(query, documents)[: body.parameters.top_n]
        ]
        return {"output": {"results": results}, "usage": {"total_tokens": 9}, "request_id": "r"}


def _known(server: ModelServer, model: str) -> None:
    if model != server.model:
        raise Refusal(f"The model `{model}` does not exist.", 404)


def _flat(content: str | Content) -> str:
    """Words, and in place of each picture a word of its own."""
    if isinstance(content, str):
        return content
    return " ".join(
        part.text if isinstance(part, TextPart) else part.image_url.url for part in content.content
    )


def _item(item: DashScopeItem) -> str:
    return " ".join(part for part in (item.image, item.text) if part)


def _words(content: str) -> list[str]:
    if REFUSED in content:
        raise Refusal(f"This is {REFUSED}.")
    return re.findall(r"data:image/jpeg;base64,\S+|\w+", content.lower())


def _vectors(server: ModelServer, contents: list[str], dimensions: int | None) -> list[list[float]]:
    made = []
    for content in contents:
        vector = sum((_direction(word, server.width) for word in _words(content)), np.zeros(1))
        vector = np.resize(vector, server.width)[: dimensions or server.width]
        made.append((vector / np.linalg.norm(vector)).tolist())
    return made


def _direction(word: str, width: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=width)


def _scores(query: str, documents: list[str]) -> list[tuple[int, float]]:
    """Index and score of each document, the best first."""
    wanted = set(_words(query))
    scores = [len(wanted & set(_words(document))) / len(wanted) for document in documents]
    return sorted(enumerate(scores), key=lambda pair: -pair[1])


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _cut(send: Send) -> Send:
    """Promise a whole answer, give half of it and hang up."""

    async def half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionResetError
        await send(message)

    return half


def _spoilt(send: Send, spoil: Callable[[Any], Any]) -> Send:
    async def changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            message = {**message, "headers": kept}
        elif message["type"] == "http.response.body" and message.get("body"):
            answer = spoil(json.loads(message["body"]))
            message = {**message, "body": json.dumps(answer).encode()}
        await send(message)

    return changed
