"""Data files, read so that nothing is lost: CSV, TSV, JSON, JSON lines, Parquet, also compressed."""
