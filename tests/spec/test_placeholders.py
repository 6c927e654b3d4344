"""`${…}` in values."""

from __future__ import annotations

import pytest

from reconcile.core.errors import SpecError
from reconcile.spec.load import build, load_spec
from reconcile.spec.secret import Secret

ENVIRON = {"USER": "ada", "STAGE": "prod", "EMPTY": "", "API_TOKEN": "token-canary", "RECONCILE_VAR_region": "eu"}


def target(text, *, environ=ENVIRON, source="./some/src", variables=None, **document):
    mapping = {"source": source, "target": text}
    spec = build({"mappings": {"docs": mapping}, **document}, root="/r/here", environ=environ, variables=variables)
    return spec.mappings["docs"].target_as_written


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("s3://b/${user}", "s3://b/ada"),
        ("s3://b/${mapping}/${source.name}", "s3://b/docs/src"),
        ("s3://b/${env.STAGE}", "s3://b/prod"),
        ("s3://b/${env.NONE:-dev}", "s3://b/dev"),
        ("s3://b/${env.EMPTY:-dev}", "s3://b/dev"),
        ("s3://b/x${env.EMPTY}", "s3://b/x"),
        ("s3://b/x${env.NONE:-}", "s3://b/x"),
        ("s3://b/${env.NONE:-a:-b}", "s3://b/a:-b"),
        ("s3://b/${var.region}", "s3://b/eu"),
        ("s3://b/$${user}/$x/{}", "s3://b/${user}/$x/{}"),
    ],
)
def test_a_placeholder_has_a_meaning(text, meaning):
    assert target(text) == meaning


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (".", "here"), ("./a/b/", "b"), ("..", "r"), ("/x/y", "y"), ("a.txt", "a.txt"),
        ("s3://bucket/p/q", "q"), ("s3://bucket", "bucket"), ("lake:", "lake"), ("lake:a/b", "b"),
        ("/Volumes/c/s/v", "v"), ("dbfs:/x", "x"), ("./${mapping}", "docs"),
    ],
)  # fmt: skip
def test_the_name_of_a_source_is_its_last_part(source, name):
    stores = {"lake": {"url": "s3://data/team"}}
    assert target("gs://b/${source.name}", source=source, stores=stores) == f"gs://b/{name}"


def test_the_host_is_this_machine(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "laptop-7")
    assert target("s3://b/${host}") == "s3://b/laptop-7"


def test_a_user_without_a_name_in_the_environment_is_asked_of_the_system(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "grace")
    assert target("s3://b/${user}", environ={}) == "s3://b/grace"

    def nobody():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(SpecError, match="no name; set LOGNAME"):
        target("s3://b/${user}", environ={})


def test_variables_are_overridden_by_the_environment_and_both_by_the_command_line():
    declared = {"region": "declared", "other": "${env.STAGE}"}
    spec = {"mappings": {"m": {"source": "i", "target": "s3://b/${var.region}-${var.other}"}}, "variables": declared}

    def resolved(environ, variables):
        return build(spec, environ=environ, variables=variables).mappings["m"].target

    assert resolved({"STAGE": "x"}, {}) == "s3://b/declared-x"
    assert resolved(ENVIRON, {}) == "s3://b/eu-prod"
    assert resolved(ENVIRON, {"region": "us", "other": "o"}) == "s3://b/us-o"


def test_a_mistyped_override_is_told():
    with pytest.raises(SpecError, match="--var regoin: there is no such variable; did you mean `region`"):
        build(
            {"variables": {"region": "eu"}, "mappings": {"m": {"source": "i", "target": "o"}}},
            variables={"regoin": "us"},
            environ={},
        )


TYPED = """
version: 1
variables: {many: 4, off: false, size: 10MiB, ratio: 1.10}
mappings:
  m:
    source: "./${var.ratio}/${var.off}"
    target: ./out
    concurrency: ${var.many}
    delete: ${var.off}
    max_size: ${var.size}
    exclude: ["${var.many}"]
"""


def test_a_whole_unquoted_placeholder_keeps_the_type_of_its_variable(tmp_path):
    file = tmp_path / "reconcile.yaml"
    file.write_text(TYPED, encoding="utf-8")
    mapping = load_spec(file, environ={}).mappings["m"]
    assert (mapping.concurrency, mapping.policy.delete, mapping.max_size) == (4, False, 10 * 2**20)
    assert mapping.exclude == ("4",)
    assert mapping.source_as_written == "./1.10/false"
    assert load_spec(file, environ={}, variables={"many": "8"}).mappings["m"].concurrency == 8
    for wrong in ("eight", "1e999", "true"):
        with pytest.raises(SpecError, match=r"/variables/many: was overridden by what is not a whole number"):
            load_spec(file, environ={}, variables={"many": wrong})


def test_what_the_environment_says_must_be_text():
    document = {"mappings": {"m": {"source": "i", "target": "s3://b/${var.x}/${env.Y}"}}, "variables": {"x": "a"}}
    with pytest.raises(SpecError, match="not valid Unicode") as caught:
        build(document, environ={"RECONCILE_VAR_x": "\udcff", "Y": "\udcff"})
    assert len(caught.value.problems) == 2


@pytest.mark.hazard("S15")
@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "github_token", "PGPASSWORD", "DB_PASS", "MY_PWD", "API_KEY", "CREDENTIALS"]
)
@pytest.mark.parametrize("place", ["source", "target", "exclude", "state"])
def test_a_secret_may_stand_in_no_path(name, place):
    mapping = {"source": "./i", "target": "./o"}
    text = f"./x/${{env.{name}}}"
    document = {"mappings": {"m": mapping}}
    if place == "state":
        document["state"] = text
    else:
        mapping[place] = [text] if place == "exclude" else text
    with pytest.raises(SpecError, match="a secret would be shown here") as caught:
        build(document, environ={name: "canary-value"})
    assert "canary-value" not in str(caught.value)


def test_secrets_may_pass_through_variables_to_where_they_belong():
    spec = build(
        {
            "variables": {"shared": "${env.API_TOKEN}"},
            "stores": {"dbx": {"url": "dbfs:/", "token": "Bearer ${var.shared}", "host": "${env.STAGE}"}},
            "mappings": {"m": {"source": "i", "target": "dbx:x"}},
            "notify": {"command": ["./alert", "${env.STAGE}", "${var.shared}"]},
        },
        environ=ENVIRON,
    )
    assert spec.stores["dbx"].revealed() == {"token": "Bearer token-canary", "host": "prod"}
    assert isinstance(spec.variables["shared"], Secret)
    assert [type(part) for part in spec.notify.command] == [str, Secret, Secret]
    assert {secret.reveal() for secret in spec.secrets} == {"Bearer token-canary", "token-canary", "prod"}
    assert "canary" not in repr(spec)


def test_a_password_in_the_url_of_a_store_becomes_a_setting():
    stores = {"pg": {"url": "postgresql://loader:${env.API_TOKEN}@db:5433/w?sslmode=require"}}
    spec = build({"stores": stores, "mappings": {"m": {"source": "i", "target": "pg:"}}}, environ=ENVIRON)
    assert spec.stores["pg"].url == "postgresql://loader@db:5433/w?sslmode=require"
    assert spec.stores["pg"].revealed() == {"password": "token-canary"}
    assert "token-canary" not in repr(spec)


def test_the_options_of_a_plug_in_hide_what_comes_from_the_environment():
    stores = {"lake": {"url": "s3://b", "options": {"plain": "x", "from": "${env.STAGE}", "api_key": "literal"}}}
    spec = build({"stores": stores, "mappings": {"m": {"source": "i", "target": "lake:x"}}}, environ=ENVIRON)
    assert spec.stores["lake"].settings["plain"] == "x"
    assert repr(spec.stores["lake"].settings) == "{'plain': 'x', 'from': ***, 'api_key': ***}"
