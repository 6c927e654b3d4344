"""The ground every other test stands on holds."""

from __future__ import annotations

import os
from pathlib import Path
import socket

import pytest

from tests.conftest import CANARY, NetworkError, holding


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443), ("169.254.169.254", 80)])
def test_nothing_leaves_the_machine(address):
    with pytest.raises(NetworkError, match="only talk to this machine"):
        socket.create_connection(address, timeout=0.1)
    with socket.socket() as connection, pytest.raises(NetworkError):
        connection.connect_ex(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_can_be_talked_to(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_every_test_has_a_home_of_its_own(own_home):
    assert Path.home() == own_home
    assert list(own_home.iterdir()) == []
    assert all(Path(os.environ[name]).is_relative_to(own_home) for name in os.environ if name.startswith("XDG_"))


def test_the_only_credentials_are_the_known_ones():
    import boto3

    assert boto3.Session().get_credentials().secret_key == CANARY
    assert not [name for name in os.environ if name.startswith(("DATABRICKS_", "PG"))]


def test_a_canary_is_found_wherever_it_was_written(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    leak = tmp_path / "deep" / "er" / "state.db"
    leak.write_bytes(b"\0\xff" + CANARY.encode() + b"\0")
    (tmp_path / "link").symlink_to(leak)
    os.mkfifo(tmp_path / "pipe")
    assert holding(CANARY.encode(), [tmp_path]) == [leak]
    leak.unlink()


def test_files_are_made_with_the_usual_mask(tmp_path):
    (tmp_path / "made").touch()
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644
