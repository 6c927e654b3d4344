"""The SDK is loaded as far as it is needed, and nobody else notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
import sys
import threading
from typing import Any

import pytest

from reconcile.stores.databricks import sdk as databricks_sdk

FILES = {
    "sdk/__init__.py": """
import house.executed
house.executed.TIMES.append(1)
house.executed.BEGUN.set()
house.executed.GO_ON.wait(5)
import house.sdk.core as client
from house.sdk import words
class Everything:
    config = client.Config
""",
    "sdk/core.py": "from . import words\nfrom house.sdk import deep\nclass Config:\n    word = words.WORD\n",
    "sdk/words.py": "WORD = 'yes'\n",
    "sdk/deep/__init__.py": "from house.sdk.words import WORD\n",
    "executed.py": "import threading\nTIMES = []\nBEGUN, GO_ON = threading.Event(), threading.Event()\nGO_ON.set()\n",
}


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a package like that of the SDK was executed."""
    for name, text in FILES.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "house" / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(databricks_sdk, "PACKAGE", "house.sdk")
    for name in [name for name in sys.modules if name.partition(".")[0] == "house"]:
        monkeypatch.delitem(sys.modules, name)
    return import_module("house.executed").TIMES


def test_the_package_is_not_executed_for_a_module_inside_it(executed: list[int]) -> None:
    config = databricks_sdk.config_class()
    assert (config.word, executed) == ("yes", [])
    assert databricks_sdk.config_class() is config
    assert executed == []


def test_it_is_executed_once_when_something_of_its_own_is_asked_for(executed: list[int]) -> None:
    config = databricks_sdk.config_class()
    import house.sdk
    from house.sdk import Everything  # type: ignore[import-not-found]

    assert Everything is house.sdk.Everything
    assert Everything.config is house.sdk.core.Config is config
    assert type(house.sdk) is type(sys)
    assert executed == [1]
    with pytest.raises(AttributeError):
        _ = house.sdk.nothing


def test_who_asks_while_it_is_executed_waits_for_all_of_it(executed: list[int]) -> None:
    databricks_sdk.config_class()
    held: Any = import_module("house.executed")
    package: Any = import_module("house.sdk")
    held.GO_ON.clear()
    threading.Timer(0.1, held.GO_ON.set).start()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: package.Everything)
        assert held.BEGUN.wait(5)
        second = threads.submit(lambda: package.Everything)
        assert package.words.WORD == "yes"
        assert first.result(5) is second.result(5)
    assert executed == [1]


def test_all_of_it_is_there_for_who_asks_for_all(executed: list[int]) -> None:
    databricks_sdk.config_class()
    names: dict[str, object] = {}
    exec("from house.sdk import *", names)
    assert "Everything" in names
    assert executed == [1]


def test_who_looks_what_there_is_sees_all(executed: list[int]) -> None:
    databricks_sdk.config_class()
    assert "Everything" in dir(sys.modules["house.sdk"])


def test_one_that_fails_is_executed_again(executed: list[int]) -> None:
    databricks_sdk.config_class()
    held: Any = import_module("house.executed")
    package: Any = import_module("house.sdk")
    go_on, held.GO_ON = held.GO_ON, None
    with pytest.raises(AttributeError):
        _ = package.Everything
    held.GO_ON = go_on
    assert package.Everything
    assert executed == [1, 1]


def test_one_that_was_executed_before_is_used_as_it_is(executed: list[int]) -> None:
    import house.sdk

    assert databricks_sdk.config_class() is house.sdk.Everything.config
    assert executed == [1]


def test_the_true_one_has_what_is_asked_of_it() -> None:
    from databricks.sdk.core import Config

    assert databricks_sdk.config_class() is Config
