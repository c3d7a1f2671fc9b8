#!/usr/bin/env bash
# From a fresh clone to a sweep: packages, build, a real W/A/I/O sweep on the embedded data set, its
# table, CSV and figures. A second call goes on where the first one stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
cmake --preset release
cmake --build --preset release
build/release/bin/waio run suites/quickstart.yaml --out results/quickstart.csv
/usr/bin/python3 scripts/figures.py results/quickstart.csv --out results/figures
echo
echo "rows:    results/quickstart.csv"
echo "figures: results/figures/"
echo "next:    build/release/bin/waio --help, README.md"
