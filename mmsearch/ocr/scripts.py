"""Writing systems: what Tesseract calls them, its languages for each, and who can read them."""

from __future__ import annotations

from collections.abc import Sequence

# Tesseract's language codes by the names that its script detection gives; the first one of each is
# the one to install.
LANGUAGES: dict[str, tuple[str, ...]] = {
    "Latin": (
        *("eng", "deu", "fra", "spa", "ita", "por", "nld", "pol", "ces", "swe", "dan", "nor"),
        *("fin", "hun", "ron", "tur", "cat", "hrv", "slk", "slv", "lit", "lav", "est", "isl"),
        *("lat", "vie", "ind", "msa", "afr", "aze", "bos", "bre", "ceb", "cos", "cym", "enm"),
        *("epo", "eus", "fao", "fil", "frm", "fry", "gla", "gle", "glg", "hat", "ita_old", "jav"),
        *("kmr", "ltz", "mlt", "mri", "oci", "que", "spa_old", "sqi", "srp_latn", "sun", "swa"),
        *("ton", "uzb", "yor", "tgl"),
    ),
    "Fraktur": ("frk", "deu_latf", "deu_frak", "dan_frak", "slk_frak"),
    "Cyrillic": (
        *("rus", "ukr", "bul", "srp", "bel", "mkd", "kaz", "kir", "mon", "tat", "tgk"),
        *("aze_cyrl", "uzb_cyrl"),
    ),
    "Arabic": ("ara", "fas", "urd", "pus", "snd", "uig", "kur_ara"),
    "Hebrew": ("heb", "yid"),
    "Greek": ("ell", "grc"),
    "Han": ("chi_sim", "chi_tra"),
    "Japanese": ("jpn",),
    "Korean": ("kor",),
    "Devanagari": ("hin", "mar", "nep", "san"),
    "Bengali": ("ben", "asm"),
    "Gujarati": ("guj",),
    "Gurmukhi": ("pan",),
    "Kannada": ("kan",),
    "Malayalam": ("mal",),
    "Oriya": ("ori",),
    "Sinhala": ("sin",),
    "Tamil": ("tam",),
    "Telugu": ("tel",),
    "Thai": ("tha",),
    "Lao": ("lao",),
    "Khmer": ("khm",),
    "Myanmar": ("mya",),
    "Tibetan": ("bod", "dzo"),
    "Georgian": ("kat", "kat_old"),
    "Armenian": ("hye",),
    "Ethiopic": ("amh", "tir"),
    "Cherokee": ("chr",),
    "Canadian_Aboriginal": ("iku",),
    "Syriac": ("syr",),
    "Thaana": ("div",),
}
# The languages that `mmsearch.encoders.languages` tells apart.
CODES = {
    "english": "eng",
    "german": "deu",
    "french": "fra",
    "spanish": "spa",
    "italian": "ita",
    "portuguese": "por",
    "dutch": "nld",
    "swedish": "swe",
    "danish": "dan",
    "norwegian": "nor",
    "finnish": "fin",
    "hungarian": "hun",
    "romanian": "ron",
    "turkish": "tur",
    "polish": "pol",
    "czech": "ces",
    "indonesian": "ind",
}
_OTHER_NAMES = {
    "Hangul": "Korean",
    "Katakana": "Japanese",
    "Hiragana": "Japanese",
    "HanS": "Han",
    "HanT": "Han",
    "Vietnamese": "Latin",
}
# Of the characters that the recognition model in RapidOCR's wheel knows, 15,900 are Han, 550 Latin,
# 180 kana; Greek has no accents, and the rest none at all: lines of it are dropped without a word.
RAPIDOCR = frozenset({"Latin", "Fraktur", "Han", "Japanese"})
_SCRIPTS = {code: script for script, codes in LANGUAGES.items() for code in codes}
_MOST_LATIN = 3  # languages read at once; each makes it slower, and beyond worse


def of_language(code: str) -> str:
    """The script of one of Tesseract's languages, such as `rus` or `script/Cyrillic`; else ''."""
    plain = code.removesuffix("_vert")
    if plain.startswith("script/"):
        return known_as(plain.removeprefix("script/"))
    return _SCRIPTS.get(plain, "")


def known_as(name: str) -> str:
    """The script by its name here, of which Tesseract sometimes has two; '' for an unknown one."""
    name = _OTHER_NAMES.get(name, name)
    return name if name in LANGUAGES else ""


def codes_for(script: str, allowed: Sequence[str]) -> str:
    """Those of the `allowed` languages that read a script, joined as Tesseract wants it, or ''."""
    fitting = [code for code in allowed if of_language(code) == script]
    fitting = [code for code in fitting if not code.endswith("_vert")] or fitting
    whole = [code for code in fitting if code.startswith("script/")]
    return "+".join(whole[:1] or fitting[:_MOST_LATIN])


def package(script: str) -> str:
    """The Debian package that lets Tesseract read a script."""
    return "tesseract-ocr-" + LANGUAGES[script][0].replace("_", "-")
