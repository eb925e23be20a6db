"""How fast the text encoder is: passages a second against the usual way, in the same run.

    python -m bench.minilm [--passages 64] [--rounds 3] [--json]

The rival is sentence-transformers on torch, float32, all cores, batches of 32; where that is not
installed, the same network in float32 on ONNX Runtime, all cores, one passage after the other.
Cold start is a fresh process: import, load, and the first query's vector.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from mmsearch import models
from mmsearch.encoders import PageContent, minilm_graph
from mmsearch.encoders.minilm import MiniLmEncoder

VOCABULARY = """
    the of and to in that for with as was on are by this from annual revenue report region quarter
    increased compared total operating expenses assets company financial statements income net
    sales market products customers interest rate value table results model method shows figure
    during period approximately significant development management 2,024 13.5 % ( )
"""
COLD = (
    "import time; start = time.perf_counter()\n"
    "from mmsearch.encoders.minilm import MiniLmEncoder\n"
    "from mmsearch.types import Query\n"
    "MiniLmEncoder().encode_query(Query('revenue by region'))\n"
    "print(time.perf_counter() - start)"
)

Encode = Callable[[Sequence[str]], Any]


def main() -> None:
    """Print passages a second of ours and the rival, their ratio and the cold start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--passages", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    texts = _passages(arguments.passages)
    name, rival = _rival()
    ours = _ours()
    cosines = (np.asarray(ours(texts[:16])) * np.asarray(rival(texts[:16]))).sum(axis=1)
    speeds = {"ours": 0.0, "rival": 0.0}
    for _ in range(arguments.rounds):
        # By turns, so that a busy machine slows both.
        speeds["ours"] = max(speeds["ours"], _speed(ours, texts))
        speeds["rival"] = max(speeds["rival"], _speed(rival, texts))
    figures = {
        "rival": name,
        "passages_per_second": round(speeds["ours"], 1),
        "rival_passages_per_second": round(speeds["rival"], 1),
        "ratio": round(speeds["ours"] / speeds["rival"], 2),
        "least_cosine_to_rival": round(float(cosines.min()), 4),
        "cold_start_seconds": round(min(_cold() for _ in range(3)), 2),
    }
    for key, value in figures.items():
        print(f"{key:26} {value}")
    if arguments.json:
        print(json.dumps(figures))


def _passages(count: int) -> list[str]:
    words, draw = VOCABULARY.split(), random.Random(1)
    return [" ".join(draw.choices(words, k=draw.randint(100, 135))) for _ in range(count)]


def _ours() -> Encode:
    encoder = MiniLmEncoder()

    def encode(texts: Sequence[str]) -> Any:
        pages = encoder.encode_pages([PageContent(text) for text in texts])
        return np.concatenate([page for page in pages if isinstance(page, np.ndarray)])

    encode(["warm up"])
    return encode


def _rival() -> tuple[str, Encode]:
    folder = models.find(models.MINILM)
    if find_spec("sentence_transformers") and (folder / "modules.json").exists():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu")
        return "sentence-transformers, torch, float32", lambda texts: model.encode(
            list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
    return "ONNX Runtime, float32", _float32()


def _float32() -> Encode:
    import onnxruntime
    from tokenizers import Tokenizer

    folder = models.find(models.MINILM)
    weights = minilm_graph.read_safetensors(folder / "model.safetensors")
    session = onnxruntime.InferenceSession(
        minilm_graph.write(weights, quantised=False), providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()

    def encode(texts: Sequence[str]) -> Any:
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        rows = [session.run(None, {"tokens": np.array([ids])})[0] for ids in tokens]
        return np.concatenate(rows)

    return encode


def _speed(encode: Encode, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - start)


def _cold() -> float:
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
