"""Disks that fail, die or let somebody else in, call by call."""

import errno
import os

from reconcile.stores.disk import Disk

CHANGES = (
    "create", "extend", "write", "clone", "sync", "sync_directory", "chmod",
    "rename", "rename_new", "link", "unlink", "mkdir", "rmdir",
)  # fmt: skip


class PowerError(BaseException):
    """The machine is off; nothing more is done."""


class Faulty(Disk):
    """Notes every call, and fails the `at`-th (from 1), or every call of one name."""

    def __init__(self, at=0, code=errno.EIO, *, name=None):
        self.at, self.code, self.name = at, code, name
        self.calls = []
        self.fired = 0

    def before(self, call, *args):
        self.calls.append(call)
        if len(self.calls) == self.at or call == self.name:
            self.fired += 1
            raise OSError(self.code, os.strerror(self.code))


class Dying(Faulty):
    """From the `at`-th call on nothing happens any more."""

    def before(self, call, *args):
        self.calls.append(call)
        if len(self.calls) >= self.at:
            self.fired += 1
            raise PowerError


class Meddling(Faulty):
    """Lets somebody else act once, just before the first call of a name."""

    def __init__(self, name, act):
        super().__init__()
        self.meddled, self.act = name, act

    def before(self, call, *args):
        self.calls.append(call)
        if call == self.meddled and not self.fired:
            self.fired += 1
            self.act(*args)


def _told(name):
    def call(self, *args):
        self.before(name, *args)
        return getattr(super(Faulty, self), name)(*args)

    return call


for _name in CHANGES:
    setattr(Faulty, _name, _told(_name))
