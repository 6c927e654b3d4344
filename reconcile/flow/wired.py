"""One mapping, made of objects: what the wire builds and every flow works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self, TypeGuard

from reconcile.core.entry import Entry
from reconcile.core.errors import NotFoundError
from reconcile.core.path import matches_glob
from reconcile.core.policy import Policy
from reconcile.core.record import Scope
from reconcile.flow.learnt import Learnt
from reconcile.flow.memory import Memory
from reconcile.flow.reading import Reader
from reconcile.ports import Cache, Selection, StateStore, Store


@dataclass(frozen=True, slots=True)
class Sending:
    """How objects are written: `content_type` "auto" guesses from the name; the rest goes along as it is."""

    content_type: str = "auto"
    attributes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    verify: bool = False


@dataclass(frozen=True, slots=True)
class Wired:
    """A mapping with its stores open. `narrow`: the globs of `--path`; what they leave out is not looked at.

    `settles_accepted`: a person says who wins over what was accepted and cannot be kept: that is a conflict still.
    """

    name: str
    scope: Scope
    source: Store
    reader: Reader
    target: Store
    selection: Selection
    policy: Policy
    protected: Callable[[str], bool]
    sending: Sending = field(default_factory=Sending)
    settles_accepted: bool = False
    narrow: tuple[str, ...] = ()
    create_target: bool = True
    concurrency: int = 16
    depends_on: tuple[str, ...] = ()
    memory: Memory | None = None
    portable_names: str = "off"
    learnt: Learnt | None = None

    @property
    def layout(self) -> str:
        """How a source path becomes a target key."""
        return self.scope.layout

    @property
    def executable(self) -> bool:
        """Whether the executable bit travels."""
        return self.source.traits.executable and self.target.traits.executable

    @property
    def keeps(self) -> bool:
        """Whether what is overwritten and deleted is kept."""
        how = self.target.traits.keeps
        return self.policy.keep == "always" if how == "dear" else self.policy.keep != "never" and how != "none"

    @property
    def drift_waits(self) -> bool:
        """Whether what only the target changed is a conflict: the policy says so, or the bytes could not be kept."""
        policy = self.policy
        return policy.drift == "fail" or (policy.drift == "restore" and policy.keep != "never" and not self.keeps)

    @property
    def accepted_waits(self) -> bool:
        """Whether a change over what was accepted is a conflict, as those bytes could not be kept."""
        return self.settles_accepted or (self.policy.keep != "never" and not self.keeps)

    @property
    def conditions(self) -> str:
        """How far the target's promises are known to be weaker than they should be."""
        return self.learnt.conditions if self.learnt is not None else ""

    def missing(self, op: str) -> list[str]:
        """What apply would have to make before the target can hold anything; an error when it may not."""
        missing = list(self.target.ensure(dry=True))
        if missing and not self.create_target:
            hint = f"set create_target: true, or run: reconcile create {self.name}"
            raise NotFoundError("the target does not exist", op=op, path=self.target.url, hint=hint)
        return missing

    def in_reach(self, key: str) -> bool:
        """Whether `--path` lets this run look at a key."""
        return not self.narrow or any(matches_glob(key, pattern) for pattern in self.narrow)

    def close(self) -> None:
        """Gives both stores back."""
        self.source.close()
        self.target.close()


@dataclass(slots=True)
class House:
    """Everything one command works with. `spec_digest` and `spec_file` tell a plan what it was made from.

    `names` are those of all mappings of the spec, also where `mappings` is a part of them.
    """

    state: StateStore
    cache: Cache
    mappings: list[Wired]
    spec_digest: str
    spec_file: str
    names: frozenset[str] = frozenset()

    def close(self) -> None:
        """Closes the stores, the cache and the state."""
        for wired in self.mappings:
            wired.close()
        self.cache.close()
        self.state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def in_order(self) -> Iterator[Wired]:
        """The mappings, each after those it depends on; otherwise as the spec has them."""
        done: set[str] = set()
        waiting = list(self.mappings)
        names = {wired.name for wired in waiting}
        while waiting:
            ready = next(one for one in waiting if done.issuperset(names.intersection(one.depends_on)))
            waiting.remove(ready)
            done.add(ready.name)
            yield ready


def is_file(entry: Entry | None) -> TypeGuard[Entry]:
    """Whether there is a file."""
    return entry is not None and not entry.kind
