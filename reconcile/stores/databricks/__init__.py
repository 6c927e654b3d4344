"""Databricks: DBFS, volumes of Unity Catalog, workspace files and notebooks, over one client."""
