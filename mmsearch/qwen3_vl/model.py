"""A loaded Qwen3-VL checkpoint, and its exact forward: as the library computes it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmsearch import checkpoints
from mmsearch.errors import InvalidSetting, UnusableModel
from mmsearch.qwen3_vl import pictures
from mmsearch.qwen3_vl.inputs import Prompt, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["auto", "float32", "bfloat16"]
_TEXT, _IMAGE, _VIDEO = 0, 1, 2  # the library's names for kinds of token


@dataclass(slots=True)
class Model:
    """The network without its head, its tokenizer, and for a reranker what scores a pair.

    `judge` is (hidden,) float32, the row of "yes" less that of "no" in the head; None for an
    embedder. `lock` is held over a forward: the library keeps state on the module.
    """

    network: Any  # transformers' Qwen3VLModel
    tokenizer: Tokenizer
    device: torch.device
    judge: torch.Tensor | None
    lock: threading.Lock

    @property
    def width(self) -> int:
        """The length of a hidden state."""
        return int(self.network.config.text_config.hidden_size)

    @property
    def batch_tokens(self) -> int:
        """How many tokens are computed at once, as long as the memory takes them."""
        return 4096 if self.device.type == "cpu" else 32_768

    def last_states(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The last hidden state of each prompt, in one batch, as the library computes it.

        Returns:
            (n, width) float32, after the final norm, on the model's device.
        """
        import torch

        batch = _batch(prompts, self.tokenizer, self.device)
        with self.lock, torch.inference_mode():
            states = self.network(**batch, use_cache=False).last_hidden_state
        last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=self.device)
        rows = torch.arange(len(prompts), device=self.device)
        read: torch.Tensor = states[rows, last].float()
        return read


def width(folder: Path) -> int:
    """The length of the hidden state, by the checkpoint's config.json.

    Raises:
        UnusableModel: it is no Qwen3-VL checkpoint.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = int(config["text_config"]["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableModel(f"{folder}: it is no Qwen3-VL model ({error!r})") from error
    if config.get("model_type") != "qwen3_vl":
        raise UnusableModel(
            f"{folder}: a model of the type {config.get('model_type')!r}, wanted is 'qwen3_vl'"
        )
    return found


def load(
    folder: Path,
    *,
    reranker: bool = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    adapter: str = "",
) -> Model:
    """Load a checkpoint that `checkpoints.find` has found and checked.

    Args:
        folder: the checkpoint's.
        reranker: whether its head is wanted.
        dtype: auto is bfloat16 on an accelerator, else float32. Never float16: it overflows.
        adapter: folder of a LoRA adapter, which is merged into the weights.

    Raises:
        MissingExtra: torch or transformers is not installed.
        UnusableModel: it is another kind of model, or lacks weights.
        InvalidSetting: there is no such device here.
    """
    checkpoints.require("torch", "torchvision", "transformers", "qwen_vl_utils")
    import torch
    import transformers

    width(folder)
    place = _device(device)
    number = {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(dtype) or (
        torch.float32 if place.type == "cpu" else torch.bfloat16
    )
    tokenizer = Tokenizer(folder)
    kind: Any = (
        transformers.Qwen3VLForConditionalGeneration if reranker else transformers.Qwen3VLModel
    )
    with _quiet():
        try:
            loaded, report = kind.from_pretrained(
                folder,
                dtype=number,
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            cause = " ".join(str(error).split())[:300]
            raise UnusableModel(f"{folder}: cannot be loaded: {cause}") from error
    if absent := sorted(report["missing_keys"]):
        # The library would fill them with random numbers.
        raise UnusableModel(
            f"{folder}: {len(absent)} weights are missing ({absent[0]}, ...); fetch the model again"
        )
    if adapter:
        loaded = _merged(loaded, Path(adapter).expanduser())
    loaded = loaded.to(place).eval().requires_grad_(False)
    judge = None
    if reranker:
        head = loaded.get_output_embeddings().weight
        judge = head[tokenizer.yes].float() - head[tokenizer.no].float()
    network = loaded.model if reranker else loaded
    return Model(network, tokenizer, place, judge, threading.Lock())


def _device(name: Device) -> torch.device:
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, found in there.items() if found), "cpu"))
    if not there.get(name, True):
        raise InvalidSetting(f"setting device={name!r}: torch finds no such device; set it to auto")
    return torch.device(name)


def _batch(
    prompts: Sequence[Prompt], tokenizer: Tokenizer, device: torch.device
) -> dict[str, torch.Tensor]:
    """The library's arguments: padded on the right, where a causal model does not see it."""
    import torch

    length = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), length), tokenizer.end)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt.ids)
        mask[row, : len(prompt)] = 1
    kinds = torch.zeros_like(ids)
    kinds[ids == tokenizer.image_pad] = _IMAGE
    kinds[ids == tokenizer.video_pad] = _VIDEO
    batch = {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds}
    media = [item for prompt in prompts for item in prompt.media]
    for name, chosen in (
        ("image", [item for item in media if not item.seconds]),
        ("video", [item for item in media if item.seconds]),
    ):
        if chosen:
            suffix = "_videos" if name == "video" else ""
            rows = [
                pictures.patches(torch.from_numpy(item.pixels.copy()).permute(0, 3, 1, 2)[None])[0]
                for item in chosen
            ]
            batch["pixel_values" + suffix] = torch.cat(rows)
            batch[f"{name}_grid_thw"] = torch.tensor([item.grid for item in chosen])
    return {name: value.to(device) for name, value in batch.items()}


def _merged(loaded: Any, folder: Path) -> Any:
    """The network with a LoRA adapter added to its weights.

    Raises:
        UnusableModel: the adapter is not one of this network.
    """
    checkpoints.require("peft")
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    checkpoints.check(folder)
    wanted = set(load_file(folder / "adapter_model.safetensors"))
    shell: Any = loaded
    if not hasattr(loaded, "lm_head") and any(".model.model." in name for name in wanted):
        # Trained on the network within a wrapper, as the published class for embeddings is one.
        shell = torch.nn.Module()
        shell.model, shell.config = loaded, loaded.config
    try:
        with _quiet():
            adapted = PeftModel.from_pretrained(shell, str(folder))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        cause = " ".join(str(error).split())[:300]
        raise UnusableModel(f"adapter {folder}: cannot be loaded: {cause}") from error
    if unused := sorted(wanted - set(get_peft_model_state_dict(adapted))):
        raise UnusableModel(
            f"adapter {folder}: the model has no place for {unused[0]}; it was made for another"
        )
    merged: nn.Module = adapted.merge_and_unload()
    return merged if merged is loaded or shell is loaded else loaded


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and reports off the terminal."""
    import transformers

    library: Any = transformers.utils.logging
    level = library.get_verbosity()
    bars = library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    logging.getLogger("peft").setLevel(logging.ERROR)
    try:
        yield
    finally:
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()
