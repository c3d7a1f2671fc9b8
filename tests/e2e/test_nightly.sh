#!/usr/bin/env bash
# Nights on the embedded data: two that agree, one with a planted regression, which is named; a kill
# in the middle that the next call completes; the budget, the lock; nothing computed is lost.
. "$(dirname "$0")/lib.sh"
export WAIO PYTHONDONTWRITEBYTECODE=1
nightly() { "$WAIO_SOURCE/scripts/nightly.sh" "$@"; }
kept() { find "$1/history" -name '*.csv' ! -name '*.changes.csv' | sort; }

# The tests that are longer than CI: what there is, and what is asked wrongly. (The pieces take hours.)
longer="$WAIO_SOURCE/scripts/nightly_tests.sh"
expect 0 "machine" "$longer" --list
[ "$(wc -l <stdout.txt)" -eq 4 ] || fail "pieces: $(cat stdout.txt)"
while read -r piece; do
    grep -q "^$piece() {" "$longer" || fail "nightly_tests.sh has no $piece"
done <stdout.txt
expect 2 "no piece nope; there are: fuzz" "$longer" nope
expect 2 "expected a whole number" "$longer" --fuzz-seconds 0 fuzz

cat >night.yaml <<'YAML'
name: night
models: [shapes_resnet8, shapes_mobilenet]
datasets: [shapes]
images: 600
precision: {W: [4, 8], A: [8], I: [8, 32], O: [8]}
calibration: {images: 32}
YAML
expect 0 "complete" nightly night.yaml --state s
[ -s s/good.csv ] && [ -s s/latest.html ] && [ ! -e s/running.csv ] || fail "the first night left $(ls s)"
sleep 1.1 # nights are named after the second
expect 0 "10 rows compared, 10 unchanged; 0 regressions" nightly night.yaml --state s
[ "$(kept s | wc -l)" -eq 2 ] || fail "not two nights: $(kept s)"

# A regression is planted: a program whose rows of one configuration are 3 % lower, as a fault in a
# kernel would make them.
cat >faulty <<'SH'
#!/usr/bin/env bash
"$REAL" "$@"
status=$?
[ "$1" = run ] || exit $status
out=""
while [ $# -gt 0 ]; do [ "$1" != --out ] || out=$2; shift; done
at=$(head -n 1 "$out" | tr , '\n' | grep -nx value | cut -d : -f 1)
awk -F, -v OFS=, -v at="$at" '/^model=shapes_mobilenet .* w=8 a=8 i=8 o=8 / { $at -= 3 } 1' "$out" >"$out.x" &&
    cat "$out.x" >"$out" && rm "$out.x"
exit $status
SH
chmod +x faulty
cp s/good.csv before.csv
sleep 1.1
REAL=$WAIO WAIO=$work/faulty expect 3 "1 worse; 1 regression" nightly night.yaml --state s
grep -q "^worse .*model=shapes_mobilenet .* w=8 a=8 i=8 o=8 " stdout.txt || fail "the row is not named"
grep -q "REGRESSION" stdout.txt || fail "no word"
cmp -s before.csv s/good.csv || fail "results with a regression became the good ones"
grep -q "1 regressions" "s/$(readlink s/latest.html)" || fail "the report does not say it"
[ "$(kept s | wc -l)" -eq 3 ] || fail "the night with the regression is not kept"
sleep 1.1
expect 0 "0 regressions" nightly night.yaml --state s
expect 0 "accepted as good" nightly night.yaml --state s --accept

# A kill in the middle, of everything at once as a power cut is; the budget; then a run completes it.
images=2000
! "$WAIO" info | grep -q "Debug build" || images=100 # sanitizers: a row still takes part of a second
cat >long.yaml <<YAML
name: long
models: [shapes_resnet8, shapes_mobilenet]
datasets: [shapes]
images: $images
precision: {W: [4, 5, 6, 8], A: [4, 8], I: [8, 32], O: [8, 32]}
calibration: {images: 64}
YAML
expect 0 "66 ok" "$WAIO" run long.yaml --out calm.csv
setsid "$WAIO_SOURCE/scripts/nightly.sh" long.yaml --state k -- --threads 1 --no-share >/dev/null 2>&1 &
pid=$!
tries=0
until [ "$(wc -l 2>/dev/null <k/running.csv || echo 0)" -ge 4 ] || [ "$tries" -gt 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
expect 4 "another one is running" nightly long.yaml --state k
children=$(ps -o pid= --ppid "$pid")
for child in $children; do kill -9 $(ps -o pid= --ppid "$child") 2>/dev/null; done
kill -9 "$pid" $children 2>/dev/null
wait "$pid" 2>/dev/null
rows=$(($(wc -l <k/running.csv) - 1))
[ "$rows" -ge 3 ] && [ "$rows" -lt 66 ] || fail "the kill came at $rows rows: this tests nothing"
cp k/running.csv cut.csv
expect 130 "call again to go on" nightly long.yaml --state k --budget 3 -- --threads 1 --no-share
later=$(($(wc -l <k/running.csv) - 1))
[ "$later" -gt "$rows" ] && [ "$later" -lt 66 ] || fail "after the budget there are $later rows, $rows before"
[ -z "$(kept k)" ] || fail "an incomplete night is taken for a whole one"
# A signal to the script stops the sweep whole.
"$WAIO_SOURCE/scripts/nightly.sh" long.yaml --state k -- --threads 1 --no-share >term.txt 2>&1 &
pid=$!
sleep 1
kill -TERM "$pid"
wait "$pid"
status=$?
[ "$status" -eq 130 ] || fail "exit $status after SIGTERM: $(tail -n 2 term.txt)"
expect 0 "going on with" nightly long.yaml --state k
same_rows calm.csv "$(kept k)"
same_rows calm.csv k/good.csv
whole=$(wc -l <cut.csv)
cmp -s <(head -n "$((whole - 1))" cut.csv) <(head -n "$((whole - 1))" k/good.csv) || fail "rows from before the kill changed"
echo "killed at $rows rows, cut off by the budget at $later, completed: 66"

# Unfinished rows of another suite of that name are put aside, not lost.
head -n 20 k/good.csv >k/running.csv
cp k/running.csv aside.csv
sed -i 's/W: .4, 5, 6, 8./W: [8]/' long.yaml
expect 3 "do not belong to this night" nightly long.yaml --state k
cmp -s aside.csv k/history/*.unfinished.csv || fail "unfinished rows are lost"
grep -q "missing" stdout.txt || fail "missing rows are not named"

# Failed rows: exit status 1, and not good.
sed 's/shapes_mobilenet/nowhere.h5/' night.yaml >gone.yaml
expect 1 "some rows failed" nightly gone.yaml --state g
[ ! -e g/good.csv ] || fail "failed rows are good"
expect 2 "unknown option" nightly night.yaml --colour
expect 2 "which suite" nightly
expect 2 "--budget soon" nightly night.yaml --budget soon --state s
expect 2 "gone2.yaml" nightly gone2.yaml
WAIO=/nowhere expect 2 "is no program" nightly night.yaml
finish
