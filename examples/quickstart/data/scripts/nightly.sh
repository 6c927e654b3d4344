#!/bin/sh
# Counts the orders whose article has a price.
set -eu
cd "$(dirname "$0")/../tables"
awk -F, 'NR == FNR { priced[$1]; next } FNR > 1 && $(NF - 2) in priced { n++ } END { print "priced", n, "orders" }' \
  prices.csv orders.csv
