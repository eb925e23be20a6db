"""What the shipped profiles name, what `auto` stands for, and profiles of one's own."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mmsearch import models, profiles
from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting, UnknownProfile
from tests.test_checkpoints import model

DOCS = Path(__file__).parents[1] / "docs" / "profiles.md"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without an accelerator, of a user without any model."""
    monkeypatch.setenv("MMSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(profiles, "_DEVICE_FILES", (str(tmp_path / "nvidia0"),))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    return tmp_path


def attach(home: Path) -> None:
    (home / "nvidia0").touch()


def store(home: Path) -> Settings:
    """Settings of a user who has the main profile's models."""
    for need in models.needs(profiles.load(profiles.MAIN)):
        model(home / "models" / need.name, model_type="qwen3_vl")
    return Settings(model_dir=str(home / "models"))


def torch_that(monkeypatch: pytest.MonkeyPatch, *, finds: bool) -> None:
    """A torch that finds a GPU or none: this machine's own is what it is."""
    for name in ("torch", "transformers"):
        pytest.importorskip(name)
    fake = ModuleType("torch")
    fake.__spec__ = sys.modules["torch"].__spec__
    fake.cuda = SimpleNamespace(is_available=lambda: finds)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", fake)


def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_is_torch_ready", lambda _: pytest.fail("torch was asked for"))


def test_auto_takes_the_main_profile_where_everything_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(home)
    settings = store(home)
    torch_that(monkeypatch, finds=True)
    assert profiles.resolve("auto", settings) == "qwen3-vl-2b"
    assert profiles.load("auto", settings).name == "qwen3-vl-2b"
    torch_that(monkeypatch, finds=False)
    assert profiles.resolve("auto", settings) == "lite"


def test_auto_without_an_accelerator_or_weights_never_asks_torch(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_torch(monkeypatch)
    settings = store(home)
    assert profiles.resolve("auto", settings) == "lite"
    attach(home)
    assert profiles.resolve("auto", Settings()) == "lite"
    assert profiles.resolve("auto", Settings(model_dir=settings.model_dir, device="cpu")) == "lite"
    (home / "models/Qwen/Qwen3-VL-Reranker-2B/model.safetensors").unlink()
    assert profiles.resolve("auto", settings) == "lite"


def test_auto_does_not_mind_a_torch_that_is_broken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    attach(home)
    settings = store(home)
    monkeypatch.setattr(profiles, "find_spec", lambda _: True)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert profiles.resolve("auto", settings) == "lite"


def test_apple_silicon_is_an_accelerator(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert profiles.accelerator(Settings()) == "mps"
    assert profiles.accelerator(Settings(device="cpu")) == ""


def test_another_name_stands_for_itself() -> None:
    assert profiles.resolve("mine.toml") == "mine.toml"
    assert profiles.load("auto", Settings(device="cpu")).name == "lite"
    with pytest.raises(UnknownProfile, match=r"shipped: lite, qwen3-text-0\.6b"):
        profiles.load("no-such-profile")


@pytest.mark.parametrize("name", profiles.names())
def test_every_shipped_model_is_described_and_pinned(name: str) -> None:
    profile = profiles.load(name)
    assert profile.weights.keys() >= {"lexical"}
    for need in models.needs(profile):
        assert need.licence == "Apache-2.0"
        assert need.size
        assert need.size > 10_000_000
        if need.loader not in models.NEEDED:
            assert re.fullmatch("[0-9a-f]{40}", need.revision)


def test_a_profile_of_ones_own_finds_the_models_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model(tmp_path / "profiles/models/tiny")
    (tmp_path / "profiles/lora").mkdir()
    file = tmp_path / "profiles/mine.toml"
    file.write_text(
        """
        [views.text]
        encoder = "sentence"
        model = "models/tiny"
        adapter = "lora"
        [reranker]
        reranker = "sentence"
        model = "Qwen/Qwen3-Reranker-0.6B"
        """
    )
    monkeypatch.chdir(tmp_path)
    profile = profiles.load("profiles/mine.toml")
    (view,) = profile.views
    assert view.options["model"] == str(tmp_path / "profiles/models/tiny")
    assert view.options["adapter"] == str(tmp_path / "profiles/lora")
    assert profile.reranker
    assert profile.reranker.options["model"] == "Qwen/Qwen3-Reranker-0.6B"
    assert [need.use for need in models.needs(profile)] == ["text", "reranker"]


@pytest.mark.parametrize(
    "text",
    ["", "views = 1", "[views.a]", "[views.a]\nencoder = 'x'", "[views", "tokens_per_page = 1"],
)
def test_a_file_that_is_no_profile_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(InvalidSetting) as caught:
        profiles.load(str(tmp_path / "bad.toml"))
    assert "\n" not in str(caught.value)


def test_every_profile_is_documented() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name in (*profiles.names(), "auto"):
        assert f"`{name}`" in page, name


@pytest.mark.parametrize(
    ("title", "factories"),
    [("Encoders", profiles.ENCODERS), ("Rerankers", profiles.RERANKERS)],
)
def test_every_option_is_documented(title: str, factories: dict[str, str]) -> None:
    section = DOCS.read_text(encoding="utf-8").split(f"### {title}\n")[1].split("\n### ")[0]
    for name, path in factories.items():
        file, factory = path.split(":")
        options = list(signature(getattr(import_module(file), factory)).parameters)[2:]
        entry = re.split(r"^- ", section.split(f"- `{name}`")[1], flags=re.MULTILINE)[0]
        for option in options:
            assert f"`{option}`" in entry, f"{name}: {option}"
