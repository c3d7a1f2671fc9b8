#!/usr/bin/env bash
# The tests that take longer than CI: an hour of damaged files to each reader under sanitizers, the
# CUDA kernels of all targets by their machine code, the comparisons with other tools on whole test
# sets, networks of full size. Builds what it needs; runs every piece in spite of what fails before,
# and ends with a line for each.
#
#   nightly_tests.sh [OPTIONS] [PIECE ...]     all pieces unless some are named
#     fuzz        fuzz_import and fuzz_dataset, preset dev
#     machine     the machine code of every CUDA target, preset release (skipped without nvcc)
#     python      ctest -L python on whole test sets, preset ci
#     models      networks by name at their own size, every layer against the reference, preset ci
#     --fuzz-seconds N     for each of the two fuzzers [3600]
#     --images N           of CIFAR-10 in the comparisons [10000]
#     --rounds N           random files for an operator and type [100]
#     --seed N             of the fuzzers [days since 1970]
#     --jobs N             of builds and ctest [2]
#     --list               the pieces, nothing is run
#
# Exit status: 0 all passed or were skipped with a reason, 1 a piece failed, 2 usage.
# Environment: WAIO_DATA, WAIO_TEST_MODELS (real data and networks; without them the tests that want
# them skip), WAIO_PYTHON (with scripts/requirements-test.txt) [build/venv, as scripts/test.sh makes],
# WAIO_NIGHTLY_FLAGS (for cmake, as -DWAIO_CUDA=OFF). Logs: build/nightly-tests/.
set -uo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; }
fail() {
    printf 'nightly_tests.sh: %s\n' "$*" >&2
    exit 2
}
number() { [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || fail "$1 $2: expected a whole number from 1"; }

pieces=(fuzz machine python models)
wanted=() seconds=3600 images=10000 rounds=100 seed=$(($(date +%s) / 86400)) jobs=2
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --list) printf '%s\n' "${pieces[@]}" && exit 0 ;;
    --fuzz-seconds | --images | --rounds | --seed | --jobs)
        [ $# -ge 2 ] || fail "$1 needs a value (--help explains)"
        number "$1" "$2"
        case $1 in
        --fuzz-seconds) seconds=$2 ;;
        --images) images=$2 ;;
        --rounds) rounds=$2 ;;
        --seed) seed=$2 ;;
        --jobs) jobs=$2 ;;
        esac
        shift
        ;;
    -*) fail "unknown option $1 (--help explains)" ;;
    *)
        [[ " ${pieces[*]} " = *" $1 "* ]] || fail "no piece $1; there are: ${pieces[*]}"
        wanted+=("$1")
        ;;
    esac
    shift
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${pieces[@]}")
logs=$PWD/build/nightly-tests
mkdir -p "$logs" || exit 2
read -ra flags <<<"${WAIO_NIGHTLY_FLAGS:-}"
python=${WAIO_PYTHON:-$PWD/build/venv/bin/python}

build() { # preset, targets ...
    local preset=$1
    shift
    cmake --preset "$preset" ${flags[@]+"${flags[@]}"} &&
        cmake --build "build/$preset" -j "$jobs" ${@+--target "$@"}
}
# Files that a finder (a command) names, as arguments behind a fuzzer's own: at most 60, small ones first.
small_files() { find "$@" -type f -size -2048k -printf '%s %p\n' 2>/dev/null | sort -n | head -n 60 | cut -d ' ' -f 2-; }

# A fuzzer leaves the file that was its fault in its folder, which stays until the next run.
fuzz_one() { # name, files ...
    local name=$1
    shift
    mkdir -p "$logs/$name" && rm -f "$logs/$name"/*
    (cd "$logs/$name" && "$OLDPWD/build/dev/bin/$name" "$seconds" "$seed" "$@")
}
fuzz() {
    build dev fuzz_import fuzz_dataset waio layouts_data || return 1
    local models layouts=$PWD/build/dev/data photographs status=0
    mapfile -t models < <(small_files "$PWD/datasets/shapes/models" ${WAIO_TEST_MODELS:+"$WAIO_TEST_MODELS"} |
        grep -E '\.(h5|onnx|tflite)$')
    mapfile -t photographs < <(find "$layouts/shapes-iiit-pet" "$layouts/VOCdevkit" -type f \
        \( -name '*_[1-9].jpg' -o -name '00000[1-9].xml' -o -name test.txt -path '*annotations*' \) | sort | head -n 60)
    [ ${#photographs[@]} -gt 5 ] || { echo "no photographs below $layouts"; return 1; }
    fuzz_one fuzz_import "${models[@]}" || status=1
    fuzz_one fuzz_dataset "${photographs[@]}" || status=1
    return $status
}

machine() {
    cmake --preset release ${flags[@]+"${flags[@]}"} || return 1
    cmake --build build/release --target help | grep -q '^machine_code: ' || {
        echo "skipped: no nvcc here, or configured without CUDA"
        return 0
    }
    cmake --build build/release -j "$jobs" --target waio_kernels machine_code &&
        ctest --preset release -R '^cuda_machine_code' --output-on-failure
}

python() {
    "$python" -c 'import numpy, onnxruntime' || {
        echo "$python lacks the packages of scripts/requirements-test.txt; scripts/test.sh makes build/venv"
        return 1
    }
    flags+=("-DWAIO_PYTHON=$python") && build ci || return 1
    WAIO_TEST_CIFAR_IMAGES=$images WAIO_TEST_ROUNDS=$rounds WAIO_TEST_IMAGES=200 \
        WAIO_TEST_MAP_SETS=20000 WAIO_TEST_DETECTION_CASES=5000 \
        ctest --preset ci -L python -j "$jobs" --timeout 14400
}

# Networks of full size, layer by layer: `cpu` against `ref`.
models() {
    build ci waio || return 1
    local network status=0
    for network in mobilenet_v1 mobilenet_v2 mobilenet_v2_torch resnet50 resnet50_torch inception_v3 \
        inception_v3_torch ssd_mobilenet_v2 ssd_mobilenet_v2_fpnlite; do
        echo "-- $network"
        build/ci/bin/waio check "$network" --backend cpu || status=1
    done
    return $status
}

results=() failed=0
for piece in "${wanted[@]}"; do
    began=$SECONDS
    echo "==== $piece"
    $piece 2>&1 | tee "$logs/$piece.log"
    verdict=passed
    [ "${PIPESTATUS[0]}" -eq 0 ] || { verdict=FAILED failed=1; }
    skipped=$(grep -Em 1 '^skipped: |[*]{3}Skipped' "$logs/$piece.log" | cut -c 1-100)
    [ $verdict = FAILED ] || [ -z "$skipped" ] || verdict="passed, parts skipped: $skipped"
    results+=("$piece: $verdict ($((SECONDS - began)) s, build/nightly-tests/$piece.log)")
done
echo "---- summary ----"
printf '%s\n' "${results[@]}"
exit $failed
