"""Where weights are looked for, that they are checked, and what is said when there are none."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mmsearch import checkpoints, model_check, models, profiles
from mmsearch.errors import MissingModel, UnknownProfile
from mmsearch.models import Model, ModelFile, Need, Wheel
from tests.test_checkpoints import model, put, weights
from tests.tiny_qwen3_vl import build_tokenizer

ROOT = Path(__file__).parents[1]

CONTENT = b"weights"
TINY = Model(
    name="tiny",
    licence="MIT",
    repository="someone/tiny",
    wheel=Wheel("tiny-weights==1.0", "tiny_weights", "data"),
    files=(ModelFile("model.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)),),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any model: an empty cache, an empty hub, no wheel."""
    monkeypatch.setenv("MMSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def place(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(content)
    return folder


def install_wheel(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = home / "site" / "tiny_weights"
    place(package / "data")
    (package / "__init__.py").write_text("raise SystemExit('code of a weights package was run')")
    monkeypatch.syspath_prepend(str(home / "site"))
    return package / "data"


def test_places_are_tried_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = place(home / "hub/hub/models--someone--tiny/snapshots/abc")
    assert models.find(TINY) == hub
    wheel = install_wheel(home, monkeypatch)
    assert models.find(TINY) == wheel
    cache = place(home / "cache/models/tiny")
    assert models.find(TINY) == cache
    given = place(home / "mine")
    assert models.find(TINY, str(given)) == given
    named = place(home / "mine/tiny")
    assert models.find(TINY, str(home / "mine")) == named


def test_a_changed_file_is_passed_over_and_named(home: Path) -> None:
    place(home / "mine", b"WEIGHTS")
    with pytest.raises(MissingModel, match=r"model\.bin is not the published file"):
        models.find(TINY, str(home / "mine"))
    good = place(home / "cache/models/tiny")
    assert models.find(TINY, str(home / "mine")) == good


def test_a_checked_file_is_not_read_again_until_it_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(home / "mine")
    assert models.find(TINY, str(folder)) == folder
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("was hashed again"))
        assert models.find(TINY, str(folder)) == folder
    place(folder, b"WEIGHTS")
    os.utime(folder / "model.bin", (1, 1))
    with pytest.raises(MissingModel):
        models.find(TINY, str(folder))


def test_a_missing_model_says_what_to_run_in_one_line() -> None:
    with pytest.raises(MissingModel) as caught:
        models.find(TINY)
    assert str(caught.value).endswith("run: mmsearch models pull lite")
    assert "\n" not in str(caught.value)


def test_the_cache_folder_follows_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.cache_dir() == home / "cache"
    monkeypatch.delenv("MMSEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert models.cache_dir() == home / "xdg/mmsearch"


def test_a_cached_file_is_made_once_and_left_alone_by_a_failure(home: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        models.cached("graph", fail)
    path = models.cached("graph", lambda: b"one")
    assert models.cached("graph", lambda: b"two") == path == str(home / "cache/graph")
    assert Path(str(path)).read_bytes() == b"one"
    assert [file.name for file in (home / "cache").iterdir()] == ["graph"]


def test_several_makers_at_once_leave_one_whole_file(home: Path) -> None:
    def make() -> bytes:
        time.sleep(0.05)
        return b"x" * 1_000_000

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: models.cached("graph", make), range(4)))
    assert paths == {str(home / "cache/graph")}
    assert (home / "cache/graph").stat().st_size == 1_000_000
    assert len(list((home / "cache").iterdir())) == 1


def test_without_a_writable_cache_the_content_itself_is_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("not a folder")
    monkeypatch.setenv("MMSEARCH_CACHE", str(home / "file"))
    assert models.cached("graph", lambda: b"one") == b"one"
    folder = place(home / "mine")
    assert models.find(TINY, str(folder)) == folder


def test_pull_of_an_unknown_profile() -> None:
    with pytest.raises(UnknownProfile):
        list(models.pull("no-such-profile"))


class Pip:
    """Stands in for the subprocess: notes the command, installs or fails."""

    def __init__(self, home: Path, error: str = "") -> None:
        self.home, self.error = home, error
        self.command: list[str] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.command = command
        if not self.error:
            place(self.home / "site/tiny_weights/data")
            (self.home / "site/tiny_weights/__init__.py").touch()
        return subprocess.CompletedProcess(command, bool(self.error), "", self.error)


@pytest.fixture
def needs_tiny(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(models, "NEEDED", {"minilm": (TINY,)})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (home / "site").mkdir()
    monkeypatch.syspath_prepend(str(home / "site"))


@pytest.mark.usefixtures("needs_tiny")
def test_pull_installs_the_wheel_without_its_dependencies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(home)
    monkeypatch.setattr(subprocess, "run", pip)
    assert "installed tiny-weights==1.0" in list(models.pull("lite"))[-1]
    assert pip.command == [
        *(sys.executable, "-m", "pip", "install", "--no-deps", "tiny-weights==1.0")
    ]
    assert list(models.pull("lite")) == [f"tiny: already here, {models.find(TINY)}"]


@pytest.mark.usefixtures("needs_tiny")
def test_pull_says_why_it_failed_and_what_to_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(home, "WARNING: slow\nERROR: no network\n"))
    with pytest.raises(MissingModel, match=r"ERROR: no network; run: .*pip install --no-deps tiny"):
        list(models.pull("lite"))


def test_a_model_that_two_encoders_need_is_listed_once() -> None:
    needed = [(need.use, need.name) for need in models.needs(profiles.load("lite"))]
    assert needed == [("text", "all-MiniLM-L6-v2"), ("labels", "efficientnet-lite0")]


@pytest.mark.usefixtures("needs_tiny")
def test_a_model_that_is_in_a_wheel_alone_is_not_asked_of_the_hub(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Model(TINY.name, TINY.licence, "", TINY.wheel, TINY.files)
    monkeypatch.setattr(models, "NEEDED", {"minilm": (alone,)})
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(models, "_download", lambda _: pytest.fail("the hub was asked"))
    monkeypatch.setattr(subprocess, "run", Pip(home, "ERROR: no network\n"))
    place(home / "hub/hub/models--/snapshots/0")
    with pytest.raises(MissingModel, match=r"run: .*install --no-deps tiny-weights"):
        list(models.pull("lite"))


HUB_NAME = "someone/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(home: Path) -> Iterator[str]:
    """The address of a hub with one model, which has a pickle and code beside its weights."""
    source = model(home / "published")
    put(source / "1_Pooling/config.json", {})
    for name in ("pytorch_model.bin", "modeling_x.py"):
        (source / name).write_bytes(b"not to be fetched")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, source))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's HTTP as a download of one revision takes."""

    def __init__(self, source: Path, *arguments: Any) -> None:
        self.source = source
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        path = self.path.partition("?")[0]
        files = [file for file in self.source.rglob("*") if file.is_file()]
        names = [file.relative_to(self.source).as_posix() for file in files]
        if path.endswith(f"/revision/{COMMIT}"):
            about = {"id": HUB_NAME, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            content = json.dumps(about).encode()
        elif path.endswith(f"/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": n, "size": f.stat().st_size, "oid": "0" * 40}
                for n, f in zip(names, files, strict=True)
            ]
            content = json.dumps(tree).encode()
        else:
            name = path.partition(f"/resolve/{COMMIT}/")[2]
            content = (self.source / name).read_bytes() if name in names else b""
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        return content

    def log_message(self, *_: Any) -> None:
        pass


def profile_of(home: Path, name: str = HUB_NAME, revision: str = COMMIT) -> Path:
    file = home / "mine.toml"
    file.write_text(
        f'[views.text]\nencoder = "sentence"\nmodel = "{name}"\nrevision = "{revision}"\n'
    )
    return file


def pull_of(home: Path, profile: Path | str, **environment: str) -> str:
    """What `mmsearch models pull` says on stderr, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mmsearch.cli", "models", "pull", str(profile)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        | {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return f"{done.returncode} {done.stderr}"


def test_pull_downloads_what_a_loader_may_read_and_nothing_else(home: Path, hub: str) -> None:
    said = pull_of(home, profile_of(home), HF_ENDPOINT=hub)
    folder = home / "hub/hub/models--someone--tiny/snapshots" / COMMIT
    assert said.startswith("0 someone/tiny: fetching its files\n"), said
    assert f"someone/tiny: downloaded to {folder}" in said
    names = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    assert names == {"config.json", "model.safetensors", "1_Pooling/config.json"}
    assert checkpoints.find(HUB_NAME, revision=COMMIT).revision == COMMIT
    assert pull_of(home, home / "mine.toml") == f"0 someone/tiny: already here, {folder}\n"


def test_pull_without_a_network_is_one_line(home: Path) -> None:
    said = pull_of(home, profile_of(home), HF_ENDPOINT="http://127.0.0.1:9").splitlines()
    assert said[-1].startswith("mmsearch: model someone/tiny: the download failed: ")
    assert said[-1].endswith(f"or run: hf download someone/tiny --revision {COMMIT}")
    assert len(said) == 2


def test_pull_offline_says_so_before_anything_else(home: Path) -> None:
    said = pull_of(home, "qwen3-vl-2b", HF_HUB_OFFLINE="1")
    assert said.startswith("1 mmsearch: model Qwen/Qwen3-VL-Embedding-2B: it is not on this")
    assert "HF_HUB_OFFLINE forbids fetching it" in said
    assert len(said.splitlines()) == 1


def test_pull_looks_at_the_disk_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    full = namedtuple("usage", "total used free")(100, 99, 10**9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    with pytest.raises(MissingModel, match=r"4\.3 GB do not fit on the disk of .*, 1\.0 GB are"):
        list(models.pull("qwen3-vl-2b"))


def test_a_folder_that_is_not_there_cannot_be_pulled(home: Path) -> None:
    with pytest.raises(MissingModel, match="no such folder"):
        list(models.pull(str(profile_of(home, name="./nowhere"))))


def test_list_is_quick_and_loads_nothing(home: Path) -> None:
    code = (
        "import sys; from mmsearch.cli import app\n"
        "try: app(['models', 'list', '--json'])\n"
        "finally: assert not {'torch', 'transformers', 'onnxruntime'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["profile"] for row in rows} == set(profiles.names())
    (row,) = [row for row in rows if row["model"] == "Qwen/Qwen3-VL-Reranker-2B"]
    assert row["bytes"] == 4_255_064_064
    assert row["licence"] == "Apache-2.0"
    assert row["path"] is None
    assert "models pull qwen3-vl-2b" in row["reason"]


def qwen(folder: Path, *, layers: int = 2, tokens: bool = True) -> Path:
    """The settings, tokenizer and tensor names of a Qwen3-VL; the numbers are none."""
    names = [f"model.language_model.layers.{n}.self_attn.q_proj.weight" for n in range(layers)]
    names += ["model.language_model.embed_tokens.weight", "model.visual.blocks.0.attn.qkv.weight"]
    weights(folder / "model.safetensors", *names)
    text = {"hidden_size": 64, "num_hidden_layers": 2}
    settings = {"model_type": "qwen3_vl", "tie_word_embeddings": True, "text_config": text}
    put(folder / "config.json", settings | {"vision_config": {"depth": 1}})
    if tokens:
        tokenizer, _ = build_tokenizer("embedding", "toy", None)
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def need(folder: Path, **options: Any) -> Need:
    return Need(options.pop("use", "visual"), "qwen3-vl", str(folder), options=options)


def test_a_whole_model_of_the_right_kind_has_no_fault(home: Path) -> None:
    assert model_check.faults(need(qwen(home / "whole"), dimension=64)) == []


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda folder: model(folder), "of model_type 'bert', 'qwen3_vl' is wanted"),
        (lambda folder: qwen(folder, layers=1), r"not in its weights: layers\.1\.self_attn"),
        (lambda folder: qwen(folder, tokens=False), r"tokenizer\.json is missing"),
        (lambda folder: folder, "no such folder"),
    ],
)
def test_each_fault_is_a_line(home: Path, make: Callable[[Path], Path], fault: str) -> None:
    (line,) = model_check.faults(need(make(home / "tiny")))
    assert re.search(fault, line), line


def test_a_dimension_or_a_head_that_the_model_lacks(home: Path) -> None:
    folder = qwen(home / "tiny")
    (line,) = model_check.faults(need(folder, dimension=1024))
    assert "the profile asks for dimension 1024, it has 64" in line
    settings = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": False}
    put(folder / "config.json", settings)
    (line,) = model_check.faults(need(folder, use="reranker"))
    assert "lm_head.weight" in line


def test_another_models_tokenizer_is_a_fault(home: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    folder = qwen(home / "tiny", tokens=False)
    Tokenizer(WordLevel({"yes": 0}, unk_token="yes")).save(str(folder / "tokenizer.json"))
    (line,) = model_check.faults(need(folder))
    assert "its tokenizer is another model's" in line
    (folder / "tokenizer.json").write_text("{}")
    (line,) = model_check.faults(need(folder))
    assert "tokenizer.json cannot be read" in line
