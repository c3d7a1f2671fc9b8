#!/usr/bin/env bash
# A sweep from end to end: rows, order, resume, threads, sharing, shards.
. "$(dirname "$0")/lib.sh"
suite=$WAIO_SOURCE/suites/smoke.yaml

expect 0 "16 rows" "$WAIO" list "$suite" --count
expect 0 "16 ok" "$WAIO" run "$suite" --out a.csv
[ "$(wc -l <a.csv)" -eq 17 ] || fail "a.csv has $(wc -l <a.csv) lines, expected a header and 16 rows"
head -1 a.csv | grep -q '^config,suite,task,dataset,split,images,data_sha256,model,model_sha256,' ||
    fail "the header is not the documented one"
sed -n 2p a.csv | grep -q 'method=float w=32 a=32 i=32 o=32' || fail "the first row is not the float network"
expect 0 "shapes_resnet8" cat a.csv
"$WAIO" list "$suite" 2>/dev/null >plan.txt
python3 -c "
import csv
rows = [r['config'] for r in csv.DictReader(open('a.csv', newline=''))]
plan = open('plan.txt').read().split('\n')[:-1]
assert rows == plan, 'rows are not those of waio list, in its order'
" || fail "rows and waio list differ"

# A second run computes nothing and changes nothing.
cp a.csv before.csv
expect 0 "16 of 16 rows are there already" "$WAIO" run "$suite" --out a.csv
cmp -s a.csv before.csv || fail "a second run changed the file"

# A row that eval gives is the row of the sweep.
config=$(sed -n 5p plan.txt)
# shellcheck disable=SC2086
"$WAIO" eval $config --verify >eval.txt 2>/dev/null || fail "eval of a listed configuration fails"
value=$(python3 -c "
import csv
print('%.2f' % float(list(csv.DictReader(open('a.csv', newline='')))[4]['value']))")
grep -q " $value " eval.txt || fail "eval does not give the sweep's $value: $(cat eval.txt)"
grep -q "no more levels than their bits allow" eval.txt || fail "--verify says nothing"

# Results do not depend on threads, sharing, shards or where a run was stopped.
expect 0 "16 ok" "$WAIO" run "$suite" --out threads.csv --threads 3
same_rows a.csv threads.csv
expect 0 "16 ok" "$WAIO" run "$suite" --out alone.csv --no-share
same_rows a.csv alone.csv
for shard in 3 1 2; do
    "$WAIO" run "$suite" --out part.csv --shard $shard/3 >/dev/null 2>&1 || fail "shard $shard/3"
done
[ ! -e part.csv ] || fail "a shard wrote the file of the whole run"
expect 0 "16 ok" "$WAIO" run "$suite" --out part.csv --merge 3
same_rows a.csv part.csv
expect 2 "part.csv has rows already" "$WAIO" run "$suite" --out part.csv --merge 3
rm part.csv part.shard-2-of-3.csv
expect 2 "part.shard-2-of-3.csv" "$WAIO" run "$suite" --out part.csv --merge 3
head -8 a.csv >half.csv
expect 0 "7 of 16 rows are there already" "$WAIO" run "$suite" --out half.csv
same_rows a.csv half.csv
head -c -25 a.csv >cut.csv
expect 0 "the last row is incomplete" "$WAIO" run "$suite" --out cut.csv
same_rows a.csv cut.csv

# The default place of results, and figures from them.
mkdir -p there && (cd there && "$WAIO" run "$suite" >/dev/null 2>&1) && [ -s there/results/smoke.csv ] ||
    fail "no results/smoke.csv by default"
if python3 -c 'import matplotlib' 2>/dev/null; then
    expect 0 "accuracy_heatmap.png" python3 "$WAIO_SOURCE/scripts/figures.py" a.csv --out figures
    [ -s figures/change_by_precision.png ] && [ -s figures/size_accuracy.png ] || fail "a figure is missing"
    expect 1 "not a results file" python3 "$WAIO_SOURCE/scripts/figures.py" plan.txt --out figures
fi
finish
