"""The commands about this machine: `doctor` and `models`."""

from __future__ import annotations

from typing import Annotated

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import say, show, show_json
from mmsearch.errors import MissingModel, MMSearchError

models = typer.Typer(help="Model weights.", no_args_is_help=True)


def doctor(index: options.Index = None, as_json: options.Json = False) -> None:
    """Check packages, models, programs, folders and the index; say the fix of each failure."""
    from mmsearch.doctor import examine

    checks = examine(options.settings_of(index=index))
    for check in checks:
        if as_json:
            show_json({"check": check.name, "ok": check.ok, "found": check.found, "fix": check.fix})
        else:
            mark = "ok  " if check.ok else ("--  " if check.optional else "FAIL")
            show(f"{mark} {check.name:22} {check.found}" + (f"; {check.fix}" if check.fix else ""))
    if not all(check.ok or check.optional for check in checks):
        raise typer.Exit(1)


@models.command("list")
def list_models(as_json: options.Json = False) -> None:
    """List every profile's models: size on disk, whether they are here and where, licence."""
    from mmsearch import models, profiles

    model_dir = options.settings_of().model_dir
    for name in profiles.names():
        for need in models.needs(profiles.load(name)):
            path, reason, shown = "", "", "not here"
            try:
                shown = path = str(models.locate(need, model_dir))
            except MissingModel as error:
                reason = str(error)
            except MMSearchError as error:
                shown = reason = str(error)
            if as_json:
                show_json(
                    {
                        "profile": name,
                        "for": need.use,
                        "model": need.name,
                        "revision": need.revision or None,
                        "bytes": need.size,
                        "licence": need.licence or None,
                        "path": path or None,
                        "reason": reason or None,
                    }
                )
            else:
                size = f"{need.size / 1e9:5.2f} GB" if need.size else " " * 8
                show(f"{name:16} {need.name:27} {size}  {need.licence:11} {shown}")


@models.command()
def pull(name: Annotated[str, typer.Argument(help="A profile.")] = "lite") -> None:
    """Fetch the model weights of a profile."""
    from mmsearch.models import pull as pull_

    for line in pull_(name, model_dir=options.settings_of().model_dir):
        say(line)


@models.command()
def check(name: Annotated[str, typer.Argument(help="A profile.")] = "lite") -> None:
    """Check that a profile's models are here, complete, safe to load and of the right kind."""
    from mmsearch import model_check, models, profiles

    model_dir, failed = options.settings_of().model_dir, False
    for need in models.needs(profiles.load(name)):
        faults = model_check.faults(need, model_dir, pull=name)
        for fault in faults:
            say(f"mmsearch: {fault}")
        if not faults:
            show(f"{need.name}: fine, {models.locate(need, model_dir)}")
        failed |= bool(faults)
    if failed:
        raise typer.Exit(1)
