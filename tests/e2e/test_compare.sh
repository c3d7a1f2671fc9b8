#!/usr/bin/env bash
# waio compare on real sweeps: nothing moved, a planted drop, an integer row that moved in its last
# digits; exit status and CSV. And the published numbers are as they were given.
. "$(dirname "$0")/lib.sh"

cat >both.yaml <<'YAML'
name: both
models: [shapes_resnet8]
datasets: [shapes]
images: 300
precision: {W: [4, 8], A: [8], I: [8, 32], O: [8]}
calibration: {images: 32}
YAML
sed 's/^name: .*/name: codes/; /^precision/s/I: .*/I: [8], O: [8]}/; $a engine: integer' both.yaml >codes.yaml
expect 0 "5 ok" "$WAIO" run both.yaml --out old.csv
expect 0 "5 ok" "$WAIO" run both.yaml --out new.csv --threads 1 --no-share
expect 0 "5 rows compared, 5 unchanged; 0 regressions" "$WAIO" compare old.csv new.csv
[ ! -s stdout.txt ] || fail "a table although nothing moved"
expect 0 "3 ok" "$WAIO" run codes.yaml --out codes.csv

# replaced FILE LINE COLUMN VALUE: the file with that field changed.
replaced() {
    local at
    at=$(place "$1" "$3")
    awk -F, -v OFS=, -v line="$2" -v at="$at" -v value="$4" 'NR == line { $at = value } 1' "$1"
}
replaced old.csv 3 value 60 >drop.csv
expect 3 "5 rows compared, 4 unchanged, 1 worse; 1 regression" "$WAIO" compare old.csv drop.csv
name=$(sed -n 3p old.csv | cut -d , -f 1)
grep -qF -- "$name" stdout.txt || fail "the row that moved is not named"
expect 3 "1 better" "$WAIO" compare drop.csv old.csv
expect 0 "1 better; 0 regressions" "$WAIO" compare drop.csv old.csv --drops-only
expect 0 "" "$WAIO" compare old.csv drop.csv --factor 1000
expect 3 "worse,1,$name," "$WAIO" compare old.csv drop.csv --csv
value=$(sed -n 3p codes.csv | cut -d , -f "$(place codes.csv value)")
replaced codes.csv 3 value "$value"1 >digit.csv
cmp -s codes.csv digit.csv && fail "nothing planted in the integer row"
[ "${value%.*}" != "$value" ] || replaced codes.csv 3 value "$value.01" >digit.csv
expect 3 "1 integer; 1 regression" "$WAIO" compare codes.csv digit.csv --factor 1000
sed 4d old.csv >less.csv
expect 3 "1 missing; 1 regression" "$WAIO" compare old.csv less.csv
expect 0 "1 new; 0 regressions" "$WAIO" compare less.csv old.csv
replaced old.csv 3 images_per_s 1 >slow.csv
expect 0 "0 regressions" "$WAIO" compare old.csv slow.csv
expect 3 "1 slower" "$WAIO" compare old.csv slow.csv --speed-ratio 3
cut -d , -f 2- old.csv >none.csv
expect 2 "none.csv:1: not a results file: no column \"config\"" "$WAIO" compare old.csv none.csv
expect 2 "gone.csv" "$WAIO" compare old.csv gone.csv
expect 2 "--factor -1" "$WAIO" compare old.csv new.csv --factor -1
expect 2 "--speed-ratio 0.5" "$WAIO" compare old.csv new.csv --speed-ratio 0.5
expect 2 "an argument is missing" "$WAIO" compare old.csv

published=$WAIO_SOURCE/results/thesis/published.csv
expect 2 "no column \"config\"" "$WAIO" compare old.csv "$published"

# The published numbers, as given: the digest of its README, and rows and sums a table.
sha256sum "$published" | cut -d ' ' -f 1 >digest.txt
grep -qF -f digest.txt "$WAIO_SOURCE/results/thesis/README.md" || fail "published.csv is not as it was given"
awk -F, 'NR > 1 { n[$1]++; sum[$1] += $16; mb[$1] += $17 }
    END { for (t in n) printf "%s %d %.2f %.1f\n", t, n[t], sum[t], mb[t] }' "$published" | sort >sums.txt
cat >expected.txt <<'TXT'
4.1.1 12 904.06 2100.0
4.1.2 12 475.42 1892.0
4.1.3 18 913.57 0.0
4.1.4 30 1296.37 0.0
4.1.6 5 58.93 0.0
4.1.7 24 1842.89 0.0
4.1.8 24 2147.14 0.0
4.2.1 3 106.68 34.4
4.2.2 6 221.67 0.0
TXT
cmp -s sums.txt expected.txt || fail "the tables add up differently: $(diff sums.txt expected.txt)"
finish
