"""The options that several commands share, and what they open."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.errors import InvalidSetting

if TYPE_CHECKING:
    from mmsearch.config import Settings
    from mmsearch.engine import SearchEngine

Index = Annotated[
    str | None,
    typer.Option("--index", help="Index folder or URL of a Qdrant server.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Rerank = Annotated[
    bool | None,
    typer.Option(
        "--rerank/--no-rerank",
        help="Have the profile's reranker reorder the best pages.",
        show_default="for words alone",
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="How many pages are reranked.", show_default=False),
]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", help="A screenshot or photo; may be repeated.", show_default=False),
]
ImageWeight = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="How much images count beside words, 0 to 1.", show_default=False
    ),
]
Repair = Annotated[
    bool, typer.Option(help="Take window frames, dark mode and skew off an image to find its page.")
]
Where = Annotated[
    str,
    typer.Option(help='Such as "kind=pdf path=2024/ date>=2020".', show_default=False),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", help="Profile of a new index.", show_default=False)
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Reading processes; one per CPU core.", show_default=False),
]
Ocr = Annotated[
    str | None,
    typer.Option("--ocr", help="auto, rapidocr, tesseract or off.", show_default=False),
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", help="Write the report here, as JSON.", show_default=False),
]
AskPassword = Annotated[
    bool, typer.Option("--ask-password", help="Ask for passwords of encrypted files.")
]
KeepMissing = Annotated[
    bool, typer.Option("--keep-missing", help="Keep in the index what is no longer there.")
]
Folders = Annotated[list[Path], typer.Argument(help="Folders.", show_default=False)]


def settings_of(**options: Any) -> Settings:
    """The settings, with the values of options over them."""
    from mmsearch import config

    return config.load(options)


def open_index(
    index: str | None, *, profile: str | None = None, create: bool = False, **options: Any
) -> SearchEngine:
    """The engine of the index that was named, or of the one that the settings name."""
    from mmsearch.opening import open as open_

    settings = settings_of(index=index, **options)
    return open_(settings.index, profile=profile, create=create, settings=settings)


def check_one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    """Raise InvalidSetting unless the option has one of the values that it may have."""
    if value not in allowed:
        raise InvalidSetting(f"--{option} {value}: allowed are {', '.join(allowed)}")


def asked_passwords() -> tuple[str, ...]:
    """Passwords that a person types, unseen, one after the other.

    Raises:
        InvalidSetting: there is no terminal to ask on.
    """
    import getpass
    import warnings

    given: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            while password := getpass.getpass(
                "another password (Enter for no more): " if given else "password: "
            ):
                given.append(password)
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            raise InvalidSetting(
                "--ask-password: there is no terminal to ask on; set MMSEARCH_PASSWORDS or "
                "MMSEARCH_PASSWORD_FILE"
            ) from error
    return tuple(given)


def reranking(rerank: bool | None, candidates: int | None) -> bool | int | None:
    """What the engine is told: so many candidates, where they are named and not refused."""
    return rerank if rerank is False or candidates is None else candidates
