#!/usr/bin/env bash
# A sweep from end to end: rows, order, resume, threads, batches, sharing, memory, shards.
. "$(dirname "$0")/lib.sh"
suite=$WAIO_SOURCE/suites/smoke.yaml

expect 0 "16 rows" "$WAIO" list "$suite" --count
expect 0 "16 ok" "$WAIO" run "$suite" --out a.csv
[ "$(wc -l <a.csv)" -eq 17 ] || fail "a.csv has $(wc -l <a.csv) lines, expected a header and 16 rows"
"$WAIO" info --columns >columns.txt
sed -n '/^| column |/,/^$/p' "$WAIO_SOURCE/results/README.md" | sed '/^$/d' | cmp -s - columns.txt ||
    fail "results/README.md does not have the table of waio info --columns"
<columns.txt sed -n 's/^| `\([^`]*\)`.*/\1/p' | paste -sd , >header.txt
head -n 1 a.csv | cmp -s - header.txt || fail "the header is not what waio info --columns documents"
sed -n 2p a.csv | grep -q 'method=float w=32 a=32 i=32 o=32' ||
    fail "the first row is not the float network"
"$WAIO" list "$suite" 2>/dev/null >plan.txt
column a.csv config | cmp -s - plan.txt || fail "rows are not those of waio list, in its order"
[ "$(column a.csv value | sort -u | wc -l)" -gt 3 ] || fail "hardly any row differs from another"
[ "$(column a.csv images | sort -u)" = 200 ] || fail "not all rows have the suite's 200 images"

# The number of rows in the first comment of every suite is the one that waio counts.
for file in "$WAIO_SOURCE"/suites/*.yaml; do
    rows=$("$WAIO" list "$file" --count | sed 's/ rows.*//')
    sed -n '/^#/!q;p' "$file" | tr -d '#' | tr '\n' ' ' | tr -s ' ' | grep -qF " $rows rows" ||
        fail "${file##*/} does not say that it gives $rows rows"
done

# A second run computes nothing and changes nothing.
cp a.csv before.csv
touch -d 2001-01-01 a.csv
expect 0 "16 of 16 rows are there already" "$WAIO" run "$suite" --out a.csv
[ ! -s stdout.txt ] || fail "a second run computed rows: $(cat stdout.txt)"
cmp -s a.csv before.csv || fail "a second run changed the file"
[ "$(date -r a.csv +%Y)" = 2001 ] || fail "a second run wrote the file"

# A row that eval gives is the row of the sweep.
config=$(sed -n 5p plan.txt)
# shellcheck disable=SC2086
expect 0 "no more levels than their bits allow" "$WAIO" eval $config --verify
value=$(printf '%.2f' "$(column a.csv value | sed -n 5p)")
grep -q " $value " stdout.txt || fail "eval does not give the sweep's $value: $(cat stdout.txt)"

# Results do not depend on threads, batches, sharing, shards or where a run was stopped.
for threads in 1 2 5; do
    expect 0 "16 ok" "$WAIO" run "$suite" --out threads.csv --threads $threads
    same_rows a.csv threads.csv
    rm threads.csv
done
for batch in 1 7; do
    expect 0 "16 ok" "$WAIO" run "$suite" --out batch.csv --batch $batch
    same_rows a.csv batch.csv
    rm batch.csv
done
expect 0 "16 ok" "$WAIO" run "$suite" --out alone.csv --no-share
same_rows a.csv alone.csv
expect 0 "16 ok" "$WAIO" run "$suite" --out tight.csv --memory 64M
same_rows a.csv tight.csv

for shard in 3 1 2; do
    expect 0 "ok" "$WAIO" run "$suite" --out part.csv --shard $shard/3
    [ -s part.shard-$shard-of-3.csv ] || fail "no part.shard-$shard-of-3.csv"
done
[ ! -e part.csv ] || fail "a shard wrote the file of the whole run"
[ "$(cat part.shard-?-of-3.csv | grep -c ^model=)" -eq 16 ] || fail "the shards do not have 16 rows"
expect 0 "16 ok" "$WAIO" run "$suite" --out part.csv --merge 3
same_rows a.csv part.csv
expect 2 "part.csv has rows already" "$WAIO" run "$suite" --out part.csv --merge 3
rm part.csv
cp part.shard-2-of-3.csv kept.csv
sed -i '$d' part.shard-2-of-3.csv
expect 2 "1 of 16 rows are in none of the 3 shard files" "$WAIO" run "$suite" --out part.csv --merge 3
[ ! -e part.csv ] || fail "an incomplete merge wrote part.csv"
sed "s/,$(column a.csv model_sha256 | head -n 1),/,$(printf '0%.0s' {1..64}),/" kept.csv >part.shard-2-of-3.csv
expect 2 "another model file" "$WAIO" run "$suite" --out part.csv --merge 3
sed 's/,cpu,/,ref,/' kept.csv >part.shard-2-of-3.csv
expect 2 "another backend" "$WAIO" run "$suite" --out part.csv --merge 3
sed 's/,smoke,/,mist,/' kept.csv >part.shard-2-of-3.csv
expect 2 'a row of suite "mist"' "$WAIO" run "$suite" --out part.csv --merge 3
rm part.shard-2-of-3.csv
expect 2 "part.shard-2-of-3.csv" "$WAIO" run "$suite" --out part.csv --merge 3
[ ! -e part.csv ] || fail "a refused merge wrote part.csv"

head -n 8 a.csv >half.csv
expect 0 "7 of 16 rows are there already" "$WAIO" run "$suite" --out half.csv
same_rows a.csv half.csv
head -n 8 half.csv | cut -d , -f 1 | cmp -s - <(head -n 8 a.csv | cut -d , -f 1) ||
    fail "a resumed run changed rows"
head -c -25 a.csv >cut.csv
expect 0 "the last row is incomplete" "$WAIO" run "$suite" --out cut.csv
same_rows a.csv cut.csv
# A row that is missing in the middle comes back in its place.
sed 5d a.csv >gap.csv
expect 0 "15 of 16 rows are there already" "$WAIO" run "$suite" --out gap.csv
same_rows a.csv gap.csv

# The default place of results.
mkdir there
(cd there && "$WAIO" run "$suite" >/dev/null 2>&1)
[ -s there/results/smoke.csv ] && same_rows a.csv there/results/smoke.csv ||
    fail "no results/smoke.csv by default"
finish
