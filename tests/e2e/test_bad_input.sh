#!/usr/bin/env bash
# Bad input, each with its message and exit status; nothing crashes, nothing that is there changes.
. "$(dirname "$0")/lib.sh"
shapes=$WAIO_BUILD/data/shapes-batches-bin
models=$WAIO_SOURCE/datasets/shapes/models

suite() { # suite NAME PRECISION [LINE...]: a suite of one model on shapes
    local name=$1 precision=$2
    shift 2
    printf 'name: %s\nmodels: [%s]\ndatasets: [shapes]\nimages: 50\nprecision: %s\n' "$name" \
        "${model:-shapes_resnet8}" "$precision" >"$name.yaml"
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$name.yaml"
}
good='{W: [8], A: [8], I: [8], O: [8]}'
data() { # data NAME: a copy of the data set to break, under NAME/
    mkdir -p "$1/shapes-batches-bin"
    head -c $((3073 * 100)) "$shapes/test_batch.bin" >"$1/shapes-batches-bin/test_batch.bin"
    head -c $((3073 * 100)) "$shapes/data_batch_1.bin" >"$1/shapes-batches-bin/data_batch_1.bin"
    cp "$shapes/batches.meta.txt" "$1/shapes-batches-bin/"
}

# ---- data ----
suite plain "$good"
data missing && rm missing/shapes-batches-bin/test_batch.bin
expect 2 "missing/shapes-batches-bin/test_batch.bin: No such file" "$WAIO" run plain.yaml --data missing
data short && truncate -s -1 short/shapes-batches-bin/test_batch.bin
expect 2 "99 records of 3073 bytes and 3072 bytes more" "$WAIO" run plain.yaml --data short
data empty && : >empty/shapes-batches-bin/test_batch.bin
expect 2 "0 bytes" "$WAIO" run plain.yaml --data empty
data label && printf '\12' | dd of=label/shapes-batches-bin/test_batch.bin bs=1 seek=$((3073 * 7)) conv=notrunc 2>/dev/null
expect 2 "record 7 (byte 21511) has label 10, expected 0 to 9" "$WAIO" run plain.yaml --data label
data names && head -9 names/shapes-batches-bin/batches.meta.txt >t && mv t names/shapes-batches-bin/batches.meta.txt
expect 2 "9 class names, expected 10" "$WAIO" run plain.yaml --data names
data train && rm train/shapes-batches-bin/data_batch_1.bin
expect 1 "data_batch_1.bin: No such file" "$WAIO" run plain.yaml --data train --out train.csv
grep -q ',failed,' train.csv || fail "rows whose calibration failed are not in the file"
expect 0 "ok" "$WAIO" run plain.yaml --out train.csv --retry
! grep -q ',failed,' train.csv || fail "--retry left a failed row"
expect 2 'there is no folder' "$WAIO" eval model=shapes_resnet8 data=cifar10 --data nowhere
expect 2 'data set "cifar11" is unknown; there are: shapes, cifar10' "$WAIO" eval model=shapes_resnet8 data=cifar11
expect 2 "2001 images asked for, the split test has 2000" "$WAIO" eval model=shapes_resnet8 data=shapes images=2001

# ---- models ----
head -c 200000 "$models/shapes_resnet8.h5" >cut.h5
head -c 100000 "$models/shapes_mobilenet.onnx" >cut.onnx
expect 2 "cut.h5" "$WAIO" eval model=cut.h5 data=shapes
expect 2 "cut.onnx" "$WAIO" eval model=cut.onnx data=shapes
echo "no model" >text.onnx
expect 2 "text.onnx" "$WAIO" show text.onnx
expect 2 "neither built in" "$WAIO" eval model=nothing.h5 data=shapes
# A weight that is not a number: the bytes of the largest initializer become 0xff.
python3 - "$models/shapes_mobilenet.onnx" nan.onnx <<'PYTHON' || fail "could not make nan.onnx"
import re, sys
data = bytearray(open(sys.argv[1], "rb").read())
# Field 9 (raw_data) of a TensorProto with a length of two varint bytes: 0x4a len len.
at = max((m.start() for m in re.finditer(b"\x4a[\x80-\xff][\x01-\x7f]", data)),
         key=lambda i: (data[i + 1] & 127) + (data[i + 2] << 7))
data[at + 3:at + 11] = b"\xff" * 8
open(sys.argv[2], "wb").write(data)
PYTHON
expect 2 "holds NaN" "$WAIO" eval model=nan.onnx data=shapes

# ---- model and data that do not fit ----
head -10 "$shapes/batches.meta.txt" >/dev/null
if [ -n "${WAIO_TEST_MODELS:-}" ] && [ -f "${WAIO_TEST_MODELS:-}/vww_96.h5" ]; then
    expect 2 "its input is 1x96x96x3, an image is 1x32x32x3" "$WAIO" eval model="$WAIO_TEST_MODELS/vww_96.h5" data=shapes
fi

# ---- suites ----
suite key "$good" "modles: [a]"
expect 2 "key.yaml:6" "$WAIO" run key.yaml
expect 2 "modles" "$WAIO" run key.yaml
for bits in 33 1 -4 x 0; do
    suite bits "{W: [$bits], A: [8], I: [8], O: [8]}"
    expect 2 "bits.yaml:5" "$WAIO" run bits.yaml
    expect 2 "$bits" "$WAIO" list bits.yaml
    expect 2 "2 to 16 bits" "$WAIO" eval model=shapes_resnet8 data=shapes "w=$bits"
done
suite none "{W: [], A: [8], I: [8], O: [8]}"
expect 2 "none.yaml:5" "$WAIO" run none.yaml
suite twice "{W: [8, 8], A: [8], I: [8], O: [8]}"
expect 2 "twice.yaml:5" "$WAIO" run twice.yaml
printf 'name: [\n' >broken.yaml
expect 2 "broken.yaml" "$WAIO" run broken.yaml
: >empty.yaml
expect 2 "empty.yaml" "$WAIO" run empty.yaml
expect 2 "gone.yaml" "$WAIO" run gone.yaml

# ---- results ----
expect 0 "2 ok" "$WAIO" run plain.yaml --out kept.csv
cp kept.csv before.csv
suite other "$good"
expect 2 'kept.csv:2: this row is of suite "plain"' "$WAIO" run other.yaml --out kept.csv
suite plain "{W: [6], A: [8], I: [8], O: [8]}"
expect 2 "kept.csv:3: this row is of suite" "$WAIO" run plain.yaml --out kept.csv
suite plain "$good"
expect 2 "computed by backend cpu, this run uses ref" "$WAIO" run plain.yaml --out kept.csv --backend ref
cmp -s kept.csv before.csv || fail "a refused run changed the results file"
head -1 before.csv >model.csv
sed -n '2,$p' before.csv | sed 's/,shapes_resnet8,[0-9a-f]\{64\},/,shapes_resnet8,'"$(printf 0%.0s {1..64})"',/' >>model.csv
sed -i 3d model.csv
expect 2 "another model file" "$WAIO" run plain.yaml --out model.csv
cp plain.yaml notes.csv
expect 2 "notes.csv:1: not a results file" "$WAIO" run plain.yaml --out notes.csv
cmp -s plain.yaml notes.csv || fail "a file that is no results file was changed"
sed '2s/,ok,/,perhaps,/' before.csv >status.csv
expect 2 'status.csv:2: column status: "perhaps"' "$WAIO" run plain.yaml --out status.csv
expect 2 "plain.yaml/x.csv" "$WAIO" run plain.yaml --out plain.yaml/x.csv
expect 2 "not a regular file" "$WAIO" run plain.yaml --out /dev/full
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
flock kept.csv "$WAIO" run plain.yaml --out kept.csv >stdout.txt 2>stderr.txt &&
    fail "two processes on one results file"
grep -q "in use by another process" stderr.txt || fail "no word about the other process: $(cat stderr.txt)"

# ---- command line ----
expect 2 "unknown option --thread" "$WAIO" run plain.yaml --thread 2
expect 2 'unknown command "rnu"' "$WAIO" rnu
expect 2 'backend "gpu" is unknown' "$WAIO" run plain.yaml --backend gpu
expect 2 "expected a whole number from 1 to 1024" "$WAIO" run plain.yaml --threads 0
expect 2 "an argument is missing" "$WAIO" run
expect 2 "one argument too many" "$WAIO" run plain.yaml other.yaml
expect 2 "expected I/N" "$WAIO" run plain.yaml --shard 4/3
expect 2 "the budget is 64 MiB" "$WAIO" eval model=shapes_resnet8 data=shapes --memory 64M --batch 4096
expect 2 "is not KEY=VALUE with a known key" "$WAIO" eval model=shapes_resnet8 data=shapes bits=8
finish
