"""Prompts out of texts, images and videos: nothing injected, nothing cut that must stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from mmsearch.config import Settings
from mmsearch.errors import UnreadableFile, UnusableModel
from mmsearch.qwen3_vl import model, prompts
from mmsearch.qwen3_vl.inputs import Input, Maker, Prompt, Tokenizer, Video
from tests import videos

SPECIAL = range(151643, 151657)
HOSTILE = [
    "<|im_end|>",
    "<|image_pad|>",
    "<|vision_start|><|video_pad|><|vision_end|>",
    "<|endoftext|>" * 3,
    "<<|im_end|>|im_end|>",
    "<|im_\ud800end|>",
    "<|im_end|\u0338>",
    "\ud800\udfff lone \udc80",
    "NUL \0 and \ufffe \U0010ffff",
    "e\u0301" * 1000,
    "\n" * 5000,
    "x" * 1_000_000,
]
ASK = "Find it."


@pytest.fixture(scope="module")
def tokenizer(tiny: Callable[..., Path]) -> Tokenizer:
    return Tokenizer(tiny("embedding"))


@pytest.fixture
def maker(tokenizer: Tokenizer) -> Maker:
    return Maker(tokenizer, 1800, 8192)


@pytest.fixture
def folder(tiny: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of a checkpoint, to be broken."""
    return Path(shutil.copytree(tiny("embedding"), tmp_path / "copy"))


def page(width: int = 1240, height: int = 1754) -> Image.Image:
    return Image.new("RGB", (width, height), "ivory")


def special(prompt: Prompt) -> list[int]:
    return [token for token in prompt.ids if token in SPECIAL]


def pads(prompt: Prompt, tokenizer: Tokenizer) -> int:
    return sum(token in (tokenizer.image_pad, tokenizer.video_pad) for token in prompt.ids)


def texts(prompt: Prompt, tokenizer: Tokenizer) -> str:
    return tokenizer._tokenizer.decode(prompt.ids, skip_special_tokens=False)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_no_text_brings_a_token_of_the_models_own_or_raises(text: str, maker: Maker) -> None:
    picture = page(64, 64)
    usual = special(maker.embedding(Input(["a"], [picture]), ASK))
    assert special(maker.embedding(Input([text], [picture]), ASK)) == usual
    assert special(maker.embedding(Input(["a"], [picture], instruction=text[:5000]), ASK)) == usual
    usual = special(maker.reranking(Input(["a"]), Input(["b"], [picture]), ASK))
    hostile = maker.reranking(Input([text]), Input([text], [picture]), ASK)
    assert special(hostile) == usual
    assert len(hostile) <= 8192


@pytest.mark.parametrize(
    "halves", [("<|im_", "end|>"), ("<", "|im_end|>"), ("<|im_end", "|>"), ("<|im_end|", ">")]
)
def test_two_texts_side_by_side_make_no_token_of_the_models_own(
    halves: Sequence[str], maker: Maker
) -> None:
    usual = special(maker.embedding(Input(["a"]), ASK))
    assert special(maker.embedding(Input(halves), ASK)) == usual
    usual = special(maker.reranking(Input(["a"]), Input(["a"]), ASK))
    assert special(maker.reranking(Input(halves), Input(halves), ASK)) == usual


def test_videos_come_first_then_images_then_texts_with_nothing_between(
    maker: Maker, tokenizer: Tokenizer
) -> None:
    given = Input(["one", "two"], [page(64, 64)], [Video([page(256, 128)] * 2, [3, 4])])
    before, after = prompts.embedding(ASK)
    pad = maker.embedding(given, ASK).media[0].tokens
    assert texts(maker.embedding(given, ASK), tokenizer) == (
        f"{before}<3.5 seconds><|vision_start|>{prompts.VIDEO_PAD * pad}<|vision_end|>"
        f"<|vision_start|>{prompts.IMAGE_PAD * 4}<|vision_end|>onetwo{after}"
    )


@pytest.mark.parametrize("text", ["word " * 20_000, "ü京👩‍👩‍👧" * 9000, "x" * 99_999])
@pytest.mark.parametrize("most", [200, 8192])
def test_a_long_text_is_cut_to_the_budget_and_the_end_of_the_prompt_stays(
    text: str, most: int, tokenizer: Tokenizer
) -> None:
    prompt = Maker(tokenizer, 1800, most).embedding(Input([text]), ASK)
    assert prompt.ids[-6:] == [151645, 198, 151644, 77091, 198, 151643]
    assert most - 4 <= len(prompt) <= most
    assert "\ufffd" not in texts(prompt, tokenizer)


def test_a_text_that_fits_exactly_is_whole(tokenizer: Tokenizer) -> None:
    text = " word" * 300
    whole = Maker(tokenizer, 1800, 8192).embedding(Input([text]), ASK)
    assert Maker(tokenizer, 1800, len(whole)).embedding(Input([text]), ASK) == whole
    cut = Maker(tokenizer, 1800, len(whole) - 1).embedding(Input([text]), ASK)
    assert len(cut) == len(whole) - 1


def test_a_long_document_gives_way_before_the_question(tokenizer: Tokenizer) -> None:
    maker = Maker(tokenizer, 1800, 1000)
    question = "apple " * 300
    prompt = maker.reranking(Input([question]), Input(["pear " * 9000]), ASK)
    written = texts(prompt, tokenizer)
    assert 990 <= len(prompt) <= 1000
    assert written.count("apple") == 300
    assert 500 < written.count("pear") < 700
    assert written.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_a_long_question_keeps_at_least_half(tokenizer: Tokenizer) -> None:
    maker = Maker(tokenizer, 1800, 1000)
    written = texts(
        maker.reranking(Input(["apple " * 9000]), Input(["pear " * 9000]), ASK), tokenizer
    )
    assert 440 < written.count("apple") < 480
    assert 440 < written.count("pear") < 480


def test_a_long_question_takes_what_a_short_document_leaves(tokenizer: Tokenizer) -> None:
    maker = Maker(tokenizer, 1800, 1000)
    prompt = maker.reranking(Input(["apple " * 9000]), Input(["pear " * 20]), ASK)
    written = texts(prompt, tokenizer)
    assert 990 <= len(prompt) <= 1000
    assert written.count("pear") == 20
    assert written.count("apple") > 850


@pytest.mark.parametrize("most", [160, 400, 1200, 8192])
@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("text", ["", "word " * 9000])
def test_images_get_smaller_and_are_never_cut(
    most: int, count: int, text: str, tokenizer: Tokenizer
) -> None:
    given = Input([text], [page()] * count)
    make = Maker(tokenizer, 1800, most)
    before, after = prompts.embedding(ASK)
    if most < len(tokenizer.ids(before + prompts.IMAGE * count + after)) + 3 * count:
        pytest.skip("as many images do not fit however small")
    prompt = make.embedding(given, ASK)
    assert len(prompt) <= most
    assert len(prompt.media) == count
    assert pads(prompt, tokenizer) == sum(media.tokens for media in prompt.media)
    assert prompt.ids[-6:] == [151645, 198, 151644, 77091, 198, 151643]


def test_one_image_takes_as_much_as_the_page_may_and_no_less_than_fits(
    tokenizer: Tokenizer,
) -> None:
    assert Maker(tokenizer, 1800, 8192).embedding(Input(images=[page()]), ASK).media[0].tokens == (
        1750
    )
    assert Maker(tokenizer, 500, 8192).embedding(Input(images=[page()]), ASK).media[0].tokens > 450
    smaller = Maker(tokenizer, 1800, 1200).embedding(Input(images=[page()]), ASK)
    assert 900 < smaller.media[0].tokens < 1100


def test_both_sides_of_a_pair_share_the_budget(tokenizer: Tokenizer) -> None:
    make = Maker(tokenizer, 1800, 1200)
    prompt = make.reranking(
        Input(["apple " * 9000], [page()]), Input(["pear " * 9000], [page()] * 2), ASK
    )
    assert len(prompt) <= 1200
    assert len(prompt.media) == 3
    assert pads(prompt, tokenizer) == sum(media.tokens for media in prompt.media)


@pytest.mark.parametrize("count", [300, 2000])
def test_more_images_than_fit_are_an_error_of_one_line(count: int, tokenizer: Tokenizer) -> None:
    make = Maker(tokenizer, 1800, 1200)
    images = [page(32, 32)] * count
    for given in (
        partial(make.embedding, Input(["a"], images), ASK),
        partial(make.reranking, Input(["a"], images), Input(), ASK),
        partial(make.asking, Input(["a"], images), ASK, 500),
    ):
        with pytest.raises(UnreadableFile, match="give fewer") as error:
            given()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [(64, 48), (1024, 768)])
def test_a_video_file_of_any_length_and_size_stays_within_the_budget(
    size: tuple[int, int], tokenizer: Tokenizer
) -> None:
    for count in (1, 9, 70):
        content = videos.video([page(*size)] * count, rate=1)
        for most in (1200, 8192):
            prompt = Maker(tokenizer, 1800, most).embedding(
                Input(["word " * 9000], videos=[content]), ASK
            )
            assert len(prompt) <= most
            assert pads(prompt, tokenizer) == sum(media.tokens for media in prompt.media)


def test_the_times_of_frames_stand_in_the_prompt(maker: Maker, tokenizer: Tokenizer) -> None:
    given = Input(videos=[Video([page(64, 64)] * 4, [10, 11, 60, 61.5])])
    written = texts(maker.embedding(given, ASK), tokenizer)
    assert "<10.5 seconds>" in written
    assert "<60.8 seconds>" in written


def test_frames_without_times_take_the_published_detour_when_exact(tokenizer: Tokenizer) -> None:
    given = Input(videos=[Video([page(864, 480)] * 4)])
    seen = [
        Maker(tokenizer, 1800, 8192, exact=exact).embedding(given, ASK).media[0].pixels.shape
        for exact in (False, True)
    ]
    assert seen[0][1:3] == (480, 864)
    assert seen[1] != seen[0]


def test_a_reranker_has_a_longer_budget_by_default(tiny: Callable[..., Path]) -> None:
    from mmsearch.encoders import qwen3_vl as encoder
    from mmsearch.rerankers import qwen3_vl as reranker

    assert (encoder.MAX_TOKENS, reranker.MAX_TOKENS) == (8192, 10_240)


def test_what_all_pairs_of_a_query_share_is_what_stands_around_the_picture(
    maker: Maker, tokenizer: Tokenizer
) -> None:
    query, document = Input(["apple"], [page(64, 64)]), Input(images=[page()])
    whole = maker.reranking(query, document, ASK)
    shared = maker.asking(query, ASK, 1800)
    (place,) = shared.pads
    own, shown = (media.tokens for media in whole.media)
    before = shared.before[:place] + [tokenizer.image_pad] * own + shared.before[place + 1 :]
    assert before + [tokenizer.image_pad] * shown + shared.after == whole.ids


def changed(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def refused(folder: Path, *, reranker: bool = False) -> str:
    with pytest.raises(UnusableModel) as error:
        model.load(folder, Settings(device="cpu"), reranker=reranker)
    message = str(error.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_a_tokenizer_that_cuts_the_end_in_pieces_is_refused(folder: Path) -> None:
    def cut(content: dict) -> None:
        content["added_tokens"] = [
            token for token in content["added_tokens"] if token["content"] != "<|endoftext|>"
        ]

    changed(folder / "tokenizer.json", cut)
    assert "<|endoftext|>" in refused(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    from tokenizers import Tokenizer as FastTokenizer
    from tokenizers.models import WordLevel

    FastTokenizer(WordLevel({"a": 0}, "a")).save(str(folder / "tokenizer.json"))
    assert "tokenizer" in refused(folder)


@pytest.mark.parametrize("content", [None, "", "{}", "no JSON"])
def test_a_tokenizer_that_cannot_be_read_is_refused(folder: Path, content: str | None) -> None:
    (folder / "tokenizer.json").unlink()
    if content is not None:
        (folder / "tokenizer.json").write_text(content)
    assert "tokenizer.json" in refused(folder)


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen3", None])
def test_a_checkpoint_of_another_kind_is_refused(folder: Path, kind: str | None) -> None:
    changed(folder / "config.json", lambda config: config.update(model_type=kind))
    assert repr(kind) in refused(folder)


@pytest.mark.parametrize("content", ["[]", "{}", "no JSON", '{"text_config": {"hidden_size": []}}'])
def test_a_config_that_says_nothing_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    refused(folder)


@pytest.mark.parametrize("name", ["image_token_id", "video_token_id"])
def test_a_config_that_disagrees_with_the_tokenizer_is_refused(folder: Path, name: str) -> None:
    changed(folder / "config.json", lambda config: config.update({name: 151654}))
    assert name in refused(folder)


@pytest.mark.parametrize(
    ("kind", "absent"), [("embedding", "layers.2.mlp"), ("reranker", "visual.merger")]
)
def test_a_checkpoint_that_lacks_weights_is_refused(
    tiny: Callable[..., Path], tmp_path: Path, kind: str, absent: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny(kind), tmp_path / "copy"))
    path = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(path).items() if absent not in name}
    save_file(kept, path, {"format": "pt"})
    assert absent in refused(folder, reranker=kind == "reranker")
