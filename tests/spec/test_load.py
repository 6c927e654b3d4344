"""From a file or a document to a spec."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import SpecError, UsageError
from reconcile.core.policy import GuardLimits, Limit, Policy
from reconcile.spec.find import find_spec
from reconcile.spec.load import build, load_spec
from reconcile.spec.location import resolve_url
from reconcile.spec.model import CsvSpec, NotifySpec, ObjectSpec, Patterns, TableSpec, WatchSpec
from reconcile.spec.schemas import schema_text
from reconcile.spec.secret import Secret

HERE = Path(__file__).parent
ENVIRON = {"USER": "ada", "PG_PASSWORD": "hunter22", "HOOK_URL": "https://hooks.example/T0K"}


def one(document, **told):
    return build({"mappings": {"m": {"source": "./in", "target": "./out"} | document}}, environ=ENVIRON, **told)


@pytest.fixture
def everything():
    return load_spec(HERE / "good" / "everything.yaml", environ=ENVIRON)


def test_the_shortest_spec_has_every_default():
    spec = load_spec(HERE / "good" / "shortest.yaml", environ={})
    docs = spec.mappings["docs"]
    assert (docs.source, docs.target) == (str(HERE / "good" / "docs"), "s3://acme/docs")
    assert docs.policy == Policy()
    assert docs.ignore_files == (".reconcileignore",)
    assert docs.table is None
    assert (spec.version, spec.state, spec.watch, spec.notify) == (1, "state/reconcile.db", WatchSpec(), NotifySpec())
    assert spec.root == str(HERE / "good")


def test_the_longest_spec_is_read_word_by_word(everything):
    packages, tables = everything.mappings.values()
    assert [packages.name, tables.name] == ["packages", "tables"]
    assert packages.target == "dbx:FileStore/packages/ada/src"
    assert packages.exclude == ("**/__pycache__/**", "tests/**")
    assert packages.patterns == Patterns(any_of=(r"\.py$", r"\.json$"), none_of=("/tests/",))
    assert packages.max_size == 5 * 2**30
    assert packages.policy.guard == GuardLimits(max_delete=Limit(share=0.5), max_update=Limit(), min_files=10)
    assert packages.object == ObjectSpec(cache_control="…")
    assert packages.depends_on == ("tables",)
    assert tables.target == f"sqlite:///{HERE}/good/warehouse.db"
    assert tables.table == TableSpec(key=("id",), types={"zip": "text"}, csv=CsvSpec(null_values=("",)))
    assert everything.watch == WatchSpec(debounce_s=0.2, max_delay_s=5, resync_s=300, lease="batch")
    assert everything.notify.command == ("./alert.sh",)


def test_secrets_are_gathered_and_never_shown(everything):
    assert everything.stores["pg"].revealed() == {"password": "hunter22"}
    assert everything.notify.webhook.reveal() == ENVIRON["HOOK_URL"]
    assert [secret.reveal() for secret in everything.secrets] == [ENVIRON["HOOK_URL"], "hunter22"]
    assert "hunter22" not in repr(everything)
    assert "T0K" not in repr(everything)


def test_the_digest_hangs_on_what_is_asked_for_alone(tmp_path, everything):
    def digest(text, **environ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "reconcile.yaml").write_text(text, encoding="utf-8")
        return load_spec(folder / "reconcile.yaml", environ=ENVIRON | environ).digest

    text = (HERE / "good" / "everything.yaml").read_text(encoding="utf-8")
    assert digest(text) == everything.digest
    assert digest(text, PG_PASSWORD="other") == everything.digest
    assert digest("# a comment\n" + text) == everything.digest
    assert digest(text, USER="grace") != everything.digest
    assert digest(text.replace("min_files: 10", "min_files: 11")) != everything.digest


def test_a_list_of_a_default_adds_up_and_a_word_gives_way():
    spec = build(
        {
            "defaults": {"exclude": ["a"], "delete": False, "guard": {"min_files": 3}, "patterns": {"or": ["x"]}},
            "mappings": {
                "m": {
                    "source": "i",
                    "target": "o",
                    "exclude": ["b"],
                    "guard": {"max_delete": 5},
                    "patterns": {"or": None},
                },
                "n": {"source": "i", "target": "p", "delete": True},
            },
        }
    )
    m, n = spec.mappings["m"], spec.mappings["n"]
    assert m.exclude == ("a", "b")
    assert m.patterns == Patterns(any_of=("x",))
    assert m.policy == Policy(delete=False, guard=GuardLimits(max_delete=Limit(count=5), min_files=3))
    assert (n.exclude, n.policy.delete, n.policy.guard.min_files) == (("a",), True, 3)


def test_a_table_of_the_defaults_reaches_only_tables():
    spec = build(
        {
            "defaults": {"table": {"key": ["id"]}},
            "mappings": {
                "files": {"source": "i", "target": "o"},
                "tables": {"source": "i", "target": "sqlite:///w.db", "table": {"key": ["day"]}},
            },
        }
    )
    assert spec.mappings["files"].table is None
    assert spec.mappings["tables"].table.key == ("id", "day")


def test_null_tables_are_empty_ones():
    document = dict.fromkeys(("variables", "stores", "defaults", "watch", "notify"))
    assert build(document | {"mappings": {"m": {"source": "i", "target": "o", "patterns": None}}}).mappings


@pytest.mark.hazard("O08")
def test_a_drive_letter_is_no_scheme():
    spec = one({"source": r"C:\data", "target": "D:/copy"})
    assert [resolve_url(spec, text).scheme for text in (r"C:\data", "D:/copy")] == ["file", "file"]


def test_a_document_in_code_may_hold_tuples_paths_and_secrets(tmp_path):
    spec = build(
        {
            "stores": {"pg": {"url": "postgresql://u@h/d", "password": Secret("hunter22")}},
            "mappings": {"m": {"source": tmp_path / "in", "target": "pg", "include": ("*.csv",)}},
        },
        root=tmp_path,
    )
    assert spec.mappings["m"].include == ("*.csv",)
    assert resolve_url(spec, "pg").store.revealed() == {"password": "hunter22"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"mappings": {"m": {"source": object(), "target": "o"}}}, "spec: /mappings/m/source: a value of type object"),
        (
            {"mappings": {"m": {"source": "i", "target": Secret("x")}}},
            "spec: /mappings/m/target: a secret would be shown",
        ),
        ({}, "spec: `mappings` is missing"),
        ({"mappings": {"m": {"source": "i", "target": "o", "delet": 1}}}, "/mappings/m/delet: .*did you mean `delete`"),
    ],
)
def test_a_document_in_code_is_checked_as_a_file_is(document, said):
    with pytest.raises(SpecError, match=said):
        build(document)


def test_a_document_inside_itself_is_refused():
    loop = {}
    loop["mappings"] = loop
    with pytest.raises(SpecError, match="inside itself"):
        build(loop)


def test_a_known_spec_is_not_checked_against_the_schema_again(tmp_path):
    file = tmp_path / "reconcile.yaml"
    file.write_text('version: 1\nmappings: {m: {source: i, target: "./${env.OUT}"}}\n', encoding="utf-8")
    seen = set()
    first = load_spec(file, environ={"OUT": "o"}, known=seen.__contains__, remember=seen.add)
    assert len(seen) == 1
    program = (
        "import sys; from reconcile.spec.load import load_spec;"
        f"load_spec({str(file)!r}, environ={{'OUT': 'o'}}, known={seen!r}.__contains__);"
        "print(sorted({'jsonschema', 'socket', 'urllib.request'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    load_spec(file, environ={"OUT": "p"}, known=seen.__contains__, remember=seen.add)
    assert len(seen) == 2
    assert load_spec(file, environ={"OUT": "o"}).digest == first.digest


def test_a_spec_with_problems_is_not_remembered():
    seen = []
    with pytest.raises(SpecError):
        load_spec(HERE / "bad" / "shapes.yaml", environ={}, remember=seen.append)
    assert seen == []


def test_the_spec_file_is_found_as_git_finds_things(tmp_path):
    (tmp_path / "reconcile.yaml").touch()
    (tmp_path / "other.yaml").touch()
    assert find_spec(tmp_path) == tmp_path / "reconcile.yaml"
    assert find_spec(tmp_path, "other.yaml") == tmp_path / "other.yaml"
    assert find_spec("/nowhere", tmp_path / "other.yaml") == tmp_path / "other.yaml"


def test_a_missing_spec_file_names_the_way_on(tmp_path):
    with pytest.raises(UsageError) as caught:
        find_spec(tmp_path)
    assert "reconcile init" in caught.value.hint
    (tmp_path / "reconcile.yml").touch()
    with pytest.raises(UsageError) as caught:
        find_spec(tmp_path)
    assert "-f reconcile.yml" in caught.value.hint
    with pytest.raises(UsageError):
        load_spec(tmp_path / "none.yaml")
    with pytest.raises(UsageError):
        load_spec(tmp_path)


def test_the_schema_is_one_and_the_program_has_it():
    schema = json.loads(schema_text("spec"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("word", ["min_size", "layout", "drift", "portable_names", "create_target", "concurrency"])
def test_the_defaults_of_the_schema_are_those_of_the_model(word):
    schema = json.loads(schema_text("spec"))["$defs"]["settings"]["properties"]
    plain = one({})
    if "default" in schema[word]:
        policy = plain.mappings["m"].policy
        assert schema[word]["default"] == getattr(policy, word, getattr(plain.mappings["m"], word, None))


WORDS = st.sampled_from(
    [
        "version",
        "mappings",
        "defaults",
        "stores",
        "watch",
        "notify",
        "variables",
        "state",
        "m",
        "source",
        "target",
        "table",
        "patterns",
        "or",
        "guard",
        "url",
        "key",
        "password",
        "depends_on",
        "max_delete",
        "webhook",
        "exclude",
        "object",
        "metadata",
        "command",
        "layout",
        "debounce",
        "unmanaged",
        "max_size",
    ]
)
TEXTS = (
    "", "x", "./a", "s3://b", "s3://b/c", "sqlite:///w.db", "m", "m:x", "C:\\x", "${var.x}", "${env.USER}", "${",
    "${env.PG_PASSWORD}", "${source.name}", "${mapping}", "{path}", "{", "50%", "off", "5s", "5s\n", "5GiB\n", "$${x}",
    "delete", "a\0b", "\ud800", "postgresql://u:p@h/d", "postgresql://[h/d", "~", "~x", "file://%", "/Volumes/", "(",
    "a//b", "..", "/", "0", "true", "two-way",
)  # fmt: skip
LEAVES = st.sampled_from([None, True, 0, 1, -1, 1.5, float("nan"), 2**70, *TEXTS])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25
)
MAPPING = st.dictionaries(WORDS, TREES, max_size=5).map(lambda words: {"source": "./i", "target": "./o"} | words)


@pytest.mark.hazard("S02")
@given(
    st.dictionaries(WORDS, TREES, max_size=6),
    st.dictionaries(st.sampled_from(["m", "n", "A", "é"]), MAPPING, max_size=3),
    st.dictionaries(WORDS, TREES, max_size=4),
)
def test_any_document_is_a_spec_or_a_spec_error_that_shows_no_secret(document, mappings, defaults):
    try:
        told = repr(build({"mappings": mappings, "defaults": defaults, **document}, root="/r", environ=ENVIRON))
    except SpecError as error:
        told = str(error)
    assert "hunter22" not in told
