"""How a store is opened: one value for every adapter, made from a connection of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from msgspec import Struct

from reconcile.ports import Store, Walk

if TYPE_CHECKING:
    from reconcile.stores.recipe import Recipe


class StoreOptions(Struct, frozen=True, kw_only=True):
    """What a connection says beside its URL; "" means "as the environment has it". Never printed: it holds secrets.

    `concurrency` is how many calls may be under way at once. `walk` is how a local store lists, `client` a ready client
    of the adapter's library that replaces the one it would make, `recipe` how a database reads the files it is to hold.
    `extra` holds the words only some adapters know, among them further secrets; an adapter refuses those it does not
    know with `UsageError`.
    """

    region: str = ""
    endpoint: str = ""
    profile: str = ""
    role: str = ""
    sse: str = ""
    storage_class: str = ""
    password: str = ""
    concurrency: int = 16
    walk: Walk | None = None
    client: Any = None
    recipe: Recipe | None = None
    extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Self:
        """Options from the words of a connection; those that are no field go to `extra`."""
        known = {*cls.__struct_fields__} - {"extra"}
        named = {word: value for word, value in words.items() if word in known}
        return cls(**named, extra={word: value for word, value in words.items() if word not in known})


class Adapter(Protocol):
    """What an entry of the registry, or a plug-in, must be: a class that opens a store."""

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Store:
        """The store at `url`; nothing is asked of a network yet. `UsageError` for a URL or an option it cannot take."""
