#!/usr/bin/env bash
# Detectors from end to end: rows of a suite on the embedded pictures, whatever threads, batches and
# sharing; the file beside a model; waio map.
. "$(dirname "$0")/lib.sh"

[ -d "$WAIO_BUILD/data/VOCdevkit/SHAPES" ] || {
    echo "skipped: the build has not drawn the shapes in VOC's layout"
    exit 77
}

cat >d.yaml <<'Y'
name: d
task: detection
models: [ssd_mobilenet_v2:input=64:classes=10]
datasets: [shapes_voc]
split: trainval
images: 30
preprocess: tf
metric: voc07
calibration: {images: 8}
precision: {W: [8, 4], A: [8], I: [8], O: [8, 32]}
Y
expect 0 "5 rows" "$WAIO" list d.yaml --count
expect 0 "5 mistrusted" "$WAIO" run d.yaml --out d.csv # random weights
column d.csv task | sort -u | grep -qx detection || fail "task: $(column d.csv task | sort -u)"
column d.csv metric | sort -u | grep -qx voc07 || fail "metric"
column d.csv difficult | sort -u | grep -qx ignore || fail "difficult: VOC's metrics ignore them"
column d.csv reason | sort -u | grep -qx 'untrained: the weights are random' || fail "reason"
column d.csv value | awk '!($1 >= 0 && $1 <= 100) || $1 == "" { exit 1 }' || fail "values"
column d.csv value | awk '$1 > 0 { n++ } END { exit n < 3 }' || fail "values are 0: nothing is compared"
column d.csv agree_pct | sed -n 1p | grep -qx 100 || fail "the float network agrees with itself"
column d.csv stderr | awk '!($1 > 0) { exit 1 }' || fail "no standard error"
expect 0 "" "$WAIO" run d.yaml --out threads.csv --threads 3 --batch 5
same_rows d.csv threads.csv
expect 0 "" "$WAIO" run d.yaml --out unshared.csv --no-share --threads 1 --batch 1
same_rows d.csv unshared.csv
for s in 1 2; do
    expect 0 "" "$WAIO" run d.yaml --out part.csv --shard $s/2
done
expect 0 "" "$WAIO" run d.yaml --out part.csv --merge 2
same_rows d.csv part.csv

# Other metrics.
net=ssd_mobilenet_v2:input=64:classes=10
for metric in map_coco ap50 voc10; do
    expect 0 "untrained" "$WAIO" eval model=$net data=shapes_voc images=6 metric=$metric
done
expect 2 "metric=map; there are: map_coco ap50 voc07 voc10" \
    "$WAIO" eval model=$net data=shapes_voc metric=map

# What does not go together is said.
expect 2 "is a detector, data set shapes has one label an image" "$WAIO" eval \
    model=ssd_mobilenet_v2:input=32,classes=10 data=shapes
expect 2 "nothing says how boxes come of the 1 output of model shapes_resnet8" "$WAIO" eval \
    model=shapes_resnet8 data=shapes_voc
expect 2 "the detector has 7 classes without names" "$WAIO" eval \
    model=ssd_mobilenet_v2:input=64,classes=7 data=shapes_voc
sed 's/\[shapes_voc\]/[shapes]/' d.yaml >wrong.yaml
expect 2 "task detection, but the data set shapes is for classification" "$WAIO" list wrong.yaml

# The file beside a model: a network without a detector gets one, and is another model by it.
expect 0 "" "$WAIO" quantize $net w=32 a=32 i=32 o=32 -o net.onnx
expect 2 "nothing says how boxes come" "$WAIO" eval model=net.onnx data=shapes_voc images=6
echo '{"anchors": {"maps": [4, 2, 1, 1, 1, 1]}}' >net.onnx.detector.json
expect 0 "" "$WAIO" run d.yaml --out built.csv
expect 0 "" "$WAIO" eval model=net.onnx data=shapes_voc split=trainval images=30 pre=tf metric=voc07
value=$(tail -n 1 stdout.txt | awk '{ print $8 }')
awk -v a="$value" -v b="$(column d.csv value | sed -n 1p)" \
    'BEGIN { d = a - b; exit !(d < 0.0051 && d > -0.0051) }' ||
    fail "with its anchors from a file the network has $value, not $(column d.csv value | sed -n 1p)"
# Names read from a file.
printf '%s\n' heart arrow Crescent cross star hexagon triangle square ring disc >names.txt
echo '{"anchors": {"maps": [4, 2, 1, 1, 1, 1]}, "label_file": "names.txt"}' >net.onnx.detector.json
expect 0 "" "$WAIO" eval model=net.onnx data=shapes_voc split=trainval images=30 pre=tf metric=voc07
before=$("$WAIO" show net.onnx | grep sha256)
echo '{"anchors": {"maps": [4, 2, 1, 1, 1, 1]}, "labels": "voc20"}' >net.onnx.detector.json
expect 2 "labels" "$WAIO" eval model=net.onnx data=shapes_voc images=6
echo '{"anchors": {"maps": [4, 2, 1, 1, 1, 1]}, "suppression": {"iou": 0.5}}' >net.onnx.detector.json
[ "$before" != "$("$WAIO" show net.onnx | grep sha256)" ] || fail "another detector, the same model"
wrong() { # TEXT JSON
    echo "$2" >net.onnx.detector.json
    expect 2 "net.onnx.detector.json: $1" "$WAIO" show net.onnx
}
wrong 'byte 2: no valid JSON' '{'
wrong 'expected a JSON object' '[]'
wrong '"anchors" is missing' '{}'
wrong 'anchors: "maps" is missing' '{"anchors": {}}'
wrong 'anchors: unknown key "map"; there are: kind, maps' '{"anchors": {"map": [1]}}'
wrong 'anchors: "maps": expected a list of 1 to 8 sizes' '{"anchors": {"maps": []}}'
wrong 'anchors: "maps": expected a number from 1 to 4096' '{"anchors": {"maps": [0]}}'
wrong 'anchors: "kind": expected "ssd" or "multiscale"' '{"anchors": {"kind": "yolo", "maps": [4]}}'
wrong 'there are 48 anchors; boxes are' '{"anchors": {"maps": [4]}}'
maps='"anchors": {"maps": [4, 2, 1, 1, 1, 1]}'
wrong '"boxes": there is no output "b"' "{$maps, \"boxes\": \"b\"}"
wrong '"scores": expected a number from 0 to 1' "{$maps, \"scores\": 2}"
wrong 'there are 96 anchors' "{$maps, \"boxes\": 1}"
wrong '"code_scale": expected a list of 4 to 4 numbers' "{$maps, \"code_scale\": [10]}"
wrong 'suppression: "iou": expected a number' "{$maps, \"suppression\": {\"iou\": 2}}"
wrong '"background": expected true or false' "{$maps, \"background\": 1}"
wrong '"labels": 1 names, expected one for each of the 10 classes' "{$maps, \"labels\": [\"a\"]}"
echo one >names.txt
wrong './names.txt: 1 names, expected one for each of the 10 classes' "{$maps, \"label_file\": \"names.txt\"}"
wrong '"label_file": expected the name of a file' "{$maps, \"label_file\": 3}"
wrong 'unknown key "nms"; there are: anchors' "{$maps, \"nms\": 1}"
rm net.onnx.detector.json

# Boxes of raw input.
head -c $((64 * 64 * 3 * 4 * 2)) /dev/zero >in.f32
expect 0 "" "$WAIO" infer $net --input in.f32 --output boxes.txt --boxes
[ "$(awk '$1 == 0' boxes.txt | wc -l)" -eq 100 ] && [ "$(awk '$1 == 1' boxes.txt | wc -l)" -eq 100 ] ||
    fail "$(wc -l <boxes.txt) boxes of two images, expected 200"
awk 'NF != 7 || $4 > $6 || $5 > $7 || $3 <= 0 || $2 > 9 { exit 1 }' boxes.txt || fail "boxes"
expect 2 "nothing says how boxes come" "$WAIO" infer shapes_resnet8 --input in.f32 --output o --boxes

# COCO's files.
echo '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "disc"}], "annotations":
 [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}]}' >t.json
echo '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 8], "score": 0.5}]' >f.json
expect 0 "AP50      1.0000" "$WAIO" map f.json t.json # IoU 0.8: 7 of 10 thresholds
grep -q '^AP        0.7000' stdout.txt && grep -q '^AP_large  -1' stdout.txt || fail "AP of IoU 0.8"
expect 0 "disc" "$WAIO" map f.json t.json --classes
sed 's/"image_id": 1/"image_id": 2/' f.json >g.json
expect 2 "g.json: entry 0: image_id 2 is not among" "$WAIO" map g.json t.json
finish
