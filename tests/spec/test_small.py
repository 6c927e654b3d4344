"""Units, secrets, first specs."""

from __future__ import annotations

import json
import pickle

from hypothesis import given
from hypothesis import strategies as st
import msgspec
import pytest

from reconcile.core.policy import Limit
from reconcile.spec.init import mapping_name, quoted
from reconcile.spec.secret import Secret, looks_secret, revealed
from reconcile.spec.units import duration_s, limit, size_bytes
from reconcile.spec.yaml import value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("5s", 5), ("10m", 600), ("1h", 3600), ("30d", 2_592_000), ("1.5m", 90), ("0s", 0)],
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("5GiB", 5 * 2**30), ("1.5KiB", 1536), (4096, 4096), ("10", 10), ("7B", 7), ("1TiB", 2**40), (0, 0)],
)
def test_sizes(written, size):
    assert size_bytes(written) == size


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("50%", Limit(share=0.5)),
        (200, Limit(count=200)),
        ("200", Limit(count=200)),
        ("off", Limit()),
        ("0%", Limit(share=0)),
    ],
)
def test_limits(written, meant):
    assert limit(written) == meant


@pytest.mark.parametrize("reads", [duration_s, size_bytes, limit])
@pytest.mark.parametrize("text", ["", "x", "5 s", "-1", "5GB", "101%", "1e3", "٣", "5\n"])
def test_what_is_no_quantity_is_refused(reads, text):
    with pytest.raises(ValueError, match="is not a"):
        reads(text)


@pytest.mark.hazard("S01")
def test_a_secret_shows_nothing_wherever_it_is_put():
    secret = Secret("hunter22")
    shown = [
        repr(secret),
        str(secret),
        f"{secret:>8}",
        json.dumps([secret]),
        repr({"a": secret}),
        secret + "",
    ]
    assert not [text for text in shown if "hunter" in text]
    assert revealed(secret) == secret.reveal() == "hunter22"
    assert revealed("plain") == "plain"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_when_what_they_hide_is():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "***"
    assert len({Secret("a"), Secret("a"), Secret("b"), "***"}) == 3


def test_names_that_look_secret():
    names = ["AWS_SECRET_ACCESS_KEY", "password", "sas", "sas_token", "PGPASSFILE", "db_pwd", "AZURE_CREDENTIALS"]
    assert all(map(looks_secret, names))
    assert not any(map(looks_secret, ["USER", "STAGE", "sasha", "region", "endpoint", "HOME"]))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_quoted_text_means_itself(text):
    assert value(f"k: {quoted(text)}") == {"k": text}
    assert value(f"k: {{k: {quoted(text)}}}") == {"k": {"k": text}}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("./docs", "docs"),
        ("/a/My Data/", "my-data"),
        ("s3://b/x", "x"),
        (r"C:\Users\me", "me"),
        (".", "files"),
        ("é", "files"),
    ],
)
def test_a_mapping_is_named_after_its_source(source, name):
    assert mapping_name(source) == name
