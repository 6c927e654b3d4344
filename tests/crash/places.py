"""Where a run may die: a target of some kind and a state of some kind, looked at from outside, by no code of ours.

The S3 target lives in the process of the tests and outlives every child. That process itself never opens a connection
of ours: what a library started there would not survive a fork.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
import shutil

from reconcile.core.entry import Version
from reconcile.core.path import has_control
from reconcile.stores.seen import version_of
from tests.crash.blackouts import SOURCE
from tests.crash.power import Image, copied, put_on_disk
from tests.crash.writelog import Node, Recorder
from tests.fakes.s3 import FakeS3, Stored, Upload
from tests.flow.small_trees import files_below

PREFIX = "team/"
Contents = dict[str, bytes]


@dataclass
class Place:
    """One root directory with the source, the state and the cache in it; the target is there too, or in `s3`.

    A shared state is where a team has it: in a store beside the target. `kind` is the place's name. `then` are the
    versions that the files of a target had which was put back, by those they have now.
    """

    kind: str
    root: Path
    s3: FakeS3 | None = None
    then: dict[Version, Version] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.kind

    @property
    def shared(self) -> bool:
        return self.kind.startswith("shared")

    @property
    def target(self) -> str:
        return "s3://bucket/team" if self.s3 is not None else str(self.root / "out")

    @property
    def state(self) -> str:
        if self.shared:
            return "s3://bucket/state" if self.s3 is not None else str(self.root / "shared")
        return str(self.root / "state" / "reconcile.db")

    def change(self, key: str, text: str | None) -> None:
        """Somebody else writes into the target, or with None takes away."""
        if self.s3 is not None:
            self.s3.objects.pop(PREFIX + key, None)
            if text is not None:
                self.s3.put(PREFIX + key, text.encode())
            return
        path = self.root / "out" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)

    def contents(self) -> Contents:
        """Every byte of the target by its name, control files too."""
        if self.s3 is not None:
            below = {key: stored.data for key, stored in self.s3.objects.items() if key.startswith(PREFIX)}
            return {key.removeprefix(PREFIX): data for key, data in below.items()}
        return files_below(str(self.root / "out"))

    def version(self, key: str) -> Version | None:
        """The version under a key, as records have it."""
        if self.s3 is not None:
            found = self.s3.objects.get(PREFIX + key)
            return Version(found.etag.strip('"')) if found else None
        path = self.root / "out" / key
        if not path.is_file():
            return None
        now = version_of(path.lstat())
        return self.then.get(now, now)

    def marks(self, key: str) -> object:
        """Whatever of a file a touch would change."""
        if self.s3 is not None:
            return self.s3.objects.get(PREFIX + key)
        path = self.root / "out" / key
        if not path.is_file():
            return None
        seen = path.lstat()
        return (seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_uid, seen.st_mtime_ns, seen.st_ctime_ns)

    def clear(self) -> None:
        """Nothing is left."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.s3 is not None:
            self.s3.objects.clear()
            self.s3.uploads.clear()


@dataclass
class Picture:
    """A place as it stood at some moment. Only the source is not in it: no run changes it."""

    nodes: dict[int, Node]
    objects: dict[str, Stored]
    uploads: dict[str, Upload]
    then: dict[Version, Version]

    @classmethod
    def of(cls, place: Place) -> Picture:
        """A place as it is."""
        return cls(Recorder(place.root, SOURCE).log.base, *in_s3(place), dict(place.then))

    def restore(self, place: Place) -> None:
        """The place is as it was; who looks at the files of the target must see them as they were `then`."""
        image = Image({number: copied(node) for number, node in self.nodes.items()})
        now = put_on_disk(image, place.root, SOURCE)
        place.then = {version: self.then.get(seen, seen) for version, seen in now.items()}
        if place.s3 is not None:
            place.s3.objects.clear()
            place.s3.objects.update(self.objects)
            place.s3.uploads.clear()
            place.s3.uploads.update(deepcopy(self.uploads))


def in_s3(place: Place) -> tuple[dict[str, Stored], dict[str, Upload]]:
    """Whatever there is, in the bucket of a place."""
    return (dict(place.s3.objects), deepcopy(place.s3.uploads)) if place.s3 is not None else ({}, {})


def shown(contents: Contents) -> Contents:
    """What a reader sees of it."""
    return {key: data for key, data in contents.items() if not has_control(key)}
