"""Settings: one frozen dataclass, filled from option > environment > `mmsearch.toml` > default."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mmsearch.errors import InvalidSetting

CONFIG_FILE = "mmsearch.toml"
ENVIRONMENT_PREFIX = "MMSEARCH_"
SECRETS = (
    "api_key",
    "encoder_key",
    "reranker_key",
    "passwords",
    "users",
)  # never logged, never given to a reader


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, its default and what it means; `docs/settings.md` is made from this."""

    index: str = _setting("mmsearch-index", "Index folder, or the URL of a Qdrant server.")
    profile: str = _setting("auto", "Profile of a new index: a shipped name or a TOML file.")
    collection: str = _setting("mmsearch", "Name prefix of the collections on a Qdrant server.")
    store: str = _setting(
        "", "Folder or fsspec URL of the page pictures; by default inside the index folder."
    )
    api_key: str = _setting("", "API key of the Qdrant server; better set in the environment.")
    model_dir: str = _setting("", "Folder searched first for model weights.")
    encoder_service: Literal["", "vllm", "tei", "ollama", "dashscope"] = _setting(
        "", "Service that runs the profile's encoder; by default it runs here."
    )
    encoder_url: str = _setting("", "Address of that service.")
    encoder_key: str = _setting("", "API key of that service; better set in the environment.")
    reranker_service: Literal["", "vllm", "tei", "dashscope"] = _setting(
        "", "Service that runs the profile's reranker; by default it runs here."
    )
    reranker_url: str = _setting("", "Address of that service.")
    reranker_key: str = _setting("", "API key of that service; better set in the environment.")
    device: Literal["auto", "cpu", "cuda", "mps"] = _setting(
        "auto", "Where models run; auto takes an accelerator where there is one."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = _setting(
        "auto", "Number format of the weights; auto is bfloat16 on an accelerator, else float32."
    )
    computation: Literal["fast", "exact"] = _setting(
        "fast", "How pages are computed on an accelerator; exact is slower, as published."
    )
    compile: Literal["auto", "off"] = _setting(
        "auto", "Whether the fast path is compiled once there are enough pages to repay it."
    )
    ocr: Literal["auto", "rapidocr", "tesseract", "off"] = _setting(
        "auto", "OCR engine; auto takes Tesseract where it is installed and sure, else RapidOCR."
    )
    ocr_languages: str = _setting(
        "", "Languages that Tesseract may read, joined by +; by default all that are installed."
    )
    max_pixels: int = _setting(200_000_000, "Largest image that is decoded, in pixels.")
    max_file_bytes: int = _setting(4 << 30, "Largest file that is read, in bytes.")
    passwords: str = _setting(
        "",
        "Passwords of encrypted files, one a line; better set in the environment.",
    )
    password_file: str = _setting("", "File with further passwords, one a line.")
    blank_pages: Literal["skip", "keep"] = _setting(
        "skip", "Whether pages without any content are kept out of results."
    )
    video_interval: float = _setting(10.0, "Seconds between the frames taken of a video's scene.")
    archive_depth: int = _setting(3, "How deep archives within archives are opened.")
    archive_entries: int = _setting(100_000, "Most files that are taken from one archive.")
    archive_bytes: int = _setting(256 << 30, "Most bytes that are unpacked from one archive.")
    archive_ratio: int = _setting(
        200, "Most bytes unpacked for each byte of an archive, beyond its first 100 MiB."
    )
    workers: int = _setting(0, "Processes that work at a time; 0 takes one per CPU core.")
    worker_memory: int = _setting(3 << 30, "Memory limit of each of these processes, in bytes.")
    worker_niceness: int = _setting(
        0, "How far these processes stand back for others, 0 to 19; beside the web page 10."
    )
    open_timeout: float = _setting(120.0, "Seconds that opening a file may take.")
    page_timeout: float = _setting(60.0, "Seconds that reading or recognising one page may take.")
    watch_settle: float = _setting(
        5.0, "Seconds that a file must not have changed before it is read while watching."
    )
    watch_poll: float = _setting(
        0.0, "Seconds between looks at watched folders; 0 waits for the system's events."
    )
    watch_sweep: float = _setting(
        600.0, "Seconds between looks at all of the watched folders, for what was missed; 0 never."
    )
    host: str = _setting("127.0.0.1", "Address that the web page listens on.")
    port: int = _setting(7860, "Port that the web page listens on.")
    hosts: str = _setting(
        "", "Names under which the page is reached, joined by commas, beside this machine's own."
    )
    users: str = _setting(
        "",
        "Who may sign in to the page, NAME:HASH one a line, see `mmsearch password`; "
        "by default everybody may, without.",
    )
    user_header: str = _setting(
        "", "Header in which a proxy that signs users in names them; it must overwrite it."
    )
    read_only: Literal["off", "on"] = _setting(
        "off", "Whether the page only searches: nobody uploads, changes tags or removes there."
    )
    uploads: str = _setting(
        "", "Folder that keeps files uploaded in the page; by default inside the index folder."
    )
    max_upload_bytes: int = _setting(1 << 30, "Largest file that is uploaded, in bytes.")
    max_upload_files: int = _setting(10_000, "Most files that are uploaded at a time.")
    ingest_roots: str = _setting(
        "", "Folders, joined by colons, whose files the API may have ingested by their paths."
    )
    searches_per_minute: int = _setting(
        240, "Most searches of one visitor of the page in a minute; 0 for any number."
    )

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Settings).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), kind))


def load(
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the settings.

    Args:
        overrides: values of command-line options; None values are left out.
        environment: `MMSEARCH_NAME` variables; the process's own by default.
        folder: where `mmsearch.toml` is looked for; the current folder by default.

    Raises:
        InvalidSetting: an unknown name, or a value of the wrong type.
    """
    values: dict[str, Any] = _from_file((folder or Path.cwd()) / CONFIG_FILE)
    names = {item.name for item in fields(Settings)}
    for key, text in (os.environ if environment is None else environment).items():
        name = key.removeprefix(ENVIRONMENT_PREFIX).lower()
        if key.startswith(ENVIRONMENT_PREFIX) and name in names:
            values[name] = text
    values |= {key: value for key, value in (overrides or {}).items() if value is not None}
    unknown = sorted(set(values) - names)
    if unknown:
        raise InvalidSetting(
            f"setting {unknown[0]!r}: there is no such setting; "
            f"known are {', '.join(sorted(names))}"
        )
    return Settings(**values)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSetting(f"{path}: not readable as TOML: {error}; mend or remove it") from error


def _checked(name: str, value: Any, kind: Any) -> Any:
    """Return `value` as `kind`: strings from the environment become numbers."""
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if value in allowed:
            return value
        raise InvalidSetting(f"setting {name}={value!r}: allowed are {', '.join(allowed)}")
    if get_origin(kind) in (Union, UnionType):
        kind = next(option for option in get_args(kind) if option is not type(None))
    try:
        converted = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidSetting(f"setting {name}={value!r}: expected {kind.__name__}") from None
    if kind in (int, float) and not 0 <= converted < math.inf:
        raise InvalidSetting(f"setting {name}={value!r}: must be finite and not negative")
    return converted
