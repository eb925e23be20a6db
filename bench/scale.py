"""How should the passages of a page be stored in Qdrant Edge?

A page has a handful of passages, each one 384-d unit vector; its score for a query is its best
passage (MAX_SIM). This script stores the same synthetic corpus in different ways and prints, for
each: insert and optimise time, size, memory, latency of three searches (everything, a filter that
selects about 10 % of the pages, and the hybrid request of a text query) and recall against exact
float32 NumPy, before and after the optimiser has run. CPU time a search is printed too, because
wall time means little on a shared machine.

    python -m bench.scale --pages 10000
    python -m bench.scale --pages 100000 --variants multi-f16-turbo4 multi-f16-int8 --json

Every phase of a variant runs in a process of its own, so memory is that phase's alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

DIM = 384
PASSAGES = 6  # a page
LATENT = 128  # dimensions in which the meaning lives; the rest of a vector is noise
TOPICS = 3000
VOCABULARY = 100_000
TOKENS = 190  # a page; about 120 different ones
QUERY_TERMS = 6
KINDS = 10  # so a filter on one kind keeps about 10 % of the pages
READY = 0.95  # fraction of the pages that may be seen
LIMIT, HYBRID_LIMIT, RECALL_AT = 50, 100, 10
# A passage shard returns several passages of one page, so it is asked for more.
PASSAGE_OVERSAMPLING = 4
BATCH = 256
PASSAGE_ID_STEP = 16  # passage id = page * step + number, so no payload is read to find the page
PLAIN = edge.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10_000_000)


@dataclass(frozen=True)
class Variant:
    """One way to store the passages of a page."""

    layout: str  # "multi": one multivector a page; "points": passages in a shard of their own
    datatype: str = "Float32"
    hnsw: edge.HnswIndexConfig = PLAIN
    quantization: Callable[[], Any] | None = None
    oversampling: float | None = None  # candidates rescored with the stored vectors, per result
    rescore: bool = True
    segments: int | None = None  # that the optimiser leaves; default: by the number of cores
    max_segment_kb: int | None = None
    optimise_every: int | None = None  # pages; default: once, at the end


def _graph(m: int = 16, ef_construct: int = 100) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=10_000)


# Quantised vectors are mapped, not copied: opening an optimised shard is several times faster and
# searching it as fast.
def _int8() -> edge.ScalarQuantizationConfig:
    return edge.ScalarQuantizationConfig(
        edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Cached
    )


def _binary() -> edge.BinaryQuantizationConfig:
    return edge.BinaryQuantizationConfig(memory=edge.Memory.Cached)


def _turbo(bits: str) -> Callable[[], edge.TurboQuantQuantizationConfig]:
    size = getattr(edge.TurboQuantBitSize, bits)
    return lambda: edge.TurboQuantQuantizationConfig(bits=size, memory=edge.Memory.Cached)


VARIANTS = {
    "multi-f32": Variant("multi"),
    "multi-f16": Variant("multi", "Float16"),
    "multi-turbo8": Variant("multi", "Turbo8"),
    "multi-turbo16": Variant("multi", "Turbo16"),
    "multi-f32-hnsw": Variant("multi", hnsw=_graph()),
    "multi-f16-hnsw": Variant("multi", "Float16", _graph()),
    "multi-f16-hnsw-m8": Variant("multi", "Float16", _graph(8, 32)),
    "multi-f16-int8-hnsw": Variant("multi", "Float16", _graph(), _int8, 2.0),
    "multi-f16-turbo4-hnsw-m8": Variant("multi", "Float16", _graph(8, 32), _turbo("Bits4"), 2.0),
    "multi-f32-int8": Variant("multi", "Float32", PLAIN, _int8, 2.0),
    "multi-f16-int8": Variant("multi", "Float16", PLAIN, _int8, 2.0),
    "multi-f16-binary": Variant("multi", "Float16", PLAIN, _binary, 6.0),
    "multi-f32-binary": Variant("multi", "Float32", PLAIN, _binary, 6.0),
    "multi-f16-turbo2": Variant("multi", "Float16", PLAIN, _turbo("Bits2"), 3.0),
    "multi-f16-turbo4": Variant("multi", "Float16", PLAIN, _turbo("Bits4"), 2.0),
    "multi-f32-turbo4": Variant("multi", "Float32", PLAIN, _turbo("Bits4"), 2.0),
    "multi-turbo16-turbo4": Variant("multi", "Turbo16", PLAIN, _turbo("Bits4"), 2.0),
    # One thread searches a segment, so several segments use several cores; the engine never
    # splits one, it only stops merging them at the size given.
    "multi-f16-turbo4-parts": Variant(
        "multi",
        "Float16",
        PLAIN,
        _turbo("Bits4"),
        2.0,
        segments=2,
        max_segment_kb=100_000,
        optimise_every=20_000,
    ),
    "points-f32": Variant("points"),
    "points-f16": Variant("points", "Float16"),
    "points-f32-hnsw": Variant("points", hnsw=_graph()),
    "points-f16-hnsw": Variant("points", "Float16", _graph()),
    "points-f16-int8-hnsw": Variant("points", "Float16", _graph(), _int8, 2.0),
    "points-f16-int8": Variant("points", "Float16", PLAIN, _int8, 2.0),
    "points-f16-binary": Variant("points", "Float16", PLAIN, _binary, 6.0),
    "points-f16-turbo4": Variant("points", "Float16", PLAIN, _turbo("Bits4"), 2.0),
}


# The corpus -------------------------------------------------------------------------------------


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return unit


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, dtype=np.float32)


def make_vectors(folder: Path, pages: int, queries: int, seed: int) -> None:
    """Write `passages.npy` (pages, PASSAGES, DIM) and `queries.npy` (queries, DIM), unit rows.

    Topics are clusters, the passages of a page lie near each other, and a query lies near one
    passage, all in a space of few strong directions: nearest neighbours are neither obvious nor
    arbitrary, as with real text.
    """
    rng = np.random.default_rng(seed)
    spectrum = (np.arange(1, LATENT + 1, dtype=np.float32) ** -0.4)[:, None]
    basis = np.linalg.qr(_normal(rng, DIM, LATENT))[0].T.astype(np.float32) * spectrum
    topics = _normal(rng, TOPICS, LATENT)
    passages = np.lib.format.open_memmap(
        folder / "passages.npy", mode="w+", dtype=np.float32, shape=(pages, PASSAGES, DIM)
    )
    for start in range(0, pages, 4096):
        count = min(4096, pages - start)
        page = 0.7 * topics[rng.integers(0, TOPICS, count)] + 0.7 * _normal(rng, count, LATENT)
        latent = 0.75 * page[:, None] + 0.66 * _normal(rng, count, PASSAGES, LATENT)
        noise = 0.02 * _normal(rng, count, PASSAGES, DIM)
        passages[start : start + count] = _unit(latent @ basis + noise)
    chosen = passages[rng.integers(0, pages, queries), rng.integers(0, PASSAGES, queries)]
    wander = _unit(_normal(rng, queries, LATENT) @ basis)
    np.save(folder / "queries.npy", _unit(0.75 * chosen + 0.66 * wander))
    passages.flush()


def make_terms(folder: Path, pages: int, queries: int, seed: int) -> None:
    """Write sparse BM25-like page vectors (CSR: indptr, terms, weights) and query terms.

    Term frequencies follow Zipf's law and common words are kept, the slow case for a sparse index.
    """
    rng = np.random.default_rng(seed + 1)
    odds = 1 / (np.arange(VOCABULARY) + 2.7)
    cumulative = np.cumsum(odds / odds.sum())
    drawn = np.searchsorted(cumulative, rng.random((pages, TOKENS), dtype=np.float32))
    drawn = np.sort(np.minimum(drawn, VOCABULARY - 1), axis=1)
    first = np.ones(drawn.shape, dtype=bool)
    first[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, drawn.size)).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(first.sum(axis=1))])
    terms = drawn.ravel()[starts]
    weights = counts * 2.2 / (counts + 1.2)
    np.savez(folder / "terms.npz", indptr=indptr, terms=terms, weights=weights)
    rows = rng.integers(0, pages, queries)
    asked = [
        rng.choice(terms[indptr[row] : indptr[row + 1]], QUERY_TERMS, replace=False) for row in rows
    ]
    np.save(folder / "query_terms.npy", np.array(asked))


def make_fields(folder: Path, pages: int, seed: int) -> None:
    """Write what is filtered on: `ready` (0 or 1) and `kind` (0 .. KINDS - 1) of each page."""
    rng = np.random.default_rng(seed + 2)
    ready = (rng.random(pages) < READY).astype(np.int64)
    np.savez(folder / "fields.npz", ready=ready, kind=rng.integers(0, KINDS, pages))


def exact_pages(folder: Path, keep: NDArray[np.bool_] | None = None) -> tuple[Ints, Floats]:
    """The RECALL_AT best pages of each query, best first, and their scores (float32, exact)."""
    passages = np.load(folder / "passages.npy", mmap_mode="r")
    queries = np.load(folder / "queries.npy")
    scores = np.empty((len(queries), len(passages)), dtype=np.float32)
    for start in range(0, len(passages), 8192):
        block = np.asarray(passages[start : start + 8192]).reshape(-1, DIM)
        best = (queries @ block.T).reshape(len(queries), -1, PASSAGES).max(axis=2)
        scores[:, start : start + 8192] = best
    if keep is not None:
        scores[:, ~keep] = -np.inf
    order = np.argsort(-scores, axis=1)[:, :RECALL_AT]
    return order, np.take_along_axis(scores, order, axis=1)


def make_corpus(folder: Path, pages: int, queries: int, seed: int) -> None:
    """Write the corpus and the exact answers to `folder`."""
    make_vectors(folder, pages, queries, seed)
    make_terms(folder, pages, queries, seed)
    make_fields(folder, pages, seed)
    fields = np.load(folder / "fields.npz")
    everything, scores = exact_pages(folder)
    filtered, _ = exact_pages(folder, (fields["ready"] == 1) & (fields["kind"] == 0))
    np.savez(folder / "exact.npz", all=everything, scores=scores, filtered=filtered)


# Storing it -------------------------------------------------------------------------------------


def _dense(variant: Variant) -> edge.EdgeVectorParams:
    multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.EdgeVectorParams(
        size=DIM,
        distance=edge.Distance.Dot,
        multivector_config=multi if variant.layout == "multi" else None,
        datatype=getattr(edge.VectorStorageDatatype, variant.datatype),
        quantization_config=variant.quantization() if variant.quantization else None,
        hnsw_config=variant.hnsw,
    )


def _config(variant: Variant, *, dense: bool, sparse: bool) -> edge.EdgeConfig:
    lexical = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
    return edge.EdgeConfig(
        vectors={"text": _dense(variant)} if dense else None,
        sparse_vectors={"lexical": lexical} if sparse else None,
        optimizers=edge.EdgeOptimizersConfig(
            default_segment_number=variant.segments, max_segment_size=variant.max_segment_kb
        ),
    )


def _create(path: Path, config: edge.EdgeConfig) -> edge.EdgeShard:
    path.mkdir(parents=True)
    shard = edge.EdgeShard.create(str(path), config)
    # An integer, because MatchValue(True) reaches the engine as the number 1 and matches no bool.
    for field, schema in (
        ("ready", edge.PayloadSchemaType.Integer),
        ("kind", edge.PayloadSchemaType.Keyword),
    ):
        shard.update(edge.UpdateOperation.create_field_index(field, schema))
    return shard


def _upsert(shard: edge.EdgeShard, points: Sequence[edge.Point]) -> None:
    for start in range(0, len(points), BATCH):
        shard.update(edge.UpdateOperation.upsert_points(list(points[start : start + BATCH])))


class Corpus:
    """The corpus on disk, read page by page."""

    def __init__(self, folder: Path, text_bytes: int) -> None:
        self.passages = np.load(folder / "passages.npy", mmap_mode="r")
        terms = np.load(folder / "terms.npz")
        self.indptr, self.terms, self.weights = terms["indptr"], terms["terms"], terms["weights"]
        fields = np.load(folder / "fields.npz")
        self.ready, self.kind = fields["ready"], fields["kind"]
        self.text = ("lorem ipsum dolor sit amet " * (text_bytes // 27 + 2))[: text_bytes + 100]

    def payload(self, page: int, *, text: bool) -> dict[str, Any]:
        """The fields of a page; `text` adds the page's text, which is never filtered on."""
        fields = {"page": page, "ready": int(self.ready[page]), "kind": f"k{self.kind[page]}"}
        return fields | {"text": self.text[page % 100 :]} if text else fields

    def sparse(self, page: int) -> edge.SparseVector:
        """BM25-like weights of a page."""
        row = slice(self.indptr[page], self.indptr[page + 1])
        return edge.SparseVector(self.terms[row].tolist(), self.weights[row].tolist())

    def page_point(self, page: int, *, dense: bool) -> edge.Point:
        """A page with its sparse vector and, if `dense`, its passages."""
        vector: dict[str, Any] = {"lexical": self.sparse(page)}
        if dense:
            vector["text"] = self.passages[page].tolist()
        return edge.Point(page, vector, self.payload(page, text=True))

    def passage_points(self, page: int) -> list[edge.Point]:
        """The passages of a page as points of their own."""
        payload = self.payload(page, text=False)
        return [
            edge.Point(page * PASSAGE_ID_STEP + number, {"text": row.tolist()}, payload)
            for number, row in enumerate(self.passages[page])
        ]


def build(variant: Variant, corpus: Corpus, folder: Path) -> dict[str, float]:
    """Insert everything; seconds of inserting, and of optimising on the way if asked for."""
    multi = variant.layout == "multi"
    started, optimised = time.perf_counter(), 0.0
    pages = _create(folder / "pages", _config(variant, dense=multi, sparse=True))
    rest = [pages]
    if not multi:
        rest.append(_create(folder / "passages", _config(variant, dense=True, sparse=False)))
    for start in range(0, len(corpus.passages), BATCH):
        numbers = range(start, min(start + BATCH, len(corpus.passages)))
        _upsert(pages, [corpus.page_point(page, dense=multi) for page in numbers])
        if not multi:
            _upsert(rest[1], [point for page in numbers for point in corpus.passage_points(page)])
        if variant.optimise_every and numbers.stop % variant.optimise_every < BATCH:
            optimised += sum(_optimise(shard) for shard in rest)
    for shard in rest:
        shard.flush()
        shard.close()
    return {"insert_s": time.perf_counter() - started - optimised, "optimised_s": optimised}


def _optimise(shard: edge.EdgeShard) -> float:
    started = time.perf_counter()
    shard.optimize()
    shard.flush()
    return time.perf_counter() - started


def optimise(folder: Path) -> dict[str, float]:
    """Run the optimiser of every shard in `folder`; wall and CPU seconds."""
    spent, cpu = 0.0, time.process_time()
    for path in sorted(folder.iterdir()):
        shard = edge.EdgeShard.load(str(path))
        spent += _optimise(shard)
        shard.close()
    return {"optimise_s": spent, "optimise_cpu_s": time.process_time() - cpu}


# Searching it -----------------------------------------------------------------------------------


def _match(field: str, value: str | int) -> edge.FieldCondition:
    return edge.FieldCondition(field, match=edge.MatchValue(value))


ONLY_READY = edge.Filter(must=[_match("ready", 1)])
ONLY_KIND = edge.Filter(must=[_match("ready", 1), _match("kind", "k0")])


class Searcher:
    """Opened shards of one variant and the requests made to them."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        self.pages = edge.EdgeShard.load(str(folder / "pages"))
        self.multi = variant.layout == "multi"
        self.dense = self.pages
        if not self.multi:
            self.dense = edge.EdgeShard.load(str(folder / "passages"))
        self.params = edge.SearchParams(
            quantization=edge.QuantizationSearchParams(
                rescore=variant.rescore, oversampling=variant.oversampling
            )
            if variant.quantization
            else None
        )

    def _request(self, vector: Floats, limit: int, only: edge.Filter | None) -> edge.QueryRequest:
        return edge.QueryRequest(
            limit=limit if self.multi else limit * PASSAGE_OVERSAMPLING,
            query=edge.Query.Nearest(vector.tolist(), using="text"),
            filter=only,
            params=self.params,
        )

    def _best(self, points: list[edge.ScoredPoint], limit: int) -> dict[int, float]:
        if self.multi:
            return {int(str(point.id)): point.score for point in points}
        best: dict[int, float] = {}
        for point in points:
            best.setdefault(int(str(point.id)) // PASSAGE_ID_STEP, point.score)
        return dict(list(best.items())[:limit])

    def search(self, vector: Floats, only: edge.Filter | None = None) -> dict[int, float]:
        """Page -> score of the LIMIT best pages, best first."""
        return self._best(self.dense.query(self._request(vector, LIMIT, only)), LIMIT)

    def hybrid(self, vector: Floats, terms: Ints) -> None:
        """The request of a text query: dense and sparse candidates among the ready pages."""
        ones = [1.0] * len(terms)
        lexical = edge.QueryRequest(
            limit=HYBRID_LIMIT,
            query=edge.Query.Nearest(edge.SparseVector(terms.tolist(), ones), using="lexical"),
            filter=ONLY_READY,
            # Without a corpus the IDF also counts deleted and replaced pages until they are
            # vacuumed, so scores would depend on history.
            params=edge.SearchParams(idf=edge.IdfParams(corpus=ONLY_READY)),
        )
        dense = self._request(vector, HYBRID_LIMIT, ONLY_READY)
        if self.multi:
            self.pages.query_batch(edge.QueryBatchRequest([dense, lexical]))
        else:
            self._best(self.dense.query(dense), HYBRID_LIMIT)
            self.pages.query(lexical)


def _timed(name: str, calls: Sequence[Callable[[], Any]]) -> tuple[list[Any], dict[str, float]]:
    """Results of the calls, and milliseconds of one: p50, p95 and mean CPU of all threads.

    CPU time says what a search costs where other processes share the machine.
    """
    for call in calls[:10]:  # warm up
        call()
    answers, spent, cpu = [], [], time.process_time()
    for call in calls:
        started = time.perf_counter()
        answers.append(call())
        spent.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent, (50, 95)).tolist()
    mean_cpu = (time.process_time() - cpu) * 1000 / len(calls)
    return answers, {f"{name}_p50": p50, f"{name}_p95": p95, f"{name}_cpu": mean_cpu}


def _recall(answers: Sequence[dict[int, float]], exact: Ints) -> float:
    found = [
        len(set(list(answer)[:RECALL_AT]) & set(row.tolist())) / RECALL_AT
        for answer, row in zip(answers, exact, strict=True)
    ]
    return float(np.mean(found))


def _score_error(answers: Sequence[dict[int, float]], exact: Ints, scores: Floats) -> float:
    """Largest difference between a returned score and the exact one, over the exact best pages."""
    return max(
        abs(answer[page] - float(score))
        for answer, row, line in zip(answers, exact, scores, strict=True)
        for page, score in zip(row.tolist(), line, strict=True)
        if page in answer
    )


def _memory_mb() -> dict[str, float]:
    """Resident memory of this process in MB: its own (anon) and mapped files."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        name: int(fields[key].split()[0]) / 1000
        for name, key in (("anon_mb", "RssAnon"), ("file_mb", "RssFile"))
    }


def _disk_mb(folder: Path) -> float:
    """Blocks in use, not lengths: the engine preallocates sparse files."""
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file()) / 1e6


def measure(variant: Variant, corpus: Path, folder: Path) -> dict[str, Any]:
    """Latency, recall and memory of a stored variant."""
    baseline = _memory_mb()["anon_mb"]
    started = time.perf_counter()
    searcher = Searcher(variant, folder)
    load_s = time.perf_counter() - started
    queries, terms = np.load(corpus / "queries.npy"), np.load(corpus / "query_terms.npy")
    exact = np.load(corpus / "exact.npz")
    pairs = list(zip(queries, terms, strict=True))
    answers, times = _timed("all", [partial(searcher.search, q) for q in queries])
    some, some_times = _timed("filter", [partial(searcher.search, q, ONLY_KIND) for q in queries])
    _, hybrid_times = _timed("hybrid", [partial(searcher.hybrid, q, t) for q, t in pairs])
    memory = _memory_mb()
    return {
        **times,
        **some_times,
        **hybrid_times,
        "load_s": load_s,
        "segments": searcher.dense.info().segments_count,
        "recall": _recall(answers, exact["all"]),
        "recall_filter": _recall(some, exact["filtered"]),
        "score_error": _score_error(answers, exact["all"], exact["scores"]),
        "anon_mb": memory["anon_mb"] - baseline,
        "file_mb": memory["file_mb"],
        "disk_mb": _disk_mb(folder),
    }


# Running it -------------------------------------------------------------------------------------


def _child(phase: str, name: str, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run one phase in a process of its own; empty if it did not finish in time."""
    command = [sys.executable, __file__, "--phase", phase, "--variants", name]
    command += ["--work", str(work), "--text-bytes", str(args.text_bytes)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=args.cap, check=True)
    except subprocess.TimeoutExpired:
        return {}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run_phase(phase: str, name: str, work: Path, text_bytes: int) -> dict[str, Any]:
    """One phase of one variant: "build", "measure" or "optimise"."""
    variant, folder = VARIANTS[name], work / "shards"
    if phase == "build":
        return build(variant, Corpus(work, text_bytes), folder)
    if phase == "optimise":
        return optimise(folder)
    return measure(variant, work, folder)


def run_variant(name: str, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Build, measure, optimise and measure again."""
    shutil.rmtree(work / "shards", ignore_errors=True)
    result: dict[str, Any] = {"variant": name} | _child("build", name, args, work)
    result["before"] = _child("measure", name, args, work)
    result |= _child("optimise", name, args, work)
    if "optimise_s" in result:
        result["after"] = _child("measure", name, args, work)
    return result


COLUMNS = (
    ("all_p50", "all p50", ".1f"),
    ("all_p95", "p95", ".1f"),
    ("all_cpu", "cpu", ".1f"),
    ("filter_p50", "filter p50", ".1f"),
    ("filter_p95", "p95", ".1f"),
    ("filter_cpu", "cpu", ".1f"),
    ("hybrid_p50", "hybrid p50", ".1f"),
    ("hybrid_p95", "p95", ".1f"),
    ("hybrid_cpu", "cpu", ".1f"),
    ("recall", "recall@10", ".3f"),
    ("recall_filter", "filtered", ".3f"),
    ("score_error", "score err", ".0e"),
    ("anon_mb", "anon MB", ".0f"),
    ("file_mb", "file MB", ".0f"),
    ("disk_mb", "disk MB", ".0f"),
    ("load_s", "load s", ".2f"),
    ("segments", "segs", "d"),
)


def print_rows(result: dict[str, Any]) -> None:
    """Two lines of the table, before and after the optimiser; times in ms unless said."""
    for phase in ("before", "after"):
        row = result.get(phase)
        took = result.get("insert_s" if phase == "before" else "optimise_s")
        cells = [f"{result['variant']}", phase, f"{took:.1f}" if took else f"> {result['cap']:.0f}"]
        cells += [format(row[key], spec) if row else "-" for key, _, spec in COLUMNS]
        print("| " + " | ".join(cells) + " |", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--text-bytes", type=int, default=2000, help="text in a page's payload")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cap", type=float, default=360, help="seconds a phase may take")
    parser.add_argument("--work", type=Path, help="folder for the data (default: a temporary one)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--phase", choices=("build", "measure", "optimise"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure the chosen variants and print a table."""
    args = _arguments()
    if args.phase:
        print(json.dumps(run_phase(args.phase, args.variants[0], args.work, args.text_bytes)))
        return
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        work = Path(folder)
        make_corpus(work, args.pages, args.queries, args.seed)
        print(f"{args.pages} pages, {PASSAGES} passages each, {os.cpu_count()} cores; ms\n")
        print("| variant | optimiser | s | " + " | ".join(label for _, label, _ in COLUMNS) + " |")
        print("|" + "---|" * (len(COLUMNS) + 3), flush=True)
        results = []
        for name in args.variants:
            results.append(run_variant(name, args, work) | {"cap": args.cap})
            print_rows(results[-1])
    if args.json:
        print(json.dumps({"pages": args.pages, "results": results}))


if __name__ == "__main__":
    main()
