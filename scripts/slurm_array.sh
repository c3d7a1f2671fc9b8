#!/usr/bin/env bash
# Runs a suite on a Slurm cluster: an array of N tasks, a shard each, then a job that merges them into
# the file that one run would write. Call it on a machine that has sbatch, in a folder that all nodes
# see; the program, the suite and the data must be seen there too.
#
#   slurm_array.sh SUITE N OUT.csv [-- OPTIONS OF waio run]
#
# Environment: WAIO (the program) [build/release/bin/waio], WAIO_DATA, WAIO_MODELS; options of sbatch
# through SBATCH_* (SBATCH_PARTITION=..., SBATCH_TIMELIMIT=...) or WAIO_SBATCH ("--gres=gpu:1
# --cpus-per-task=8"). Prints the ids of both jobs. A task that was cut off goes on when it is
# requeued, and when this is called again with the same words: rows that are there stay.
set -euo pipefail

if [ "${1:-}" = task ]; then # on a node
    shift
    waio=$1 suite=$2 shards=$3 out=$4
    shift 4
    exec "$waio" run "$suite" --shard "$SLURM_ARRAY_TASK_ID/$shards" --out "$out" --quiet "$@"
fi
if [ "${1:-}" = merge ]; then
    waio=$2 suite=$3 shards=$4 out=$5
    exec "$waio" run "$suite" --merge "$shards" --out "$out"
fi

fail() {
    printf 'slurm_array.sh: %s\n' "$*" >&2
    exit 2
}
case ${1:-} in
"" | -h | --help)
    sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'
    [ $# -gt 0 ] && exit 0 || exit 2
    ;;
esac
[ $# -ge 3 ] || fail "expected SUITE N OUT.csv (--help explains)"
suite=$(realpath "$1") shards=$2 out=$(realpath -m "$3")
shift 3
[ "${1:-}" != -- ] || shift
[[ $shards =~ ^[1-9][0-9]{0,3}$ ]] || fail "$shards: expected a number of shards from 1 to 9999"
[ ! -s "$out" ] || fail "$out is there already; move it away, or write elsewhere"
self=$(realpath "$0")
waio=$(realpath "${WAIO:-$(dirname "$self")/../build/release/bin/waio}")
[ -x "$waio" ] || fail "$waio is no program; build it, or name it in WAIO"
command -v sbatch >/dev/null || fail "no sbatch here: this needs Slurm"
"$waio" list "$suite" --count >/dev/null || exit 2
mkdir -p "$(dirname "$out")"

read -ra more <<<"${WAIO_SBATCH:-}"
common=(--parsable --requeue --job-name "waio-$(basename "$suite" .yaml)" ${more[@]+"${more[@]}"})
array=$(sbatch "${common[@]}" --array "1-$shards" --output "${out%.csv}.task-%a.log" \
    "$self" task "$waio" "$suite" "$shards" "$out" "$@")
array=${array%%;*}
# afterany, so that failed rows are merged too; a shard that is not complete is an error of the merge.
merge=$(sbatch "${common[@]}" --dependency "afterany:$array" --output "${out%.csv}.merge.log" \
    "$self" merge "$waio" "$suite" "$shards" "$out")
echo "array $array, merge ${merge%%;*}: $out"
