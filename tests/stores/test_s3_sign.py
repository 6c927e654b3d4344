"""Requests to S3 are signed as botocore signs them, whatever is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.stores.objects.s3_sign import Request, signed

NAMES = st.sampled_from(["If-Match", "If-None-Match", "Range", "Content-MD5", "x-amz-meta-b", "X-Amz-Copy-Source"])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126))
QUERY = st.dictionaries(st.sampled_from(["prefix", "list-type", "delete", "list", "list0"]), st.text())
BASES = ("http://127.0.0.1:9000/bucket", "https://b.s3.eu-west-1.amazonaws.com", "http://[::1]:80/b", "https://H:1/b")


def theirs(request: Request, token: str | None) -> dict[str, str]:
    """The headers that botocore adds."""
    made = AWSRequest(request.method, request.url, dict(request.headers), request.data)
    S3SigV4Auth(Credentials("id", "secret", token), "s3", "eu-west-1").add_auth(made)
    return {name.lower(): value for name, value in made.headers.items()}


@given(st.sampled_from(BASES), st.text(), QUERY, st.dictionaries(NAMES, TEXT), st.binary())
@pytest.mark.parametrize("token", [None, "token"])
def test_a_signature_is_that_of_botocore(
    token: str | None, base: str, key: str, query: dict[str, str], headers: dict[str, str], data: bytes
) -> None:
    asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
    request = Request("PUT", f"{base}/{quote(key, safe='/~')}{asked}", headers, data)
    wanted = theirs(request, token)
    identity = SimpleNamespace(access_key="id", secret_key="secret", token=token)
    at = datetime.strptime(wanted["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    found = signed(request, identity, "eu-west-1", at)
    assert {name.lower(): value for name, value in found.headers.items()} == wanted
    assert (found.method, found.url, found.data) == (request.method, request.url, request.data)
