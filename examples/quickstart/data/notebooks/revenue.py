# Databricks notebook source
"""Revenue by customer."""

from collections import Counter
import csv
from pathlib import Path

tables = Path("../tables")

# COMMAND ----------

with (tables / "prices.csv").open(newline="") as file:
    prices = {row["article"]: float(row["price_chf"]) for row in csv.DictReader(file)}

# COMMAND ----------

revenue: Counter[str] = Counter()
with (tables / "orders.csv").open(newline="") as file:
    for row in csv.DictReader(file):
        revenue[row["customer"]] += int(row["pieces"]) * prices[row["article"]]

for customer, total in revenue.most_common():
    print(f"{customer:<16}{total:>9.2f} CHF")
