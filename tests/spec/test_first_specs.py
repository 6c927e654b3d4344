"""`init`, and the specs made from the files of earlier tools."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import SpecError
from reconcile.spec.init import init_text
from reconcile.spec.load import build
from reconcile.spec.location import resolve_url
from reconcile.spec.translate import from_autosync, from_s3synchrony
from reconcile.spec.yaml import parse

ENVIRON = {"USER": "ada"}


def loaded(text):
    return build(parse(text).value, root="/r", environ=ENVIRON)


@pytest.mark.parametrize(
    ("source", "target", "scheme"),
    [
        ("./docs", "s3://acme/docs", "s3"),
        ("My Files", './it\'s "here"', "file"),
        (r"C:\data", "dbfs:/x", "dbfs"),
        ("./data", "sqlite:///w.db", "sqlite"),
        ("a # b", "./c: d", "file"),
        ("./${user}", "./$x", "file"),
    ],
)
def test_a_first_spec_is_valid_and_means_what_was_typed(source, target, scheme):
    spec = loaded(init_text(source, target))
    (mapping,) = spec.mappings.values()
    assert (mapping.source_as_written, mapping.target_as_written) == (source, target)
    assert resolve_url(spec, mapping.target).scheme == scheme
    assert (mapping.table is not None) is (scheme == "sqlite")


def test_a_first_spec_needs_no_words():
    assert list(loaded(init_text()).mappings) == ["data"]


@pytest.mark.parametrize("target", ["./out", "sqlite:///w.db"])
def test_every_comment_of_a_first_spec_is_valid_when_it_is_made_true(target):
    lines = init_text("./docs", target).splitlines()
    live = [line.replace("# ", "", 1) if ":" in line and line.lstrip().startswith("# ") else line for line in lines]
    text = "\n".join(line for line in live if "Look first" not in line and "Every setting" not in line)
    assert loaded(text.replace("version: 1\n", "version: 1\n", 1)).stores["lake"]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=10))
def test_a_first_spec_means_what_was_typed_whatever_it_was(source):
    (mapping,) = parse(init_text(source, "s3://b/x")).value["mappings"].values()
    assert mapping["source"].replace("$${", "${") == source


AUTOSYNC = r"""
profile: DEV
local_root: C:\Users\me\spark
dbfs_root: dbfs:/ignored
recursive: no
patterns:
  or: ['\.py$', '\.json$']
  and:
  nor: ['/tests/']
other: 1
"""


def test_an_autosync_config_becomes_a_spec():
    text, warnings = from_autosync(AUTOSYNC)
    mapping = parse(text).value["mappings"]["spark"]
    assert mapping["source"] == "C:/Users/me/spark"
    spec = loaded(text)
    (made,) = spec.mappings.values()
    assert resolve_url(spec, made.target).url == "dbfs:/FileStore/packages/ada/spark"
    assert spec.stores["databricks"].settings == {"profile": "DEV"}
    assert made.recursive is False
    assert (made.patterns.any_of, made.patterns.none_of) == ((r"\.py$", r"\.json$"), ("/tests/",))
    assert warnings[0].startswith("dbfs_root: Autosync never used it")
    assert "other: not known to Autosync, left out" in warnings


def test_the_open_quote_of_autosyncs_manual_is_closed():
    text, warnings = from_autosync("local_root: /home/me/repo\npatterns:\n  nor:\n    - '/tests/\n    - '\\.md$'\n")
    (mapping,) = loaded(text).mappings.values()
    assert mapping.patterns.none_of == ("/tests/", r"\.md$")
    assert "a missing closing quote was added: - '/tests/'" in warnings


@pytest.mark.parametrize("patterns", ["", "patterns:", "patterns: {or: []}"])
def test_an_autosync_config_without_patterns_takes_everything(patterns):
    text, warnings = from_autosync(f"local_root: ./repo\n{patterns}\n")
    (mapping,) = loaded(text).mappings.values()
    assert mapping.patterns.any_of == ()
    assert mapping.recursive is True
    assert "patterns: none, so every file is taken" in warnings


@pytest.mark.parametrize(("written", "meant"), [("'\\.py$'", [r"\.py$"]), ("[1, '', ]", ["1", "(?:)"]), ("[~]", [])])
def test_a_list_of_odd_patterns_is_a_list_of_patterns(written, meant):
    text, _ = from_autosync(f"local_root: ./repo\npatterns: {{or: {written}}}\n")
    (mapping,) = loaded(text).mappings.values()
    assert [*mapping.patterns.any_of] == meant


@pytest.mark.parametrize(
    ("config", "source", "url", "settings"),
    [
        (
            """{"platform": "S3", "local_data_rel_dir": "Data", "remote_data_dir": "team/x/",
                "aws_bkt": "acme", "aws_role_shorthand": "dev"}""",
            "Data", "s3://acme/team/x", {"profile": "dev"},
        ),
        ('{"datafolder": "My Data", "aws_bkt": "acme", "aws_prfx": "p"}', "My Data", "s3://acme/p", {}),
        ('{"aws_bkt": "acme"}', "Data", "s3://acme", {}),
        ('{"remote_data_dir": "s3://acme//p/q/"}', "Data", "s3://acme/p/q", {}),
        ('{"platform": "Box", "aws_bkt": "acme", "template": "own"}', "Data", "s3://acme", {}),
    ],
)  # fmt: skip
def test_an_s3synchrony_file_becomes_a_spec(config, source, url, settings):
    text, warnings = from_s3synchrony(config)
    spec = loaded(text)
    (mapping,) = spec.mappings.values()
    assert mapping.source_as_written == source
    assert resolve_url(spec, mapping.target).url == url
    assert spec.stores["shared"].settings == settings
    assert (mapping.direction, mapping.policy.conflict, mapping.policy.keep) == ("two-way", "fail", "always")
    assert len(warnings) >= 2


@pytest.mark.parametrize(
    ("translate", "text"),
    [
        (from_autosync, ""), (from_autosync, "local_root: 5"), (from_autosync, "a: [1"), (from_autosync, "- x"),
        (from_s3synchrony, "{"), (from_s3synchrony, "[]"), (from_s3synchrony, "{}"), (from_s3synchrony, "[" * 100_000),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(translate, text):
    with pytest.raises(SpecError):
        translate(text)
