"""YAML as values and places."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import SpecError
from reconcile.spec.document import Mark
from reconcile.spec.yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, value


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("off", "off"), ("y", "y"),
        ("012", "012"), ("0o14", 12), ("0x1F", 31), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("0b1", "0b1"),
        ("2001-12-14", "2001-12-14"), ("5GiB", "5GiB"), ("50%", "50%"), (".inf", ".inf"), (".nan", ".nan"),
        ("0", 0), ("-7", -7), ("+7", 7), ("1.", 1.0), (".5", 0.5), ("1.50", 1.5), ("1e3", 1000.0), ("01.5", "01.5"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("null", None), ("~", None), ("", None), ("'5'", "5"), ('"true"', "true"), ("=", "="),
        ("9223372036854775807", 2**63 - 1), ("<<", "<<"), ("| \n  a\n  b\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_the_core_schema(text, meaning):
    found = value(f"k: {text}")["k"]
    assert found == meaning
    assert type(found) is type(meaning)


def test_keys_are_text():
    assert value("{1: a, no: b, ~: c, true: d, 1.50: e, 012: f}") == {
        "1": "a", "no": "b", "~": "c", "true": "d", "1.50": "e", "012": "f",
    }  # fmt: skip


def test_every_value_and_key_has_its_place():
    document = parse("a:\n  - {b: 1.50}\n  - 'é': x\n", "f")
    assert document.marks["a", 0, "b"] == Mark(2, 9)
    assert document.keys["a", 0, "b"] == Mark(2, 6)
    assert document.marks["a", 1, "é"] == Mark(3, 10)
    assert document.written["a", 0, "b"] == "1.50"
    assert document.mark(("a", 0, "missing")) == Mark(2, 5)


def test_aliases_are_values_again_at_the_place_of_their_anchor():
    document = parse("a: &x [1, 2]\nb: *x\n*x2 : 1\n".replace("*x2 : 1\n", ""), "f")
    assert document.value == {"a": [1, 2], "b": [1, 2]}
    assert document.marks["b", 1] == document.marks["a", 1] == Mark(1, 11)


def test_an_alias_can_be_a_key():
    assert value("a: &x name\n*x : 1\n") == {"a": "name", "name": 1}


def test_a_byte_order_mark_is_left_out():
    assert parse(b"\xef\xbb\xbfa: 1").value == {"a": 1}


BOMB = "a: &a [x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.hazard("S02")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases expand"),
        ("[" * (MAX_DEPTH + 2), "nested too deep"),
        ("[" * 500_000, "nested too deep|nesting depth"),
        ("{a: " * 500_000, "nested too deep"),
        ("- " * 500_000, "nested too deep"),
        ("? " * 500_000, "nested too deep"),
        ("[" + "x," * MAX_NODES + "]", "more than"),
        ("k: " + "9" * 5000, "64 bits"),
        ("k: 0x" + "f" * 17, "64 bits"),
        ("k: -9223372036854775809", "64 bits"),
        ("k: 1e400", "64 bits"),
        ("#" * (MAX_BYTES + 1), "larger than"),
        ("a: 1\na: 2", "stands here twice"),
        ("a: {b: &x {c: 1, c: 1}, d: *x}", "stands here twice"),
        ("a: !!set {x}", "tags"),
        ("a: \ud800", "not valid Unicode"),
        ("a: [1", "not YAML"),
        ("%YAML 3.0\n---\na: 1", "not YAML"),
    ],
)
def test_what_could_explode_or_surprise_is_refused(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        parse(text, "f.yaml")
    assert all(problem.startswith("f.yaml:") for problem in caught.value.problems)


def test_an_alias_within_bounds_may_not_nest_too_deep():
    half = MAX_DEPTH // 2 + 2
    text = f"a: &x {'[' * half}1{']' * half}\nb: {'[' * half}*x{']' * half}\n"
    with pytest.raises(SpecError, match="nest too deep"):
        parse(text)


SCRAPS = st.sampled_from(
    [*":-?,[]{}&*!|>'\"%@`#\n\t ~<=.$", "a: ", "- ", "&x ", "*x", "!!t ", "---\n", "...\n", "? ", "\r\n", "\x00",
     "\ufeff", "1e9", "0x", "  ", "version: 1\n", "mappings:\n", "${", "}", "é", "\U0001f600", "\ud800",
     "\x85", "\u2028", "%TAG ! x\n"],
)  # fmt: skip


@pytest.mark.hazard("S02")
@given(st.lists(SCRAPS, max_size=40).map("".join))
def test_any_text_is_a_document_or_a_spec_error(text):
    with contextlib.suppress(SpecError):
        parse(text, "f")


@pytest.mark.hazard("S02")
@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_spec_error(text):
    with contextlib.suppress(SpecError):
        parse(text, "f")
