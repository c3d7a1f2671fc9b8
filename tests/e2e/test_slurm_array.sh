#!/usr/bin/env bash
# What slurm_array.sh submits, run here: an sbatch that takes its options apart and runs each task of
# the array, and the merge behind it, in Slurm's environment. Two shards merge to the rows of one run.
# (docs/nightly.md has the same on a real Slurm.)
. "$(dirname "$0")/lib.sh"
mkdir bin
cat >bin/sbatch <<'SH'
#!/usr/bin/env bash
set -eu
echo "$*" >>"$SUBMITTED"
first=0 last=0
while [ $# -gt 0 ]; do
    case $1 in
    --parsable | --requeue) ;;
    --job-name | --output | --dependency) shift ;;
    --array) first=${2%-*} last=${2#*-}; shift ;;
    --comment=*) ;;
    *) break ;;
    esac
    shift
done
cp "$1" spooled # Slurm runs a copy
shift
for ((i = first; i <= last; i++)); do
    SLURM_ARRAY_TASK_ID=$i bash ./spooled "$@" >>log.txt 2>&1 || echo "task $i: $?" >>log.txt
done
echo "$((last + 40));cluster"
SH
chmod +x bin/sbatch
export SUBMITTED=$work/submitted.txt WAIO WAIO_SBATCH="--comment=a"
slurm() { PATH="$work/bin:$PATH" "$WAIO_SOURCE/scripts/slurm_array.sh" "$@"; }

cp "$WAIO_SOURCE/suites/smoke.yaml" .
expect 0 "16 ok" "$WAIO" run smoke.yaml --out one.csv
expect 0 "array 42, merge 40: $work/out/two.csv" slurm smoke.yaml 2 out/two.csv -- --threads 1
same_rows one.csv out/two.csv
grep -q -- "--array 1-2" submitted.txt || fail "no array of two: $(cat submitted.txt)"
grep -q -- "--dependency afterany:42 " submitted.txt || fail "the merge does not wait for the array"
grep -q -- "--comment=a" submitted.txt || fail "WAIO_SBATCH is not passed on"
expect 2 "is there already" slurm smoke.yaml 2 out/two.csv
expect 2 "expected a number of shards" slurm smoke.yaml two x.csv
expect 2 "expected SUITE N OUT.csv" slurm smoke.yaml 2
expect 2 "gone.yaml" slurm gone.yaml 2 x.csv
WAIO=/nowhere expect 2 "is no program" slurm smoke.yaml 2 x.csv
expect 2 "no sbatch here" env PATH=/usr/bin:/bin bash -c "command -v sbatch >/dev/null && { echo 'no sbatch here (skipped: there is one)' >&2; exit 2; }; exec '$WAIO_SOURCE/scripts/slurm_array.sh' smoke.yaml 2 x.csv"
finish
