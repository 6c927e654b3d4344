"""The tables of a state file, version by version. `migrations.py` walks from one to the next.

There is no index beside the tables: a damaged one would make rows seem absent whose table still holds them. Scripts
may use `row_check(field, …)` and the aggregate `sum_of_checks(row_check)`, which is NULL of no rows.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x52434E4C
"""Marks a SQLite file as a state of ours ("RCNL")."""

V1: Final = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), lineage TEXT NOT NULL, serial INTEGER NOT NULL, last_run INTEGER NOT NULL,
    row_check INTEGER NOT NULL
);
CREATE TABLE scopes (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, mapping TEXT NOT NULL, source TEXT NOT NULL,
    target TEXT NOT NULL, layout TEXT NOT NULL, direction TEXT NOT NULL, serial INTEGER NOT NULL,
    total INTEGER NOT NULL, count INTEGER NOT NULL, completed INTEGER NOT NULL, row_check INTEGER NOT NULL
);
CREATE TABLE records (
    scope INTEGER NOT NULL REFERENCES scopes (number), key TEXT NOT NULL, path TEXT, size INTEGER NOT NULL,
    digest BLOB NOT NULL, version TEXT NOT NULL, flags INTEGER NOT NULL, run INTEGER NOT NULL,
    row_check INTEGER NOT NULL, PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, operation TEXT NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, who TEXT NOT NULL,
    host TEXT NOT NULL, version TEXT NOT NULL, plan TEXT NOT NULL, exit_code INTEGER NOT NULL, total INTEGER NOT NULL,
    done INTEGER NOT NULL, failed INTEGER NOT NULL, bytes INTEGER NOT NULL, counts TEXT NOT NULL,
    mappings TEXT NOT NULL, row_check INTEGER NOT NULL
);
CREATE TABLE outcomes (
    run INTEGER NOT NULL, id INTEGER NOT NULL, mapping TEXT NOT NULL, action TEXT NOT NULL, key TEXT NOT NULL,
    outcome TEXT NOT NULL, size_bytes INTEGER NOT NULL, sent_bytes INTEGER NOT NULL, seconds REAL NOT NULL,
    error TEXT NOT NULL, hint TEXT NOT NULL, from_key TEXT, reason TEXT NOT NULL, kept TEXT NOT NULL,
    row_check INTEGER NOT NULL, PRIMARY KEY (run, id)
) WITHOUT ROWID;
CREATE TABLE intents (
    run INTEGER NOT NULL, seq INTEGER NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, action TEXT NOT NULL,
    expect TEXT NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL, token TEXT NOT NULL, path TEXT, from_key TEXT,
    from_version TEXT NOT NULL, executable INTEGER NOT NULL, temp TEXT NOT NULL, row_check INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), fence INTEGER NOT NULL, beats INTEGER NOT NULL, holder TEXT
);
INSERT INTO lease VALUES (1, 0, 0, NULL);
"""

V2: Final = """
CREATE TABLE past (
    scope INTEGER NOT NULL, key TEXT NOT NULL, run INTEGER NOT NULL, there TEXT NOT NULL, record TEXT NOT NULL,
    row_check INTEGER NOT NULL, PRIMARY KEY (scope, key, run)
) WITHOUT ROWID;
CREATE TABLE reached (
    run INTEGER NOT NULL, scope INTEGER NOT NULL, row_check INTEGER NOT NULL, PRIMARY KEY (run, scope)
) WITHOUT ROWID;
"""
"""What runs found before they changed it, for `rollback`: nothing is kept of a path that was not there."""

V3: Final = """
CREATE TABLE sums (
    name TEXT NOT NULL, part INTEGER NOT NULL, total INTEGER NOT NULL, count INTEGER NOT NULL,
    row_check INTEGER NOT NULL, PRIMARY KEY (name, part)
) WITHOUT ROWID;
INSERT INTO sums SELECT name, part, total, count, row_check(name, part, total, count) FROM (
    SELECT 'runs' AS name, 0 AS part, coalesce(sum_of_checks(row_check), 0) AS total, count(*) AS count FROM runs
    UNION ALL SELECT 'intents', 0, coalesce(sum_of_checks(row_check), 0), count(*) FROM intents
    UNION ALL SELECT 'outcomes', runs.id, sum_of_checks(outcomes.row_check), count(outcomes.run)
        FROM runs LEFT JOIN outcomes ON outcomes.run = runs.id GROUP BY runs.id
    UNION ALL SELECT 'past', number, sum_of_checks(past.row_check), count(past.scope)
        FROM scopes LEFT JOIN past ON past.scope = number GROUP BY number
    UNION ALL SELECT 'reached', number, sum_of_checks(reached.row_check), count(reached.scope)
        FROM scopes LEFT JOIN reached ON reached.scope = number GROUP BY number
);
"""
"""Sums over what was without: a row of the history that is lost is missed. See `sums.py`."""
