"""TLS is verified, always: nothing switches it off, neither the spec nor the environment."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import shutil
import ssl
import subprocess
import threading

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import DamagedError, DeniedError, StoreError, UsageError
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from reconcile.testing.samples import body_of

KEYS = {"access_key_id": "fake", "secret_access_key": "fake"}


class Quiet(BaseHTTPRequestHandler):
    """Answers whatever reaches it, and remembers that something did."""

    reached: list[str] = []  # noqa: RUF012 - one server, one test

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self.reached.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_HEAD = do_PUT = do_GET  # noqa: N815 - names of http.server


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """An HTTPS server with a certificate that it has signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    key, made = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    Quiet.reached.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that turns away is the point
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.hazard("S12", "R32")
@pytest.mark.parametrize("word", ["", "PYTHONHTTPSVERIFY", "AWS_VERIFY_SSL", "AWS_NO_VERIFY_SSL", "CURL_INSECURE"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    if word:
        monkeypatch.setenv(word, "0" if "NO" not in word else "1")
    store = ObjectStore.open("s3://bucket/p", StoreOptions(endpoint=endpoint, region="us-east-1", extra=KEYS))
    with pytest.raises(DeniedError, match="TLS certificate"):
        list(store.list())
    with pytest.raises(DeniedError, match="TLS certificate"):
        store.stat("a")
    with pytest.raises(StoreError):
        store.write("a", body_of(b"1"), expect=ABSENT)
    store.close()
    assert Quiet.reached == [], "not even a signed request was seen"


def test_one_that_is_vouched_for_is_taken(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.httpsession.where", lambda: str(tmp_path / "cert.pem"))
    store = ObjectStore.open("s3://bucket/p", StoreOptions(endpoint=endpoint, region="us-east-1", extra=KEYS))
    with pytest.raises(DamagedError, match="not one of an object store"):
        store.stat("a")
    store.close()
    assert Quiet.reached == ["/bucket/p/a"]


@pytest.mark.hazard("S12")
@pytest.mark.parametrize("word", ["verify", "verify_ssl", "insecure", "no_verify_ssl", "allow_invalid_certificates"])
def test_no_word_of_a_store_switches_it_off(word: str) -> None:
    with pytest.raises(UsageError, match="does not know"):
        ObjectStore.open("s3://bucket/p", StoreOptions(extra={**KEYS, word: False}))
