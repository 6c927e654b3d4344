"""The typed spec: what was asked for, resolved, with every default in place. Plain values; nothing here acts."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from reconcile.core.policy import Policy
from reconcile.spec.secret import Secret, revealed

DEFAULT_STATE = "state/reconcile.db"


class StoreSpec(Struct, frozen=True, kw_only=True):
    """One named connection. `url` holds no password; `settings` the other words as written, secrets among them.

    `client` is a ready client of the store's library that a program gave instead; no file can name one.
    """

    name: str
    url: str
    settings: dict[str, str] = {}
    client: Any = None

    def revealed(self) -> dict[str, Any]:
        """The settings with their secrets in the clear, for who opens the store; never to be printed or written."""
        given = {} if self.client is None else {"client": self.client}
        return {name: revealed(text) for name, text in self.settings.items()} | given


class Patterns(Struct, frozen=True, kw_only=True):
    """Four lists of regexes, searched in ``/<source.name>/<path>``; an empty list counts as met."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    not_all_of: tuple[str, ...] = ()


class ObjectSpec(Struct, frozen=True, kw_only=True):
    """How objects are stored; `content_type` `auto` goes by the name."""

    content_type: str = "auto"
    cache_control: str = ""
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}


class CsvSpec(Struct, frozen=True, kw_only=True):
    """How CSV is read; `auto` looks into the file."""

    delimiter: str = "auto"
    encoding: str = "auto"
    header: bool | Literal["auto"] = "auto"
    null_values: tuple[str, ...] = ("",)


class TableSpec(Struct, frozen=True, kw_only=True):
    """How files become tables. `schema` is for PostgreSQL only; `types` override what is inferred, by column."""

    name: str = "{stem}"
    schema: str = "public"
    key: tuple[str, ...] = ()
    index_column: bool = False
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet"] = "auto"
    csv: CsvSpec = CsvSpec()
    types: dict[str, str] = {}
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    on_schema_change: Literal["replace", "fail", "evolve"] = "replace"


class Mapping(Struct, frozen=True, kw_only=True):
    """One source and the target that shall hold what it holds.

    `source` and `target` are resolved text: an absolute local path, a URL, or STORE:path, as `resolve_url` takes them.
    `source_as_written` and `target_as_written` have the placeholders replaced and nothing else, so that a local one is
    the same in every checkout. Sizes in bytes. `table` is set where the target holds tables, and only there.
    """

    name: str
    source: str
    target: str
    source_as_written: str
    target_as_written: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ignore_files: tuple[str, ...] = (".reconcileignore",)
    recursive: bool = True
    patterns: Patterns = Patterns()
    min_size: int | None = None
    max_size: int | None = None
    symlinks: Literal["skip", "follow"] = "skip"
    layout: str = "{path}"
    portable_names: Literal["warn", "fail", "off"] = "warn"
    direction: Literal["one-way", "two-way"] = "one-way"
    policy: Policy = Policy()
    protect: tuple[str, ...] = ()
    create_target: bool | Literal["auto"] = "auto"
    concurrency: int = 16
    verify_writes: bool = False
    object: ObjectSpec = ObjectSpec()
    depends_on: tuple[str, ...] = ()
    table: TableSpec | None = None


class WatchSpec(Struct, frozen=True, kw_only=True):
    """How changes are followed; seconds."""

    debounce_s: float = 0.2
    max_delay_s: float = 5.0
    resync_s: float = 300.0
    lease: Literal["batch", "session"] = "batch"


class NotifySpec(Struct, frozen=True, kw_only=True):
    """Who is told, and when. Parts of `command` that came from the environment, and `webhook`, are secrets."""

    when: tuple[Literal["failure", "recovery", "stale", "change", "conflict"], ...] = ("failure",)
    command: tuple[str, ...] = ()
    webhook: Secret | None = None


class Spec(Struct, frozen=True, kw_only=True):
    """All of one spec file.

    `root` is the absolute directory that relative paths hang on, `file` the file as it was named (empty when built in
    code). `digest` is the SHA-256 (hex) of everything that was asked for, secrets, `root` and `file` left out: equal in
    every checkout. `secrets` are all texts that must never be shown, longest first.
    """

    version: int
    state: str
    variables: dict[str, str]
    stores: dict[str, StoreSpec]
    mappings: dict[str, Mapping]
    watch: WatchSpec
    notify: NotifySpec
    root: str
    file: str = ""
    digest: str = ""
    secrets: tuple[Secret, ...] = ()
