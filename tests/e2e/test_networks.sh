#!/usr/bin/env bash
# Networks that are built: shown with options and with parameters, in eval, in suites, written as
# files; their rows say that random weights are no result; files of weights that do not fit.
. "$(dirname "$0")/lib.sh"

# Parameters and MACs of the thesis's networks, in both spellings.
expect 0 "57780405 parameters, 1293268664 MACs" \
    "$WAIO" show resnet50 --input 128 --classes 37 --head thesis
cp stdout.txt options.txt
expect 0 "untrained: the weights are random" \
    "$WAIO" show resnet50:input=128,classes=37,head=thesis
tail -n 1 stdout.txt | cmp -s - <(tail -n 1 options.txt) || fail "two spellings, two digests"
expect 0 "5051109 parameters" "$WAIO" show mobilenet_v1 --width 0.25 --input 128 --classes 37 \
    --head thesis --as-imported
expect 2 "shapes_resnet8 is no network that is built here" "$WAIO" show shapes_resnet8 --classes 3
expect 2 "expected at least 75" "$WAIO" show inception_v3 --input 64
expect 0 "ssd_mobilenet_v2_fpnlite" "$WAIO" info

# A row of random weights is not believed. In a YAML list in brackets a comma ends an item.
net=mobilenet_v1:width=0.25,stem=cifar,classes=10
expect 0 "mistrusted: untrained: the weights" \
    "$WAIO" eval model=$net data=shapes images=20 w=8 a=8 calib=8
cat >suite.yaml <<END
name: networks
models: [mobilenet_v1:width=0.25:stem=cifar:classes=10, "$net,seed=2"]
datasets: [shapes]
images: 20
calibration: {images: 8}
precision: {W: [8], A: [8], I: [8], O: [8]}
END
expect 0 "" "$WAIO" run suite.yaml --out o.csv --quiet
[ "$(grep -c mistrusted o.csv)" -eq 4 ] || fail "not four mistrusted rows: $(cat o.csv stderr.txt)"
grep -q '"mobilenet_v1:width=0.25,stem=cifar,classes=10,seed=2"' o.csv || fail "no quoted name"
expect 0 "" "$WAIO" run suite.yaml --out o.csv --quiet
[ "$(wc -l <o.csv)" -eq 5 ] || fail "the suite was not resumed"

# Written without data, and taken as weights; what does not fit is named.
expect 0 "0 of them on codes" "$WAIO" quantize $net w=32 a=32 i=32 o=32 -o net.onnx
expect 2 "data=... is needed" "$WAIO" quantize $net -o net.onnx
expect 2 "data=... is needed" "$WAIO" diff $net w=32 a=32 i=32 o=32
expect 0 "31 nodes" "$WAIO" show $net,weights=net.onnx
grep -q untrained stdout.txt && fail "weights from a file count as random"
mkdir elsewhere
mv net.onnx elsewhere/
expect 2 "weights of mobilenet_v1: net.onnx: no such file here" "$WAIO" show $net,weights=net.onnx
expect 0 "31 nodes" "$WAIO" show $net,weights=net.onnx --models elsewhere
expect 2 "another shape of weights" \
    "$WAIO" show mobilenet_v1:stem=cifar,classes=10,weights=elsewhere/net.onnx
h5=$WAIO_SOURCE/datasets/shapes/models/shapes_resnet8.h5
expect 2 'layer "conv1" is not among the' "$WAIO" show "$net,weights=$h5"
head -c 3000 "$h5" >cut.h5
expect 2 "cut.h5" "$WAIO" show $net,weights=cut.h5
: >empty.h5
expect 2 "empty.h5" "$WAIO" show $net,weights=empty.h5

finish
