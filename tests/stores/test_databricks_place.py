"""A workspace that is not there, or that nobody can sign in to: told at once, and in words that help."""

from __future__ import annotations

from collections.abc import Iterator
import socket
import sys

import pytest

from reconcile.stores.databricks.errors import SignInError
from reconcile.stores.patience import UNHEARD_ATTEMPTS, UnreachableError
from reconcile.stores.registry import open_store
from reconcile.stores.wrap import Retrying
from tests.flow.databricks_desk import desk_at
from tests.stores.databricks_kit import ALL, emulator
from tests.stores.fakes import OwnClock

__all__ = ["emulator"]


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("url", ALL)
def test_who_refuses_connections_is_asked_a_few_times(url: str, nobody: str) -> None:
    clock = OwnClock()
    store = Retrying(open_store(url, options={"host": nobody, "token": "x"}), clock=clock)
    for look in (lambda: list(store.list()), lambda: store.stat("a")):
        before = clock.monotonic()
        with pytest.raises(UnreachableError, match="it refuses connections"):
            look()
        assert clock.monotonic() - before < 2.0
    assert UNHEARD_ATTEMPTS == 4


def test_a_name_that_does_not_exist_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolve(where: tuple[str, int], _timeout: float) -> None:
        asked.append(where)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", resolve)
    store = Retrying(open_store(ALL[0], options={"host": "dbc.invalid", "token": "x"}), clock=OwnClock())
    with pytest.raises(UnreachableError, match=r"dbc\.invalid: no such name"):
        store.stat("a")
    assert asked == [("dbc.invalid", 443)]


@pytest.mark.parametrize("target", ["/Volumes/main/default/landing", "dbfs:/landing", "/Workspace/Shared/landing"])
def test_a_wrong_host_is_one_error_whatever_the_target(
    tmp_path, monkeypatch, capsys, emulator, nobody, target: str
) -> None:
    desk = desk_at(tmp_path, monkeypatch, capsys, emulator)
    monkeypatch.setattr("reconcile.stores.patience.UNHEARD_ATTEMPTS", 1)
    monkeypatch.setenv("DATABRICKS_HOST", nobody)
    monkeypatch.setenv("DATABRICKS_TOKEN", "x")
    desk.write("reconcile.yaml", f"version: 1\nmappings:\n  m: {{source: ./src, target: {target}}}\n")
    desk.write("src/a.txt", "1")
    for verb in ("plan", "apply", "verify"):
        told = desk(verb, *(["--auto-approve"] if verb == "apply" else []))
        assert told.code == 1
        assert f"no answer from {nobody.removeprefix('http://')}: it refuses connections" in told.err
        assert "is the host right" in told.err


@pytest.mark.parametrize("there", [True, False])
def test_a_profile_that_is_not_there_is_told_with_those_that_are(
    tmp_path, monkeypatch, capsys, emulator, there: bool
) -> None:
    desk = desk_at(tmp_path, monkeypatch, capsys, emulator)
    file = tmp_path / "profiles"
    if there:
        file.write_text("[DEFAULT]\nhost = https://a\n[PROD]\nhost = https://b\n[__settings__]\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "NOPE")
    told = desk("ls", "dbfs:/x")
    assert told.code == 1
    assert f"there is no profile NOPE in {file}" in told.err
    assert ("it has DEFAULT, PROD" if there else "databricks auth login --profile NOPE") in told.err


def test_the_profile_of_a_connection_is_looked_for_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SignInError, match="there is no profile DEV"):
        open_store("dbfs:/x", options={"profile": "DEV"}).stat("a")
    assert "databricks" in sys.modules
