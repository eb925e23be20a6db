"""Whether a checkpoint is the model that a profile's encoder or reranker wants, and all of it.

Told from its settings, its tokenizer and the headers of its weights: no library loads it, so that
gigabytes are looked at in a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmsearch import models
from mmsearch.errors import MMSearchError
from mmsearch.models import Need

# What a loader wants in config.json; one that is not named here takes any.
_MODEL_TYPES = {"qwen3-vl": "qwen3_vl"}
# Tokens that the prompts of Qwen3-VL and its reranker are made of, and their ids.
_TOKENS = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<|vision_start|>": 151652,
    "<|vision_end|>": 151653,
    "<|image_pad|>": 151655,
    "yes": 9693,
    "no": 2152,
}


def faults(need: Need, model_dir: str = "", *, pull: str = "") -> list[str]:
    """What is wrong with a needed model, a line each; none where it can be used."""
    try:
        folder = models.locate(need, model_dir, pull=pull)
    except MMSearchError as error:
        return [str(error)]
    if need.loader in models.NEEDED:
        return []  # its files are the published ones, by their hash
    return [f"model {need.name}: {fault} ({folder})" for fault in _faults(folder, need)]


def _faults(folder: Path, need: Need) -> Iterator[str]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except OSError:
        config = {}  # made of several folders
    wanted = _MODEL_TYPES.get(need.loader)
    if wanted and config.get("model_type") != wanted:
        yield f"config.json is of model_type {config.get('model_type')!r}, {wanted!r} is wanted"
        return
    text = config.get("text_config", config)
    width, asked = text.get("hidden_size"), (need.options or {}).get("dimension")
    if isinstance(width, int) and isinstance(asked, int) and asked > width:
        yield f"the profile asks for dimension {asked}, it has {width}"
    if config.get("model_type") in ("qwen3", "qwen3_vl"):
        yield from _absent_weights(folder, config, head=need.use == "reranker")
    yield from _wrong_tokens(folder, _TOKENS if wanted else {})


def _absent_weights(folder: Path, config: Mapping[str, Any], *, head: bool) -> Iterator[str]:
    """What config.json counts and the weights lack; a layer is known by one tensor of its own."""
    present = list(_tensors(folder))
    text = config.get("text_config", config)
    wanted = [f"layers.{n}.self_attn.q_proj.weight" for n in range(text["num_hidden_layers"])]
    wanted += ["embed_tokens.weight"]
    for number in range(config.get("vision_config", {}).get("depth", 0)):
        wanted.append(f"visual.blocks.{number}.attn.qkv.weight")
    if head and not config.get("tie_word_embeddings", text.get("tie_word_embeddings")):
        wanted.append("lm_head.weight")
    absent = [name for name in wanted if not any(tensor.endswith(name) for tensor in present)]
    if absent:
        yield f"{len(absent)} parts of it are not in its weights: {absent[0]}, ..."


def _tensors(folder: Path) -> Iterator[str]:
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as content:
            length = int.from_bytes(content.read(8), "little")
            yield from json.loads(content.read(length))


def _wrong_tokens(folder: Path, ids: Mapping[str, int]) -> Iterator[str]:
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        if ids:
            yield "tokenizer.json is missing"
        return
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # it has no class of its own
        yield f"tokenizer.json cannot be read: {error}"
        return
    wrong = [token for token, number in ids.items() if tokenizer.token_to_id(token) != number]
    if wrong:
        yield f"its tokenizer is another model's: {wrong[0]!r} is {tokenizer.token_to_id(wrong[0])}"
