"""Keys: what may be one, how they are told apart, matched and shown."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.path import (
    has_control,
    is_under,
    is_utf8,
    match_key,
    matches_glob,
    parents,
    park_key,
    same_name,
    shown,
    undo_key,
    why_not_key,
)

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)


@pytest.mark.hazard("N08")
@pytest.mark.hazard("R23")
@pytest.mark.hazard("R26")
@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a/../b", "a\0b", "a/\udcff", "\ud800"]
)
def test_what_is_no_key(key: str) -> None:
    assert why_not_key(key)


@pytest.mark.parametrize("key", ["a", "a b", "...", "a/...", ".a", "a.", "-", "a\nb", "é", "%2F", "C:\\x", "\u202e"])
def test_what_is_a_key(key: str) -> None:
    assert why_not_key(key) is None


@given(TEXT)
def test_a_key_is_text_that_stays_inside(text: str) -> None:
    if why_not_key(text) is None:
        assert text.encode().decode() == text
        assert not {"", ".", ".."} & set(text.split("/"))
        assert "\0" not in text


@pytest.mark.parametrize(
    ("key", "control"),
    [
        (".git", True), ("a/.git/b", True), (".reconcile", True), ("a/.reconcile/x", True), (".S3", True),
        (".reconcile-tmp-1", True), ("a/.reconcile-tmp-1", True), (".gitignore", False), (".github/x", False),
        (".reconcileignore", False), ("a.git", False), ("x.S3", False), ("a", False),
    ],
)  # fmt: skip
def test_control_names(key: str, control: bool) -> None:
    assert has_control(key) == control


def test_parents_and_under() -> None:
    assert parents("a/b/c") == ["a", "a/b"]
    assert parents("a") == []
    assert is_under("a/b", "a")
    assert not is_under("a", "a")
    assert not is_under("ab", "a")
    assert not is_under("a-b/c", "a")


@pytest.mark.hazard("N01")
@pytest.mark.hazard("N03")
@pytest.mark.parametrize(
    ("one", "other", "fold", "same"),
    [
        ("A.txt", "a.txt", "casefold", True),
        ("A.txt", "a.txt", "identity", False),
        ("A.txt", "a.txt", "nfc", False),
        ("straße", "STRASSE", "casefold", True),
        ("é", "e\u0301", "nfc", True),
        ("é", "e\u0301", "identity", False),
        ("É", "e\u0301", "casefold", True),
        ("İ", "i̇", "casefold", True),
        ("a", "b", "casefold", False),
    ],
)
def test_match_keys(one: str, other: str, fold: str, same: bool) -> None:
    assert same_name(one, other, fold) == same
    assert (match_key(one, fold) == match_key(other, fold)) == same


@given(TEXT.filter(is_utf8), st.sampled_from(["identity", "casefold", "nfc"]))
def test_a_match_key_is_its_own(text: str, fold: str) -> None:
    folded = match_key(text, fold)
    assert match_key(folded, fold) == folded
    if fold != "identity":
        for form in ("NFC", "NFD"):
            assert same_name(unicodedata.normalize(form, text), text, fold)
    assert folded.count("/") == text.count("/"), "directories stay directories"


@pytest.mark.parametrize(
    ("key", "pattern", "matches"),
    [
        ("a/b.txt", "a/b.txt", True),
        ("a/b.txt", "a", True),
        ("a/b.txt", "a/", True),
        ("ab/b.txt", "a", False),
        ("a/b.txt", "*.txt", True),
        ("a/b/c.txt", "a/*.txt", True),
        ("a/b.txt", "a/?.txt", True),
        ("a/b.txt", "b.txt", False),
        ("a[1].txt", "a[1].txt", True),
        ("a1.txt", "a[1].txt", True),
        ("A", "a", False),
        ("a\nb", "*", True),
    ],
)
def test_globs_of_the_command_line(key: str, pattern: str, matches: bool) -> None:
    assert matches_glob(key, pattern) == matches


@pytest.mark.hazard("N06")
@pytest.mark.hazard("S08")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("plain name.txt", "plain name.txt"),
        ("é 日本 😀", "é 日本 😀"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred", "\\e[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("a\x00\x7f\x85", "a\\x00\\x7f\\x85"),
        ("bad\udcff", "bad\\xff"),
        ("::error::x", "\\::error::x"),
        ("##[error]x", "#\\#[error]x"),
        ("##vso[task]x", "#\\#vso[task]x"),
        ("a##b", "a##b"),
    ],
)
def test_names_are_shown_so_that_they_cannot_speak(name: str, told: str) -> None:
    assert shown(name) == told


@given(TEXT)
def test_whatever_is_shown_is_one_printable_line(text: str) -> None:
    told = shown(text)
    assert told.isprintable()
    assert not told.startswith("::")
    assert "##[" not in told
    assert "##vso[" not in told
    told.encode()


def test_what_is_kept_and_what_is_parked_lies_where_nothing_of_ours_is_sent() -> None:
    assert undo_key(7, "a/b") == ".reconcile/undo/7/a/b"
    assert undo_key(7, "a/b", "0f") == ".reconcile/undo/7-0f/a/b"
    assert park_key(7, "a/b") == ".reconcile/park/7/a/b"
    assert park_key(7, "a/b", "0f") == ".reconcile/park/7-0f/a/b"
    assert all(has_control(place(7, "a")) for place in (undo_key, park_key))
