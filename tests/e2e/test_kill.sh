#!/usr/bin/env bash
# A sweep that is killed at 20 random moments and started again gives the rows of an undisturbed one.
. "$(dirname "$0")/lib.sh"

cat >kill.yaml <<'YAML'
name: kill
models: [shapes_resnet8, shapes_mobilenet]
datasets: [shapes]
images: 600
precision: {W: [4, 6, 8], A: [4, 8], I: [8, 32], O: [8, 32]}
calibration: {images: 64}
YAML
"$WAIO" run kill.yaml --out calm.csv >/dev/null 2>&1 || fail "the undisturbed run"

RANDOM=4711
kills=0
finished=0
while [ "$kills" -lt 20 ]; do
    "$WAIO" run kill.yaml --out wild.csv >/dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $((RANDOM % 400)))"
    if kill -9 "$pid" 2>/dev/null; then
        kills=$((kills + 1))
    fi
    wait "$pid" 2>/dev/null
    # A run that was through before the signal came starts over, so that every kill hits a run.
    if [ "$(wc -l <wild.csv)" -ge "$(wc -l <calm.csv)" ]; then
        finished=$((finished + 1))
        same_rows calm.csv wild.csv
        rm wild.csv
    fi
done
"$WAIO" run kill.yaml --out wild.csv >/dev/null 2>&1 || fail "the run after the last kill"
same_rows calm.csv wild.csv
echo "20 kills, $finished of them at the end of a run"

# An interrupt ends in 130 and can be resumed; what was written stays.
"$WAIO" run kill.yaml --out slow.csv --threads 1 --no-share >/dev/null 2>stderr.txt &
pid=$!
sleep 0.7
kill -INT "$pid"
wait "$pid"
status=$?
[ "$status" -eq 130 ] || fail "exit $status after an interrupt, expected 130: $(cat stderr.txt)"
cp slow.csv before.csv
"$WAIO" run kill.yaml --out slow.csv >/dev/null 2>&1 || fail "the run after the interrupt"
head -c "$(wc -c <before.csv)" slow.csv | cmp -s - before.csv || fail "rows from before the interrupt changed"
same_rows calm.csv slow.csv
finish
