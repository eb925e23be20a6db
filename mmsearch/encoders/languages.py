"""Language of a text by its commonest words, and stems by language. No model, no dictionary.

Only Latin script needs a guess: Cyrillic, Greek, Arabic, Devanagari, Armenian and Tamil each
have one stemmer here, whatever the language, so that pages and queries always agree.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import regex
import Stemmer

DEFAULT = "english"
# Two votes are the fewest that are believed: one word ("die", "son") is a word of too many.
CLEAR_VOTES = 2

# What no NFD decomposition takes apart.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
# Alef and yeh are written in several ways by the same hand; tatweel and vowel marks are
# ornament. Persian kaf and yeh look like the Arabic ones.
_ARABIC = str.maketrans(
    {
        **dict.fromkeys([0x640, 0x670, *range(0x64B, 0x660)]),
        **dict.fromkeys(map(ord, "أإآٱ"), "ا"),
        "ى": "ي",
        "ؤ": "و",
        "ئ": "ي",
        "ک": "ك",
        "ی": "ي",
    }
)

# Function and question words, the commonest first: they vote on the language and are left out
# of queries. Words of one letter don't vote, they are variables and list numbers everywhere.
_STOPWORDS = {
    "english": "the of and to in is was for that on are with as by this be from at which it or an"
    " not have has were what how when where who whom whose why a i am any been being but can could"
    " did do does had he her his if into its me my no nor our she should so some such than their"
    " them then there these they those too under up we will would you your about all also may must",
    "german": "der die das und ist von zu den mit für auf im in ein eine einer einen nicht dem des"
    " sich auch als an es er sie wir ich ihr werden wird bei oder sind wie nach was wer wo wann"
    " warum welche welcher welches war hat aus durch am zum zur um so dass über noch nur kann",
    "french": "le la les de des du et est un une dans que qui pour sur par pas au aux plus avec"
    " sont ce cette ces ou être il elle on nous vous ils se sa son ses en ne quel quelle quels"
    " quelles quand comment pourquoi où quoi combien été ont fait à y l d",
    "spanish": "el la los las de del y en que un una unos unas por con para es se su sus al como"
    " más lo fue son pero entre qué cuál cuáles cuándo dónde cómo quién cuánto no ha han ser está"
    " este esta o a e sobre",
    "italian": "il lo la gli le di del della dei delle dello che e un una uno per con non è si da"
    " dal nel nella sono anche alla al come più quale quali quando dove perché chi cosa quanto ha"
    " i o a in su ed questo questa",
    "portuguese": "o a os as de do da dos das e em que um uma para com não é por no na nos nas se"
    " ao à mais foi como qual quais quando onde quem quanto porque são ser ou seu sua pelo pela",
    "dutch": "de het een en van in is dat op te voor met zijn niet aan er om ook als bij door naar"
    " wordt worden wat wie waar wanneer waarom hoe welke deze dit of uit heeft hebben was",
    "swedish": "och att det i en ett som är av för på med till den de inte har om var från vid kan"
    " vad vem när varför hur vilken vilka eller ska man sin så",
    "danish": "og at det i en et som er af for på med til den de ikke har om var fra ved kan blev"
    " hvad hvem hvor hvornår hvorfor hvordan hvilken eller skal man sig der",
    "norwegian": "og at det i en et som er av for på med til den de ikke har om var fra ved kan"
    " ble hva hvem hvor når hvorfor hvordan hvilken eller skal man seg",
    "finnish": "ja on ei se että oli joka mutta ovat myös kun hän tai niin kuin sekä sen mikä mitä"
    " kuka missä milloin miksi miten olla ole",
    "hungarian": "a az és hogy nem is egy ez volt meg csak de mint vagy már ki még mi mit hol"
    " mikor miért hogyan van",
    "romanian": "și de în la cu un o a care pe este din nu că mai se pentru sau fost ce cine unde"
    " când cum sunt al ale",
    "turkish": "ve bir bu da de için ile olarak olan en çok daha gibi ise ne kadar nedir kim nerede"
    " nasıl neden hangi",
    "polish": "i w na z nie się do to że jest o a jak po od za przez dla oraz są ale co kto gdzie"
    " kiedy dlaczego który jaki jaka",
    "czech": "a v na se je to že s z o do i k za pro ale jako by ve jsou od nebo co kdo kde kdy"
    " proč jak který jaký",
    "indonesian": "dan yang di dari untuk dengan pada ini itu adalah dalam tidak ke akan oleh juga"
    " apa siapa mana kapan mengapa bagaimana",
}
LATIN_LANGUAGES = tuple(_STOPWORDS)
# Scripts, under the name of the language where nearly all that is written in them is in one.
SCRIPTS = {
    "japanese": r"\p{Hiragana}\p{Katakana}",
    "chinese": r"\p{Han}",
    "korean": r"\p{Hangul}",
    "greek": r"\p{Greek}",
    "cyrillic": r"\p{Cyrillic}",
    "armenian": r"\p{Armenian}",
    "georgian": r"\p{Georgian}",
    "hebrew": r"\p{Hebrew}",
    "arabic": r"\p{Arabic}",
    "devanagari": r"\p{Devanagari}",
    "bengali": r"\p{Bengali}",
    "tamil": r"\p{Tamil}",
    "thai": r"\p{Thai}",
}
_LATIN_WORD = regex.compile(r"\p{Latin}[\p{Latin}\p{M}]*")
_SCRIPT = regex.compile("|".join(f"(?P<{name}>[{block}]+)" for name, block in SCRIPTS.items()))
_EAST_ASIAN = ("japanese", "chinese", "korean")
_LOOKED_AT = 20_000  # characters of a text: some five pages of a book
_LONGEST = 20  # letters of a word that may vote: of very many marks in one, Python takes minutes
_LEAST_LETTERS = 10  # of a script
_LEAST_VOTES = 4
_LEAST_SHARE = 0.08  # of the words; in prose 15 to 50 % vote
_LEAST_KANA = 0.1  # of Japanese; Chinese pages name a Japanese thing at most

_stemmers = threading.local()


class Guess(NamedTuple):
    """The likeliest language, and whether the votes are enough to rely on it alone."""

    language: str
    clear: bool


@lru_cache(maxsize=1 << 15)
def fold(word: str) -> str:
    """Drop accents from a casefolded word; marks of scripts where they are letters stay."""
    if word.isascii():
        return word
    if "\u0600" <= word[0] < "\u0700":
        return word.translate(_ARABIC).replace("ة", "ه")
    if word[0] >= "\u0590" and not "\u1e00" <= word[0] < "\u2000":
        return word
    base = (c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", "".join(base).translate(_LETTERS))


_stopwords = {name: frozenset(map(fold, text.split())) for name, text in _STOPWORDS.items()}
_votes: dict[str, list[str]] = {}
for _name, _words in _stopwords.items():
    for _word in _words:
        if len(_word) > 1:
            _votes.setdefault(_word, []).append(_name)


def guess(words: Iterable[str]) -> Guess:
    """Guess the language of casefolded words by counting function words.

    Ties go to the language named first in the table, English for none at all, so that the same
    words always give the same answer.
    """
    ranked = _ranked(words)
    if not ranked:
        return Guess(DEFAULT, clear=False)
    (language, votes), *others = ranked
    ahead = not others or votes > others[0][1]
    return Guess(language, clear=ahead and votes >= CLEAR_VOTES)


def _ranked(words: Iterable[str]) -> list[tuple[str, int]]:
    """Languages that have votes, and how many, the likeliest first."""
    votes: Counter[str] = Counter()
    for word, count in Counter(words).items():
        for language in _votes.get(fold(word), ()):
            votes[language] += count
    return sorted(votes.items(), key=lambda vote: (-vote[1], LATIN_LANGUAGES.index(vote[0])))


def language_of(text: str) -> str | None:
    """What a page is written in, as far as letters and function words tell.

    Returns:
        One of `LATIN_LANGUAGES` or of `SCRIPTS`; None for a text that is too short, a table, or in
        a Latin language that is not known here. `arabic`, `cyrillic` and `devanagari` stand for
        every language in these letters.
    """
    text = text[:_LOOKED_AT]
    words = _LATIN_WORD.findall(text.casefold())
    if not text.isascii():
        letters: Counter[str] = Counter()
        for run in _SCRIPT.finditer(text):
            letters[str(run.lastgroup)] += len(run[0])
        # A character of theirs says as much as two letters or more.
        weights = {name: n * (1 + (name in _EAST_ASIAN)) for name, n in letters.items()}
        if letters and sum(weights.values()) > sum(map(len, words)):
            return _by_letters(letters)
    ranked = _ranked(word for word in words if len(word) <= _LONGEST)
    if not ranked or ranked[0][1] < max(_LEAST_VOTES, _LEAST_SHARE * len(words)):
        return None
    return ranked[0][0]


def _by_letters(letters: Counter[str]) -> str | None:
    if letters["japanese"] >= _LEAST_KANA * (letters["japanese"] + letters["chinese"]) > 0:
        letters["japanese"] += letters.pop("chinese", 0)
    name, count = letters.most_common(1)[0]
    return name if count >= _LEAST_LETTERS else None


def is_stopword(word: str, language: str) -> bool:
    """Whether a casefolded word is a function or question word of the language."""
    return fold(word) in _stopwords[language]


def is_latin(word: str) -> bool:
    """Whether the word's stem depends on a guess of its language."""
    return word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00"


@lru_cache(maxsize=1 << 15)
def stem(word: str, language: str) -> str:
    """Stem of a casefolded word of letters; `language` counts for Latin script only.

    Accents are folded after stemming, because the stemmers read them.

    Source: Porter 2001, Snowball; PyStemmer is its C code, 40 times the speed of the Python one.
    """
    name = language if is_latin(word) else _language_of_script(word[0])
    if name == "arabic":
        # Teh marbuta stays: it is a suffix that the stemmer knows, but not "and the-" in front.
        word = word.translate(_ARABIC)
        word = word[1:] if word.startswith(("وال", "فال")) and len(word) > 5 else word
    return fold(_stemmer(name).stemWord(word)) if name else fold(word)


def _language_of_script(character: str) -> str | None:
    """The one stemmer of a script other than Latin, None where there is none."""
    code = ord(character)
    for first, last, name in (
        (0x0370, 0x03FF, "greek"),
        (0x0400, 0x052F, "russian"),
        (0x0530, 0x058F, "armenian"),
        (0x0600, 0x06FF, "arabic"),
        (0x0900, 0x097F, "hindi"),
        (0x0B80, 0x0BFF, "tamil"),
    ):
        if first <= code <= last:
            return name
    return None


def _stemmer(language: str) -> Stemmer.Stemmer:
    """This thread's stemmer: PyStemmer's objects must not be shared between threads."""
    found = _stemmers.__dict__.get(language)
    if found is None:
        # Their own cache would repeat ours.
        found = _stemmers.__dict__[language] = Stemmer.Stemmer(language, 0)
    return found
