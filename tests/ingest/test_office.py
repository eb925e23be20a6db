"""Office files: what is read of them, what their links reach, and how the hostile ones end."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ingest.office import libreoffice
from ingest.office.formats import looks_like_office, office_format
from ingest.office.notes import slide_notes
from ingest.readers import ReadContext, open_file
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MissingExtra, NeedsPassword, UnreadableFile
from mmsearch.types import Page
from tests import office_files
from tests.office_files import Slide

READ = Settings(ocr="off")
converts = pytest.mark.skipif(libreoffice.program() is None, reason="LibreOffice is not installed")


def pages_of(path: Path, **context: object) -> list[Page]:
    with open_file(path, ReadContext(READ, **context)) as file:  # type: ignore[arg-type]
        return [file.page(number) for number in range(1, file.page_count + 1)]


def texts_of(path: Path) -> list[str]:
    return [page.text.text for page in pages_of(path)]


@converts
def test_slides_keep_their_numbers_and_find_their_notes(tmp_path: Path) -> None:
    slides = [
        Slide("first of all", notes="mention the\nlighthouse"),
        Slide("kept back", hidden=True, notes="only if asked"),
        Slide("the end"),
    ]
    path = office_files.write_pptx(tmp_path / "a.pptx", slides, title="Keeper's yearly talk")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    context = ReadContext(READ, scratch=scratch)
    with open_file(path, context) as file:
        assert (file.kind, file.title, file.page_count) == ("slides", "Keeper's yearly talk", 3)
        pages = [file.page(number) for number in (1, 2, 3)]
    assert [page.text.text for page in pages] == ["first of all", "kept back", "the end"]
    assert [page.caption for page in pages] == ["mention the\nlighthouse", "only if asked", ""]
    (made,) = scratch.iterdir()  # the copy, and nothing that was needed on the way
    written = made.stat().st_mtime_ns
    with open_file(path, context) as again:
        assert again.page(3).text.text == "the end"
    assert made.stat().st_mtime_ns == written


@converts
def test_an_opendocument_presentation_and_its_notes(tmp_path: Path) -> None:
    slides = [Slide("harbour", hidden=True, notes="count the ships"), Slide("storm")]
    pages = pages_of(office_files.write_odp(tmp_path / "a.odp", slides))
    found = [(page.text.text, page.caption) for page in pages]
    assert found == [("harbour", "count the ships"), ("storm", "")]


@converts
@pytest.mark.parametrize(
    "suffix", [".docx", *(pytest.param(s, marks=pytest.mark.slow) for s in (".odt", ".rtf"))]
)
def test_texts_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"letter{suffix}"
    if suffix == ".docx":
        office_files.write_docx(path, ["Seven ships", "before the fog"])
    elif suffix == ".odt":
        office_files.write_odt(path, ["Seven ships", "before the fog"])
    else:
        path.write_bytes(rb"{\rtf1\ansi Seven ships\par before the fog}")
    with open_file(path, ReadContext(READ)) as file:
        assert (file.kind, file.title, file.page_count) == ("office", "letter", 1)
        assert file.page(1).text.text == "Seven ships\nbefore the fog"


@converts
def test_cells_are_complete_and_wide_sheets_stay_readable(tmp_path: Path) -> None:
    long = "a remark that is far longer than its cell is wide and ends with anchovies"
    wide = [[f"r{row}c{column}" for column in range(30)] for row in range(3)]
    sheets = {"Notes": [[long, "next to it"], ["x", "=DATE(2024;3;1)*1000000"]], "Wide": wide}
    narrow, *rest = texts_of(office_files.write_xlsx(tmp_path / "a.xlsx", sheets))
    assert long in " ".join(narrow.split())
    assert "###" not in narrow
    assert len(rest) == 2  # 30 columns of standard width at 60 %
    cells = " ".join(rest).split()
    assert sorted(cells) == sorted(cell for row in wide for cell in row)


@pytest.mark.slow
@converts
@pytest.mark.parametrize("suffix", [".doc", ".xls", ".ppt"])
def test_the_old_binary_formats(tmp_path: Path, suffix: str) -> None:
    source = {
        ".doc": lambda: office_files.write_docx(tmp_path / "s.docx", ["harbour"]),
        ".xls": lambda: office_files.write_xlsx(tmp_path / "s.xlsx", {"s": [["harbour"]]}),
        ".ppt": lambda: office_files.write_pptx(tmp_path / "s.pptx", [Slide("harbour", "gulls")]),
    }[suffix]()
    path = tmp_path / f"old{suffix}"
    format_ = office_format(source, source.name)
    libreoffice.convert(source, path, format_, name=source.name, settings=READ)
    path = path.rename(tmp_path / "old.bin.docx")  # the content tells, not the name
    (page,) = pages_of(path)
    assert page.text.text == "harbour"
    assert page.caption.split("\n")[0] == ("gulls" if suffix == ".ppt" else "")


def test_notes_come_in_the_order_of_the_deck(tmp_path: Path) -> None:
    slides = [Slide("a", "one"), Slide("b"), Slide("c", "three")]
    path = office_files.write_pptx(tmp_path / "a.pptx", slides)
    assert slide_notes(path, ".pptx") == ["one", "", "three"]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    '<p:notes xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">&b;</p:notes>'
)


@pytest.mark.parametrize("notes", [BOMB, "<broken", "<x>" + " " * (33 << 20) + "</x>"])
def test_hostile_notes_cost_only_the_notes(tmp_path: Path, notes: str) -> None:
    path = office_files.write_pptx(tmp_path / "a.pptx", [Slide("a", "one"), Slide("b", "two")])
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    office_files.write_zip(path, parts | {"ppt/notesSlides/notes1.xml": notes.encode()})
    assert slide_notes(path, ".pptx") == ["", "two"]
    bomb = {"mimetype": "application/vnd.oasis.opendocument.presentation", "content.xml": notes}
    assert slide_notes(office_files.write_zip(tmp_path / "a.odp", bomb), ".odp") is None


def test_a_presentation_without_slides_has_no_pages(tmp_path: Path) -> None:
    path = office_files.write_pptx(tmp_path / "a.pptx", [])
    with open_file(path, ReadContext(Settings())) as file:
        assert (file.kind, file.page_count, file.title) == ("slides", 0, "a")
        with pytest.raises(UnreadableFile, match="no page 1"):
            file.page(1)


def test_garbage_does_not_become_a_page(tmp_path: Path) -> None:
    whole = office_files.write_docx(tmp_path / "whole.docx", ["text"]).read_bytes()
    mime = {"mimetype": "application/epub+zip"}
    office_files.write_zip(tmp_path / "book.odt", mime)
    for name, content in {
        "text.docx": b"just a line of text\n",
        "page.doc": b"<html><body>an old export</body></html>",
        "noise.xlsx": bytes(range(256)) * 20,
        "short.docx": whole[: len(whole) // 2],
        "ole.ppt": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000,
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFile, match=name):
            pages_of(tmp_path / name)
    with pytest.raises(UnreadableFile, match="not an office file by its content"):
        pages_of(tmp_path / "book.odt")


def test_archives_are_not_taken_for_office_files(tmp_path: Path) -> None:
    inner = office_files.write_docx(tmp_path / "a.docx", ["x"])
    assert looks_like_office(inner.read_bytes()[:4096])
    odt = office_files.write_odt(tmp_path / "a.odt", ["x"])
    assert looks_like_office(odt.read_bytes()[:4096])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(inner, "a.docx")
    assert not looks_like_office((tmp_path / "a.zip").read_bytes()[:4096])
    book = office_files.write_zip(tmp_path / "b.epub", {"mimetype": "application/epub+zip"})
    assert not looks_like_office(book.read_bytes()[:4096])


def test_a_bomb_is_refused_by_what_it_claims(tmp_path: Path) -> None:
    path = office_files.write_docx(tmp_path / "a.docx", ["x"])
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")  # the last one of the table of contents
    for _ in range(2):
        content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFF0)
        entry = content.rindex(b"PK\x01\x02", 0, entry)
    path.write_bytes(content)
    with pytest.raises(LimitExceeded, match="unpacks to"):
        pages_of(path)


@converts
def test_an_encrypted_file_asks_for_its_password(tmp_path: Path) -> None:
    import msoffcrypto

    plain = office_files.write_docx(tmp_path / "plain.docx", ["under seal"])
    with zipfile.ZipFile(plain, "a") as file:
        file.writestr("padding", os.urandom(1 << 13))  # OLE stores small files in another way
    locked = tmp_path / "locked.docx"
    with plain.open("rb") as stream, locked.open("wb") as output:
        msoffcrypto.OfficeFile(stream).encrypt("sesame", output)
    with pytest.raises(NeedsPassword, match=r"locked\.docx: encrypted"):
        pages_of(locked, passwords=("wrong",))
    (page,) = pages_of(locked, passwords=("wrong", "sesame"))
    assert page.text.text == "under seal"


def test_an_encrypted_opendocument_file_asks_for_its_password(tmp_path: Path) -> None:
    path = office_files.write_odt(tmp_path / "a.odt", ["x"])
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    manifest = parts["META-INF/manifest.xml"].replace(b"</m", b"<manifest:encryption-data/></m")
    office_files.write_zip(path, parts | {"META-INF/manifest.xml": manifest})
    with pytest.raises(NeedsPassword, match=r"a\.odt: encrypted"):
        pages_of(path)


def test_without_libreoffice_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = office_files.write_docx(tmp_path / "report.docx", ["x"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match=r"report\.docx: needs LibreOffice; apt install libre"):
        pages_of(path)


@converts
def test_a_conversion_ends_at_its_time_limit_and_leaves_nothing(tmp_path: Path) -> None:
    import psutil

    path = office_files.write_pptx(tmp_path / "a.pptx", [Slide("x")] * 50)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sockets = set(Path("/tmp").glob("OSL_PIPE_*"))
    settings = Settings(ocr="off", open_timeout=0.6)
    with pytest.raises(LimitExceeded, match=r"a\.pptx: took longer than 0\.6 s"):
        open_file(path, ReadContext(settings, scratch=scratch))
    assert list(scratch.iterdir()) == []
    assert not psutil.Process().children(recursive=True)
    assert set(Path("/tmp").glob("OSL_PIPE_*")) <= sockets


@converts
def test_too_little_memory_fails_the_file(tmp_path: Path) -> None:
    path = office_files.write_docx(tmp_path / "a.docx", ["x"])
    settings = Settings(ocr="off", worker_memory=200 << 20)
    with pytest.raises(UnreadableFile, match=r"needs more than 200 MiB"):
        open_file(path, ReadContext(settings))


@contextlib.contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A web server's address and the requests that have reached it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    connection, _ = server.accept()
                    with connection:
                        asked.append(connection.recv(1 << 12))
                        connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked


def linking(folder: Path, picture: str, document: str, text: str) -> list[Path]:
    """A file of each format, with every kind of link that it can have."""
    rtf = folder / "a.rtf"
    rtf.write_text(
        rf"{{\rtf1 x {{\field{{\*\fldinst INCLUDEPICTURE "
        "{picture}"
        " \\d}}{{\fldrslt y}}}}"
        rf"{{\field{{\*\fldinst INCLUDETEXT "
        "{document}"
        "}}{{\fldrslt y}}}}"
        rf"{{\*\template {document}}}}}".replace('""', '"')
    )
    links = {"template": document, "object_": document}
    formulas = [[f'=_xlfn.WEBSERVICE("{text}")', f'=IMAGE("{picture}")']]
    cells = [[f'=WEBSERVICE("{text}")', f"='{document}'#$t.A1"]]
    return [
        office_files.write_odp(folder / "a.odp", [Slide("x", picture=picture)]),
        rtf,
        office_files.write_docx(folder / "a.docx", ["x"], picture=picture, **links),
        office_files.write_pptx(folder / "a.pptx", [Slide("x", picture=picture)]),
        office_files.write_odt(folder / "a.odt", ["x"], picture=picture, section=document),
        office_files.write_xlsx(folder / "a.xlsx", {"s": formulas}),
        office_files.write_ods(folder / "a.ods", cells, source=document),
    ]


def convert(path: Path, *, isolate: bool) -> Path:
    target = path.with_suffix(".pdf")
    format_ = office_format(path, path.name)
    libreoffice.convert(path, target, format_, name=path.name, settings=READ, isolate=isolate)
    return target


# Impress asks for linked pictures whatever its settings on links say: it comes first.
@converts
@pytest.mark.parametrize(
    ("isolate", "files"),
    [
        (True, 1),
        (False, 2),
        pytest.param(True, 7, marks=pytest.mark.slow),
        pytest.param(False, 7, marks=pytest.mark.slow),
    ],
)
def test_no_link_in_a_file_is_fetched(tmp_path: Path, isolate: bool, files: int) -> None:
    with listener() as (url, asked):
        paths = linking(tmp_path, f"{url}/p.png", f"{url}/d.odt", f"{url}/t.txt")
        for path in paths[:files]:
            convert(path, isolate=isolate)
            assert not asked, path.name


@pytest.mark.slow
@converts
def test_libreoffice_left_alone_would_fetch_a_link(tmp_path: Path) -> None:
    with listener() as (url, asked):
        path = office_files.write_odp(tmp_path / "a.odp", [Slide("x", picture=f"{url}/p.png")])
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        command = ["soffice", profile, "--headless", "--convert-to", "pdf", str(path)]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
        assert asked


def landlock() -> bool:
    libc = ctypes.CDLL(None)
    return sys.platform == "linux" and libc.syscall(444, None, ctypes.c_size_t(0), 1) > 0


needs_landlock = pytest.mark.skipif(not landlock(), reason="this kernel has no Landlock")


@needs_landlock
@converts
@pytest.mark.parametrize("files", [2, pytest.param(7, marks=pytest.mark.slow)])
def test_no_other_file_gets_into_the_pages(tmp_path: Path, files: int) -> None:
    Image.new("RGB", (300, 300), "red").save(tmp_path / "secret.png")
    office_files.write_odt(tmp_path / "secret.odt", ["secret"])
    (tmp_path / "secret.txt").write_text("secret")
    secrets = [(tmp_path / f"secret.{suffix}").as_uri() for suffix in ("png", "odt", "txt")]
    for path in linking(tmp_path, *secrets)[:files]:
        (page,) = pages_of(convert(path, isolate=True))
        colours = Image.open(io.BytesIO(page.picture)).convert("RGB").getcolors(1 << 24) or []
        red = sum(count for count, (r, g, b) in colours if r > 200 and g < 80 and b < 80)
        assert red == 0, path.name
        assert "secret" not in page.text.text.replace("secret.", ""), path.name


def confined(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    limits = {
        "memory": 1 << 30, "file_size": 1 << 20, "parent": os.getpid(), "isolate": True,
        "reads": [], "writes": [str(folder)],
    }  # fmt: skip
    script = Path(libreoffice.__file__).with_name("confined.py")
    start = [sys.executable, "-I", "-S", str(script), json.dumps(limits)]
    program = str(Path(shutil.which(command[0]) or "").resolve())
    return subprocess.run([*start, program, *command[1:]], capture_output=True, text=True)


@needs_landlock
def test_a_confined_program_reaches_its_folder_and_no_more(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("secret")
    assert confined(own, "bash", "-c", f"echo kept > {own}/a; cat {own}/a").stdout == "kept\n"
    assert confined(own, "cat", str(other / "secret")).stdout == ""
    assert confined(own, "cat", "/etc/hostname").returncode != 0
    confined(own, "bash", "-c", f"echo x > {other}/new")
    assert not (other / "new").exists()
    (own / "program").write_bytes(Path("/bin/true").read_bytes())
    (own / "program").chmod(0o755)
    assert confined(own, "bash", "-c", str(own / "program")).returncode == 126
    with listener() as (url, asked):
        port = url.rpartition(":")[2]
        script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo GET >&3 && cat <&3"
        assert confined(own, "bash", "-c", script).returncode != 0
        assert not asked
        assert subprocess.run(["bash", "-c", script], capture_output=True).returncode == 0
