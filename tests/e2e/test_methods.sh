#!/usr/bin/env bash
# Methods from end to end: presets and choices in suites, eval, quantize and diff; data-free ones
# without data to calibrate on.
. "$(dirname "$0")/lib.sh"

suite() { # NAME METHOD
    cat >"$1.yaml" <<Y
name: $1
models: [shapes_resnet8]
datasets: [shapes]
images: 300
method: {$2}
precision: {W: [4], A: [8], I: [8], O: [8]}
calibration: {images: 32}
Y
}

for method in ptq ptq_mse squant dfq; do
    suite $method "name: $method"
    expect 0 "2 ok" "$WAIO" run $method.yaml --out $method.csv
    expect 0 "2 ok" "$WAIO" run $method.yaml --out threads.csv --threads 3 --batch 7 --no-share
    same_rows $method.csv threads.csv
    rm threads.csv
    [ "$(column $method.csv method | paste -sd ' ')" = "float $method" ] || fail "method of $method"
done
[ "$(column squant.csv rounding | sed -n 2p)" = squant ] || fail "the row lacks its rounding"
[ "$(column dfq.csv correction | sed -n 2p)" = analytic ] || fail "the row lacks its correction"
[ "$(column ptq.csv calibration_images | sed -n 2p)" = 32 ] || fail "ptq has 32 images"
[ "$(column squant.csv calibration_images | sed -n 2p)" = 0 ] || fail "squant has no images"
column squant.csv config | grep -q 'calib=' && fail "squant has a calibration"
[ "$(cat ./*.csv | cut -d , -f 1 | sort -u | grep -c ^model=)" -eq 5 ] ||
    fail "the methods do not have rows of their own"

# A row that eval gives from its text is the row of the suite; choices beside a preset are in it.
suite mixed "name: squant, weights: symmetric, weight_range: mse, equalize: on, correction: empirical"
expect 0 "2 ok" "$WAIO" run mixed.yaml --out mixed.csv
config=$(column mixed.csv config | sed -n 2p)
for part in method=squant wsym=symmetric wrange=mse equalize=on correct=empirical calib=32; do
    [[ $config == *" $part "* ]] || fail "$part is not in $config"
done
[[ $config != *wround=* ]] || fail "a default is in $config"
# shellcheck disable=SC2086
expect 0 "no more levels than their bits allow" "$WAIO" eval $config --verify
grep -q " $(printf '%.2f' "$(column mixed.csv value | sed -n 2p)") " stdout.txt ||
    fail "eval gives another value: $(cat stdout.txt)"

# Without the images that others calibrate on, data-free methods go on.
mkdir -p bare/shapes-batches-bin
cp "$WAIO_BUILD"/data/shapes-batches-bin/{test_batch.bin,batches.meta.txt} bare/shapes-batches-bin/
expect 2 "data_batch_1.bin" "$WAIO" eval model=shapes_resnet8 data=shapes w=8 a=8 images=100 --data bare
for method in squant dfq; do
    expect 0 " ok" "$WAIO" eval model=shapes_resnet8 data=shapes method=$method w=8 a=8 i=8 o=8 \
        images=100 --data bare
    for file in net.tflite net.onnx; do
        expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 data=shapes method=$method w=4 \
            -o $file --data bare
        cp $file again.${file##*.}
        expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 data=shapes method=$method w=4 \
            -o again.${file##*.} --data bare --threads 3
        cmp -s $file again.${file##*.} || fail "$method: another number of threads, another $file"
    done
done

# Quantizing by them opens no data set at all: none is named, or there is none; the same file.
for method in squant dfq; do
    for file in net.tflite net.onnx; do
        expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 data=shapes method=$method w=4 -o $file
        expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 method=$method w=4 -o none-$file
        cmp -s $file none-$file || fail "$method: without a data set another $file"
        expect 0 "of them on codes" "$WAIO" quantize shapes_resnet8 data=cifar10 method=$method w=4 \
            -o gone-$file --data /nonexistent/data
        cmp -s $file gone-$file || fail "$method: with no data folder another $file"
    done
done
expect 2 "data=... is needed" "$WAIO" quantize shapes_resnet8 method=ptq -o no.tflite
expect 2 "data=... is needed" "$WAIO" quantize shapes_resnet8 method=squant correct=empirical -o no.tflite
for net in shapes_resnet8 ssd_mobilenet_v2:input=64,classes=10; do
    expect 0 "" "$WAIO" quantize $net method=dfq -o free.tflite
done
expect 2 "data=... is needed" "$WAIO" diff shapes_resnet8 method=squant

# The same bytes of a row for any number of threads.
for threads in 1 2 3 8; do
    expect 0 "2 ok" "$WAIO" run squant.yaml --out threads-$threads.csv --threads $threads
    same_rows squant.csv threads-$threads.csv
done

# Choices are independent: each goes with each method's name, and gives a row.
for method in ptq ptq_mse squant dfq; do
    for choices in "wround=squant wrange=mse" "wround=squant_e wrange=p99" "wround=squant_k range=kl" \
        "wround=squant_c range=p99.9" "range=mse wrange=p99.9 gran=layer" "range=minmax wround=nearest" \
        "range=p99 gran=channel equalize=on" "range=p99.99 wrange=p99.99 absorb=on" \
        "range=noise correct=empirical" "range=batchnorm equalize=on absorb=on correct=analytic"; do
        # shellcheck disable=SC2086
        expect 0 " ok" "$WAIO" eval model=shapes_resnet8 data=shapes method=$method $choices w=4 a=8 i=8 \
            o=8 images=20 calib=8
    done
done

# What is exported is what was evaluated, and no other weights than those of SQuant.
expect 0 "" "$WAIO" quantize shapes_resnet8 data=shapes method=squant w=4 -o squant.tflite
expect 0 "" "$WAIO" quantize shapes_resnet8 data=shapes method=squant wround=nearest w=4 -o nearest.tflite
cmp -s squant.tflite nearest.tflite && fail "SQuant's rounding is not in the file"
expect 0 "" "$WAIO" diff shapes_resnet8 data=shapes method=squant w=4 --left integer --right squant.tflite
expect 0 " ok" "$WAIO" eval model=shapes_resnet8 data=shapes method=squant engine=both w=4 a=8 i=8 o=8 \
    images=300
expect 2 "integer kernels take symmetric weights only" "$WAIO" quantize shapes_resnet8 data=shapes \
    method=squant wsym=asymmetric -o no.tflite
expect 2 "minmax mse p99" "$WAIO" eval model=shapes_resnet8 data=shapes wrange=kl
finish
