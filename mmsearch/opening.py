"""Opens an index: whether it is there, what it was made with, and whether that still fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmsearch import config, profiles
from mmsearch.config import Settings
from mmsearch.documents import DOCUMENT_SCHEMA, PAGE_FIELDS
from mmsearch.encoders import Encoder
from mmsearch.engine import SearchEngine
from mmsearch.errors import (
    FormatMismatch,
    MissingModel,
    MMSearchError,
    NotFound,
    ProfileMismatch,
    UnusableModel,
)
from mmsearch.index import FORMAT, Index, Schema
from mmsearch.page_store import PageStore
from mmsearch.paths import absolute


def open(
    index: str | Path | None = None,
    *,
    url: str | None = None,
    profile: str | None = None,
    create: bool = True,
    settings: Settings | None = None,
) -> SearchEngine:
    """Open an index and everything that searches it.

    Args:
        index: index folder; `url`: address of a Qdrant server instead.
        profile: for a new index; for an existing one it must be the one it was made with.
        create: make the index where there is none.
        settings: instead of environment and `mmsearch.toml`.

    Raises:
        NotFound: there is no index and `create` is False.
        ProfileMismatch: the index was made with another profile or model.
        FormatMismatch: the index was made by an older or newer mmsearch.
        IndexLocked: another process holds it and does not answer.
        IndexUnavailable: the server does not answer.
    """
    settings = settings or config.load()
    address = url or str(index or settings.index)
    remote = "://" in address
    address = without_password(address) if remote else _folder(address)
    known = _known_info(address, settings, remote=remote)
    if known is None and not create:
        raise NotFound(
            f"{address}: there is no index; make one: mmsearch ingest PATH --index {address}"
        )
    wanted = profiles.full_name(profile or settings.profile)
    if known is not None:
        _check_format(address, known)
        wanted = _check_profile(address, known, wanted)
    chosen = profiles.load(wanted, settings)
    encoders = {view.name: profiles.create_encoder(view, chosen, settings) for view in chosen.views}
    reranker = profiles.create_reranker(chosen, settings)
    info = _info(wanted, chosen, encoders, known)
    if known is not None:
        _check_models(address, known, info)
    pages = Schema(
        tuple(profiles.schema_view(name, encoder) for name, encoder in encoders.items()),
        PAGE_FIELDS,
    )
    opened = _open_index(address, settings, info, pages, remote=remote)
    try:  # it may have been made just now by another process
        _check_format(address, opened.info)
        _check_models(address, opened.info, info)
    except MMSearchError:
        opened.close()
        raise
    store = settings.store or (f"{address}/store" if not remote else f"{settings.collection}-store")
    return SearchEngine(opened, chosen, encoders, PageStore(store), settings, reranker)


def _folder(address: str) -> str:
    """An index folder as it was given, without ~: the page store would expand it, the index not."""
    folder = str(Path(address))
    return str(absolute(address)) if folder.startswith("~") else folder


def without_password(address: str) -> str:
    """A URL as it may be shown: without what stands before an @."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host.rpartition("@")[2] + slash + path if mark else address


def _known_info(address: str, settings: Settings, *, remote: bool) -> Mapping[str, Any] | None:
    """What the existing index was made with; None where there is no index."""
    try:
        if remote:
            from mmsearch.index.server import read_info as read_server_info

            return read_server_info(address, api_key=settings.api_key, prefix=settings.collection)
        from mmsearch.index.folder import read_info

        return read_info(Path(address))
    except NotFound:
        return None


def _open_index(
    address: str, settings: Settings, info: Mapping[str, object], pages: Schema, *, remote: bool
) -> Index:
    if remote:
        from mmsearch.index.server import ServerIndex

        return ServerIndex.open(
            address,
            api_key=settings.api_key,
            prefix=settings.collection,
            info=info,
            pages=pages,
            documents=DOCUMENT_SCHEMA,
        )
    from mmsearch.index.embedded import EmbeddedIndex

    return EmbeddedIndex(Path(address), info=info, pages=pages, documents=DOCUMENT_SCHEMA)


def _info(
    wanted: str,
    profile: profiles.Profile,
    encoders: Mapping[str, Encoder],
    known: Mapping[str, Any] | None,
) -> dict[str, object]:
    """What an index is made with. Of an index that exists, a model that is not on this machine is
    taken as recorded: listing and removing need no model, and searching says what is missing.
    """
    recorded = _mapping(known.get("encoders")) if known else {}
    identities = {}
    for name, encoder in encoders.items():
        try:
            identities[name] = encoder.identity
        except (MissingModel, UnusableModel):
            if name not in recorded:
                raise
            identities[name] = recorded[name]
    return {
        "format": FORMAT,
        "profile": profile.name if wanted == "auto" else wanted,
        "encoders": identities,
        "tokens_per_page": profile.tokens_per_page,
    }


def _check_format(address: str, info: Mapping[str, Any]) -> None:
    if info.get("format") != FORMAT:
        raise FormatMismatch(
            f"{address}: index format {info.get('format')}, this mmsearch reads {FORMAT}; "
            f"ingest again into another folder: mmsearch ingest PATH --index NEW"
        )


def _check_profile(address: str, info: Mapping[str, Any], wanted: str) -> str:
    made_with = str(info.get("profile"))
    if wanted not in ("auto", made_with):
        raise ProfileMismatch(
            f"{address}: made with profile {made_with!r}, not {wanted!r}; leave --profile out, "
            f"or ingest into another folder: mmsearch ingest PATH --profile {wanted} --index NEW"
        )
    return made_with


def _check_models(address: str, known: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for key in ("encoders", "tokens_per_page"):
        if known.get(key) != ours[key]:
            raise ProfileMismatch(
                f"{address}: made with {key} {known.get(key)}, this mmsearch has {ours[key]}; "
                f"ingest again into another folder: mmsearch ingest PATH --index NEW"
            )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
