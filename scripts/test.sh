#!/usr/bin/env bash
# Sets up, builds and runs every test: an optimized build in which warnings are errors with all
# tests, then a build with AddressSanitizer and UndefinedBehaviorSanitizer with all but the
# comparisons with other tools. Ends with what failed, what was left out and ctest's closing lines;
# the exit status says whether all passed. Some ten minutes on two cores, most of it the first
# download of the Python packages.
#   test.sh [--no-python]    leave out the comparisons with Keras, onnxruntime, TensorFlow Lite
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
mkdir -p build
skipped=""
python=""

# The Python packages of the tests, in a virtual environment that is kept.
make_venv() {
    cmp -s scripts/requirements-test.txt build/venv/requirements.txt 2>/dev/null && return 0
    echo "Installing the packages of scripts/requirements-test.txt in build/venv"
    python3 -m venv build/venv >build/venv.log 2>&1 &&
        build/venv/bin/pip install -q -r scripts/requirements-test.txt >>build/venv.log 2>&1 &&
        cp scripts/requirements-test.txt build/venv/requirements.txt
}
if [ "${1:-}" = "--no-python" ]; then
    skipped="python tests are skipped: --no-python"
elif make_venv; then
    python=$PWD/build/venv/bin/python
else
    skipped="python tests are skipped: the packages of scripts/requirements-test.txt cannot be"
    skipped+=" installed: $(tail -n 1 build/venv.log)"
fi
[ -z "$skipped" ] || echo "$skipped"

failed=()
build_and_test() { # preset, further arguments of ctest
    local preset=$1
    shift
    rm -f "build/$preset.tests.log"
    cmake --preset "$preset" -DWAIO_PYTHON="$python" >"build/$preset.configure.log" 2>&1 ||
        { cat "build/$preset.configure.log"; return 1; }
    cmake --build --preset "$preset" && ctest --preset "$preset" "$@" | tee "build/$preset.tests.log"
}
build_and_test ci -j2 || failed+=("optimized build (preset ci)")
build_and_test dev -j2 -LE python || failed+=("sanitizer build (preset dev)")

echo
echo "---- summary ----"
[ -z "$skipped" ] || echo "$skipped"
[ ${#failed[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
[ ${#failed[@]} -gt 0 ] || echo "All tests ${skipped:+that ran }passed."
for preset in dev ci; do
    echo
    echo "preset $preset:"
    sed -n '/% tests passed/,$p' "build/$preset.tests.log" 2>/dev/null | sed '/^$/d' ||
        echo "not built, no test ran"
done
[ ${#failed[@]} -eq 0 ]
