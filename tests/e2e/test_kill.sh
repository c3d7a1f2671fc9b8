#!/usr/bin/env bash
# A sweep that is killed at 20 random moments and started again gives the rows of an undisturbed one;
# an interrupt ends it in 130; an interrupted --retry loses nothing.
. "$(dirname "$0")/lib.sh"

cat >kill.yaml <<'YAML'
name: kill
models: [shapes_resnet8, shapes_mobilenet]
datasets: [shapes]
images: 300
precision: {W: [4, 6, 8], A: [4, 8], I: [8, 32], O: [8, 32]}
calibration: {images: 64}
YAML
started=$(date +%s%N)
expect 0 "50 ok" "$WAIO" run kill.yaml --out calm.csv
lasts=$((($(date +%s%N) - started) / 1000000)) # milliseconds

# Runs until a random part of the undisturbed run's time has gone by.
RANDOM=4711
kills=0
middle=0 # kills that left a sweep half done
round=0
: >wild.csv
while [ "$kills" -lt 20 ] && [ "$round" -lt 200 ]; do
    round=$((round + 1))
    cp wild.csv before.csv
    "$WAIO" run kill.yaml --out wild.csv >/dev/null 2>&1 &
    pid=$!
    wait_ms=$((lasts * (RANDOM % 45 + 1) / 100))
    sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
    kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null
    # What was there is there still; a last line without its end is the only thing to go.
    whole=$(wc -l <before.csv)
    cmp -s <(head -n "$whole" before.csv) <(head -n "$whole" wild.csv) ||
        fail "kill $kills: rows from before it are gone or changed"
    rows=$(wc -l <wild.csv)
    [ "$rows" -gt 1 ] && [ "$rows" -lt 51 ] && middle=$((middle + 1))
    if [ "$rows" -ge 51 ]; then # all rows are there: from the start, so that kills hit a run
        same_rows calm.csv wild.csv
        : >wild.csv
    fi
done
[ "$kills" -eq 20 ] || fail "only $kills of $round runs were killed: they end before"
[ "$middle" -ge 5 ] || fail "only $middle of 20 kills left a sweep half done: this tests nothing"
expect 0 "50 ok" "$WAIO" run kill.yaml --out wild.csv
same_rows calm.csv wild.csv
echo "20 kills, $middle of them in the middle of a sweep"

# interrupted SIGNAL: sent when the first rows are there; 130, and what was written stays.
interrupted() {
    rm -f slow.csv
    "$WAIO" run kill.yaml --out slow.csv --threads 1 --no-share >/dev/null 2>stderr.txt &
    local pid=$! status tries=0
    until [ "$(wc -l 2>/dev/null <slow.csv || echo 0)" -ge 3 ] || [ "$tries" -gt 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill "-$1" "$pid"
    wait "$pid"
    status=$?
    [ "$status" -eq 130 ] || fail "exit $status after SIG$1, expected 130: $(cat stderr.txt)"
    grep -q "interrupted" stderr.txt || fail "no word about the interrupt: $(cat stderr.txt)"
    [ "$(wc -l <slow.csv)" -lt 51 ] || fail "SIG$1 came when all was done: this tests nothing"
    cp slow.csv before.csv
    expect 0 "50 ok" "$WAIO" run kill.yaml --out slow.csv
    head -c "$(wc -c <before.csv)" slow.csv | cmp -s - before.csv ||
        fail "rows from before SIG$1 changed"
    same_rows calm.csv slow.csv
}
interrupted INT
interrupted TERM

# --retry takes failed rows out of the file; stopped there, the next run puts them in their place.
sed '5,40s/,ok,,/,failed,"made up, for this test",/' calm.csv >retry.csv
[ "$(grep -c ',failed,' retry.csv)" -eq 36 ] || fail "the test could not make failed rows"
expect 1 "36 failed" "$WAIO" run kill.yaml --out retry.csv
"$WAIO" run kill.yaml --out retry.csv --retry --threads 1 --no-share >/dev/null 2>&1 &
pid=$!
sleep 0.5
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
[ "$(grep -c '^model=' retry.csv)" -ge 14 ] || fail "a killed --retry lost good rows"
expect 0 "50 ok" "$WAIO" run kill.yaml --out retry.csv --retry
same_rows calm.csv retry.csv
finish
