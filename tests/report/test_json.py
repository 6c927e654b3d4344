"""The JSON documents: as their schemas say, canonical, and valid whatever the names hold."""

from __future__ import annotations

from functools import cache
import json

import jsonschema
import pytest

from reconcile.core.change import Action, Reason
from reconcile.core.counts import Counts
from reconcile.core.entry import Problem
from reconcile.core.events import ActionEnd
from reconcile.core.outcome import Outcome, Result
from reconcile.report import json as rendering
from reconcile.report.json import event_line, plan_document, report_line, result_document, write_plan
from reconcile.spec.schemas import schema_text
from tests.report.samples import NOW, change, plan_of, rich_plan, rich_result

CANONICAL = {"sort_keys": True, "separators": (",", ":")}


@cache
def _schema(name, part=""):
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    target = {"$ref": f"#/$defs/{part}", "$defs": schema["$defs"]} if part else schema
    return jsonschema.Draft202012Validator(target)


def _written(plan):
    pieces = []
    write_plan(plan, pieces.append)
    return "".join(pieces)


@pytest.mark.parametrize("plan", [rich_plan(), plan_of(), plan_of(kind="destroy")])
def test_the_plan_is_as_its_schema_says(plan):
    _schema("plan").validate(json.loads(_written(plan)))


@pytest.mark.parametrize("result", [rich_result(), Result()])
def test_the_report_is_as_its_schema_says(result):
    _schema("report").validate(result_document(result))
    _schema("report").validate(json.loads(report_line(result, 9, NOW)))


def test_the_schemas_refuse_what_is_not_there():
    document = plan_document(rich_plan())
    document["actions"][0]["colour"] = "blue"
    with pytest.raises(jsonschema.ValidationError):
        _schema("plan").validate(json.loads(json.dumps(document)))


def test_what_is_streamed_is_the_document():
    assert _written(rich_plan()) == json.dumps(plan_document(rich_plan()), **CANONICAL) + "\n"
    assert _written(plan_of()) == json.dumps(plan_document(plan_of()), **CANONICAL) + "\n"


def test_every_reason_and_action_is_in_the_schema():
    schema = json.loads(schema_text("plan"))["$defs"]
    assert schema["reason_code"]["enum"] == [reason.value for reason in Reason]
    assert schema["action"]["properties"]["action"]["enum"] == [action.value for action in Action]
    assert set(schema["summary"]["required"]) == set(Counts().as_dict())


def test_a_large_plan_is_written_as_lines(monkeypatch):
    monkeypatch.setattr(rendering, "ONE_DOCUMENT", 50)
    whole = plan_document(rich_plan())
    header, *actions, summary = map(json.loads, _written(rich_plan()).splitlines())
    _schema("plan", "header").validate(header)
    _schema("plan", "summary_line").validate(summary)
    assert {**header, **summary, "actions": 0} == {**whole, "type": "summary", "actions": 0}
    for action in actions:
        _schema("plan", "action_line").validate(action)
    assert [{key: value for key, value in one.items() if key != "type"} for one in actions] == json.loads(
        json.dumps(whole["actions"])
    )


def test_pending_changes_are_an_exit_code_only_when_asked_for():
    plan = plan_of(change(1, Action.CREATE, "a", Reason.NEW))
    assert plan_document(plan)["exit_code"] == 0
    assert plan_document(plan, detailed=True)["exit_code"] == 2


def test_an_event_has_its_number_and_its_time():
    line = event_line(ActionEnd(1, "docs", "create", "a\udcff\x1b", "done"), 3, NOW)
    event = json.loads(line)
    _schema("report", "event").validate(event)
    assert (event["event"], event["seq"], event["time"]) == ("action_end", 3, "2026-03-01T19:02:40.000Z")
    assert event["path"] == "a\\xff\x1b"
    assert line.isascii()
    assert line.count("\n") == 1


@pytest.mark.hazard("N05")
def test_a_name_that_is_no_utf8_is_valid_json_for_strict_parsers():
    outcome = Outcome(1, "docs", "create", "a", "failed", error="bad name \udcff\ud800")
    line = report_line(Result(problems=[Problem("bad\udcff", "the name is not UTF-8")], outcomes=[outcome]), 1, NOW)
    told = json.loads(line)
    json.dumps(told, ensure_ascii=False).encode()
    assert told["problems"][0]["path"] == "bad\\xff"
