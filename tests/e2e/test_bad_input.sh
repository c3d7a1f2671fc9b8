#!/usr/bin/env bash
# Bad input, each with its message and exit status; nothing crashes, nothing that is there changes.
. "$(dirname "$0")/lib.sh"
shapes=$WAIO_BUILD/data/shapes-batches-bin
models=$WAIO_SOURCE/datasets/shapes/models

good='{W: [8], A: [8], I: [8], O: [8]}'
suite() { # suite NAME PRECISION [LINE...]: a suite of one model on shapes
    local name=$1 precision=$2
    shift 2
    printf 'name: %s\nmodels: [%s]\ndatasets: [shapes]\nimages: 50\nprecision: %s\n' "$name" \
        "${model:-shapes_resnet8}" "$precision" >"$name.yaml"
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$name.yaml"
}
data() { # data NAME: a copy of the data set to break, under NAME/
    mkdir -p "$1/shapes-batches-bin"
    head -c $((3073 * 100)) "$shapes/test_batch.bin" >"$1/shapes-batches-bin/test_batch.bin"
    head -c $((3073 * 100)) "$shapes/data_batch_1.bin" >"$1/shapes-batches-bin/data_batch_1.bin"
    cp "$shapes/batches.meta.txt" "$1/shapes-batches-bin/"
}
eval_on_shapes() { # eval_on_shapes MODEL [KEY=VALUE...]
    local model=$1
    shift
    "$WAIO" eval "model=$model" data=shapes images=50 "$@"
}

# ---- an ONNX file from its parts: GlobalAveragePool, Flatten, MatMul --------------------------------
# Everything is hexadecimal until the file is written. A field is a tag, a length and the content.
varint() {
    local n=$1
    while [ "$n" -gt 127 ]; do
        printf '%02x' $((n % 128 + 128))
        n=$((n / 128))
    done
    printf '%02x' "$n"
}
text() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
field() { printf %s "$1" && varint $((${#2} / 2)) && printf %s "$2"; }
float_tensor() { # NAME DIM...: a ValueInfoProto
    local dims="" dim
    for dim in "${@:2}"; do dims+=$(field 0a "08$(varint "$dim")"); done
    field 0a "$(text "$1")"
    field 12 "$(field 0a "0801$(field 12 "$dims")")"
}
node() { # OP INPUT... OUTPUT: a node of the graph
    local input inputs=""
    for input in "${@:2:$#-2}"; do inputs+=$(field 0a "$(text "$input")"); done
    field 0a "$inputs$(field 12 "$(text "${!#}")")$(field 22 "$(text "$1")")"
}
# onnx FILE SIDE CLASSES WEIGHT [OP]: pictures of SIDE x SIDE; WEIGHT is the last one's four bytes.
onnx() {
    local i weights="" graph
    for ((i = 1; i < 3 * $3; i++)); do weights+=$(printf '0000%02x3f' $((i * 37 % 128))); done
    graph=$(node GlobalAveragePool x a && node "${5:-Flatten}" a b && node MatMul b w y)
    graph+=$(field 12 "$(text tiny)")
    graph+=$(field 2a "080308$(varint "$3")1001$(field 42 "$(text w)")$(field 4a "$weights$4")")
    graph+=$(field 5a "$(float_tensor x 1 3 "$2" "$2")")$(field 62 "$(float_tensor y 1 "$3")")
    # shellcheck disable=SC2059
    printf "$(printf %s "0808$(field 42 0a00100d)$(field 3a "$graph")" | sed 's/../\\x&/g')" >"$1"
}

# ---- data ----
suite plain "$good"
expect 0 "2 ok" "$WAIO" run plain.yaml --out kept.csv
cp kept.csv before.csv
data fine
expect 0 "2 ok" "$WAIO" run plain.yaml --data fine --out fine.csv # so that what follows is the fault
data missing && rm missing/shapes-batches-bin/test_batch.bin
expect 2 "missing/shapes-batches-bin/test_batch.bin: No such file" "$WAIO" run plain.yaml --data missing
data short && truncate -s -1 short/shapes-batches-bin/test_batch.bin
expect 2 "99 records of 3073 bytes and 3072 bytes more" "$WAIO" run plain.yaml --data short
data empty && : >empty/shapes-batches-bin/test_batch.bin
expect 2 "0 bytes" "$WAIO" run plain.yaml --data empty
data label && printf '\12' | dd of=label/shapes-batches-bin/test_batch.bin bs=1 seek=$((3073 * 7)) conv=notrunc 2>/dev/null
expect 2 "test_batch.bin: record 7 (byte 21511) has label 10, expected 0 to 9" "$WAIO" run plain.yaml --data label
data names && head -n 9 names/shapes-batches-bin/batches.meta.txt >t && mv t names/shapes-batches-bin/batches.meta.txt
expect 2 "batches.meta.txt: 9 class names, expected 10" "$WAIO" run plain.yaml --data names
data nameless && rm nameless/shapes-batches-bin/batches.meta.txt
expect 2 "batches.meta.txt: No such file" "$WAIO" run plain.yaml --data nameless
data train && rm train/shapes-batches-bin/data_batch_1.bin
expect 1 "data_batch_1.bin: No such file" "$WAIO" run plain.yaml --data train --out train.csv
grep -q ',failed,' train.csv || fail "rows whose calibration failed are not in the file"
expect 0 "ok" "$WAIO" run plain.yaml --out train.csv --retry
! grep -q ',failed,' train.csv || fail "--retry left a failed row"
expect 2 'there is no folder' "$WAIO" eval model=shapes_resnet8 data=cifar10 --data nowhere
expect 2 'data set "cifar11" is unknown; there are: shapes, shapes_pets' "$WAIO" eval model=shapes_resnet8 data=cifar11
expect 2 "2001 images asked for, the split test has 2000" "$WAIO" eval model=shapes_resnet8 data=shapes images=2001

# ---- models ----
for file in shapes_resnet8.h5 shapes_mobilenet.onnx; do
    bytes=$(wc -c <"$models/$file")
    for part in 0 1 10 50 90 99; do
        head -c $((bytes * part / 100)) "$models/$file" >"cut.${file##*.}"
        expect 2 "cut.${file##*.}" eval_on_shapes "cut.${file##*.}"
    done
done
echo "no model" >text.onnx
cp text.onnx text.h5
cp text.onnx text.tflite
for file in text.onnx text.h5 text.tflite; do expect 2 "$file" "$WAIO" show $file; done
expect 2 "neither built in" eval_on_shapes nothing.h5
one=0000803f
onnx fine.onnx 32 10 $one
expect 0 "fine.onnx" eval_on_shapes fine.onnx w=8 a=8 i=8 o=8 # so that what follows is the fault
onnx nan.onnx 32 10 0000c07f
expect 2 "w holds NaN at position 29" eval_on_shapes nan.onnx
onnx infinite.onnx 32 10 0000807f
expect 2 "w holds infinity at position 29" eval_on_shapes infinite.onnx
onnx op.onnx 32 10 $one Frobnicate
expect 2 "(Frobnicate): this op type is not supported" eval_on_shapes op.onnx
onnx large.onnx 48 10 $one
expect 0 "" eval_on_shapes large.onnx # the images are brought to its size
onnx seven.onnx 32 7 $one
expect 2 "1 output of 1x7, the data set has 10 classes" eval_on_shapes seven.onnx
onnx eleven.onnx 32 11 $one
expect 2 "1 output of 1x11, the data set has 10 classes" eval_on_shapes eleven.onnx
# Finite weights whose sums are not: a row that says so, not a result.
onnx huge.onnx 32 10 ffff7f7f
model=huge.onnx suite huge "$good"
expect 0 "mistrusted: NaN among the scores" "$WAIO" run huge.yaml --out huge.csv
! grep -q ',ok,' huge.csv || fail "a row with NaN scores is ok"
# One bad model does not end the sweep of the others.
printf 'name: two\nmodels: [nan.onnx, shapes_resnet8]\ndatasets: [shapes]\nimages: 50\nprecision: %s\n' "$good" >two.yaml
expect 1 "4 rows in two.csv: 2 ok, 0 mistrusted, 2 failed" "$WAIO" run two.yaml --out two.csv
[ "$(grep -c ',failed,.*w holds NaN' two.csv)" -eq 2 ] || fail "failed rows without their reason"

# ---- suites ----
suite key "$good" "modles: [a]"
expect 2 "key.yaml:6" "$WAIO" run key.yaml
expect 2 "modles" "$WAIO" run key.yaml
for bits in 33 1 -4 x 0 08 8.0; do
    suite bits "{W: [$bits], A: [8], I: [8], O: [8]}"
    expect 2 "bits.yaml:5" "$WAIO" run bits.yaml
    expect 2 "\"$bits\" is not a precision; there are 2 to 16 bits" "$WAIO" list bits.yaml
    expect 2 "2 to 16 bits" eval_on_shapes shapes_resnet8 "w=$bits"
done
suite none "{W: [], A: [8], I: [8], O: [8]}"
expect 2 "none.yaml:5" "$WAIO" run none.yaml
expect 2 "precision.W: the list is empty" "$WAIO" list none.yaml
suite three "{W: [8], A: [8], I: [8]}"
expect 2 "three.yaml:5" "$WAIO" run three.yaml
suite twice "{W: [8, 8], A: [8], I: [8], O: [8]}"
expect 2 "twice.yaml:5" "$WAIO" run twice.yaml
printf 'name: [\n' >broken.yaml
expect 2 "broken.yaml" "$WAIO" run broken.yaml
: >empty.yaml
expect 2 "empty.yaml" "$WAIO" run empty.yaml
expect 2 "gone.yaml" "$WAIO" run gone.yaml
expect 2 "not a regular file" "$WAIO" run .
for name in key bits none three twice; do
    [ ! -e results/$name.csv ] || fail "a suite that is wrong left results/$name.csv"
done

# ---- results ----
suite other "$good"
expect 2 'kept.csv:2: this row is of suite "plain"' "$WAIO" run other.yaml --out kept.csv
suite plain "{W: [6], A: [8], I: [8], O: [8]}"
expect 2 "kept.csv:3: this row is of suite" "$WAIO" run plain.yaml --out kept.csv
suite plain "$good"
expect 2 "computed by backend cpu, this run uses ref" "$WAIO" run plain.yaml --out kept.csv --backend ref
digest=$(column kept.csv model_sha256 | head -n 1)
sed "s/,$digest,/,$(printf '0%.0s' {1..64}),/; 3d" kept.csv >model.csv
cp model.csv model.before
expect 2 "model.csv:2: this row was computed with another model file" "$WAIO" run plain.yaml --out model.csv
cmp -s model.csv model.before || fail "a refused run changed model.csv"
digest=$(column kept.csv data_sha256 | head -n 1)
sed "s/,$digest,/,$(printf '0%.0s' {1..64}),/; 3d" kept.csv >data.csv
expect 2 "data.csv:2: this row was computed with another data set" "$WAIO" run plain.yaml --out data.csv
cp plain.yaml notes.csv
expect 2 "notes.csv:1: not a results file" "$WAIO" run plain.yaml --out notes.csv
cmp -s plain.yaml notes.csv || fail "a file that is no results file was changed"
sed '2s/,ok,/,perhaps,/' kept.csv >status.csv
expect 2 'status.csv:2: column status: "perhaps"' "$WAIO" run plain.yaml --out status.csv
sed '2p' kept.csv >doubled.csv
expect 2 "doubled.csv:3: a row that stands in the file before" "$WAIO" run plain.yaml --out doubled.csv
sed '2s/,[^,]*,[^,]*$//' kept.csv >fields.csv
expect 2 "fields.csv:2" "$WAIO" run plain.yaml --out fields.csv

expect 2 "plain.yaml/x.csv" "$WAIO" run plain.yaml --out plain.yaml/x.csv
expect 2 "plain.yaml/there: cannot make the folder" "$WAIO" run plain.yaml --out plain.yaml/there/x.csv
expect 2 "not a regular file" "$WAIO" run plain.yaml --out /dev/full
expect 2 "File name too long" "$WAIO" run plain.yaml --out "$(printf 'a%.0s' {1..300})/x.csv"
(
    # Room for the header only: the first row does not fit.
    trap '' XFSZ
    ulimit -f 1
    "$WAIO" run plain.yaml --out full.csv >stdout.txt 2>stderr.txt
    [ $? -eq 2 ] && grep -q "full.csv: writing failed" stderr.txt
) || fail "a full disk: $(cat stderr.txt)"
[ "$(wc -l <full.csv)" -le 2 ] && [ "$(tail -c 1 full.csv | wc -l)" -eq 1 ] || fail "a full disk left a partial row"
expect 0 "2 ok" "$WAIO" run plain.yaml --out full.csv
same_rows before.csv full.csv

# Two processes on one results file: the second one says so at once and touches nothing.
suite long "{W: [4, 5, 6, 7, 8], A: [4, 5, 6, 7, 8], I: [4, 8], O: [8]}"
sed -i 's/^images: 50$/images: 2000/' long.yaml
"$WAIO" run long.yaml --out long.csv --threads 1 --no-share >/dev/null 2>&1 &
first=$!
until [ "$(wc -l 2>/dev/null <long.csv || echo 0)" -ge 2 ]; do
    kill -0 $first 2>/dev/null || break
    sleep 0.05
done
expect 2 "long.csv: in use by another process" "$WAIO" run long.yaml --out long.csv
kill -INT $first
wait $first
[ $? -eq 130 ] || fail "the first of two processes was over before the second one came"

# ---- command line ----
expect 2 "unknown option --thread" "$WAIO" run plain.yaml --thread 2
expect 2 "unknown option -t" "$WAIO" run plain.yaml -t 2
expect 2 "--threads needs a value" "$WAIO" run plain.yaml --threads
expect 2 'unknown command "rnu"' "$WAIO" rnu
expect 2 'backend "gpu" is unknown' "$WAIO" run plain.yaml --backend gpu
expect 2 "expected a whole number from 1 to 1024" "$WAIO" run plain.yaml --threads 0
expect 2 "expected a whole number from 1 to 1024" "$WAIO" run plain.yaml --threads 2x
expect 2 "--memory 1K: expected" "$WAIO" run plain.yaml --memory 1K
expect 2 "--quiet takes no value" "$WAIO" run plain.yaml --quiet=yes
expect 2 "an argument is missing" "$WAIO" run
expect 2 "one argument too many" "$WAIO" run plain.yaml other.yaml
for shard in 4/3 0/3 1/0 1 1/3x; do
    expect 2 "expected I/N" "$WAIO" run plain.yaml --shard $shard
done
expect 2 "the budget is 64 MiB" eval_on_shapes shapes_resnet8 --memory 64M --batch 4096
expect 2 "is not KEY=VALUE with a known key" eval_on_shapes shapes_resnet8 bits=8
expect 2 "model=... and data=... are needed" "$WAIO" eval data=shapes
expect 2 "method=float goes with w=32 a=32 i=32 o=32" eval_on_shapes shapes_resnet8 method=float w=8

cmp -s kept.csv before.csv || fail "a refused run changed the results file kept.csv"
finish
