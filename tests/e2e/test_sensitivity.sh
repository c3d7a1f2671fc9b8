#!/usr/bin/env bash
# Layers from end to end: what each costs, suspected ones left float, the same rows whatever threads,
# shards, sharing and resuming; results by class and image beside the rows.
. "$(dirname "$0")/lib.sh"

# The table: whatever threads and batches.
layers() { "$WAIO" sensitivity shapes_resnet8 data=shapes w=4 a=4 --images 200 --quiet "$@"; }
expect 0 "index,layer,op,rmse_over_scale,sqnr_db,value_only,value_all_but,suspect,params,macs" \
    layers --threads 1 --batch 3
cp stdout.txt one.csv
expect 0 "0 of 16 layers are suspect" layers --threads 3 --output three.csv
cmp -s one.csv three.csv || fail "threads or batches change the table"
[ "$(wc -l <one.csv)" -eq 17 ] || fail "$(wc -l <one.csv) lines"
awk -F , 'NR > 1 && $2 == "conv2d_7" && $3 == "conv2d" && $9 == 36928 && $10 == 2359296 { n++ }
    END { exit n != 1 }' one.csv || fail "conv2d_7: $(grep conv2d_7 one.csv)"
expect 0 "" layers --threshold 0.25 --output low.csv
awk -F , 'NR > 1 && $8 != ($4 > 0.25) { exit 1 } NR > 1 { n += $8 } END { exit !(n > 2 && n < 14) }' \
    low.csv || fail "suspects at 0.25: $(cut -d , -f 2,4,8 low.csv)"
expect 2 "--threshold x; expected a number above 0" layers --threshold x
expect 2 "here every layer has its turn" layers first_n=1
expect 2 "here every layer has its turn" layers suspects=auto
expect 2 "nothing is quantized" layers w=32 a=32 i=32 o=32
expect 2 "data=... is needed" "$WAIO" sensitivity shapes_resnet8
expect 2 "unknown" layers data=nothing

# A suite with both axes.
cat >s.yaml <<'Y'
name: s
models: [shapes_resnet8]
datasets: [shapes]
images: 120
calibration: {images: 32}
precision: {W: [4], A: [4], I: [8, 32], O: [8, 4]}
first_n: [0, 1, 3]
suspects: [none, "auto:0.25", conv2d+dense, auto:1000]
Y
expect 0 "49 rows" "$WAIO" list s.yaml --count
expect 0 "49 rows in s.csv: 49 ok" "$WAIO" run s.yaml --out s.csv --quiet
"$WAIO" run s.yaml --out threads.csv --threads 3 --batch 5 --quiet >/dev/null 2>&1
same_rows s.csv threads.csv
"$WAIO" run s.yaml --out unshared.csv --no-share --threads 1 --quiet >/dev/null 2>&1
same_rows s.csv unshared.csv
for k in 1 2 3; do
    expect 0 "" "$WAIO" run s.yaml --out part.csv --shard $k/3 --quiet
done
expect 0 "" "$WAIO" run s.yaml --out part.csv --merge 3
same_rows s.csv part.csv
head -n 20 s.csv >resumed.csv
expect 0 "49 rows in resumed.csv: 49 ok" "$WAIO" run s.yaml --out resumed.csv --quiet
same_rows s.csv resumed.csv

# What the columns say.
paste -d ' ' <(column s.csv first_n) <(column s.csv suspects) <(column s.csv suspect_layers) \
    <(column s.csv config) >said.txt
grep -c 'suspects=conv2d+dense' said.txt | grep -qx 12 || fail "rows with named layers"
awk '/suspects=conv2d\+dense/ && !($2 == 2 && $3 == "conv2d+dense") { exit 1 }
    /suspects=auto:1000/ && $2 != 0 { exit 1 }
    /suspects=0/ && $2 != 0 { exit 1 }
    /suspects=auto:0.25/ && !($2 > 2 && $2 < 14) { exit 1 }' said.txt || fail "$(cat said.txt)"
# A layer that is float and named gives the numbers of first_n, whose layer it is.
value() { column s.csv value | sed -n "$(grep -n "i=32 o=8 first_n=$1 suspects=$2 " said.txt | cut -d : -f 1)p"; }
[ "$(value 1 conv2d+dense)" = "$(value 1 conv2d+dense)" ] || fail "values"
[ -n "$(value 1 conv2d+dense)" ] || fail "no such row: $(cat said.txt)"
[ "$(value 0 auto:1000)" = "$(value 0 0)" ] || fail "no suspect, another value"
# More in float is more of the same in size.
paste -d ' ' <(column s.csv size_bytes) said.txt >sizes.txt
awk '/i=8 o=8 first_n=0 suspects=0 / { plain = $1 } /i=8 o=8 first_n=0 suspects=conv2d\+dense/ { more = $1 }
    END { exit !(plain > 0 && more > plain) }' sizes.txt || fail "sizes: $(cat sizes.txt)"
# The test against the float network: its own row, and the counts' difference.
paste -d ' ' <(column s.csv lost) <(column s.csv gained) <(column s.csv mcnemar_p) \
    <(column s.csv value) <(column s.csv float_value) >test.txt
sed -n 1p test.txt | grep -q '^0 0 1 ' || fail "the float row: $(sed -n 1p test.txt)"
awk '{ d = ($2 - $1) / 120 * 100 - ($4 - $5); if (d < -1e-6 || d > 1e-6 || $3 < 0 || $3 > 1) exit 1 }
    $1 > 0 { n++ } END { exit n < 20 }' test.txt || fail "lost and gained: $(cat test.txt)"

# In codes.
expect 0 "both engines see the same class on" "$WAIO" eval model=shapes_resnet8 data=shapes w=8 a=8 \
    i=8 o=8 images=120 engine=both suspects=conv2d_3+add_1 --quiet
expect 0 "nodes, " "$WAIO" quantize shapes_resnet8 data=shapes suspects=conv2d_3 -o n.tflite
expect 0 "dequantize" "$WAIO" show n.tflite
expect 2 "has no layer \"conv9\"" "$WAIO" eval model=shapes_resnet8 data=shapes w=8 images=9 \
    suspects=conv9 --quiet
# A row whose layers are not there fails alone.
sed 's/suspects: .*/suspects: [none, conv9]/; s/name: s/name: f/' s.yaml >f.yaml
expect 1 "12 failed" "$WAIO" run f.yaml --out f.csv --quiet
column f.csv status | sort | uniq -c | tr -s ' \n' ' ' | grep -qx ' 12 failed 13 ok ' ||
    fail "status: $(column f.csv status | sort | uniq -c)"

# Files by class and image.
expect 0 "" "$WAIO" run s.yaml --out d.csv --details files --quiet
same_rows s.csv d.csv
[ "$(ls files/*.config.txt | wc -l)" -eq 49 ] || fail "$(ls files | wc -l) files"
[ "$(ls files | wc -l)" -eq 196 ] || fail "$(ls files | wc -l) files"
while read -r text; do
    name=files/$(printf %s "$text" | sha256sum | cut -c -16)
    [ "$(cat "$name.config.txt" 2>&1)" = "$text" ] || fail "$name.config.txt is not of $text"
    at=$(column d.csv config | grep -nxF -- "$text" | cut -d : -f 1)
    want=$(column d.csv value | sed -n "${at}p")
    real=$(column d.csv agree_pct | sed -n "${at}p")
    awk -F , -v want="$want" -v real="$real" 'NR > 1 { n++; hit += $3 == $4; agree += $4 == $6 }
        NR > 1 && !($5 >= 0) { exit 1 }
        END { d = 100 * hit / n - want; e = 100 * agree / n - real
              exit n != 120 || d * d > 1e-9 || e * e > 1e-9 }' "$name.images.csv" ||
        fail "$name.images.csv"
    awk -F , -v want="$want" 'NR > 1 { n += $3; hit += $4 }
        END { d = 100 * hit / n - want; exit n != 120 || d * d > 1e-9 }' "$name.classes.csv" ||
        fail "$name.classes.csv"
    awk -F , -v want="$want" 'NR > 1 { for (c = 3; c <= NF; c++) n += $c; hit += $(NR + 1) }
        END { d = 100 * hit / n - want; exit n != 120 || d * d > 1e-9 }' "$name.confusion.csv" ||
        fail "$name.confusion.csv"
done < <(column d.csv config)
# Files of another configuration stay as they are.
first=$(ls files/*.config.txt | head -n 1)
text=$(cat "$first")
echo "another one" >"$first"
cp -r files before
# shellcheck disable=SC2086
expect 2 "is of another configuration" "$WAIO" eval $text --details files --quiet
diff -r files before >/dev/null || fail "files of another configuration were touched"
expect 0 "" "$WAIO" eval $text --details elsewhere --quiet
cmp -s "${first%.config.txt}.images.csv" "elsewhere/$(basename "${first%.config.txt}").images.csv" ||
    fail "eval and run write different files"

if [ -d "$WAIO_BUILD/data/VOCdevkit/SHAPES" ]; then
    expect 0 "" "$WAIO" eval model=ssd_mobilenet_v2:input=64:classes=10 data=shapes_voc split=trainval \
        images=30 pre=tf metric=voc07 w=8 a=8 i=8 o=8 calib=8 --details boxes --quiet
    head -n 1 boxes/*.classes.csv | grep -qx 'class,name,objects,found,value,float_value' || fail "boxes"
    awk -F , 'NR > 1 { n++; objects += $3; if ($3 > 0 && $5 == "") exit 1 } END { exit n != 10 || !objects }' \
        boxes/*.classes.csv || fail "$(cat boxes/*.classes.csv)"
    [ "$(wc -l <"$(ls boxes/*.images.csv)")" -eq 31 ] || fail "boxes: images"
    expect 0 "" "$WAIO" sensitivity ssd_mobilenet_v2:input=64:classes=10 data=shapes_voc split=trainval \
        pre=tf --images 6 calib=4 --output ssd.csv --quiet
    [ "$(wc -l <ssd.csv)" -gt 60 ] || fail "ssd: $(wc -l <ssd.csv) lines"
fi

finish
