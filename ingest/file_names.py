"""The words of a file's name, by which a photo or video is found as well."""

from __future__ import annotations

from pathlib import PurePath

import regex

# Given by cameras, phones, scanners and programs: such words say nothing about the picture.
_GENERIC = regex.compile(
    "img|imgp|images?|dsc|dscf|dscn|dcim|pict|pics?|pictures?|photos?|foto|bild|pxl|sam|mvi|vid"
    "|videos?|mov|movie|clip|gopr|gx|dji|hpim|cimg|scans?|scanned|scanner|page|frame|screenshot"
    "|screen|shot|bildschirmfoto|capture|snapshot|whats|app|signal|telegram|facebook|fb|instagram"
    "|snapchat|received|downloads?|file|untitled|unnamed|unbenannt|noname|te?mp|copy|kopie|copie"
    "|edit|edited|export|output|thumb|thumbnail|hdr|pano|at|am|pm|jpe?g|png|gif|tiff?|heic|webp",
    regex.IGNORECASE,
)
_UUID = regex.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", regex.IGNORECASE)
_SEPARATORS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_CASE_CHANGE = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
_OUTER_DIGITS = regex.compile(r"^\p{N}+|\p{N}+$")
_DIGIT = regex.compile(r"\p{N}")


def words(path: str) -> str:
    """What a file is called: `GoldenRetriever_in-park2.jpg` is `Golden Retriever in park`.

    Numbers, codes with digits in them, single letters and what machines call pictures are left out.
    """
    found = []
    for chunk in _SEPARATORS.split(_UUID.sub("", PurePath(path).stem)):
        core = _OUTER_DIGITS.sub("", chunk)
        if not _DIGIT.search(core):  # else a code, or part of one
            found += [word for word in _CASE_CHANGE.split(core) if _says(word)]
    return " ".join(found)


def _says(word: str) -> bool:
    # A single letter is a number's or a code's, unless it is a word, as in Chinese.
    return (len(word) > 1 or word > "\u2e7f") and not _GENERIC.fullmatch(word)
