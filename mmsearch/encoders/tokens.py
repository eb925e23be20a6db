"""From text to search terms: one tokeniser for pages, queries, snippets and highlights.

A text is normalised and cut into tokens; a token gives one or more terms, the whole first:

    hydro-<newline>plane   hydroplan hydro plane     a hyphen may be a hyphen or a line's end
    INV-2024/0013          inv2024.0013 inv 2024 0013
    1,234.56  1.234,56     1234.56 1234
    houses                 hous houses                stem, and as it is written
    東京都                 東 京 都 東京 京都         Han one by one and in pairs
    ひらがな カタカナ 서울에서     pairs; a Korean word also whole

Pages are stemmed by their guessed language. A query is often too short to guess: unless it is
clear, it asks for the stems of every language, and always for its words as they are written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence, Set
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple, cast

import regex

from mmsearch.encoders.languages import (
    LATIN_LANGUAGES,
    Guess,
    fold,
    guess,
    is_latin,
    is_stopword,
    stem,
)

# Hostile input: what is longer is cut, so that a page takes a few seconds at most.
MAX_CHARACTERS = 1_000_000
MAX_QUERY_CHARACTERS = 20_000
MAX_WORD_CHARACTERS = 512  # with separators, as in a path
MAX_TERM_CHARACTERS = 64

# In a query, beside the stem's 1: the word as it is written, and, where the language isn't clear,
# stems of other languages. At 1 these cost an English query 2 points of nDCG, at 0.5 nothing.
EXACT_WEIGHT = 0.5
OTHER_LANGUAGE_WEIGHT = 0.5
# Chinese and Japanese words have two characters on average: lengths are counted in words.
WORDS_PER_CHARACTER = 0.5

TokenKind = Literal["word", "number", "han", "hangul", "cluster"]


class Token(NamedTuple):
    """A piece of normalised text, and how its terms are made."""

    kind: TokenKind
    text: str


class PageTerms(NamedTuple):
    """A page's terms with repetitions, and its length in words."""

    terms: list[str]
    length: float


_HAN = r"\p{Han}\p{Hiragana}\p{Katakana}ー々〆"
_CLUSTER = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"  # scripts without spaces between words
_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_HAN}{_CLUSTER}\p{{Hangul}}]]"
_JOINT = r"(?:[-\u2010./_@'\u2019&+]|[,:](?=\d))"
# OCR puts a space between Han characters, PDF lines end between any two.
_TOKENS = regex.compile(
    rf"""(?V1)
    (?P<number> (?<![\w.,]) \d{{1,3}} (?:[ '\u2019]\d{{3}}){{1,5}}
        (?:[.,]\d{{1,9}})? (?!\w|[.,]\d) )
    | (?P<word> (?=[\p{{L}}\p{{N}}]) {_WORD}+ (?: {_JOINT} {_WORD}+ )* )
    | (?P<han> [{_HAN}]+ (?: \s{{1,2}} [{_HAN}]+ )* )
    | (?P<hangul> \p{{Hangul}}+ )
    | (?P<cluster> [{_CLUSTER}] [{_CLUSTER}\p{{M}}]* (?: \s{{1,2}} [{_CLUSTER}\p{{M}}]+ )* )
    """,
    regex.VERBOSE,
)
_MANY_MARKS = regex.compile(r"(\p{M}{8})\p{M}+")
# NFKC would make "acmetm" and, of 10 with a footnote 2, 102.
_SYMBOLS = regex.compile("[™℠®©]")
_SUPERSCRIPT = regex.compile(r"(?<=\w)(?=[²³¹\u2070-\u2079])")
_INVISIBLE = regex.compile(r"\u00ad\s{0,3}|[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
# PDFium writes U+0002 or U+FFFE for a hyphen that ends a line.
_LINE_HYPHEN = regex.compile(r"(?<=\p{L})(?:[-\u2010]\s{1,4}|[\x02\ufffe]\s{0,4})(?=\p{L})")
_FOREIGN_DIGIT = regex.compile(r"(?V1)[\p{Nd}--[0-9]]")
_ARABIC_SEPARATORS = str.maketrans({"٫": ".", "٬": ","})

_NUMBER = regex.compile(r"\d+(?:[.,]\d+)+")
_SEPARATORS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_RUNS = regex.compile(r"\d{2,}|\D{2,}")
_BETWEEN_DIGITS = regex.compile(r"(?<=\d)[^\p{L}\p{M}\p{N}]+(?=\d)")
_NOT_BETWEEN_DIGITS = regex.compile(r"[^\p{L}\p{M}\p{N}.]+|(?<!\d)\.|\.(?!\d)")
_LETTERS = regex.compile(r"[\p{L}\p{M}]+")
_HYPHENS = ("-", "\u2010", "\u00ad", "\x02", "\ufffe")
_ELISION = regex.compile(r"['\u2019]")
_HIRAGANA = regex.compile(r"\p{Hiragana}+")


def normalise(text: str) -> str:
    """Casefold, unite compatible characters and digits, and mend words cut at a line's end."""
    text = text[:MAX_CHARACTERS]
    if not text.isascii():
        # CPython sorts combining marks by insertion: a million of them would take hours.
        text = _MANY_MARKS.sub(r"\1", text)
        text = _SUPERSCRIPT.sub(" ", _SYMBOLS.sub(" ", text))
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARACTERS]
        text = unicodedata.normalize("NFKC", text.casefold())
        text = _INVISIBLE.sub("", text).translate(_ARABIC_SEPARATORS)
        text = _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0], digit[0])), text)
    return _LINE_HYPHEN.sub("-", text.lower())


def tokenise(text: str) -> list[Token]:
    """Cut a text into tokens, in order."""
    tokens = []
    for found in _TOKENS.finditer(normalise(text)):
        kind = cast(TokenKind, found.lastgroup)
        tokens.append(Token(kind, found[0][:MAX_WORD_CHARACTERS] if kind == "word" else found[0]))
    return tokens


def page_terms(text: str) -> PageTerms:
    """The terms under which a page is found.

    A word of Latin letters is also kept as it is written where its stem differs: queries in a
    language that the page's isn't taken for still match, and the exact form ranks first.
    """
    tokens = tokenise(text)
    language = guess(token.text for token in tokens if token.kind == "word").language
    terms: list[str] = []
    length = 0.0
    for token in tokens:
        found, words = _in_page(token, language)
        terms += found
        length += words
    return PageTerms(terms, length)


def _in_page(token: Token, language: str) -> tuple[tuple[str, ...], float]:
    """A token's terms on a page, and its length in words."""
    if token.kind == "word":
        return _word_in_page(token, language)
    terms = token_terms(token, language)
    if token.kind == "number":
        return terms, len(terms)
    return terms, WORDS_PER_CHARACTER * sum(map(len, token.text.split()))


@lru_cache(maxsize=1 << 15)
def _word_in_page(token: Token, language: str) -> tuple[tuple[str, ...], float]:
    # The exact form doesn't count as a second word.
    terms = token_terms(token, language)
    exact = exact_term(token)
    return (*terms, exact) if exact and exact not in terms else terms, len(terms)


def query_terms(text: str) -> list[dict[str, float]]:
    """What a query asks for: for each word, its alternatives and their weights.

    Function and question words are left out unless there is nothing else.
    """
    tokens, (language, clear) = _query_tokens(text)
    others = () if clear else (other for other in LATIN_LANGUAGES if other != language)
    languages = (language, *others)
    return [_query_word(token, languages) for token in tokens]


def _query_tokens(text: str) -> tuple[list[Token], Guess]:
    tokens = tokenise(text[:MAX_QUERY_CHARACTERS])
    guessed = guess(token.text for token in tokens if token.kind == "word")
    kept = [t for t in tokens if t.kind != "word" or not is_stopword(t.text, guessed.language)]
    return list(dict.fromkeys(kept or tokens)), guessed


def _query_word(token: Token, languages: Sequence[str]) -> dict[str, float]:
    """Alternatives of one token: stems of the likeliest language first, then of the others."""
    weights = dict.fromkeys(token_terms(token, languages[0]), 1.0)
    if exact := exact_term(token):
        weights[exact] = weights.get(exact, 0.0) + EXACT_WEIGHT
    for language in languages[1:] if token.kind == "word" else ():
        for term in token_terms(token, language):
            weights.setdefault(term, OTHER_LANGUAGE_WEIGHT)
    return weights


def matches(query: str, words: Sequence[str]) -> list[bool]:
    """Which words of a page a query asks for, for snippets and highlights.

    Args:
        query: the query's text.
        words: the page's words in reading order, as the page writes them: with punctuation,
            with a hyphen at a line's end, Han text in pieces of any length.

    Returns:
        One flag a word. A word cut at a line's end is flagged in both halves.
    """
    tokens: dict[str, Sequence[Token]] = {}
    for word in set(words):
        short = len(word) <= MAX_TERM_CHARACTERS
        tokens[word] = _kept_tokens(word) if short else tokenise(word)
    language = guess(t.text for word in words for t in tokens[word] if t.kind == "word").language
    wanted = _highlighted(query[:MAX_QUERY_CHARACTERS], language)

    def terms_of(word: str) -> Set[str]:
        if len(word) <= MAX_TERM_CHARACTERS:
            return _kept_terms(word, language)
        return _all_terms(tokens[word], language)

    found = {word for word in tokens if not wanted.isdisjoint(terms_of(word))}
    flags = [word in found for word in words]
    for i, (left, right) in enumerate(pairwise(words)):
        if len(left) > 1 < len(right) and not left.endswith(_HYPHENS):
            continue
        if not (flags[i] and flags[i + 1]) and wanted.intersection(_joint(left, right, language)):
            flags[i] = flags[i + 1] = True
    return flags


# A page is looked at twice, as text and as words with boxes, and its neighbours share its words.
@lru_cache(maxsize=1 << 14)
def _kept_tokens(word: str) -> tuple[Token, ...]:
    return tuple(tokenise(word))


@lru_cache(maxsize=1 << 14)
def _kept_terms(word: str, language: str) -> frozenset[str]:
    return frozenset(_all_terms(_kept_tokens(word), language))


@lru_cache(maxsize=64)
def _highlighted(query: str, language: str) -> frozenset[str]:
    """A query's terms, stemmed as the page's are.

    Left out unless there is nothing else: what would colour half of a page, that is lone
    characters made by splitting and pairs of hiragana.
    """
    tokens, _ = _query_tokens(query)
    alone = {token.text for token in tokens if len(token.text) == 1}
    terms = _all_terms(tokens, language)
    telling = {t for t in terms if t in alone or (len(t) > 1 and not _HIRAGANA.fullmatch(t))}
    return frozenset(telling or terms)


def _all_terms(tokens: Sequence[Token], language: str) -> set[str]:
    return {term for token in tokens for term in _in_page(token, language)[0]}


def _joint(left: str, right: str, language: str) -> list[str]:
    """Terms that only two neighbours make: a word cut by a hyphen, a pair of Han."""
    if left.endswith(_HYPHENS) and right[:1].isalpha():
        tokens = [token for token in tokenise(f"{left}\n{right}") if "-" in token.text]
        return [token_terms(token, language)[0] for token in tokens]
    if len(left) == 1 or len(right) == 1:
        return [t.text for t in tokenise(left[-1:] + right[:1]) if t.kind == "han"]
    return []


def exact_term(token: Token) -> str | None:
    """The word as it is written, without accents; None where the terms say it already."""
    if token.kind == "word" and token.text.isalpha() and is_latin(token.text):
        return fold(token.text[:MAX_TERM_CHARACTERS])
    return None


def token_terms(token: Token, language: str) -> tuple[str, ...]:
    """The terms of one token, the whole first, each once for words and numbers."""
    if token.kind == "word":
        return _word_terms(token.text, language)
    if token.kind == "number":
        groups = regex.findall(r"\d+", token.text)
        return tuple(dict.fromkeys([*_number(regex.sub("[ '\u2019]", "", token.text)), *groups]))
    if token.kind == "han":
        characters = "".join(token.text.split())
        single = [c for c in characters if not _is_kana(c)] if len(characters) > 1 else []
        return (*single, *_pairs(characters))
    if token.kind == "hangul":
        return tuple(dict.fromkeys([token.text[:MAX_TERM_CHARACTERS], *_pairs(token.text)]))
    return tuple(_pairs(regex.findall(r"\X", "".join(token.text.split()))))


def _is_kana(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff"


def _pairs(characters: Sequence[str]) -> list[str]:
    """Neighbouring pairs, or the one character there is."""
    return [a + b for a, b in pairwise(characters)] or list(characters)


@lru_cache(maxsize=1 << 15)
def _word_terms(word: str, language: str) -> tuple[str, ...]:
    if _is_letters(word):
        return (_plain(word, language),)
    if _NUMBER.fullmatch(word) and (number := _number(word)):
        return tuple(number)
    terms = _compound(word, language)
    return tuple(dict.fromkeys(term for term in terms if term))


def _compound(word: str, language: str) -> list[str]:
    """Terms of letters, digits and separators: the whole, its parts, the numbers inside."""
    parts = _SEPARATORS.split(word)
    if _ELISION.search(word):
        # l'économie, John's, O'Brien, don't: the lone letter is grammar.
        parts = [part for part in parts if len(part) > 1] or parts
        if not _SEPARATORS.search(_ELISION.sub("", word)):
            return [_plain(part, language) for part in parts]
    # Separators vary from hand to hand (PX-4471-B, PX4471B), but part digits from digits.
    whole = _NOT_BETWEEN_DIGITS.sub("", _BETWEEN_DIGITS.sub(".", word))
    terms = [_plain(whole, language)]
    for number in _NUMBER.findall(word):
        terms += _number(number)
    for part in parts:
        terms.append(_plain(part, language))
        if not part.isdecimal() and not _is_letters(part):
            terms += [_plain(run, language) for run in _RUNS.findall(part)]
    return terms


def _plain(word: str, language: str) -> str:
    word = word[:MAX_TERM_CHARACTERS]
    if not word:
        return ""
    return stem(word, language) if _is_letters(word) else fold(word)


def _is_letters(word: str) -> bool:
    """Letters with their marks: the vowel signs of Hindi and Arabic aren't alphabetic to str."""
    return word.isalpha() or _LETTERS.fullmatch(word) is not None


def _number(text: str) -> list[str]:
    """Digits with points and commas, as one number: `1234.56`, and its whole part.

    The last separator is the decimal one unless it only comes before groups of three digits.
    `1.234` may be either: it is the thousand, and also itself.

    Returns:
        The number first; nothing for versions, dates and addresses (`2.10.3`).
    """
    marks = [character for character in text if character in ".,"]
    if not marks:
        return [text[:MAX_TERM_CHARACTERS]]
    last = marks[-1]
    first, *groups = text.replace("," if last == "." else ".", "").split(last)
    if len(set(marks)) == 2:
        return [f"{first}.{groups[0]}", first] if len(groups) == 1 else []
    # India groups by two above the thousand: 12,34,567.
    small = {3} if last == "." else {2, 3}
    grouped = len(groups[-1]) == 3 and all(len(group) in small for group in groups)
    if grouped and len(first) <= 3 and first[0] != "0":
        whole = first + "".join(groups)
        return [whole, text] if last == "." else [whole]
    return [f"{first}.{groups[0]}", first] if len(groups) == 1 else []
