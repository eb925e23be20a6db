"""The fast forward: many pictures of one shape at once, where the library takes them one by one.

Equal shapes need no padding, no masks and no gaps, so attention runs over the whole batch, whatever
depends on the shape alone is computed once, and both halves can be compiled. The weights are the
library's modules; the arithmetic is theirs up to the order of sums.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from mmsearch.qwen3_vl.model import Model
from mmsearch.qwen3_vl.pictures import MERGE, PATCH

if TYPE_CHECKING:
    import torch

COMPILE_AFTER = 256  # pictures of one shape: compiling takes as long as some hundred pages
_VISION_THETA = 10_000.0  # base of the vision tower's rotary positions, in no config
_STEP = 64  # lengths are rounded up to it, so that few shapes are compiled

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the vision tower makes of pictures of one shape.

    `rows` is (n, tokens, width) for the text model's input, `deep` the same for its first layers;
    `grid` is the pictures' height and width in patches.
    """

    rows: torch.Tensor
    deep: tuple[torch.Tensor, ...]
    grid: tuple[int, int]


Segment = Sequence[int] | Seen  # token ids that all share, or a picture each
Past = list[tuple["torch.Tensor", "torch.Tensor"]]


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning that all sequences of a batch share, already computed."""

    past: Past
    positions: int  # where the next token stands


class Fast:
    """The fast forward of one model.

    Args:
        compile: whether shapes that come often are compiled, beside the work that goes on. A CPU
            is as fast without.
        wait: compile at the first batch of a shape, on any device, and wait for it: for measuring.
        backend: torch's compiler.
    """

    def __init__(
        self,
        model: Model,
        *,
        compile: bool = True,
        wait: bool = False,
        backend: str = "inductor",
    ) -> None:
        network = model.network
        self.device = model.device
        self.batch_tokens = model.batch_tokens
        self._visual = network.visual
        self._text = network.language_model
        self._kernel = _image_kernel(network.visual.patch_embed.proj)
        on = compile and (wait or model.device.type == "cuda")
        self._tower = _Compiled(self._run_tower, backend, on=on, wait=wait)
        self._layers = _Compiled(self._run_layers, backend, on=on, wait=wait)
        self._vision_shape = lru_cache(32)(self._make_vision_shape)
        self._turns = lru_cache(32)(self._make_turns)
        self._numbers = lru_cache(64)(self._make_numbers)

    def see(self, pictures: torch.Tensor) -> Seen:
        """Run pictures of one size through the vision tower.

        Args:
            pictures: (n, height, width, 3) uint8 on any device, sides in multiples of 32.
        """
        import torch

        n, height, width, _ = pictures.shape
        grid = (height // PATCH, width // PATCH)
        with torch.inference_mode():
            patches = _patches(pictures.to(self.device, non_blocking=True), self._kernel.dtype)
            rows, *deep = self._tower((n, *grid), patches, *self._vision_shape(grid))
        return Seen(rows, tuple(deep), grid)

    def last_states(
        self, segments: Sequence[Segment], *, prefix: Prefix | None = None
    ) -> torch.Tensor:
        """The last hidden state of n sequences of the same shape, each with its own pictures.

        Returns:
            (n, width) float32, after the final norm.
        """
        import torch

        n = max(len(segment.rows) for segment in segments if isinstance(segment, Seen))
        with torch.inference_mode():
            x, deep, length, turns, _ = self._laid_out(segments, n, prefix, pad=not prefix)
            last = self._numbers((length - 1,))
            past = [
                (keys.expand(n, -1, -1, -1), values.expand(n, -1, -1, -1))
                for keys, values in (prefix.past if prefix else [])
            ]
            if past:
                return self._run_layers(x, last, *turns, *deep, past=past)[0].float()
            (states,) = self._layers((n, x.shape[1]), x, last, *turns, *deep)
            read: torch.Tensor = states.float()
            return read

    def prefix(self, segments: Sequence[Segment]) -> Prefix:
        """Compute what a batch of sequences begins with, once."""
        import torch

        with torch.inference_mode():
            x, deep, length, turns, end = self._laid_out(segments, 1, None, pad=False)
            last = self._numbers((length - 1,))
            kept: Past = []
            self._run_layers(x, last, *turns, *deep, keep=kept)
        return Prefix(kept, end)

    def _laid_out(
        self, segments: Sequence[Segment], n: int, prefix: Prefix | None, *, pad: bool
    ) -> tuple[Any, list[Any], int, tuple[Any, Any], int]:
        """The input rows, what is added after the first layers, the length, the rotations, and the
        position after the last token.
        """
        import torch
        from torch.nn import functional

        shape = tuple(
            segment.grid if isinstance(segment, Seen) else len(segment) for segment in segments
        )
        lengths = [s if isinstance(s, int) else s[0] * s[1] // MERGE**2 for s in shape]
        length = sum(lengths)
        padding = -length % _STEP if pad else 0
        parts = []
        for segment in segments:
            if isinstance(segment, Seen):
                parts.append(segment.rows.expand(n, -1, -1))
            else:
                ids = self._numbers(tuple(segment))
                parts.append(self._text.embed_tokens(ids).expand(n, -1, -1))
        x = functional.pad(torch.cat(parts, 1), (0, 0, 0, padding))
        starts = list(accumulate(lengths, initial=0))
        seen = [
            (start, s) for start, s in zip(starts, segments, strict=False) if isinstance(s, Seen)
        ]
        deep = []
        for layer in range(max((len(s.deep) for _, s in seen), default=0)):
            added = torch.zeros_like(x)
            for start, segment in seen:
                rows = segment.deep[layer]
                added[:, start : start + rows.shape[1]] = rows
            deep.append(added)
        turns, end = self._turns(shape, padding, prefix.positions if prefix else 0)
        return x, deep, length, turns, end

    def _run_tower(
        self, patches: torch.Tensor, places: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """(n, patches, 768) -> rows and deep rows, (n, tokens, width) each."""
        from torch.nn import functional

        visual = self._visual
        n = len(patches)
        bias = visual.patch_embed.proj.bias
        x = functional.linear(patches, self._kernel, bias) + places
        deep = []
        for number, block in enumerate(visual.blocks):
            x = x + _look(block.attn, block.norm1(x), cos, sin)
            x = x + block.mlp(block.norm2(x))
            if number in visual.deepstack_visual_indexes:
                merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(number)]
                deep.append(merger(x).view(n, -1, merger.linear_fc2.out_features))
        rows = visual.merger(x)
        return rows.view(n, -1, rows.shape[-1]), *deep

    def _run_layers(
        self,
        x: torch.Tensor,
        last: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        *deep: torch.Tensor,
        past: Past | None = None,
        keep: Past | None = None,
    ) -> tuple[torch.Tensor]:
        """(n, length, width) -> the normed state at `last`, (n, width)."""
        layers = self._text.layers
        for number, layer in enumerate(layers):
            # Of the last layer only one state is read, so only that one is computed.
            final = number == len(layers) - 1
            before = past[number] if past else None
            x = _read(layer, x, cos, sin, last if final else None, before, keep)
            if number < len(deep):
                x = x + deep[number]
        return (self._text.norm(x)[:, -1],)

    def _make_numbers(self, numbers: tuple[int, ...]) -> torch.Tensor:
        """On the device. Kept, since bringing them there waits for all that it still computes."""
        import torch

        return torch.tensor(numbers, device=self.device)

    def _make_vision_shape(self, grid: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        """The learned places of a grid's patches, and the rotations of its attention."""
        import torch
        from torch.nn import functional

        visual = self._visual
        table = visual.pos_embed.weight.float()
        side = round(len(table) ** 0.5)
        square = table.view(1, side, side, -1).permute(0, 3, 1, 2)
        places = functional.interpolate(square, size=grid, mode="bilinear", align_corners=True)
        places = _by_token(places[0].permute(1, 2, 0)).to(self._kernel.dtype)
        rows, columns = torch.meshgrid(
            *(torch.arange(n, device=self.device) for n in grid), indexing="ij"
        )
        where = _by_token(torch.stack((rows, columns), -1)).float()
        half = visual.blocks[0].attn.head_dim // 2  # for the row, the other for the column
        frequencies = _frequencies(half, _VISION_THETA, self.device)
        angles = (where[..., None] * frequencies).flatten(1)
        angles = torch.cat((angles, angles), -1)
        return places, angles.cos(), angles.sin()

    def _make_turns(
        self, shape: tuple[int | tuple[int, int], ...], padding: int, start: int
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], int]:
        """The rotations of the text model's attention, in time, height and width interleaved."""
        import torch

        positions, position = [], start
        for item in (*shape, padding):
            if isinstance(item, int):
                run = torch.arange(position, position + item)
                positions.append(run.expand(3, -1))
                position += item
                continue
            tall, wide = (side // MERGE for side in item)
            where = torch.zeros(3, tall, wide, dtype=torch.long)
            where[1] = torch.arange(tall)[:, None]
            where[2] = torch.arange(wide)
            positions.append(where.view(3, -1) + position)
            position += max(tall, wide)
        config = self._text.config
        rope = config.rope_parameters
        frequencies = _frequencies(config.head_dim, rope["rope_theta"], self.device)
        angles = torch.cat(positions, 1).to(self.device)[..., None] * frequencies
        turned = angles[0].clone()
        for axis in (1, 2):
            its = slice(axis, rope["mrope_section"][axis] * 3, 3)
            turned[:, its] = angles[axis][:, its]
        turned = torch.cat((turned, turned), -1)
        dtype = self._kernel.dtype
        return (turned.cos().to(dtype), turned.sin().to(dtype)), position - padding


@dataclass(slots=True)
class _Compiled:
    """A function that is compiled for a shape once that shape has come often enough."""

    function: Callable[..., Any]
    backend: str
    on: bool
    wait: bool
    _seen: dict[tuple[int, ...], int] = field(default_factory=dict)
    _ready: dict[tuple[int, ...], Callable[..., Any]] = field(default_factory=dict)
    _at_work: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, shape: tuple[int, ...], *tensors: torch.Tensor) -> Any:
        if shape not in self._ready and self.on and self._due(shape):
            self._start(shape, tensors)
        return self._ready.get(shape, self.function)(*tensors)

    def _due(self, shape: tuple[int, ...]) -> bool:
        self._seen[shape] = self._seen.get(shape, 0) + shape[0]
        return self.wait or self._seen[shape] >= COMPILE_AFTER

    def _start(self, shape: tuple[int, ...], tensors: tuple[torch.Tensor, ...]) -> None:
        if not self._at_work.acquire(blocking=False):
            return  # one at a time
        if self.wait:
            self._compile(shape, tensors)
        else:
            arguments = (shape, tensors)
            threading.Thread(target=self._compile, args=arguments, daemon=True).start()

    def _compile(self, shape: tuple[int, ...], tensors: tuple[torch.Tensor, ...]) -> None:
        import torch

        try:
            compiled: Any = torch.compile(
                _copied(self.function), backend=self.backend, dynamic=False, fullgraph=True
            )
            with torch.inference_mode():
                compiled(*tensors)
            self._ready[shape] = compiled
        except Exception as error:  # a compiler, a driver, a full disk: it works without
            self.on = False
            cause = " ".join(str(error).split())[:200]
            _log.warning("the model runs uncompiled, which is slower: %s", cause)
        finally:
            self._at_work.release()


def _copied(method: Any) -> Any:
    """The method with code of its own: the compiler refuses a ninth variant of the same code."""
    of = method.__func__
    copy = FunctionType(of.__code__.replace(), of.__globals__, of.__name__, of.__defaults__)
    copy.__kwdefaults__ = of.__kwdefaults__
    return MethodType(copy, method.__self__)


def _look(attention: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Attention within each picture."""
    from torch.nn import functional

    n, length, width = x.shape
    heads = attention.num_heads
    query, key, value = attention.qkv(x).view(n, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    query, key = _turned(query.float(), cos, sin), _turned(key.float(), cos, sin)
    out = functional.scaled_dot_product_attention(query.to(x.dtype), key.to(x.dtype), value)
    projected: torch.Tensor = attention.proj(out.transpose(1, 2).reshape(n, length, width))
    return projected


def _read(
    layer: Any,
    x: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    only: torch.Tensor | None,
    past: tuple[torch.Tensor, torch.Tensor] | None,
    keep: Past | None,
) -> torch.Tensor:
    """One layer of the text model; `only` is the place whose state is wanted, where one is."""
    import torch
    from torch.nn.attention.bias import causal_lower_right
    from torch.nn.functional import scaled_dot_product_attention as attend

    attention = layer.self_attn
    n, length, _ = x.shape
    heads = (n, length, -1, attention.head_dim)
    normed = layer.input_layernorm(x)
    key = attention.k_norm(attention.k_proj(normed).view(heads)).transpose(1, 2)
    value = attention.v_proj(normed).view(heads).transpose(1, 2)
    key = _turned(key, cos, sin)
    if keep is not None:
        keep.append((key, value))
    if only is not None:
        x, normed = x.index_select(1, only), normed.index_select(1, only)
        cos, sin = cos.index_select(0, only), sin.index_select(0, only)
    query = attention.q_norm(attention.q_proj(normed).view(n, x.shape[1], -1, heads[3]))
    query = _turned(query.transpose(1, 2), cos, sin)
    if past is not None:
        key, value = torch.cat((past[0], key), 2), torch.cat((past[1], value), 2)
    if only is not None:
        # One state reads all that stands before it; padding stands after it.
        reach = torch.arange(key.shape[2], device=x.device) <= only + key.shape[2] - length
        out = attend(query, key, value, attn_mask=reach[None, None, None], enable_gqa=True)
    elif past is not None:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        out = attend(query, key, value, attn_mask=causal_lower_right(length, key.shape[2]))
    else:
        out = attend(query, key, value, is_causal=True, enable_gqa=True)
    x = x + attention.o_proj(out.transpose(1, 2).reshape(n, x.shape[1], -1))
    added: torch.Tensor = x + layer.mlp(layer.post_attention_layernorm(x))
    return added


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions: each half of a head's numbers turned against the other."""
    import torch

    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def _frequencies(size: int, base: float, device: torch.device) -> torch.Tensor:
    """(size / 2,) float32."""
    import torch

    return 1.0 / base ** (torch.arange(0, size, 2, device=device).float() / size)


def _by_token(grid: torch.Tensor) -> torch.Tensor:
    """(height, width, ...) -> (height * width, ...), the four patches of a token side by side."""
    tall, wide, *rest = grid.shape
    cut = grid.reshape(tall // MERGE, MERGE, wide // MERGE, MERGE, *rest)
    return cut.transpose(1, 2).reshape(tall * wide, *rest)


def _image_kernel(projection: Any) -> torch.Tensor:
    """The first layer for still pictures: both of its frames are the same, so their weights add."""
    weight: torch.Tensor = projection.weight
    return weight.float().sum(2).flatten(1).to(weight.dtype)


def _patches(pictures: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """(n, height, width, 3) uint8 -> (n, patches, 768) in [-1, 1]."""
    n, height, width, _ = pictures.shape
    tall, wide = height // PATCH, width // PATCH
    cut = pictures.reshape(n, tall // MERGE, MERGE, PATCH, wide // MERGE, MERGE, PATCH, 3)
    ordered = cut.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(n, tall * wide, 3 * PATCH * PATCH)
    return ((ordered.float() - 127.5) / 127.5).to(dtype)
