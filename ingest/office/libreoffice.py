"""LibreOffice: found, confined, and run once a file, to write the file anew as a PDF.

Nothing inside a file is executed and nothing that it links to is fetched: the settings below say
so, the network is out of reach (`confined.py`), and so are all other files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from ingest.office.formats import OfficeFormat
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MissingExtra, UnreadableFile

INSTALL = (
    "apt install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui "
    "(or libreoffice-writer libreoffice-calc libreoffice-impress)"
)
_PROGRAMS = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")
_MAX_OUTPUT = 4 << 30  # bytes of any file that it writes
_RESTART = 81  # exit code of the first run of a new profile: it wants to be run again
_POLL = 0.05  # seconds

_COMMON = "/org.openoffice.Office.Common"
_SECURITY = f"{_COMMON}/Security/Scripting"
_PDF = f"{_COMMON}/Filter/PDF/Export"
_SETTINGS = (
    (_SECURITY, "BlockUntrustedRefererLinks", "true"),  # linked pictures: Writer and Impress
    (_SECURITY, "DisableActiveContent", "true"),
    (_SECURITY, "DisableMacrosExecution", "true"),
    (_SECURITY, "MacroSecurityLevel", "3"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "1"),  # never
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "0"),  # never
    ("/org.openoffice.Setup/Office", "ooSetupInstCompleted", "true"),
    (f"{_COMMON}/Misc", "FirstRun", "false"),
    (f"{_COMMON}/Save/Document", "LoadPrinter", "false"),
    (_PDF, "ExportHiddenSlides", "true"),  # so that slide numbers are the file's
    (_PDF, "ExportNotes", "false"),
    (_PDF, "ExportNotesPages", "false"),
    (_PDF, "IsSkipEmptyPages", "false"),
    (_PDF, "ExportBookmarks", "false"),
    (_PDF, "UseTaggedPDF", "false"),
    (_PDF, "ExportFormFields", "false"),
    (_PDF, "MaxImageResolution", "300"),
    (_PDF, "Quality", "90"),
)
_PROVIDERS = (
    "/org.openoffice.ucb.Configuration/ContentProviders/"
    "org.openoffice.ucb.Configuration:ContentProvidersDataPrimaryKeys['Local']/SecondaryKeys/"
    "org.openoffice.ucb.Configuration:ContentProvidersDataSecondaryKeys['Office']/ProviderData"
)
# http, https, WebDAV in its spellings, FTP, CMIS: without them there is nobody to ask for a URL
_NETWORK_PROVIDERS = ("3", "4", "4a", "12", "12a", "12b", "6", "43")


def program() -> Path | None:
    """The program to run, None where LibreOffice is not installed."""
    for name in _PROGRAMS:
        if found := shutil.which(name):
            launcher = Path(found).resolve()
            # What the launcher starts: run without it, there is one process to limit and to kill.
            binary = launcher.with_name("soffice.bin")
            return binary if binary.is_file() else launcher
    return None


def convert(
    source: Path,
    target: Path,
    format_: OfficeFormat,
    *,
    name: str,
    settings: Settings,
    isolate: bool = True,
) -> None:
    """Write an office file anew, in the format that the extension of `target` names.

    The target appears whole or not at all; whatever else is written is removed. The run is killed
    when `settings.open_timeout` seconds have passed since its start, however it gets on: a reading
    process that opens a file is given no longer either.

    Args:
        source: the file; it is opened for reading only.
        target: in a folder of our own; what LibreOffice writes meanwhile stays in that folder.
        format_: what `source` is; nothing else is tried.
        name: what the file is called in messages.
        isolate: False leaves network and files to LibreOffice's own settings.

    Raises:
        MissingExtra: LibreOffice is not installed.
        LimitExceeded: it takes longer than allowed.
        UnreadableFile: LibreOffice cannot read it, or dies of it.
    """
    binary = program()
    if binary is None:
        raise MissingExtra(f"{name}: needs LibreOffice; {INSTALL}")
    work = Path(tempfile.mkdtemp(prefix="office-", dir=target.parent))
    try:
        document = work / f"source{format_.suffix}"
        document.symlink_to(source.resolve())  # links relative to the file lead nowhere
        output = work / "output"
        output.mkdir()
        command = [
            str(binary),
            f"-env:UserInstallation={_profile(work).as_uri()}",
            "--headless",
            "--norestore",
            "--nologo",
            "--nodefault",
            f"--infilter={format_.import_filter}",
            "--convert-to",
            target.suffix[1:],
            "--outdir",
            str(output),
            str(document),
        ]
        code = _run(command, source.resolve(), work, name, settings, isolate=isolate)
        made = output / f"source{target.suffix}"
        if not made.is_file() or made.stat().st_size == 0:
            how = f"exit {code}" if code >= 0 else f"signal {-code}"
            raise UnreadableFile(
                f"{name}: LibreOffice cannot convert it ({how}): damaged, or it needs more than "
                f"{settings.worker_memory >> 20} MiB; save it again, or as PDF"
            )
        made.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _profile(work: Path) -> Path:
    """A new profile with our settings in it."""
    user = work / "profile" / "user"
    user.mkdir(parents=True)
    items = [
        f"<item oor:path={quoteattr(path)}>"
        f'<prop oor:name="{key}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, key, value in _SETTINGS
    ] + [
        f'<item oor:path={quoteattr(_PROVIDERS)}><node oor:name="Provider{number}" '
        'oor:op="remove"/></item>'
        for number in _NETWORK_PROVIDERS
    ]
    (user / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry">\n'
        + "\n".join(items)
        + "\n</oor:items>\n",
        encoding="utf-8",
    )
    return user.parent


def _run(
    command: list[str], source: Path, work: Path, name: str, settings: Settings, *, isolate: bool
) -> int:
    """Run LibreOffice to its end and return its exit code."""
    limits = {
        "memory": settings.worker_memory,
        "file_size": _MAX_OUTPUT,
        "parent": os.getpid(),
        "isolate": isolate,
        "reads": [str(source)],
        "writes": [str(work)],
    }
    script = Path(__file__).with_name("confined.py")
    start = [sys.executable, "-I", "-S", str(script), json.dumps(limits), *command]
    deadline = time.monotonic() + settings.open_timeout
    code = _RESTART
    for _ in range(3):
        with _started(start, work) as process:
            code = _wait(process, deadline, work, name, settings)
        if code != _RESTART:
            break
    return code


@contextlib.contextmanager
def _started(command: list[str], work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process; it is dead afterwards, whatever happens.

    It stays in our process group: who ends us with our group ends it as well.
    """
    process = subprocess.Popen(
        command,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            "HOME": str(work),
            "TMPDIR": str(work),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "SAL_USE_VCLPLUGIN": "svp",  # draws without a screen
            "SAL_DISABLE_PRINTERLIST": "1",
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        _pipe(work).unlink(missing_ok=True)


def _wait(
    process: subprocess.Popen[bytes], deadline: float, work: Path, name: str, settings: Settings
) -> int:
    pipe = _pipe(work)
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL)
        pipe.unlink(missing_ok=True)  # should we be killed, nothing is left behind
    raise LimitExceeded(
        f"{name}: took longer than {settings.open_timeout:g} s to convert; "
        "raise the setting open_timeout"
    )


def _pipe(work: Path) -> Path:
    """The socket on which LibreOffice waits for a second one, always in /tmp."""
    profile = (work / "profile").as_uri().encode("utf-16-le")
    mark = "".join(f"{byte:x}" for byte in hashlib.md5(profile, usedforsecurity=False).digest())
    return Path(f"/tmp/OSL_PIPE_{os.getuid()}_SingleOfficeIPC_{mark}")
