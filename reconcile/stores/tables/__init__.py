"""Databases whose tables are made from data files: SQLite, DuckDB, PostgreSQL."""
