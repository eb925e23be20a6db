"""The lexical view: what matches what, with which weight, and within what time."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mmsearch.encoders import PageContent
from mmsearch.encoders.bm25 import Bm25Encoder, matches, page_terms, query_terms, term_id
from mmsearch.encoders.languages import guess
from mmsearch.types import Query, SparseVector

ENGLISH = "The pump is in the house and the water of the lake was cold. "
GERMAN = "Die Pumpe ist in den alten Häusern und das Wasser war nicht für die Mieter. "
FRENCH = "Les pompes sont dans la maison et le contrat des locataires est terminé pour une année. "


def sparse(vector: object) -> SparseVector:
    assert isinstance(vector, SparseVector)
    return vector


def score(query: str, page: str) -> float:
    """Dot product of a query and a page, without IDF."""
    encoder = Bm25Encoder()
    q, (p,) = encoder.encode_query(Query(query)), encoder.encode_pages([PageContent(page)])
    if q is None or p is None:
        return 0.0
    q, p = sparse(q), sparse(p)
    weights = dict(zip(p.indices.tolist(), p.values.tolist(), strict=True))
    pairs = zip(q.indices.tolist(), q.values.tolist(), strict=True)
    return sum(weights.get(index, 0.0) * value for index, value in pairs)


def terms(text: str) -> list[str]:
    return page_terms(text).terms


# --- weights ---------------------------------------------------------------------------------


def test_weights_are_bm25_by_hand() -> None:
    page = "iron iron ore 1887"  # each term is its own stem; four words long
    vector = sparse(Bm25Encoder(k1=1.2, b=0.6, avg_len=150).encode_pages([PageContent(page)])[0])
    norm = 1.2 * (0.4 + 0.6 * 4 / 150)  # 0.4992
    expected = {
        term_id("iron"): 2 * 2.2 / (2 + norm),  # 1.760563
        term_id("ore"): 1 * 2.2 / (1 + norm),  # 1.467449
        term_id("1887"): 1 * 2.2 / (1 + norm),
    }
    assert dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True)) == (
        pytest.approx(expected, rel=1e-6)
    )
    assert vector.values.max() == pytest.approx(1.760563, abs=1e-6)


def test_vectors_are_sorted_unique_and_typed() -> None:
    vector = sparse(Bm25Encoder().encode_pages([PageContent(ENGLISH * 50)])[0])
    assert vector.indices.dtype == np.uint32
    assert vector.values.dtype == np.float32
    assert (np.diff(vector.indices.astype(np.int64)) > 0).all()


def test_a_page_weighs_the_same_in_any_company() -> None:
    encoder = Bm25Encoder()
    pages = [PageContent(text) for text in (ENGLISH, GERMAN, FRENCH)]
    forward, backward = encoder.encode_pages(pages), encoder.encode_pages(pages[::-1])[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert sparse(one).indices.tolist() == sparse(other).indices.tolist()
        assert sparse(one).values.tolist() == sparse(other).values.tolist()


def test_threads_agree() -> None:
    encoder, pages = Bm25Encoder(), [PageContent(t * 20) for t in (ENGLISH, GERMAN, FRENCH)]
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(encoder.encode_pages, [pages] * 8))
    assert all(
        [sparse(v).values.tolist() for v in run] == [sparse(v).values.tolist() for v in runs[0]]
        for run in runs
    )


@pytest.mark.parametrize("text", ["", "   \n", "…—!?", "\x00\x01", "\ud800", "\u0301"])
def test_nothing_to_index_is_none(text: str) -> None:
    encoder = Bm25Encoder()
    assert encoder.encode_pages([PageContent(text)]) == [None]
    assert encoder.encode_query(Query(text)) is None


def test_term_ids_never_change() -> None:
    ids = [term_id(term) for term in ("house", "inv2024.0013", "東京", "")]
    assert ids == [1742027165, 3254417422, 2451981039, 0]


def test_term_ids_are_spread() -> None:
    ids = np.array([term_id(str(number)) for number in range(50_000)])
    assert len(np.unique(ids)) == 50_000
    # 16 equal parts of the range hold 3125 each, give or take.
    assert np.histogram(ids, 16, (0, 2**32))[0].min() > 2800


def test_identity_names_what_changes_the_vectors() -> None:
    assert Bm25Encoder().identity.startswith("bm25-v1 k1=1.2 b=0.6 avg_len=150 snowball=")
    assert Bm25Encoder(b=0.5).identity != Bm25Encoder().identity


# --- codes and numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("0013", "Invoice INV-2024/0013 of May"),
        ("inv-2024/0013", "INV-2024/0013"),
        ("PX4471B", "part PX-4471-B, spare"),
        ("px-4471-b", "part PX4471B"),
        ("4471", "part PX4471B"),
        ("v2.10.3", "release v2.10.3."),
        ("2.10.3", "release 2.10.3"),
        ("12/05/2024", "Berlin, 12.05.2024"),
        ("2024", "on 2024-05-12"),
        ("jane.doe@acme-corp.com", "write to <Jane.Doe@acme-corp.com>"),
        ("acme", "write to jane.doe@acme-corp.com"),
        ("1234.56", "Total: $1,234.56"),
        ("1234.56", "Summe: 1.234,56 €"),
        ("1234.56", "total 1 234,56"),
        ("1234.56", "total 1\u202f234,56"),
        ("1234.56", "total 1'234.56"),
        ("1,234.56", "total 1234.56"),
        ("1234.56", "١٬٢٣٤٫٥٦"),
        ("1234567", "₹12,34,567"),
        ("1234", "1,234.56"),
        ("usa", "made in the U.S.A."),
        ("e-mail", "email"),
    ],
)
def test_codes_and_numbers_are_found(query: str, page: str) -> None:
    assert score(query, page) > 0


@pytest.mark.parametrize(
    ("query", "page"),
    [("123", "version 1.2.3"), ("13", "INV-2024/0013"), ("56", "1,234.56"), ("0.125", "125")],
)
def test_numbers_are_not_found_in_others(query: str, page: str) -> None:
    assert score(query, page) == 0


def test_the_whole_code_ranks_first() -> None:
    pages = ["INV-2024/0013", "INV-2024/0014", "0013 INV 2024", "INV-2023/0013"]
    scores = [score("INV-2024/0013", page) for page in pages]
    assert scores[0] > max(scores[1:])


def test_a_decimal_of_three_places_ranks_before_the_thousand() -> None:
    assert score("3.142", "pi is 3.142") > score("3.142", "a sum of 3142") > 0


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("hydroplane", "the hydro-\nplane landed"),
        ("hydroplane", "the hydro\x02plane landed"),
        ("hydroplane", "the hydro\u00ad\nplane landed"),
        ("financial", "the ﬁnancial oﬃce"),
        ("office", "the ﬁnancial oﬃce"),
        ("STRASSE", "straße"),
        ("resume", "his résumé"),
        ("Lodz", "Łódź"),
        ("economie", "l’économie"),
        ("acme", "Acme™"),
        ("income", "income² rose"),
        ("fullwidth", "ｆｕｌｌｗｉｄｔｈ"),
    ],
)
def test_spelling_does_not_matter(query: str, page: str) -> None:
    assert score(query, page) > 0


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("Haus", GERMAN),
        ("Mieterin Häuser", GERMAN),
        ("pompe", FRENCH),
        ("contrats locataire", FRENCH),
        ("pumps", ENGLISH),
        ("книга", "Он читает книги"),
        ("किताब", "किताबें"),
    ],
)
def test_stems_match_without_knowing_the_querys_language(query: str, page: str) -> None:
    assert score(query, page) > 0


def test_the_exact_form_ranks_before_its_stem() -> None:
    assert score("connection", "connection") > score("connection", "connected") > 0


def test_function_words_are_asked_for_only_alone() -> None:
    asked = query_terms("what is the price of the houses")
    assert asked == [{"price": 1.5}, {"hous": 1.0, "houses": 0.5}]
    assert [max(word.values()) for word in query_terms("to be")] == [1.5, 1.5]


@pytest.mark.parametrize(
    ("text", "language"), [(ENGLISH, "english"), (GERMAN, "german"), (FRENCH, "french")]
)
def test_language_is_guessed(text: str, language: str) -> None:
    assert guess(text.casefold().split()) == (language, True)


def test_no_language_is_english_but_not_clear() -> None:
    assert guess(["4711", "qwerty"]) == ("english", False)


# --- other scripts ---------------------------------------------------------------------------


def test_han_gives_characters_and_pairs_across_lines_and_spaces() -> None:
    expected = ["東", "京", "都", "東京", "京都"]
    assert terms("東京都") == terms("東\n京都") == terms("東 京 都") == expected
    assert terms("寺") == ["寺"]


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("タワー", "東京ﾀﾜｰへ行く"),
        ("首都", "日本の首都はどこでしたか"),
        ("游戏", "本游戏由公司开发"),
        ("서울", "그는 서울에서 2024년에 태어났다"),
        ("2024", "그는 서울에서 2024년에 태어났다"),
        ("ภาษา", "ฉันพูดภาษาไทย"),
        ("المدرسة", "في مدرسة كبيرة"),
        ("والكتاب", "كِتَاب"),
        ("احمد", "أحمـد"),
        ("2024", "عام ٢٠٢٤"),
    ],
)
def test_other_scripts_are_found(query: str, page: str) -> None:
    assert score(query, page) > 0


def test_two_characters_together_rank_before_the_same_apart() -> None:
    assert score("京都", "京都の寺") > score("京都", "都の東京") > 0


# --- highlights ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words", "expected"),
    [
        ("pumps in the house", ["The", "pump", "was", "(housed)", "in"], "01010"),
        ("0013", ["Invoice", "INV-2024/0013,", "paid"], "010"),
        ("hydroplane", ["the", "hydro-", "plane", "landed"], "0110"),
        ("hydroplane", ["Well-", "Known", "hydroplanes"], "001"),
        ("1234.56", ["Total", "$1,234.56"], "01"),
        ("京都の寺", ["東", "京", "都", "の", "京都の", "です"], "011110"),
        ("寺", ["寺", "京都"], "10"),
        ("Häuser", ["Die", "alten", "Haus", "und", "das"], "00100"),
        ("", ["the", "pump"], "00"),
        ("pump", [], ""),
    ],
)
def test_matches(query: str, words: list[str], expected: str) -> None:
    assert "".join(str(int(flag)) for flag in matches(query, words)) == expected


# --- hostile input ---------------------------------------------------------------------------

RANDOM = random.Random(0)
HOSTILE = {
    "one word of megabytes": "a" * 3_000_000,
    "hyphens": "a-" * 400_000,
    "thousands": "1 234 " * 30_000,
    "combining marks": "e" + "".join(RANDOM.choices("\u0301\u0323\u0345", k=300_000)),
    "long compatibility forms": "\ufdfa" * 30_000,
    "surrogates": "\ud800\udc00x" * 100_000,
    "control characters": "".join(map(chr, range(32))) * 5_000,
    "distinct words": " ".join(f"w{number}" for number in range(80_000)),
    "han": "東京都" * 100_000,
    "thai": "กิ" * 100_000,
    "every character": "".join(map(chr, range(0x110000))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_bounded(name: str) -> None:
    encoder, text = Bm25Encoder(), HOSTILE[name]
    start = time.process_time()
    (page,) = encoder.encode_pages([PageContent(text)])
    encoder.encode_query(Query(text))
    assert time.process_time() - start < 10  # under one second; minutes if unbounded
    if page is not None:
        assert len(sparse(page).indices) <= 65_536
        assert np.isfinite(sparse(page).values).all()


def test_long_words_are_cut_alike_on_both_sides() -> None:
    assert score("x" * 5000, "see " + "x" * 70) > 0
