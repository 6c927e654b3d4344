"""What every test stands on: its own home, no network, known words for secrets, laws that run the same way twice."""

from __future__ import annotations

from contextlib import suppress
import gc
import ipaddress
from itertools import count, islice
import os
from pathlib import Path
from shutil import rmtree
import socket
import stat
import tempfile
from typing import TYPE_CHECKING

from hypothesis import settings
import pytest

from tests import protocols

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CANARY = "canary-6f1d2c9b-never-print-this"
"""The secret every test runs with; it may appear in no byte that is written or sent."""

MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30
"""Where tests write, if so much is free there and nobody named a `TMPDIR`."""

FILES_READ, BYTES_READ = 500, 1 << 20
"""So much of what a test leaves is searched for the canary."""

COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""All tests that were found, campaigns too."""

LONG = frozenset({"crash", "fault", "planner", "sabotage"})

_FOREIGN = ("AWS_", "AZURE_", "DATABRICKS_", "GOOGLE_", "PG", "RECONCILE_", "XDG_")
_FOLDERS = {"CACHE": ".cache", "CONFIG": ".config", "STATE": ".local/state", "DATA": ".local/share"}

pytest.register_assert_rewrite("reconcile.testing")  # failing assertions of the contract suite explain themselves

settings.register_profile("default", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("campaign", max_examples=20_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))

HISTORIES = max(200, settings.default.max_examples)
"""So many examples of each machine: of the apply, the records of a state, the lock, the plan files."""


def pytest_configure() -> None:
    """What tests write lies in memory: none of it is to outlive a machine, and no sync keeps anybody waiting.

    That the product syncs, and when, is heard by the tests that ask for it (`crash/writelog.py`), not by the disk.
    The many programs that tests start compile what they load once, not each of them all of it.
    """
    protocols.remember()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "TMPDIR" not in os.environ and _is_fit(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers more than there are processors: tests also wait, for locks, for servers, for processes they start."""
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len(ours) + 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts first what takes long, so that no worker ends late; keeps what was found before some of it is deselected."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    config.stash[COLLECTED] = list(items)


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end, and need not be looked through again and again for garbage.

    What is new is, less often than usual: a twentieth of the time of the planner's tests went into that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _is_fit(place: Path) -> bool:
    """Whether there is room, and programs may lie there, as some tests make them."""
    if not place.is_dir() or not os.access(place, os.W_OK):
        return False
    seen = os.statvfs(place)
    return seen.f_bavail * seen.f_frsize >= ROOM_BYTES and not seen.f_flag & os.ST_NOEXEC


class NetworkError(AssertionError):
    """A test tried to leave the machine."""


def _is_loopback(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_others(address: object) -> None:
    host = address[0] if isinstance(address, tuple) else ""
    if isinstance(host, str) and not _is_loopback(host):
        raise NetworkError(f"a test may only talk to this machine, not to {host}")


class _LoopbackSocket(socket.socket):
    """A socket that connects to this machine only."""

    def connect(self, address: object) -> None:
        _refuse_others(address)
        super().connect(address)  # type: ignore[arg-type]

    def connect_ex(self, address: object) -> int:
        _refuse_others(address)
        return super().connect_ex(address)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no Python socket leave the machine, nor any name but localhost be looked up."""
    look_up = socket.getaddrinfo

    def local_only(host: str | bytes | None, *rest: object, **named: object) -> object:
        _refuse_others((host.decode() if isinstance(host, bytes) else host or "", 0))
        return look_up(host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", _LoopbackSocket)
    monkeypatch.setattr(socket, "getaddrinfo", local_only)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of directories yet to be made, in one that nothing else has to be looked for in."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path], request: pytest.FixtureRequest) -> Iterator[Path]:
    """A home of this test alone, with the environment of nobody: caches, states, profiles and credentials.

    What the test leaves there and in its `tmp_path` is searched for the canary.
    """
    places = [request.getfixturevalue("tmp_path")] if "tmp_path" in request.fixturenames else []
    places.append(home := next(homes))
    home.mkdir(0o700)
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in _FOLDERS.items():
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / folder))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("SSL_CERT_DIR", str(home))  # no client reads hundreds of certificates that no test asks for
    yield home
    assert holding(CANARY.encode(), places) == [], "a secret was written"
    rmtree(home, ignore_errors=True)


def holding(secret: bytes, places: Iterable[Path]) -> list[Path]:
    """The files below these places that hold a secret. Of a crowd the first are read, of a giant its beginning."""
    files = islice((path for place in places for path in _files(place)), FILES_READ)
    return [path for path in files if secret in _beginning(path)]


def _files(place: Path) -> Iterator[Path]:
    for at, _, names in os.walk(place):
        yield from (Path(at, name) for name in names)


def _beginning(path: Path) -> bytes:
    with suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            with path.open("rb") as file:
                return file.read(BYTES_READ)
    return b""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A test whose captured output holds the canary has failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.passed and CANARY in report.capstdout + report.capstderr + report.caplog:
        report.outcome, report.longrepr = "failed", "a secret was said; see the captured output"
    return report  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Files are made with 022, whoever runs the tests; a test that changes it changes nothing for the next."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
