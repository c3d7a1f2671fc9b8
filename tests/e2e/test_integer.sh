#!/usr/bin/env bash
# The integer engine from end to end: rows of both engines, quantized files as models, quantize, diff.
. "$(dirname "$0")/lib.sh"

cat >both.yaml <<'Y'
name: both
models: [shapes_resnet8]
datasets: [shapes]
images: 120
precision: {W: [8, 4], A: [8, f16], I: [8], O: [8, 32]}
engine: both
Y
expect 0 "9 rows" "$WAIO" list both.yaml --count
# One row that cannot be lowered is a row with its reason, and the night goes on.
expect 1 "4 failed" "$WAIO" run both.yaml --out both.csv
[ "$(column both.csv status | sort | uniq -c | tr -s ' ' | paste -sd ,)" = " 5 ok, 4 unsupported" ] ||
    fail "not 5 rows ok and 4 unsupported: $(column both.csv status | paste -sd ' ')"
column both.csv reason | grep -q 'float16 activations cannot be lowered' || fail "no reason"
column both.csv engine | paste -sd ' ' | grep -qx 'simulate both both both both both both both both' ||
    fail "engines: $(column both.csv engine | paste -sd ' ')"
for name in value simulate_value engines_agree_pct file_bytes; do
    [ "$(column both.csv $name | sed -n 2p)" != "" ] || fail "a row of both engines has no $name"
done
agree=$(column both.csv engines_agree_pct | sed -n 2p)
[ "${agree%.*}" -ge 96 ] || fail "W8A8: the engines agree on $agree % of the images"
expect 1 "9 of 9 rows are there already" "$WAIO" run both.yaml --out both.csv

# Alone, on other threads and batches, in other shards: the same numbers.
sed 's/engine: both/engine: integer/; s/, f16//; s/^name: both/name: alone/' both.yaml >alone.yaml
expect 0 "5 ok" "$WAIO" run alone.yaml --out alone.csv
[ "$(column alone.csv value | paste -sd ' ')" = "$(column both.csv value | grep . | paste -sd ' ')" ] ||
    fail "the integer engine gives other values beside the simulation"
expect 0 "5 ok" "$WAIO" run alone.yaml --out threads.csv --threads 3 --batch 5
same_rows alone.csv threads.csv
expect 0 "5 ok" "$WAIO" run alone.yaml --out unshared.csv --no-share
same_rows alone.csv unshared.csv
expect 0 "5 ok" "$WAIO" run alone.yaml --out ref.csv --backend ref --memory 64M
[ "$(column alone.csv value | paste -sd ' ')" = "$(column ref.csv value | paste -sd ' ')" ] ||
    fail "ref and cpu give other integer results"

# The named rounding is in the row, and another one gives another network.
sed 's/^name: alone/name: single/; s/$/\n/' alone.yaml >single.yaml
echo "requant: single" >>single.yaml
expect 0 "5 ok" "$WAIO" run single.yaml --out single.csv
[ "$(column single.csv requant | sed -n 2p)" = single ] || fail "the row lacks its rounding"

# A quantized file is a model of its own, with the same accuracy as the row that it is of.
expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 data=shapes w=8 a=8 -o net.tflite
cp net.tflite again.tflite
expect 0 "" "$WAIO" quantize shapes_resnet8 data=shapes -o again.tflite --threads 1
cmp -s net.tflite again.tflite || fail "the same network gives other bytes"
[ "$(wc -c <net.tflite)" = "$(column both.csv file_bytes | sed -n 2p)" ] ||
    fail "file_bytes is not what the file has"
cat >file.yaml <<'Y'
name: file
models: [net.tflite]
datasets: [shapes]
images: 120
method: {name: file}
Y
expect 0 "1 ok" "$WAIO" run file.yaml --out file.csv
[ "$(column file.csv value)" = "$(column both.csv value | sed -n 2p)" ] ||
    fail "the file has another accuracy than its row: $(column file.csv value)"
[ "$(column file.csv W),$(column file.csv A),$(column file.csv method)" = 8,8,file ] ||
    fail "the file's row does not say what it is"
[ -z "$(column file.csv float_value)" ] || fail "a float value of a network that has none"
config=$("$WAIO" list file.yaml 2>/dev/null)
# shellcheck disable=SC2086
expect 0 "ok" "$WAIO" eval $config
expect 2 "quantized already" "$WAIO" eval model=net.tflite data=shapes w=8
expect 2 "is a float network" "$WAIO" eval model=shapes_resnet8 data=shapes method=file
echo 'precision: {W: [8], A: [8], I: [8], O: [8]}' >>file.yaml
expect 2 "they keep their own" "$WAIO" list file.yaml

# What cannot be written leaves what is there.
expect 2 "TensorFlow Lite has at most 8" "$WAIO" quantize shapes_resnet8 data=shapes w=16 -o net.tflite
cmp -s net.tflite again.tflite || fail "a failed export has touched the file"
expect 2 ".tflite or .onnx" "$WAIO" quantize shapes_resnet8 data=shapes -o net.h5
expect 2 "data=... is needed" "$WAIO" quantize shapes_resnet8 -o net.tflite
expect 2 "--output FILE is needed" "$WAIO" quantize shapes_resnet8 data=shapes
expect 2 "there are: float, codes" "$WAIO" quantize shapes_resnet8 data=shapes -o x.tflite --ends int
expect 2 "No such file" "$WAIO" quantize shapes_resnet8 data=shapes -o no/where/net.tflite
[ ! -e x.tflite ] || fail "a refused command wrote a file"

# diff: equal where it must be, named where it is not.
expect 0 "no number is more than 0 steps apart" "$WAIO" diff shapes_resnet8 data=shapes \
    --left integer@ref --right integer@cpu --tolerance 0
expect 0 "no number is more than 0 steps apart" "$WAIO" diff shapes_resnet8 data=shapes \
    --left integer --right net.tflite --tolerance 0
expect 1 "the first layer that departs is" "$WAIO" diff shapes_resnet8 data=shapes w=5 \
    --left integer --right net.tflite --tolerance 0
expect 1 "departs first" "$WAIO" diff shapes_resnet8 data=shapes
expect 2 "is no side" "$WAIO" diff shapes_resnet8 data=shapes --left exact
expect 2 "expected a number of steps" "$WAIO" diff shapes_resnet8 data=shapes --tolerance x
expect 2 "nowhere.tflite" "$WAIO" diff shapes_resnet8 data=shapes --right nowhere.tflite
finish
