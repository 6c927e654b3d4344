"""Unity Catalog 2.1: catalogs, schemas and volumes, as far as volumes need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import re
import threading
from typing import Any
from uuid import uuid4

from tests.fakes.databricks.errors import RefusedError, invalid
from tests.fakes.databricks.tree import Clock, Tree
from tests.fakes.databricks.wire import Answer, Request, as_json

KINDS = ("catalog", "schema", "volume")
Name = tuple[str, ...]
_REFUSED = re.compile(r"[\x00-\x20\x7f./]")


@dataclass
class Volume:
    """One volume: what is told of it and what it holds."""

    info: dict[str, Any]
    tree: Tree


@dataclass
class Catalog:
    """The service. Names of schemas and volumes are lower case, whatever was asked for."""

    clock: Clock
    user: str
    containers: dict[Name, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[Name, Volume] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, *name: str) -> None:
        """Makes a catalog, schema or volume, and those above it, unless they are there."""
        for depth in range(1, len(name) + 1):
            part = tuple(word.lower() for word in name[:depth])
            if part not in self.containers and part not in self.volumes:
                self._make(part, {"volume_type": "MANAGED"} if depth == 3 else {})

    def volume(self, name: Name) -> Volume:
        """The volume, or RefusedError, which says what of its name is missing: catalog, schema or volume."""
        volume = self.volumes.get(tuple(word.lower() for word in name))
        if volume is None:
            self._require(name)
            raise self._missing(name)
        return volume

    def serve(self, request: Request, kind: str, name: str) -> Answer:
        """One request on `catalogs`, `schemas` or `volumes`."""
        does: dict[str, Callable[[Request, str, str], Answer]] = {
            "POST": self._create, "GET": self._get if name else self._list, "DELETE": self._delete,
        }  # fmt: skip
        act = does.get(request.method)
        if act is None or kind not in KINDS:
            raise RefusedError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")
        with self.lock:
            return act(request, kind, name)

    def _create(self, request: Request, kind: str, _name: str) -> Answer:
        said = request.body.json()
        above = [said.get(f"{each}_name", "") for each in KINDS[: KINDS.index(kind)]]
        name = (*above, said.get("name", ""))
        for word in name:
            if not isinstance(word, str) or not word or len(word) > 255 or _REFUSED.search(word):
                raise invalid(f"Create{kind.title()}: {word!r} is not a valid name")
        if kind == "volume" and said.get("volume_type") not in ("MANAGED", "EXTERNAL"):
            raise invalid("CreateVolume Missing required field: volume_type")
        name = tuple(word.lower() for word in name)
        self._require(name)
        if name in self.containers or name in self.volumes:
            raise RefusedError(400, f"{kind.upper()}_ALREADY_EXISTS", f"{kind.title()} '{name[-1]}' already exists")
        return as_json(self._make(name, {key: said[key] for key in ("comment", "volume_type") if key in said}))

    def _get(self, _request: Request, kind: str, name: str) -> Answer:
        return as_json(self._info(kind, tuple(name.lower().split("."))))

    def _list(self, request: Request, kind: str, _name: str) -> Answer:
        above = tuple(request.query.get(f"{each}_name", "").lower() for each in KINDS[: KINDS.index(kind)])
        if above:
            self._require((*above, ""))
        every = [*self.containers.items(), *((name, volume.info) for name, volume in self.volumes.items())]
        found = [info for name, info in every if name[:-1] == above]
        return as_json({f"{kind}s": found} if found else {})

    def _delete(self, request: Request, kind: str, name: str) -> Answer:
        key = tuple(name.lower().split("."))
        self._info(kind, key)
        below = [each for each in (*self.containers, *self.volumes) if len(each) > len(key) and each[: len(key)] == key]
        if below and request.query.get("force") != "true":
            raise RefusedError(400, "INVALID_STATE", f"{kind.title()} '{name}' is not empty")
        for each in (key, *below):
            self.containers.pop(each, None)
            self.volumes.pop(each, None)
        return as_json({})

    def _info(self, kind: str, name: Name) -> dict[str, Any]:
        if len(name) != KINDS.index(kind) + 1:
            raise invalid(f"'{'.'.join(name)}' is not the full name of a {kind}")
        if kind == "volume":
            return self.volume(name).info
        if name not in self.containers:
            self._require(name)
            raise self._missing(name)
        return self.containers[name]

    def _require(self, name: Name) -> None:
        for depth in range(1, len(name)):
            above = tuple(word.lower() for word in name[:depth])
            if above not in self.containers:
                raise self._missing(above)

    @staticmethod
    def _missing(name: Name) -> RefusedError:
        kind = KINDS[len(name) - 1]
        return RefusedError(404, f"{kind.upper()}_DOES_NOT_EXIST", f"{kind.title()} '{'.'.join(name)}' does not exist.")

    def _make(self, name: Name, extra: dict[str, Any]) -> dict[str, Any]:
        now_ms = int(self.clock() * 1000)
        info: dict[str, Any] = {"name": name[-1], "full_name": ".".join(name), "owner": self.user, **extra}
        info |= {"created_at": now_ms, "updated_at": now_ms, "created_by": self.user, "updated_by": self.user}
        info |= {f"{kind}_name": word for kind, word in zip(KINDS, name[:-1], strict=False)}
        if len(name) == 3:
            number = str(uuid4())
            info |= {"volume_id": number, "storage_location": f"s3://metastore/volumes/{number}"}
            self.volumes[name] = Volume(info, Tree(self.clock))
        else:
            self.containers[name] = info
        return info
