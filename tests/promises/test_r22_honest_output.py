"""R22: exit code 0 ⇔ the desired state was reached and verified; every form of a plan or a report tells the same.

Random trees, edits on both sides and faults at random calls of the target; the truth is read from the two directories,
never from what the program says. And names, as hostile as they come, are escaped wherever the command shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import unescape
import json
from pathlib import Path
import re
import shutil
from typing import Any
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import BusyError, DeniedError, StoreError
from reconcile.core.outcome import Result
from reconcile.core.plan import Plan
from reconcile.ports import Store
from reconcile.report.html import plan_html
from reconcile.report.json import plan_document, result_document
from reconcile.report.markdown import plan_markdown
from reconcile.report.text import plan_lines, result_lines
from reconcile.stores.wrapper import Wrapper
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer
from tests.flow.small_trees import make, trees
from tests.flow.watchers import MUTATING
from tests.flow.world import World

DONE = {"create": "created", "update": "updated", "delete": "deleted", "move": "moved", "adopt": "adopted"}


class Failing(Wrapper):
    """Changes of these numbers fail, each before or after it is done."""

    def __init__(self, inner: Store, faults: Sequence[tuple[int, bool, type[StoreError]]]) -> None:
        super().__init__(inner)
        self._faults = {at: (late, error) for at, late, error in faults}
        self._seen = -1

    def _call(self, verb: str, key: str, run: Callable[[], Any]) -> Any:
        self._seen += verb in MUTATING
        late, error = self._faults.get(self._seen, (False, None)) if verb in MUTATING else (False, None)
        if error is None:
            return run()
        if late:
            run()
        raise error("as planned", op=verb, path=key)


faults = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from([BusyError, DeniedError])), max_size=3
)  # fmt: skip
policies = st.fixed_dictionaries({}, optional={"drift": st.sampled_from(["keep", "fail"]), "delete": st.just(False)})


def forms(plan: Plan) -> list[str]:
    """The summary of a plan as each form has it."""
    page = re.search(r"<h1>(.*?)</h1>", "".join(plan_html(plan)))
    assert page is not None
    text = list(plan_lines(plan, full=True))[-1]
    return [text, plan_markdown(plan).splitlines()[0].removeprefix("### "), unescape(page[1])]


def check_plan(plan: Plan) -> None:
    """Text, Markdown, HTML, JSON and the exit code speak of the same numbers, and those are of the lines they show."""
    told = plan_document(plan)
    counted = [action["action"] for action in told["actions"]]
    for action in ("create", "update", "delete", "move", "adopt", "accept", "forget"):
        assert told["summary"][action] == counted.count(action)
    waiting, unreadable = len(told["conflicts"]), len(told["problems"])
    if not (counted or waiting or unreadable or any(part["creates"] for part in told["mappings"])):
        expected = f"No changes. {told['summary']['unchanged']} path"
    else:
        expected = "Plan: " + ", ".join(f"{told['summary'][a]} to {a}" for a in ("create", "update", "delete", "move"))
    assert all(form.startswith(expected) for form in forms(plan)), (expected, forms(plan))
    assert len(set(forms(plan))) == 1
    assert (f"{waiting} conflict" in forms(plan)[0]) == bool(waiting)
    assert (told["exit_code"] == 0) == (not waiting and not unreadable and not told["guards"])


def check_result(plan: Plan, result: Result, reached: bool) -> None:
    """The report says what happened, in both forms, and its code is 0 only where all that was wanted is there."""
    told = result_document(result)
    endings = [outcome["outcome"] for outcome in told["outcomes"]]
    assert told["success_count"] == endings.count("done") == sum(told["counts"].values())
    assert told["failure_count"] == len(endings) - endings.count("done")
    last = list(result_lines(plan, result))[-1]
    if last.startswith("Applied"):
        for action, word in list(DONE.items())[:4]:
            assert re.search(rf"\b{told['counts'].get(action, 0)} {word}\b", last), (told["counts"], last)
    assert (told["exit_code"] == 0) == last.endswith(("Nothing left to do.", "in sync.")), (told["exit_code"], last)
    if told["exit_code"] == 0:
        assert reached
    elif reached:
        assert set(endings) - {"done"} or told["conflicts"] or told["problems"], "no alarm without a reason"


@pytest.mark.hazard("O01", "O02")
@settings(max_examples=20)
@given(before=trees(), after=trees(), there=trees(max_size=3), options=policies, faults=faults)
def test_zero_means_reached_and_every_form_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any, there: Any, options: Any, faults: Any
) -> None:
    root = tmp_path_factory.mktemp("honest")
    world = World(root, options={"guard": {"max_delete": "off"}, **options})
    make(world.src, before)
    world.apply(allowed=("deletes", "empty-source", "updates"))
    make(world.src, after)
    for name, text in there.items():  # somebody else is at work in the target
        path = world.out / name
        if path.parent.is_dir() and not path.is_dir():
            path.write_text(text)
    world.around = lambda store: Failing(store, faults)
    plan = world.plan(allowed=("deletes", "empty-source"))
    check_plan(plan)
    result = world.apply(plan)
    world.around = None
    now, wanted = world.there(), world.here()
    kept = options.get("drift") == "keep"
    reached = all(name in now and (kept or now[name] == text) for name, text in wanted.items())
    check_result(plan, result, reached)
    if result.exit_code == 0:
        assert list(world.plan(allowed=("deletes", "empty-source")).changes()) == []
    shutil.rmtree(root)


HOSTILE = (
    "::add-mask::a", "::set-output name=x::y", "::error file=a::b", " ::stop-commands::x", "##[error]x", "##vso[task]x",
    "\x1b[2J\x1b]0;owned\x07", "new\nline", "re\rturn", "ta\tb", "\x9bcsi", "\u202etxt.exe", "zero\u200bwidth",
    "\u2028line", "`code`|cell", "<script>alert(1)", "[a](http:b)", "=cmd()",
    "-rf", "'q\"uote", "$(id)", "%0A",
)  # fmt: skip
VERBS = (
    ("plan", "--full"), ("plan", "--json"), ("plan", "--format", "markdown"), ("plan", "--format", "html"),
    ("plan", "--destroy"), ("plan", "--path", "::nothing\n::add-mask::x"), ("conflicts",), ("conflicts", "--json"),
    ("status",), ("ls", "docs"), ("ls", "docs", "--json"), ("graph",), ("graph", "--format", "mermaid"),
    ("graph", "--format", "svg"), ("apply", "--auto-approve", "-vv"), ("apply", "--auto-approve", "--json"),
    ("history", "1"), ("history", "1", "--json"), ("state", "show"), ("state", "show", "--csv"), ("verify",),
    ("verify", "--json"),
)  # fmt: skip
_OBEYED = re.compile(r"^\s*::\w|##\[|##vso\[", re.MULTILINE)


def check_harmless(text: str, where: Sequence[str]) -> None:
    odd = {char for char in text.replace("\n", "") if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert odd == set(), (where, odd)
    assert not ({"html", "svg"} & set(where) and "<script" in text), where
    for line in text.split("\n"):
        assert line.startswith("{") or not _OBEYED.search(line), (where, line)


@pytest.mark.hazard("S08", "N06", "N13")
def test_no_verb_lets_a_name_speak(place: Any) -> None:
    for number, name in enumerate(HOSTILE):
        (place.root / "docs" / name).write_text(str(number))
    place.applied()
    for name in HOSTILE[::2]:
        (place.root / "docs" / name).write_text("changed here")
    for name in HOSTILE[::4]:
        (place.root / "there" / name).write_text("changed there, too")
    (place.root / "docs" / HOSTILE[1]).unlink()
    for words in (*VERBS, ("why", HOSTILE[0]), ("why", "no\n::add-mask::such")):
        told = place(*words)
        assert told.code in (0, 1, 3, 8), (words, told)
        check_harmless(told.out, words)
        check_harmless(told.err, words)


@pytest.mark.hazard("S08")
@pytest.mark.parametrize("words", [("plan",), ("plan", "--json"), ("apply", "--auto-approve"), ("ls", "docs")])
def test_nor_a_server(place: Any, words: tuple[str, ...]) -> None:
    """What a store answers is not ours: it is escaped like a name."""
    says = b"no\x0a::add-mask::x\x0a##[error]\xe2\x80\xae &#27;[2J"
    evil = b"<Error><Code>AccessDenied</Code><Message>" + says + b"</Message></Error>"
    with FakeS3() as s3:
        fault = s3.fault("list", lambda _request, _work: Answer(403, evil), times=100)
        place.write(
            "reconcile.yaml",
            f"version: 1\nstores: {{lake: {{url: 's3://bucket', endpoint: '{s3.endpoint}', region: us-east-1}}}}\n"
            "mappings:\n  docs: {source: ./docs, target: 'lake:x'}\n",
        )
        told = place(*words)
    assert fault.fired
    assert told.code in (1, 7)
    check_harmless(told.out, words)
    check_harmless(told.err, words)
    if "--json" in words:
        assert json.loads(told.out)["exit_code"] == told.code


def test_the_code_is_that_of_the_json_whatever_happens(place: Any) -> None:
    """Every ending a single machine can come to, in the order of its story."""
    story: list[tuple[int, Callable[[], object], tuple[str, ...]]] = [
        (2, lambda: None, ("plan", "--detailed-exitcode")),
        (0, lambda: None, ("apply", "--auto-approve")),
        (0, lambda: place.write("docs/odd", "x"), ("plan",)),
        (3, lambda: (place.write("docs/a.txt", "here"), place.write("there/a.txt", "over there")), ("plan",)),
        (3, lambda: None, ("apply", "--auto-approve")),
        (0, lambda: None, ("conflicts", "resolve", "--source", "a.txt")),
        (8, lambda: place.write("there/b.txt", "damaged"), ("verify",)),
        (7, lambda: (place.root / "docs" / "loop").symlink_to("loop"), ("plan",)),
        (7, lambda: None, ("apply", "--auto-approve")),
        (1, (place.root / "docs" / "loop").unlink, ("why", "nothing")),
        (0, lambda: None, ("apply", "--auto-approve")),
        (0, lambda: None, ("lock", "hold", "--reason", "look")),
        (6, lambda: None, ("apply", "--auto-approve")),
    ]
    text = (place.root / "reconcile.yaml").read_text().replace("target: ./there", "target: ./there, symlinks: follow")
    place.write("reconcile.yaml", text)
    for code, happens, words in story:
        happens()
        told = place(*words, "--json")
        assert (told.code, json.loads(told.out.splitlines()[-1])["exit_code"]) == (code, code), (words, told)


def test_a_plan_file_and_what_it_was_made_from_say_the_same(place: Any, tmp_path: Path) -> None:
    told = place.ok("plan", "--out", "saved", "--json").json
    assert place.ok("show", "saved", "--json").json["summary"] == told["summary"]
    assert place.ok("show", "saved").last == place.ok("plan").last
