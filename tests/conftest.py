"""What every test stands on: its own home, no network, known words for secrets, laws that run the same way twice."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
import socket
from typing import TYPE_CHECKING

from hypothesis import settings
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-6f1d2c9b-never-print-this"
"""The secret every test runs with; it may appear in no byte that is written or sent."""

_FOREIGN = ("AWS_", "AZURE_", "DATABRICKS_", "GOOGLE_", "PG", "RECONCILE_", "XDG_")
_FOLDERS = {"CACHE": ".cache", "CONFIG": ".config", "STATE": ".local/state", "DATA": ".local/share"}

settings.register_profile("default", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("campaign", max_examples=20_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


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


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of this test alone, with the environment of nobody: caches, states, profiles and credentials."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in _FOLDERS.items():
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / folder))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return home


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Files are made with 022, whoever runs the tests; a test that changes it changes nothing for the next."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
