"""What reads bytes that others wrote, and what must hold whatever they are: an honest answer, or an honest error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
import shutil
from xml.etree import ElementTree as ET

from reconcile.core.entry import ANY, Version
from reconcile.core.errors import ReconcileError, StateError
from reconcile.core.path import is_control, match_key, shown, why_not_key
from reconcile.scan.gitignore import Globs
from reconcile.spec.load import load_spec
from reconcile.state.lease import acquire
from reconcile.state.log import _body
from reconcile.state.planfile import load_plan, save_plan
from reconcile.state.shared import open_shared
from reconcile.stores.memory import MemoryStore
from reconcile.stores.objects.s3_page import _fields, read_page
from reconcile.stores.objects.s3_wire import Reply
from reconcile.stores.objects.s3_wire import parse as parse_xml
from tests.flow.world import World
from tests.state.state_kit import FakeClock, bytes_of, everything, fold_keys, told_by

SPECS = Path(__file__).parents[1] / "spec"
EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parents[1] / "golden" / "states" / "0.1.0-schema-3" / "whole"

IGNORED = [
    b"*.py", b"!keep.py\n*.py", b"/a/**/b/", b"a/**", b"[a-z]*.[!o]", b"\\#x\n#comment\n\\!y", b"**/[[:alpha:]]?",
    b"a\\ ", b"*/b\n!*/b/c",
]  # fmt: skip
PATHS = ["a", "a.py", "keep.py", "a/b", "a/x/b", "a/b/c", "b/c", "x y", "\u00e9.py", "z", ".x/y", "a" * 40]
NAMES = [
    b"a/b.txt",
    b"../x",
    "caf\u00e9".encode(),
    b"a//b",
    b"CON",
    b".git/hooks/x",
    b"a\nb",
    b".reconcile/undo/1/x",
    b"x" * 1030,
]
OBJECT = (
    b"<Contents><Key>k%d+%%20x</Key><LastModified>2026-11-21T06:33:15.000Z</LastModified><ETag>&quot;ab%d&quot;</ETag>"
    b"<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
PAGES = [
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    + b"".join(OBJECT % (n, n, n) for n in range(3))
    + b"<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType></ListBucketResult>",
    (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        b"<Contents><ETag>e</ETag><Key>a</Key><Owner><ID>x</ID></Owner><Size>1</Size>"
        b"<LastModified>2026-11-21T06:33:15Z</LastModified></Contents></ListBucketResult>"
    ),
    b"<html><body>proxy</body></html>",
    b"<Error><Code>SlowDown</Code><Message>m</Message></Error>",
]


@dataclass(frozen=True)
class Target:
    """`check(data)` raises when what must hold does not."""

    corpus: Sequence[bytes]
    check: Callable[[bytes], None]
    mutants: int = 400


def spec(room: Path) -> Target:
    """A spec is a spec, or an error of ours that can be shown."""
    good = [path.read_bytes() for path in [*sorted(SPECS.rglob("*.yaml")), *sorted(EXAMPLES.rglob("*.yaml"))]]
    file = room / "reconcile.yaml"

    def check(data: bytes) -> None:
        file.write_bytes(data)
        try:
            load_spec(file, environ={})
        except ReconcileError as error:
            assert shown(str(error)) is not None  # noqa: PT017

    return Target(good, check)


def ignore_rules(_room: Path) -> Target:
    """Any file is an ignore file; negating it all changes who is ignored, never whether there is an answer."""

    def check(data: bytes) -> None:
        globs = Globs(data.decode("utf-8", "surrogateescape").split("\n"))
        for path in PATHS:
            globs.verdict(path, directory=False)
            globs.verdict(path, directory=True)

    return Target(IGNORED, check)


def listing(_room: Path) -> Target:
    """A page is what the parser says it is, however it is read; or an error of ours."""

    def check(data: bytes) -> None:
        try:
            _, items = read_page(Reply(200, {}, data), "p/")
        except ReconcileError:
            return
        try:
            told = [_fields(each) for each in parse_xml(data, "", "").iterfind("Contents")]
        except (ReconcileError, ET.ParseError):
            raise AssertionError("the parser takes it for no page") from None
        assert [(item.size, item.version) for item in items] == [
            (int(size), Version(etag.strip('"'))) for _, size, etag, _ in told
        ]

    return Target(PAGES, check)


def names(_room: Path) -> Target:
    """A name is shown without a character that a terminal obeys; what is a key stays one when it is folded."""

    def check(data: bytes) -> None:
        name = data.decode("utf-8", "surrogateescape")
        told = shown(name)
        assert told.isprintable() or not told, told
        assert shown(told) == told or "\\" in told
        is_control(name)
        if why_not_key(name) is None:
            assert all(segment not in ("", ".", "..") for segment in name.split("/"))
            assert "\0" not in name
            for fold in ("casefold", "nfc"):
                assert match_key(match_key(name, fold), fold) == match_key(name, fold)

    return Target(NAMES, check)


def plan(room: Path) -> Target:
    """A saved plan is read as it was saved, or refused."""
    world = World(room / "world")
    world.put(a="one", b__c="two")
    saved = world.plan(pinned=True)
    save_plan(saved, str(room / "plan"))
    whole = (room / "plan").read_bytes()
    told = list(saved.changes())
    file = room / "mutant"

    def check(data: bytes) -> None:
        file.write_bytes(data)
        try:
            read = list(load_plan(str(file)).changes())
        except ReconcileError:
            return
        assert read == told

    return Target([whole], check)


def state(room: Path) -> Target:
    """What a state remembers is read as it was written, or refused and left as it is."""
    shutil.copytree(GOLDEN, room / "state")
    path = room / "state" / "reconcile.db"
    whole, told = path.read_bytes(), everything(path)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        before = bytes_of(path.parent)
        read = None
        with suppress(StateError):
            read = everything(path)
        assert read == told if read is not None else bytes_of(path.parent) == before

    return Target([whole], check)


def journal(room: Path) -> Target:
    """An entry of a shared log is read as it was written, or refused."""
    store = MemoryStore()
    writer = open_shared(store, write=True)
    lease = acquire(writer, "apply", clock=FakeClock())
    fold_keys(writer, lease, ["x", "y/z"])
    lease.release()
    told = told_by(writer)
    writer.close()
    key = max(entry.key for entry in store.list() if entry.key.split("/")[-1].isdigit() or entry.size)  # the newest
    content = b"".join(store.read(key))
    cache = room / "cache"

    def check(data: bytes) -> None:
        store.write(key, _body(data), expect=ANY)
        _forget(cache)
        try:
            reader = open_shared(store)
        except ReconcileError:
            return
        try:
            read = told_by(reader)
        except ReconcileError:
            return
        finally:
            reader.close()
        assert read == told

    return Target([content], check, mutants=60)


def _forget(cache: Path) -> None:
    for path in sorted(cache.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


TARGETS: dict[str, Callable[[Path], Target]] = {
    "spec": spec,
    "ignore rules": ignore_rules,
    "listing": listing,
    "names": names,
    "plan": plan,
    "state": state,
    "journal": journal,
}
