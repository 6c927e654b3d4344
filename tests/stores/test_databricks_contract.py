"""The contract on the stores of Databricks, by an emulated workspace."""

from itertools import count

import pytest

from reconcile.stores.databricks.dbfs import DbfsStore
from reconcile.stores.databricks.volume import VolumeStore
from reconcile.stores.databricks.workspace import WorkspaceStore
from reconcile.stores.options import StoreOptions
from reconcile.testing import StoreContract
from tests.fakes.databricks import Emulator

_numbers = count()


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        emulator.sdk = emulator.config()
        yield emulator


class _Databricks(StoreContract):
    @pytest.fixture(autouse=True)
    def _emulator(self, emulator):
        self.emulator = emulator

    def options(self):
        return StoreOptions(client=self.emulator.sdk, concurrency=8)

    def leftovers(self):
        return [path for path in self.emulator.paths() if ".reconcile-tmp-" in path]


class TestVolume(_Databricks):
    def open(self):
        return VolumeStore.open(f"volume:/Volumes/main/default/landing/{next(_numbers)}", self.options())

    def missing(self):
        number = next(_numbers)
        return VolumeStore.open(f"volume:/Volumes/main/made_{number}/volume_{number}/below", self.options())


class TestDbfs(_Databricks):
    def open(self):
        return DbfsStore.open(f"dbfs:/contract/{next(_numbers)}", self.options())


class TestWorkspace(_Databricks):
    def open(self):
        return WorkspaceStore.open(f"workspace:/Workspace/Shared/{next(_numbers)}", self.options())
