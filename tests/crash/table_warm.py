"""Loads what a run on tables needs, once for all the processes that die of it."""

import adbc_driver_postgresql.dbapi  # noqa: F401
import duckdb  # noqa: F401
import pyarrow.compute  # noqa: F401

import tests.flow.world  # noqa: F401
