#!/usr/bin/env bash
# The thesis's figures and tables: bars as high as the printed numbers, the same figures from own
# rows and from both; layers and distributions; all without labels over each other.
. "$(dirname "$0")/lib.sh"
here=$WAIO_SOURCE/tests/figures

python=""
for candidate in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import matplotlib' 2>/dev/null || python=$candidate
done
[ -n "$python" ] || {
    echo "skipped: no matplotlib (apt-get install python3-matplotlib)"
    exit 77
}
figures() { "$python" "$WAIO_SOURCE/scripts/figures.py" "$@"; }
published=$WAIO_SOURCE/results/thesis/published.csv
export PYTHONDONTWRITEBYTECODE=1

expect 0 " 0 failed" "$python" "$here/check_thesis.py" "$WAIO_SOURCE"
cat stdout.txt
expect 0 "" figures "$published" --out pub --check-labels --format svg --format pdf --format png
for n in 1_1 1_2 1_3 1_4 1_5 1_6 1_7 2_1; do
    for kind in svg pdf png; do
        [ -s "pub/thesis_4_${n}_published.$kind" ] || fail "no figure 4_$n as $kind"
    done
done
[ "$(grep -c '^## Table' pub/tables_published.md)" -eq 9 ] || fail "not nine tables"
[ "$(grep -c 'end{tabular}' pub/tables_published.tex)" -eq 9 ] || fail "not nine LaTeX tables"

# Own rows: every figure that waio's methods answer, and beside the published one.
cat >own.yaml <<'YAML'
name: own
models: [shapes_resnet8, shapes_mobilenet]
datasets: [shapes]
images: 200
precision: {W: [f16, 8], A: [32, 8], I: [f16, 32, 8], O: [f16, 32, 8]}
calibration: {images: 32}
YAML
sed 's/^name: .*/name: raw/; s/^precision.*/precision: {W: [8], A: [8], I: [8], O: [8, 32]}/; $a feed: raw' own.yaml >raw.yaml
sed 's/^name: .*/name: dfq/; s/^precision.*/method: {name: squant}\nprecision: {W: [8, 6, 4], A: [8, 6, 4], I: [8, 32], O: [8, 6, 4]}/' own.yaml >dfq.yaml
for suite in own raw dfq; do
    expect 0 " 0 failed" "$WAIO" run $suite.yaml --out $suite.csv
done
expect 0 "" figures own.csv raw.csv dfq.csv "$published" --partial --out own --check-labels
for n in 1_1 1_4 1_6 1_7; do
    [ -s own/thesis_4_$n.png ] && [ -s own/thesis_4_${n}_both.png ] || fail "no own figure 4_$n"
done
for n in 1_2 1_3 1_5; do
    [ ! -e own/thesis_4_$n.png ] || fail "a figure 4_$n of rows that are not there"
    grep -q "thesis_4_$n: no rows of method" stderr.txt || fail "no word that 4_$n is left out"
done
grep -q "(raw feed)\|8/8/8/8" own/tables_waio.md || fail "no table of own rows"
expect 0 "own1/thesis_4_1_4.png" figures own.csv raw.csv --partial --out own1 --only thesis_4_1_4
[ "$(ls own1)" = thesis_4_1_4.png ] || fail "--only draws more: $(ls own1)"

# Layers: what waio sensitivity writes, also with columns missing and with empty fields.
{
    echo "layer,index,rmse_over_scale,sqnr_db,value_only,value_all_but"
    for i in 1 2 3 4 5 6 7 8 9; do echo "model/a_long_layer_name_$i/Conv2D,$i,0.$i,$((30 + i)),9$i.5,"; done
} >layers.csv
expect 0 "layers/layer_sensitivity.png" figures layers.csv --out layers --check-labels
cut -d , -f 1-3 layers.csv >few.csv
expect 0 "layers/layer_sensitivity.png" figures few.csv --out layers --check-labels
expect 0 "no column with numbers" figures <(cut -d , -f 1-2 layers.csv) --out layers
cut -c 1-40 layers.csv | sed 5d >cut.csv
expect 1 "cut.csv:2: a row of another length" figures cut.csv --out none

# Distributions of the network's weights, and of activations on images.
expect 0 "" "$WAIO" show shapes_resnet8 --distributions weights.csv
grep -q ",activations," weights.csv && fail "activations without data"
expect 0 "" "$WAIO" show shapes_resnet8 --distributions all.csv --dataset shapes
grep -q ",activations," all.csv || fail "no activations"
total() { awk -F, -v t="$1" -v k="$2" '$1 == t && $2 == k { n += $6 } END { print n + 0 }' all.csv; }
[ "$(total conv2d weights)" -eq 432 ] || fail "conv2d has 432 weights, counted $(total conv2d weights)"
[ "$(total image activations)" -eq $((256 * 3072)) ] || fail "256 images of 3072 bytes, counted $(total image activations)"
expect 2 "--range noise looks at no image" "$WAIO" show shapes_resnet8 --distributions no.csv --dataset shapes --range noise
expect 2 "nowhere" "$WAIO" show shapes_resnet8 --distributions no.csv --dataset nowhere
[ ! -e no.csv ] || fail "a file after a failure"
expect 0 "d/distributions.png" figures all.csv --out d --check-labels
grep -q "tensors, evenly" stderr.txt && fail "a small network is shown in part"
sed '3s/,41.94,/,much,/' "$published" >broken.csv
expect 1 'broken.csv:3: column value: "much" is not a number' figures broken.csv
grep -q Traceback stderr.txt && fail "a Python traceback"
finish
