#!/usr/bin/env bash
# Figures from results files: none with labels over each other, from 1 to 625 rows; what is left out
# is said; files that are none get a clear word.
. "$(dirname "$0")/lib.sh"

# The distribution's python3 has the distribution's matplotlib, another one may not.
python=""
for candidate in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import matplotlib' 2>/dev/null || python=$candidate
done
[ -n "$python" ] || {
    echo "skipped: no matplotlib (apt-get install python3-matplotlib)"
    exit 77
}
figures() { "$python" "$WAIO_SOURCE/scripts/figures.py" "$@"; }

# made FILE MODELS W A I O [FEEDS]: a results file with the product of the lists, numbers made up.
made() {
    local file=$1 model w a i o feed n=0 drop
    echo "config,dataset,images,model,method,W,A,I,O,first_n,feed,value,float_value,change_pct,compression_pct,status" >"$file"
    for model in $2; do
        echo "model=$model images=0 float,data,10000,$model,float,32,32,32,32,0,,90,90,0,0,ok"
        for feed in ${7:-quantized}; do for w in $3; do for a in $4; do for i in $5; do for o in $6; do
            n=$((n + 1))
            drop=$((600 / w + 400 / a + 300 / i + 200 / o + n % 7)) # tenths of a percent
            echo "model=$model images=0 w=$w a=$a i=$i o=$o $feed,data,10000,$model,ptq,$w,$a,$i,$o,0,$feed,$((90 - drop / 10)).$((drop % 10)),90,$((drop / 9)).$((n % 10)),$((100 - w * 3)).$((o % 10)),ok"
        done; done; done; done; done
    done >>"$file"
}
drawn() { # drawn NAME: all figures of NAME.csv, and no labels that overlap
    expect 0 "$1/size_accuracy.png" figures "$1.csv" --out "$1" --check-labels
    for figure in change_by_precision accuracy_heatmap edge_heatmap size_accuracy; do
        [ "$(head -c 4 "$1/$figure.png" 2>/dev/null | tail -c 3)" = PNG ] || fail "$1: no $figure"
    done
}
all="4 6 8 16 32"
bits="2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"
made one.csv net 4 8 8 8
made five.csv net 8 8 "8 32" "8 32"
made raw.csv "first second" 8 8 "8 32" "8 32" "quantized raw"
made full.csv pretrainedResnet.h5 "$all" "$all" "$all" "$all"
made wide.csv "first second" "$bits" "$bits" 32 "8 32"
made many.csv "resnet50 mobilenet_v1 inception_v3 a_network_with_a_long_name a b c d" "4 8" "4 8" "8 32" "8 32"
[ "$(wc -l <full.csv)" -eq 627 ] || fail "the test made no 625 rows"
for name in one five raw full wide many; do drawn $name; done
drawn full
grep -q "change_by_precision: .* of 625 rows: W = A" stderr.txt || fail "no word on which bars are shown"
expect 0 "one/change_by_precision.svg" figures one.csv --out one --format svg --format pdf
[ -s one/size_accuracy.pdf ] || fail "no pdf"
expect 0 "accuracy_heatmap: Accuracy" figures --list
expect 0 "only/size_accuracy.png" figures full.csv --out only --only size_accuracy
[ "$(ls only)" = size_accuracy.png ] || fail "--only draws more: $(ls only)"

# From waio's own file; what is left out is said.
expect 0 "16 ok" "$WAIO" run "$WAIO_SOURCE/suites/smoke.yaml" --out smoke.csv
expect 1 "left out: 16 of 16 rows, a part of the test set" figures smoke.csv --out none
grep -q "no row is left to draw" stderr.txt || fail "no word that nothing is left"
[ ! -e none ] || fail "a folder for no figures"
expect 0 "size_accuracy.png" figures smoke.csv --out smoke --partial --check-labels
expect 0 "" "$WAIO" quantize shapes_resnet8 data=shapes -o net.tflite
printf 'name: file\nmodels: [net.tflite]\ndatasets: [shapes]\nimages: 50\nmethod: {name: file}\n' >file.yaml
expect 0 "1 ok" "$WAIO" run file.yaml --out file.csv
expect 1 "left out: 1 of 1 rows, networks that came quantized" figures file.csv --out none --partial
sed '3s/,ok$/,mistrusted/; 4s/,ok$/,failed/; 4s/,[0-9.]*,90,[0-9.]*,[0-9.]*,/,,,,,/' five.csv >bad.csv
expect 0 "left out: 1 of 5 rows, status mistrusted" figures bad.csv --out bad
grep -q "left out: 1 of 5 rows, status failed" stderr.txt || fail "no word on the failed row"
expect 0 "left out: 5 of 10 rows, given twice" figures five.csv five.csv --out bad

# Files that are none.
: >empty.csv
expect 1 "empty.csv: the file is empty" figures empty.csv
head -n 1 five.csv >header.csv
expect 1 "header.csv: no rows" figures header.csv
cut -d , -f 1-13,15- five.csv >column.csv
expect 1 "column.csv: not a results file: no column change_pct" figures column.csv
sed '3s/,90,/,ninety,/' five.csv >number.csv
expect 1 'number.csv:3: column float_value: "ninety" is not a number' figures number.csv
sed '3s/,ptq,8,/,ptq,33,/' five.csv >bits.csv
expect 1 'bits.csv:3: column W: "33" is not a precision' figures bits.csv
head -c -20 five.csv >cut.csv
expect 1 "cut.csv:6: a row of another length" figures cut.csv
expect 1 "not a results file" figures "$WAIO_BUILD/data/shapes-batches-bin/test_batch.bin"
expect 1 "gone.csv: No such file" figures gone.csv
expect 1 "no results file given" figures
expect 1 "five.csv/x: Not a directory" figures five.csv --out five.csv/x
grep -q Traceback stderr.txt && fail "a Python traceback"
finish
