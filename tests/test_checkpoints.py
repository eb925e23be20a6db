"""Where checkpoints are looked for, and which ones are refused before anything loads them."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from mmsearch import checkpoints
from mmsearch.errors import MissingExtra, MissingModel, UnusableModel

NAME = "someone/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any model: an empty cache and an empty hub."""
    monkeypatch.setenv("MMSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def weights(path: Path, *names: str) -> None:
    """A safetensors file with one float a tensor, by the format's own description."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps(
        {
            name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * n, 4 * n + 4]}
            for n, name in enumerate(names)
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * len(names)))


def model(folder: Path, **config: Any) -> Path:
    weights(folder / "model.safetensors", "a", "b")
    put(folder / "config.json", {"model_type": "bert"} | config)
    return folder


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def snapshot(home: Path, commit: str = COMMIT, *, main: bool = True, name: str = NAME) -> Path:
    """A model in the Hugging Face cache, laid out by links as the hub's client does."""
    repository = home / "hub/hub" / f"models--{name.replace('/', '--')}"
    folder = model(repository / "snapshots" / commit)
    blob = repository / "blobs" / f"weights-{commit[:4]}"
    blob.parent.mkdir(exist_ok=True)
    (folder / "model.safetensors").rename(blob)
    (folder / "model.safetensors").symlink_to(Path("../../blobs") / blob.name)
    if main:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs/main").write_text(commit)
    return folder


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def bomb(file: Path) -> Path:
    """A pickle that would leave a trace; the path of the trace."""
    trace = file.parent / "exploded"
    file.write_bytes(pickle.dumps(Bomb(trace)))
    return trace


def test_a_folder_is_taken_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(home / "mine/emb")
    found = checkpoints.find(str(folder))
    assert found.path == folder
    assert found.identity == f"emb@{found.revision[:12]}"
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    assert checkpoints.find("mine/emb").path == folder
    assert checkpoints.find("./mine/emb").path == folder
    assert checkpoints.find("~/mine/emb") == checkpoints.Checkpoint(
        "~/mine/emb", folder, found.revision
    )


def test_places_are_tried_in_order(home: Path) -> None:
    given = home / "models"

    def found() -> Path:
        return checkpoints.find(NAME, model_dir=str(given)).path

    hub = snapshot(home)
    assert found() == hub
    cache = model(home / "cache/models/tiny")
    assert found() == cache
    full = model(given / "someone/tiny")
    assert found() == full
    short = model(given / "tiny")
    assert found() == short
    assert checkpoints.find(NAME, model_dir=str(short)).path == short


def test_the_models_folder_is_no_model_of_another_name(home: Path) -> None:
    model(home / "other")
    with pytest.raises(MissingModel):
        checkpoints.find(NAME, model_dir=str(home / "other"))


def test_the_models_folder_may_be_a_hub_cache(home: Path) -> None:
    folder = snapshot(home)
    (home / "hub").rename(home / "usb")
    found = checkpoints.find(NAME, model_dir=str(home / "usb/hub"))
    assert found.path == home / "usb" / folder.relative_to(home / "hub")


def test_a_known_name_on_another_model_is_passed_over(home: Path) -> None:
    model(home / "models/Qwen3-VL-Embedding-2B")
    with pytest.raises(MissingModel, match=r"model_type 'bert', not 'qwen3_vl'"):
        checkpoints.find("Qwen/Qwen3-VL-Embedding-2B", model_dir=str(home / "models"))
    right = model(home / "cache/models/Qwen3-VL-Embedding-2B", model_type="qwen3_vl")
    found = checkpoints.find("Qwen/Qwen3-VL-Embedding-2B", model_dir=str(home / "models"))
    assert found.path == right


def test_a_snapshot_is_known_by_its_commit(home: Path) -> None:
    snapshot(home)
    found = checkpoints.find(NAME)
    assert found.revision == COMMIT
    assert found.identity == "tiny@0123456789ab"


def test_the_revision_chooses_the_snapshot(home: Path) -> None:
    old, new = snapshot(home, OTHER), snapshot(home, COMMIT)
    assert checkpoints.find(NAME).path == new
    assert checkpoints.find(NAME, revision=OTHER).path == old
    (home / "hub/hub/models--someone--tiny/refs/v1").write_text(OTHER)
    assert checkpoints.find(NAME, revision="v1").path == old


def test_without_main_only_a_single_snapshot_is_plain(home: Path) -> None:
    folder = snapshot(home, main=False)
    assert checkpoints.find(NAME).path == folder
    snapshot(home, OTHER, main=False)
    with pytest.raises(MissingModel, match="which revision to take of 0123456789ab, fedcba987654"):
        checkpoints.find(NAME)


def test_a_pinned_revision_that_is_not_there_names_the_one_that_is(home: Path) -> None:
    snapshot(home)
    with pytest.raises(MissingModel) as caught:
        checkpoints.find(NAME, revision=OTHER)
    assert "revision fedcba987654 is not there, 0123456789ab is" in str(caught.value)
    assert "set revision in a profile of your own" in str(caught.value)


def test_a_missing_model_names_the_places_and_the_command(home: Path) -> None:
    with pytest.raises(MissingModel) as caught:
        checkpoints.find("Qwen/Qwen3-VL-Reranker-2B", model_dir="/models")
    assert str(caught.value) == (
        f"model Qwen/Qwen3-VL-Reranker-2B: its weights are not on this machine (looked in "
        f"/models, {home}/cache/models, {home}/hub/hub); run: mmsearch models pull qwen3-vl-2b"
    )
    with pytest.raises(MissingModel, match=r"run: mmsearch models pull mine\.toml"):
        checkpoints.find(NAME, pull="mine.toml")
    with pytest.raises(MissingModel, match="run: hf download someone/tiny"):
        checkpoints.find(NAME)


@pytest.mark.parametrize("name", ["../up", "a/b/c", "/nowhere", "~/nowhere", "", "a/../b", "C:\\x"])
def test_a_path_that_does_not_exist_is_no_hub_name(name: str) -> None:
    with pytest.raises(MissingModel) as caught:
        checkpoints.find(name, model_dir="/models")
    assert "no such folder" in str(caught.value) or "is missing" in str(caught.value)


def test_an_interrupted_download_is_not_found_and_says_what_is_missing(home: Path) -> None:
    folder = snapshot(home)
    (folder / "model.safetensors").resolve().unlink()
    with pytest.raises(MissingModel, match=r"model\.safetensors is missing"):
        checkpoints.find(NAME)
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingModel, match=r"model\.safetensors is missing"):
        checkpoints.find(NAME)


def test_every_shard_has_to_be_there(home: Path) -> None:
    folder = model(home / "mine/tiny")
    (folder / "model.safetensors").unlink()
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    put(
        folder / "model.safetensors.index.json",
        {"weight_map": dict(zip("ab", shards, strict=True))},
    )
    weights(folder / shards[0], "a")
    with pytest.raises(MissingModel, match=r"model-00002-of-00002\.safetensors is missing"):
        checkpoints.find(NAME, model_dir=str(home / "mine"))
    weights(folder / shards[1], "b")
    assert checkpoints.find(NAME, model_dir=str(home / "mine")).path == folder


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", None])
def test_weights_that_are_cut_short_are_refused(home: Path, content: bytes | None) -> None:
    file = model(home / "mine/tiny") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] if content is None else content)
    with pytest.raises(UnusableModel, match=r"model\.safetensors is not whole"):
        checkpoints.find(NAME, model_dir=str(home / "mine"))


def test_the_revision_of_a_folder_is_that_of_its_content(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(home / "mine/tiny")
    first = checkpoints.find(str(folder)).revision
    (folder / "README.md").write_text("words")
    assert checkpoints.find(str(folder)).revision == first
    folder.rename(home / "moved")
    assert checkpoints.find(str(home / "moved")).revision == first
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", lambda *_: pytest.fail("was hashed again"))
        assert checkpoints.find(str(home / "moved")).revision == first
    weights(home / "moved/model.safetensors", "a", "c")
    os.utime(home / "moved/model.safetensors", (1, 1))
    assert checkpoints.find(str(home / "moved")).revision != first


def test_weights_that_are_a_pickle_are_refused_unread(home: Path) -> None:
    folder = model(home / "evil")
    (folder / "model.safetensors").unlink()
    trace = bomb(folder / "pytorch_model.bin")
    with pytest.raises(UnusableModel, match=r"a pickle, which can run code: pytorch_model\.bin"):
        checkpoints.find(str(folder))
    assert not trace.exists()
    with pytest.raises(FileNotFoundError):  # it does explode
        pickle.loads(pickle.dumps(Bomb(folder / "no/such")))


def test_a_pickle_beside_safe_weights_passes(home: Path) -> None:
    folder = model(home / "both")
    trace = bomb(folder / "pytorch_model.bin")
    checkpoints.check(folder)
    assert not trace.exists()


def test_onnx_weights_pass(home: Path) -> None:
    folder = model(home / "onnx")
    (folder / "model.safetensors").rename(folder / "model.onnx")
    checkpoints.check(folder)


def test_a_folder_without_weights_is_refused(home: Path) -> None:
    folder = model(home / "empty")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UnusableModel, match="it holds no weights"):
        checkpoints.check(folder)


def test_a_module_with_only_a_pickle_is_refused(home: Path) -> None:
    folder = model(home / "dense")
    put(folder / "modules.json", [module("sentence_transformers.models.Dense", "2_Dense")])
    put(folder / "2_Dense/config.json", {"activation_function": "torch.nn.modules.linear.Identity"})
    trace = bomb(folder / "2_Dense/pytorch_model.bin")
    with pytest.raises(UnusableModel, match=r"2_Dense/pytorch_model\.bin"):
        checkpoints.check(folder)
    assert not trace.exists()


def test_an_adapter_needs_weights_of_its_own(home: Path) -> None:
    folder = home / "lora"
    put(folder / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": NAME})
    trace = bomb(folder / "adapter_model.bin")
    with pytest.raises(UnusableModel, match=r"adapter_model\.bin"):
        checkpoints.find(str(folder))
    weights(folder / "adapter_model.safetensors", "a")
    assert checkpoints.find(str(folder)).identity.startswith("lora@")
    assert not trace.exists()
    model(folder)
    with pytest.raises(UnusableModel, match="an adapter beside a model"):
        checkpoints.check(folder)


def module(kind: str, path: str = "") -> dict[str, Any]:
    return {"idx": 0, "name": "0", "path": path, "type": kind}


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling_x.X"}}, r"modeling_x\.py"),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "c.X"}}}, r"own: c\.py"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "tok.T"]}}, r"tok\.py"),
        ("preprocessor_config.json", {"auto_map": {"AutoProcessor": "a/b--p.P"}}, r"a/b--p\.py"),
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}, "never given"),
        ("sentence_bert_config.json", {"model_kwargs": {"use_safetensors": False}}, "pickles"),
        ("config.json", {"attn_implementation": "someone/kernel"}, "someone/kernel"),
        ("config.json", {"sentence_transformers": {"activation_fn": "evil.Run"}}, r"evil\.Run"),
        ("router_config.json", {"types": {"query": "evil.Run"}}, r"evil\.Run"),
        ("router_config.json", {"types": {"../q": "sentence_transformers.A"}}, "outside"),
        ("modules.json", [{"idx": 0, "path": "", "type": "modeling_x.X"}], r"modeling_x\.X"),
        ("modules.json", [{"idx": 0, "path": "", "type": "os.path"}], r"os\.path"),
        ("modules.json", [{"path": "../x", "type": "sentence_transformers.A"}], "outside"),
        ("modules.json", [{"path": "/x", "type": "sentence_transformers.A"}], "outside"),
        ("modules.json", ["x"], "no list of modules"),
        ("model.safetensors.index.json", {"weight_map": {"a": "../x.safetensors"}}, "outside"),
        ("model.safetensors.index.json", {}, "no weight_map"),
    ],
)
def test_settings_that_want_to_run_code_or_leave_the_folder_are_refused(
    home: Path, file: str, content: Any, reason: str
) -> None:
    folder = model(home / "evil")
    put(folder / file, content)
    with pytest.raises(UnusableModel, match=reason) as caught:
        checkpoints.find(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\x00"])
def test_settings_that_are_no_json_are_refused(home: Path, content: str) -> None:
    folder = model(home / "broken")
    (folder / "config.json").write_text(content)
    with pytest.raises(UnusableModel, match=r"config\.json is not readable as JSON"):
        checkpoints.find(str(folder))


def test_the_library_refuses_them_as_well(home: Path) -> None:
    """What the check looks for is what the loaders would run, were they let."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = model(home / "evil")
    (folder / "modeling_x.py").write_text(f"import os; os.mkdir({str(home / 'ran')!r})\n")
    put(folder / "modules.json", [module("modeling_x.X")])
    with pytest.raises(UnusableModel):
        checkpoints.check(folder)
    with pytest.raises(ValueError, match="modeling_x"):
        sentence_transformers.SentenceTransformer(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    assert not (home / "ran").exists()


def test_the_library_is_told_to_leave_a_pickle_alone(home: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = home / "evil"
    put(folder / "config.json", {"model_type": "bert", "hidden_size": 12})
    trace = bomb(folder / "pytorch_model.bin")
    with pytest.raises(UnusableModel):
        checkpoints.check(folder)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    assert not trace.exists()


def test_a_missing_package_names_the_extra() -> None:
    checkpoints.require("json")
    with pytest.raises(MissingExtra) as caught:
        checkpoints.require("json", "no_such_package")
    assert str(caught.value) == (
        'no-such-package is not installed; run: pip install "mmsearch[qwen]"'
    )
    assert isinstance(caught.value, ImportError)
