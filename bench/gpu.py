"""How fast Qwen3-VL runs here: pages embedded and reranked, against the published scripts.

    python -m bench.gpu [--official FOLDER] [--tokens 1800 1280] [--pages 512] [--rounds 3]
                        [--attention default cudnn] [--size 2b|small] [--json]

A network of the full size of the 2B models with random weights: no weights are needed, and speed
does not depend on them. Where there is no GPU, `small` is taken and the figures compare the paths,
nothing else. End to end is from JPEG bytes in memory (A4 at 150 dpi) to float32 vectors in memory,
warm, the median of the rounds. FOLDER holds `qwen3_vl_embedding.py` and `qwen3_vl_reranker.py` of
QwenLM/Qwen3-VL-Embedding.

"error" is the largest distance between a page's fast and exact vector, as a share of the median
distance between two pages; "order" is Kendall's tau over each page's ten nearest others.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import io
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.qwen3_vl import Qwen3VLEncoder
from mmsearch.qwen3_vl import pictures
from mmsearch.qwen3_vl.fast import Fast
from mmsearch.rerankers.qwen3_vl import Qwen3VLReranker
from mmsearch.types import Query
from tests import tiny_qwen3_vl

QUERY = "Which region had the highest revenue in the third quarter?"
SHAPES: dict[str, dict[str, Any]] = {
    "2b": {
        "text": (28, 2048, 6144, 16, 8, 128, [24, 20, 20]),
        "vision": (24, 1024, 4096, 16, [5, 11, 17]),
    },
    "small": {
        "text": (4, 256, 768, 4, 2, 64, [12, 10, 10]),
        "vision": (4, 192, 768, 4, [0, 1, 2]),
    },
}


def main() -> None:
    """Print one table a number of tokens: the paths, their speed and how close they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--official", type=Path, help="folder of the published scripts")
    parser.add_argument("--tokens", type=int, nargs="+", default=[1800, 1280])
    parser.add_argument("--pages", type=int, default=0, help="default 512, or 16 without a GPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", choices=[*SHAPES], default="2b" if gpu() else "small")
    parser.add_argument("--attention", nargs="+", choices=["default", "cudnn"], default=["default"])
    parser.add_argument("--close", type=int, default=100, help="pages of the comparison, 0: none")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    count = arguments.pages or (512 if gpu() else 16)
    pages = [page(number) for number in range(min(count, 64))]
    jpegs = [pages[number % len(pages)] for number in range(count)]
    ceiling = matmul_ceiling()
    name = torch.cuda.get_device_name() if gpu() else "CPU"
    print(f"{name}, torch {torch.__version__}, matmul ceiling {ceiling / 1e12:.3g} TFLOP/s")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("embedding", "reranker"):
            write_checkpoint(Path(folder) / kind, kind, arguments.size)
        for tokens in arguments.tokens:
            rows += embedding(Path(folder) / "embedding", tokens, jpegs, ceiling, arguments)
        rows += reranking(Path(folder) / "reranker", arguments.tokens[-1], jpegs[:20], arguments)
        if arguments.close:
            rows += closeness(Path(folder) / "embedding", arguments.tokens[-1], arguments.close)
    if arguments.json:
        print(json.dumps({"device": name, "ceiling_tflops": ceiling / 1e12, "rows": rows}))


def embedding(
    folder: Path, tokens: int, jpegs: Sequence[bytes], ceiling: float, arguments: Any
) -> list[dict[str, Any]]:
    """Pages a second of each path."""
    contents = [PageContent(picture=jpeg) for jpeg in jpegs]
    seen = pictures.image(jpegs[0], tokens).tokens
    flop = page_flop(seen, SHAPES[arguments.size])
    print(f"\nembedding, {len(jpegs)} pages of {seen} tokens, {flop / 1e12:.2f} TFLOP a page")
    ways: dict[str, Callable[[], Iterator[Callable[[], Any]]]] = {
        "exact": lambda: ours_embedding(folder, tokens, contents, exact=True),
        "fast, not compiled": lambda: ours_embedding(folder, tokens, contents, compiled=False),
    }
    if not gpu():
        ways["fast"] = ways.pop("fast, not compiled")  # a CPU is as fast without
    for attention in arguments.attention if gpu() else []:
        label = "fast" + (f", {attention} attention" if attention != "default" else "")
        ways[label] = lambda a=attention: ours_embedding(folder, tokens, contents, attention=a)
    if arguments.official:
        ways["published script"] = lambda: official_embedding(
            arguments.official, folder, tokens, jpegs
        )
    rows = []
    for label, way in ways.items():
        seconds, memory = timed(way, arguments.rounds)
        speed = len(jpegs) / seconds
        rows.append(
            {
                "what": "embedding", "path": label, "tokens": seen, "pages_per_second": speed,
                "share_of_ceiling": speed * flop / ceiling, "peak_gib": memory,
            }
        )  # fmt: skip
        print(
            f"  {label:26} {speed:8.2f} pages/s  {speed * flop / ceiling:6.1%} of the ceiling"
            f"  {memory:5.1f} GiB"
        )
    ratio(rows, "pages_per_second")
    return rows


def reranking(
    folder: Path, tokens: int, jpegs: Sequence[bytes], arguments: Any
) -> list[dict[str, Any]]:
    """Seconds for a query's candidates."""
    contents = [PageContent(picture=jpeg) for jpeg in jpegs]
    print(f"\nreranking {len(jpegs)} pages of {pictures.image(jpegs[0], tokens).tokens} tokens")
    ways: dict[str, Callable[[], Iterator[Callable[[], Any]]]] = {
        "exact": lambda: ours_reranking(folder, tokens, contents, exact=True),
        "fast, not compiled": lambda: ours_reranking(folder, tokens, contents, compiled=False),
    }
    if gpu():
        ways["fast"] = lambda: ours_reranking(folder, tokens, contents)
    else:
        ways["fast"] = ways.pop("fast, not compiled")
    if arguments.official:
        ways["published script"] = lambda: official_reranking(
            arguments.official, folder, tokens, jpegs
        )
    rows = []
    for label, way in ways.items():
        seconds, memory = timed(way, max(arguments.rounds, 3))
        rows.append({"what": "reranking", "path": label, "seconds": seconds, "peak_gib": memory})
        print(f"  {label:26} {seconds:8.3f} s  {memory:5.1f} GiB")
    ratio(rows, "seconds")
    return rows


def closeness(folder: Path, tokens: int, count: int) -> list[dict[str, Any]]:
    """How far the fast path, bfloat16 and batches are from the exact vectors."""
    contents = [PageContent(picture=page(number)) for number in range(count)]
    print(f"\nagainst the exact path, {count} pages")
    device = "auto"
    exact = Settings(computation="exact", device=device)
    full = Settings(computation="exact", device=device, dtype="float32")
    brain = Settings(computation="exact", device=device, dtype="bfloat16")
    fast = Settings(computation="fast", device=device, compile="off")
    rows = []
    pairs: tuple[tuple[str, Settings, Settings], ...] = (
        ("fast against exact", fast, exact),
        ("bfloat16 against float32", brain, full),
    )
    for label, one, other in pairs:
        rows.append(compared(label, *(vectors(folder, tokens, s, contents) for s in (one, other))))
    encoder = make_encoder(folder, tokens, exact)
    alone = np.stack([np.asarray(encoder.encode_pages([content])[0]) for content in contents])
    rows.append(compared("batch against single", np.stack(encoder.encode_pages(contents)), alone))
    return rows


def compared(label: str, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Error as a share of the distance between pages, and Kendall's tau of the ten nearest."""
    between = np.linalg.norm(theirs[:, None] - theirs[None], axis=-1)
    median = float(np.median(between[np.triu_indices(len(theirs), 1)]))
    error = float(np.linalg.norm(ours - theirs, axis=-1).max()) / median
    tau = kendall(ours, theirs)
    print(f"  {label:26} error {error:.2%} of {median:.4f}  order {tau:.4f}")
    return {"what": "closeness", "path": label, "error": error, "kendall": tau}


def kendall(ours: np.ndarray, theirs: np.ndarray, top: int = 10) -> float:
    """The mean agreement of order among each page's `top` nearest others."""
    taus = []
    for number in range(len(theirs)):
        reference, other = theirs @ theirs[number], ours @ ours[number]
        reference[number] = -np.inf
        nearest = np.argsort(-reference)[: min(top, len(theirs) - 1)]  # never itself
        first, second = np.triu_indices(len(nearest), 1)
        agree = np.sign(other[nearest[first]] - other[nearest[second]])
        taus.append(float(agree.mean()))
    return float(np.mean(taus))


def timed(way: Callable[[], Iterator[Callable[[], Any]]], rounds: int) -> tuple[float, float]:
    """The median seconds of a warm run, and the peak of GPU memory in GiB."""
    if gpu():
        torch.cuda.reset_peak_memory_stats()
    with contextmanager(way)() as run:
        run()  # warm: shapes are compiled, memory is had
        spent = []
        for _ in range(rounds):
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
    memory = torch.cuda.max_memory_allocated() / 2**30 if gpu() else 0.0
    gc.collect()
    if gpu():
        torch.cuda.empty_cache()
    torch.compiler.reset()
    return statistics.median(spent), memory


def ours_embedding(
    folder: Path,
    tokens: int,
    contents: Sequence[PageContent],
    *,
    exact: bool = False,
    compiled: bool = True,
    attention: str = "default",
) -> Iterator[Callable[[], Any]]:
    """Our encoder, as an ingestion calls it."""
    settings = Settings(computation="exact" if exact else "fast", compile="off")
    encoder = make_encoder(folder, tokens, settings)
    if compiled and not exact:
        encoder.__dict__["_fast"] = Fast(encoder._model, compile=True, wait=True)
    with chosen(attention):
        yield lambda: encoder.encode_pages(contents)


def ours_reranking(
    folder: Path,
    tokens: int,
    contents: Sequence[PageContent],
    *,
    exact: bool = False,
    compiled: bool = True,
) -> Iterator[Callable[[], Any]]:
    """Our reranker, as a search calls it."""
    settings = Settings(computation="exact" if exact else "fast", compile="off")
    reranker = Qwen3VLReranker(str(folder), tokens_per_page=tokens, settings=settings)
    if compiled and not exact:
        reranker.score(Query(QUERY), contents[:1])
        reranker.__dict__["_fast"] = Fast(reranker._model, compile=True, wait=True)
    yield lambda: reranker.score(Query(QUERY), contents)


def official_embedding(
    scripts: Path, folder: Path, tokens: int, jpegs: Sequence[bytes]
) -> Iterator[Callable[[], Any]]:
    """The published class, a batch of 8 at a time: larger ones are no faster, since its CPU work
    and the GPU's take turns.
    """
    script = imported(scripts / "qwen3_vl_embedding.py")
    embedder = script.Qwen3VLEmbedder(
        str(folder), max_pixels=tokens * pictures.PIXELS_PER_TOKEN, dtype=number_format()
    )

    def run() -> None:
        for start in range(0, len(jpegs), 8):
            opened = [Image.open(io.BytesIO(jpeg)) for jpeg in jpegs[start : start + 8]]
            embedder.process([{"image": image} for image in opened]).float().cpu().numpy()

    yield run


def official_reranking(
    scripts: Path, folder: Path, tokens: int, jpegs: Sequence[bytes]
) -> Iterator[Callable[[], Any]]:
    """The published class, which takes one pair after the other."""
    sys.modules.setdefault("scipy", type(sys)("scipy"))  # imported there and never used
    if not hasattr(sys.modules["scipy"], "special"):
        sys.modules["scipy"].special = None  # type: ignore[attr-defined]
    script = imported(scripts / "qwen3_vl_reranker.py")

    class Reranker(script.Qwen3VLReranker):  # type: ignore[misc, name-defined]
        """With the kinds of token that newer libraries want as a tensor of the padded shape."""

        def tokenize(self, pairs: Any, **options: Any) -> Any:
            inputs = super().tokenize(pairs, **options)
            ids = inputs["input_ids"]
            inputs["mm_token_type_ids"] = (ids == 151655).long() + 2 * (ids == 151656).long()
            return inputs

    reranker = Reranker(
        str(folder), max_pixels=tokens * pictures.PIXELS_PER_TOKEN, dtype=number_format()
    )

    def run() -> None:
        opened = [Image.open(io.BytesIO(jpeg)) for jpeg in jpegs]
        documents = [{"image": image} for image in opened]
        reranker.process({"query": {"text": QUERY}, "documents": documents})

    yield run


def make_encoder(folder: Path, tokens: int, settings: Settings) -> Qwen3VLEncoder:
    return Qwen3VLEncoder(str(folder), dimension=256, tokens_per_page=tokens, settings=settings)


def vectors(
    folder: Path, tokens: int, settings: Settings, contents: Sequence[PageContent]
) -> np.ndarray:
    return np.stack(
        [np.asarray(v) for v in make_encoder(folder, tokens, settings).encode_pages(contents)]
    )


def chosen(attention: str) -> Any:
    """The attention kernels that torch may take."""
    if attention == "default":
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    order = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    return sdpa_kernel([*order, SDPBackend.MATH], set_priority=True)


def write_checkpoint(folder: Path, kind: str, size: str) -> None:
    """A checkpoint of this size with random weights, bfloat16 where there is a GPU."""
    layers, width, inner, heads, pairs, head, sections = SHAPES[size]["text"]
    depth, vision, vision_inner, vision_heads, deep = SHAPES[size]["vision"]
    dtype = "bfloat16" if gpu() else "float32"
    config = tiny_qwen3_vl.model_config(dtype)
    config["text_config"] |= {
        "num_hidden_layers": layers, "hidden_size": width, "intermediate_size": inner,
        "num_attention_heads": heads, "num_key_value_heads": pairs, "head_dim": head,
    }  # fmt: skip
    config["text_config"]["rope_scaling"]["mrope_section"] = sections
    config["vision_config"] |= {
        "depth": depth, "hidden_size": vision, "intermediate_size": vision_inner,
        "num_heads": vision_heads, "deepstack_visual_indexes": deep, "out_hidden_size": width,
    }  # fmt: skip
    device = "cuda" if gpu() else "cpu"
    # Of this spread, a layer neither swells nor shrinks what goes through it.
    spread = width**-0.5
    tiny_qwen3_vl.build(
        folder, kind, "auto", dtype=dtype, config=config, init_std=spread, device=device
    )


def page(number: int) -> bytes:
    """A page of A4 at 150 dpi with lines of words, a table and a chart, no two alike."""
    rng = random.Random(number)
    image = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    top = 80
    while top < 1660:
        kind = rng.random()
        if kind < 0.75:
            words = "  ".join(
                "".join(rng.choices("abcdefghinorstu", k=rng.randint(2, 9))) for _ in range(12)
            )
            draw.text((90, top), words, fill="black", font_size=rng.choice((20, 22, 24)))
            top += 34
        elif kind < 0.9:
            for column in range(5):
                draw.rectangle(
                    (90 + column * 210, top, 290 + column * 210, top + 50), outline="black"
                )
                draw.text(
                    (100 + column * 210, top + 12),
                    f"{rng.random() * 1e4:,.1f}",
                    fill="black",
                    font_size=22,
                )
            top += 60
        else:
            for bar in range(10):
                height = rng.randint(20, 190)
                colour = tuple(rng.randint(30, 220) for _ in range(3))
                draw.rectangle(
                    (100 + bar * 100, top + 200 - height, 170 + bar * 100, top + 200), fill=colour
                )
            top += 230
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def page_flop(tokens: int, shape: dict[str, Any]) -> float:
    """Multiplications and additions of a page, twice the parameters a token and the attention."""
    layers, width, inner, heads, pairs, head, _ = shape["text"]
    depth, vision, vision_inner, _, deep = shape["vision"]
    patches, length = 4 * tokens, tokens + 22
    block = 4 * vision**2 + 2 * vision * vision_inner
    merger = (1 + len(deep)) * ((4 * vision) ** 2 + 4 * vision * width)
    seeing = 2 * depth * block * patches + 4 * patches**2 * vision * depth + 2 * merger * tokens
    layer = width * head * (2 * heads + 2 * pairs) + 3 * width * inner
    reading = 2 * layers * layer * length + 2 * length**2 * heads * head * layers
    return float(seeing + reading)


def matmul_ceiling() -> float:
    """FLOP/s of a large matrix product, the best of 20."""
    size = 8192 if gpu() else 1024
    device, dtype = ("cuda", torch.bfloat16) if gpu() else ("cpu", torch.float32)
    left = torch.randn(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        left @ left
        if gpu():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def ratio(rows: list[dict[str, Any]], figure: str) -> None:
    official = [row for row in rows if row["path"] == "published script"]
    fast = [row for row in rows if row["path"] == "fast"]
    if official and fast:
        high, low = sorted((official[0][figure], fast[0][figure]), reverse=True)
        print(f"  fast against the published script: {high / low:.2f} times")


def imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gpu() -> bool:
    return torch.cuda.is_available()


def number_format() -> torch.dtype:
    return torch.bfloat16 if gpu() else torch.float32


if __name__ == "__main__":
    main()
