"""A Qdrant server for tests: the REST routes that mmsearch uses, over qdrant-client's local mode.

It speaks the server's wire format on a loopback port, and misbehaves on demand:

    with QdrantServer() as server:
        server.faults.append(Fault(status=503, times=2))
        ServerIndex.open(server.url, ...)

Where an OpenAPI file of the server is at hand (`QDRANT_OPENAPI=FILE`, or `shared/` beside the
repository), every request that it does not allow is refused, unknown properties included.

Local mode (of qdrant-client 1.20; up to 1.19 it fails on points without a multivector) differs
from a server; what matters to the contract is mended here:

- it keeps no payload indexes: the schema is kept here, and a facet asks for an index as it should;
- its facets rewrite values that look like a UUID: facets are counted here;
- it answers `retrieve` in the order asked, which a server does not promise: reversed here;
- it knows no optimizer settings: they are kept here.

It forgets deleted points in the IDF at once, which a server does in its own time: tests must not
rely on it. Its errors are exceptions: they become the server's status codes here.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from qdrant_client import QdrantClient, models
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VERSION = "1.15.0"


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path contains `path`.

    `status` is answered at once, with `text` where it is no error of ours; `delay` waits that many
    seconds before the right answer; `cut` does what is asked and hangs up within the answer.
    """

    status: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    path: str = "/collections"
    times: int = 1


@dataclass(frozen=True)
class Request:
    """One request that came in."""

    method: str
    path: str
    size: int


class QdrantServer:
    """The server, on a free loopback port, in a thread of this process."""

    def __init__(self, *, api_key: str = "", version: str = VERSION) -> None:
        self.api_key = api_key
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.settings: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = Door(self, make_app(version, self.settings))
        # Cut answers make uvicorn complain; they are meant.
        config = uvicorn.Config(app, lifespan="off", log_level="critical", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> QdrantServer:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def sent(self, method: str, ending: str) -> list[Request]:
        """The requests of this method whose path ends so."""
        return [r for r in self.requests if r.method == method and r.path.endswith(ending)]

    def next_fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.path in path:
                fault.times -= 1
                return fault
        return None


class Door:
    """What a request passes before it is answered: the log, the API key, faults, the schema."""

    def __init__(self, server: QdrantServer, app: ASGIApp) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path, body = scope["method"], scope["path"], await _body(receive)
        self._server.requests.append(Request(method, path, len(body)))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        answer = self._app
        fault = self._server.next_fault(path)
        if path != "/" and headers.get("api-key", "") != self._server.api_key:
            answer = PlainTextResponse("Invalid API key or JWT", 401)
        elif fault and fault.status:
            failure = _error(fault.status, "asked to fail", fault.headers)
            answer = PlainTextResponse(fault.text, fault.status) if fault.text else failure
        elif wrong := refused(method, path, scope["query_string"].decode(), body):
            answer = _error(400, f"Format error in JSON body: {wrong}")
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        await answer(scope, _replay(body), _half(send) if fault and fault.cut else send)


def make_app(version: str, settings: dict[str, list[dict[str, Any]]]) -> FastAPI:
    """The routes. One lock for all: local mode is not made for threads.

    `settings` collects the changes of each collection's optimizer settings.
    """
    app = FastAPI()
    client = QdrantClient(":memory:")
    lock = threading.Lock()
    fields: dict[str, dict[str, str]] = defaultdict(dict)
    base = "/collections/{name}"

    def route(method: str, path: str) -> Callable[[Callable[..., Any]], None]:
        def register(answer: Callable[..., Any]) -> None:
            app.add_api_route(path, _enveloped(answer, lock), methods=[method], response_model=None)

        return register

    @app.get("/")
    def root() -> dict[str, str]:
        return {"title": "qdrant - vector search engine", "version": version}

    @route("GET", base + "/exists")
    def exists(name: str) -> dict[str, bool]:
        return {"exists": client.collection_exists(name)}

    @route("GET", base)
    def state(name: str) -> models.CollectionInfo:
        info = client.get_collection(name)
        info.payload_schema = {
            key: models.PayloadIndexInfo(data_type=kind, points=0)
            for key, kind in fields[name].items()
        }
        for change in settings[name]:
            info.config.optimizer_config = info.config.optimizer_config.model_copy(update=change)
        return info

    @route("PUT", base)
    def create(name: str, body: models.CreateCollection) -> bool:
        return client.create_collection(
            name, body.vectors, sparse_vectors_config=body.sparse_vectors
        )

    @route("PATCH", base)
    def update(name: str, body: models.UpdateCollection) -> bool:
        if body.optimizers_config:
            settings[name].append(body.optimizers_config.model_dump(exclude_none=True))
        return True

    @route("PUT", base + "/index")
    def index(name: str, body: models.CreateFieldIndex) -> models.UpdateResult:
        client.get_collection(name)
        fields[name][body.field_name] = str(body.field_schema.value)
        return models.UpdateResult(status=models.UpdateStatus.COMPLETED)

    @route("PUT", base + "/points")
    def upsert(name: str, body: models.PointsList) -> models.UpdateResult:
        return client.upsert(name, body.points)

    @route("PUT", base + "/points/vectors")
    def vectors(name: str, body: models.UpdateVectors) -> models.UpdateResult:
        return client.update_vectors(name, body.points)

    @route("POST", base + "/points/payload")
    def payload(name: str, body: models.SetPayload) -> models.UpdateResult:
        return client.set_payload(name, body.payload, points=body.filter)

    @route("POST", base + "/points/delete")
    def delete(name: str, body: models.FilterSelector) -> models.UpdateResult:
        return client.delete(name, body)

    @route("POST", base + "/points")
    def retrieve(name: str, body: models.PointRequest) -> list[models.Record]:
        return client.retrieve(name, body.ids, body.with_payload, body.with_vector or False)[::-1]

    @route("POST", base + "/points/scroll")
    def scroll(name: str, body: models.ScrollRequest) -> models.ScrollResult:
        points, following = client.scroll(
            name,
            body.filter,
            limit=body.limit or 10,
            offset=body.offset,
            with_payload=body.with_payload,
            with_vectors=body.with_vector or False,
        )
        return models.ScrollResult(points=points, next_page_offset=following)

    @route("POST", base + "/points/count")
    def count(name: str, body: models.CountRequest) -> models.CountResult:
        return client.count(name, body.filter)

    @route("POST", base + "/points/query/batch")
    def query(name: str, body: models.QueryRequestBatch) -> list[models.QueryResponse]:
        return client.query_batch_points(name, body.searches)

    @route("POST", base + "/facet")
    def facet(name: str, body: models.FacetRequest) -> models.FacetResponse:
        kind = {"keyword": str, "integer": int}.get(fields[name].get(body.key, ""))
        if kind is None:
            raise ValueError(f"No appropriate index for faceting: `{body.key}`")
        counted: Counter[str | int] = Counter()
        for point in client.scroll(name, body.filter, limit=10**6, with_payload=[body.key])[0]:
            value = (point.payload or {}).get(body.key)
            values = value if isinstance(value, list) else [value]
            counted.update({item for item in values if type(item) is kind})
        hits = sorted(counted.items(), key=lambda hit: (-hit[1], hit[0]))[: body.limit or 10]
        return models.FacetResponse(
            hits=[models.FacetValueHit(value=value, count=number) for value, number in hits]
        )

    return app


def _enveloped(answer: Callable[..., Any], lock: threading.Lock) -> Callable[..., JSONResponse]:
    """`answer` with its result in the server's envelope, and its exceptions as status codes."""

    def endpoint(**arguments: Any) -> JSONResponse:
        try:
            with lock:
                result = _json(answer(**arguments))
        except (KeyError, ValueError) as error:
            text = str(error)
            if isinstance(error, KeyError):
                return _error(404, f"Not found: No point with id {text} found")
            if "not found" in text and text.startswith("Collection"):
                return _error(404, f"Not found: {text}")
            return _error(409 if "already exists" in text else 400, f"Wrong input: {text}")
        return JSONResponse({"result": result, "status": "ok", "time": 0.0})

    # FastAPI reads from the signature what to parse.
    endpoint.__signature__ = inspect.signature(answer, eval_str=True)  # type: ignore[attr-defined]
    return endpoint


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"status": {"error": text}, "time": 0.0}, status, headers)


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


def _half(send: Send) -> Send:
    """Send half of the body that was announced, then nothing: the connection is closed."""

    async def cut(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            body = message["body"]
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return cut


def has_openapi() -> bool:
    return _openapi() is not None


@cache
def _openapi() -> dict[str, Any] | None:
    default = Path(__file__).parents[2] / "shared" / "qdrant-openapi.json"
    path = Path(os.environ.get("QDRANT_OPENAPI", default))
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def refused(method: str, path: str, query: str, body: bytes) -> str:
    """Why the server's OpenAPI file does not allow the request; empty where it does."""
    document = _openapi()
    if document is None:
        return ""
    found = _operation(method.lower(), path)
    if found is None:
        return f"no such route: {method} {path}"
    pattern, operation = found
    known = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
    unknown = [name for name, _ in parse_qsl(query) if name not in known]
    if unknown:
        return f"{method} {pattern}: no query parameter {unknown[0]!r}"
    if "requestBody" not in operation:
        return f"{method} {pattern}: takes no body" if body else ""
    error = jsonschema.exceptions.best_match(
        _validator(method.lower(), pattern).iter_errors(json.loads(body))
    )
    return f"{method} {pattern}: {error.json_path}: {error.message[:200]}" if error else ""


@cache
def _operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The route of a path, and what the file says of this method there."""
    for pattern, operations in (_openapi() or {})["paths"].items():
        if method in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path):
            return pattern, operations[method]
    return None


@cache
def _validator(method: str, pattern: str) -> jsonschema.Draft202012Validator:
    document = _openapi() or {}
    body = document["paths"][pattern][method]["requestBody"]["content"]["application/json"]
    return jsonschema.Draft202012Validator(
        {**_strict(body["schema"]), "components": _strict_components()}
    )


@cache
def _strict_components() -> dict[str, Any]:
    schemas = (_openapi() or {})["components"]["schemas"]
    return {"schemas": {name: _strict(schema) for name, schema in schemas.items()}}


def _strict(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: `nullable` as a type, no unknown properties."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema == {"nullable": True}:
        return {"type": "null"}
    strict = {key: _strict(value) for key, value in schema.items() if key != "example"}
    if strict.pop("nullable", None) is True and "type" in strict:
        strict["type"] = [strict["type"], "null"]
    if "properties" in strict and "type" in strict:
        strict.setdefault("additionalProperties", False)
    return strict
