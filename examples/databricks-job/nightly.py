# Databricks notebook source
"""Plans and applies reconcile.yaml: as a task of a job, as a notebook, or from a shell."""

# COMMAND ----------

from __future__ import annotations

import argparse
from pathlib import Path
import sys

import reconcile

# COMMAND ----------

given = argparse.ArgumentParser()
given.add_argument("--spec", type=Path, default=Path("reconcile.yaml"))
given.add_argument("--state", default="state/reconcile.db")
asked, _ = given.parse_known_args([] if "ipykernel" in sys.modules else None)  # a notebook's own arguments are no words

spec = reconcile.load_spec(asked.spec, variables={"state": asked.state})

# COMMAND ----------

plan = reconcile.plan(spec)  # a value: nothing is changed yet
for change in plan.changes():
    print(f"{change.action.value:<7} {change.key}  {change.reason.value}")
for refusal in plan.refusals:
    print(f"refused {refusal.mapping}: {refusal.detail}")
print(plan.counts.as_dict())

# COMMAND ----------

report = reconcile.apply(plan, lock_timeout=600)
for outcome in report.outcomes:
    if outcome.outcome != "done":
        print(f"{outcome.outcome} {outcome.key}: {outcome.error} {outcome.hint}")
print(f"{report.success_count} done, {report.skip_count} in step already, {report.failure_count} not done")

# COMMAND ----------

if report.exit_code:  # the task fails, and whoever the job notifies is told; the codes are those of the command
    raise RuntimeError(f"reconcile ended with {report.exit_code}")
