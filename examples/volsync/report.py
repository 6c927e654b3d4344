"""What `VolumeSync(...).sync(config)` returned, from `reconcile.apply`."""

from __future__ import annotations

import reconcile

plan = reconcile.plan(reconcile.load_spec("reconcile.yaml"))
sources = {change.id: change.source_path for change in plan.changes()}
result = reconcile.apply(plan)

print("uploaded:", result.success_count)
print("skipped:", result.skip_count)
print("failed:", result.failure_count)
print("bytes:", result.total_bytes)
print("seconds:", round(result.seconds, 1))
for outcome in result.outcomes:
    print(f"{outcome.outcome}: {sources[outcome.id]} → {outcome.key} {outcome.error}".rstrip())
raise SystemExit(result.exit_code)
