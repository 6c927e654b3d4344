"""Where a store is: what a URL and its options say, and what they must not."""

import pytest

from reconcile.core.errors import DeniedError, UsageError
from reconcile.stores.objects.place import Place, bucket, credentials, is_aws, place
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions


def at(url, **words):
    return place(url, StoreOptions.of(words))


@pytest.mark.parametrize(
    ("url", "words", "canonical"),
    [
        ("s3://b", {}, "s3://b"),
        ("s3://b/", {}, "s3://b"),
        ("s3://b/p/q/", {}, "s3://b/p/q"),
        ("s3://b/p#1", {}, "s3://b/p#1"),
        ("s3://b/p", {"endpoint": "http://127.0.0.1:9000/"}, "s3://b/p?endpoint=http://127.0.0.1:9000"),
        ("s3://b/p", {"access_key_id": "id", "secret_access_key": "hush"}, "s3://b/p"),
        ("gs://b/p", {"service_account": "/key.json"}, "gs://b/p"),
        ("az://c/p", {"account": "acme", "account_key": "hush"}, "az://c/p?account=acme"),
    ],
)
def test_the_canonical_url_tells_places_apart_and_no_secret(url, words, canonical):
    assert at(url, **words).url == canonical


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3:///p", {}),
        ("s3://", {}),
        ("s3://b/p?x=1", {}),
        ("s3://key:hush@b/p", {}),
        ("s3://b/a//b", {}),
        ("s3://b/../c", {}),
        ("ftp://b/p", {}),
        ("s3://b", {"acess_key_id": "typo"}),
        ("s3://b", {"account": "azure's"}),
        ("s3://b", {"conditions": "sometimes"}),
        ("s3://b", {"order": "random"}),
        ("s3://b", {"endpoint": "http://key:hush@127.0.0.1"}),
    ],
)
def test_what_cannot_be_meant_is_refused_without_naming_secrets(url, words):
    with pytest.raises(UsageError) as caught:
        at(url, **words)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words", "base"),
    [
        ("s3://b", {"region": "eu-west-1"}, "https://b.s3.eu-west-1.amazonaws.com"),
        ("s3://b.c", {"region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/b.c"),
        ("s3://b", {"region": "cn-north-1"}, "https://b.s3.cn-north-1.amazonaws.com.cn"),
        ("s3://b", {"endpoint": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/b"),
    ],
)
def test_where_a_bucket_answers(url, words, base):
    assert bucket(at(url, **words)).base == base


def test_the_environment_is_asked_last(monkeypatch):
    assert bucket(at("s3://b")).region == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert bucket(at("s3://b")).region == "eu-north-1"
    assert at("s3://b").url == "s3://b?endpoint=http://127.0.0.1:9000"
    assert at("s3://b", endpoint="http://127.0.0.1:1").endpoint == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "words", "order"),
    [
        ("s3://b", {}, "bytes"),
        ("s3://b--use1-az4--x-s3", {}, "none"),
        ("s3://b", {"endpoint": "https://s3.eu-west-1.amazonaws.com"}, "bytes"),
        ("s3://b", {"endpoint": "https://amazonaws.com.evil.example"}, "none"),
        ("s3://b", {"endpoint": "http://127.0.0.1:9000"}, "none"),
        ("s3://b", {"endpoint": "http://127.0.0.1:9000", "order": "bytes"}, "bytes"),
        ("s3://b", {"order": "none"}, "none"),
        ("gs://b", {}, "bytes"),
        ("gs://b", {"endpoint": "http://127.0.0.1:9000"}, "none"),
        ("az://b", {"account": "a"}, "none"),
    ],
)
def test_only_services_that_promise_an_order_are_trusted_with_it(url, words, order):
    assert ObjectStore.open(url, StoreOptions.of(words)).traits.order == order


def test_keys_come_from_the_store_then_the_environment_then_a_profile(monkeypatch, own_home):
    assert credentials(at("s3://b", access_key_id="id", secret_access_key="own")).secret_key == "own"
    assert credentials(at("s3://b", access_key_id="id", password="own")).secret_key == "own"
    assert credentials(at("s3://b")).access_key == "canary"
    (own_home / ".aws").mkdir()
    (own_home / ".aws/config").write_text(
        "[profile dev]\nregion = eu-west-3\naws_access_key_id = dev\naws_secret_access_key = x\n"
    )
    assert credentials(at("s3://b", profile="dev")).access_key == "dev"
    assert bucket(at("s3://b", profile="dev")).region == "eu-west-3"
    with pytest.raises(DeniedError):
        credentials(at("s3://b", profile="none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(DeniedError) as caught:
        credentials(at("s3://b"))
    assert caught.value.hint


def test_a_role_is_assumed_when_it_is_needed(own_home):
    found = credentials(at("s3://b", role="arn:aws:iam::1:role/sync"))
    assert found.method == "assume-role"


def test_aws_is_known_by_its_host():
    assert is_aws(Place("s3", "b", "", StoreOptions()))
