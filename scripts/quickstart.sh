#!/usr/bin/env bash
# From a fresh clone to a sweep: packages, build, a real W/A/I/O sweep on the embedded data set, its
# table, CSV and figures. A second call goes on where the first one stopped, and computes nothing
# that is there.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

scripts/setup.sh
mkdir -p build
echo "Building in build/release"
cmake --preset release >build/release.configure.log 2>&1 || {
    cat build/release.configure.log
    exit 1
}
cmake --build --preset release --target waio shapes_data layouts_data

results=results/quickstart.csv figures=results/figures
echo "Sweeping: suites/quickstart.yaml"
build/release/bin/waio run suites/quickstart.yaml --out "$results"

# The distribution's python3 has the matplotlib that setup.sh installed; another one may not.
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
"$python" scripts/figures.py "$results" --out "$figures"

echo
echo "Done in $((SECONDS - started)) s."
echo "rows:    $results"
echo "figures: $figures/"
echo "next:    build/release/bin/waio --help, README.md"
