#!/usr/bin/env bash
# Sets up, builds and runs every test: an optimized build in which warnings are errors with all
# tests, then a build with AddressSanitizer and UndefinedBehaviorSanitizer with the unit and end-to-
# end tests. Ends with a summary; the exit status says whether all passed.
#   test.sh [--no-python]    leave out the comparison with Keras and onnxruntime
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
python=""
if [ "${1:-}" != "--no-python" ]; then
    python=build/venv/bin/python
    stamp=build/venv/requirements.txt
    if ! cmp -s scripts/requirements-test.txt "$stamp" 2>/dev/null; then
        mkdir -p build
        if python3 -m venv build/venv && build/venv/bin/pip install -q -r scripts/requirements-test.txt; then
            cp scripts/requirements-test.txt "$stamp"
        else
            echo "The packages of scripts/requirements-test.txt cannot be installed:" \
                "the python tests are skipped."
            python=""
        fi
    fi
fi
[ -z "$python" ] || python=$PWD/$python

failed=()
build_and_test() { # preset, further arguments of ctest
    local preset=$1
    shift
    cmake --preset "$preset" -DWAIO_PYTHON="$python" >"build/$preset.configure.log" ||
        { cat "build/$preset.configure.log"; return 1; }
    cmake --build --preset "$preset" && ctest --preset "$preset" "$@"
}
mkdir -p build
build_and_test ci -j2 || failed+=("optimized build")
# Comparisons with other tools ran above; here the sanitizers watch everything else.
build_and_test dev -j2 -LE python || failed+=("sanitizer build")

echo
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "All tests passed."
