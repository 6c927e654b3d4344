"""Which words of how a SQLite table was made are more than its columns."""

import pytest

from reconcile.stores.tables.sqlite_definition import constraints


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ('CREATE TABLE "p" ("id" BIGINT, "check" TEXT, "a AS b" DECIMAL(15,2))', []),
        ("CREATE TABLE p(strict INTEGER, [not null] TEXT, `unique` TEXT)", []),
        ("CREATE TABLE p(a TEXT /* unique */, -- a primary key\n b INT)", []),
        ("CREATE TABLE p(id INT primary  key, n TEXT NOT NULL DEFAULT 'x')", ["PRIMARY KEY", "NOT NULL", "DEFAULT"]),
        ("CREATE TABLE p(a INT) STRICT", ["STRICT"]),
        ("CREATE TABLE p(a INT CHECK (a > 0), CHECK (a < 9))", ["CHECK"]),
        ("CREATE TABLE p(a TEXT COLLATE NOCASE, b AS (a))", ["COLLATE", "AS"]),
    ],
)  # fmt: skip
def test_what_a_load_could_not_carry_over(sql, told):
    assert constraints(sql) == told
