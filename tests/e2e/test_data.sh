#!/usr/bin/env bash
# Data sets of image files: verified, resized by the pipeline that the row names, bad ones left out on
# request, cached; fetched from a mirror of one's own.
. "$(dirname "$0")/lib.sh"

expect 0 "no problems" "$WAIO" data verify
expect 0 "shapes_voc, test: 60 images" "$WAIO" data verify --dataset shapes_voc
expect 2 "there is no folder VOCdevkit/VOC2007" "$WAIO" data verify --dataset voc2007
expect 2 "is unknown" "$WAIO" data verify --dataset mnist
expect 2 "expected: verify, or decode FILE" "$WAIO" data look

# A network that takes 32x32 on photographs of other sizes, in a suite.
cat >pets.yaml <<'YAML'
name: pets
models: [shapes_resnet8]
datasets: [shapes_pets, shapes]
images: 100
resize: pil-bicubic/crop
precision: {W: [8], A: [8], I: [8], O: [8, 32]}
calibration: {images: 64}
YAML
expect 0 "6 rows in pets.csv: 6 ok" "$WAIO" run pets.yaml --out pets.csv
[ "$(column pets.csv resize | sort | uniq -c | tr -s ' \n' ' ')" = " 3 none 3 pil-bicubic/crop " ] ||
    fail "the rows name the pipelines $(column pets.csv resize | sort | uniq -c)"
"$WAIO" list pets.yaml >list.txt
grep -q "data=shapes_pets .*resize=pil-bicubic/crop " list.txt || fail "no pipeline in the configuration"
sed 's/^resize.*/resize: nearest/' pets.yaml >wrong.yaml
expect 2 "wrong.yaml:5: resize: resize \"nearest\" is unknown" "$WAIO" list wrong.yaml
expect 2 "nothing says how boxes come" "$WAIO" eval model=shapes_resnet8 data=shapes_voc
expect 2 "there are: test trainval train all" "$WAIO" eval model=shapes_resnet8 data=shapes_pets split=val

# The same pixels with and without a cache; a damaged one is noticed.
one() {
    "$WAIO" eval model=shapes_resnet8 data=shapes_pets images=60 --quiet "$@" 2>stderr.txt |
        tail -n 1 | cut -c 1-60
}
plain=$(one)
[ -n "$plain" ] || fail "no row: $(cat stderr.txt)"
for run in written read; do
    [ "$(one --cache cache)" = "$plain" ] || fail "another row when the cache is $run: $(cat stderr.txt)"
    [ ! -s stderr.txt ] || fail "cache $run: $(cat stderr.txt)"
done
printf 'x' | dd of="$(ls cache/*)" bs=1 seek=9000 conv=notrunc 2>/dev/null
[ "$(WAIO_CACHE=cache one)" = "$plain" ] || fail "a damaged cache changes the row"
grep -q "is damaged; its images are decoded again" stderr.txt || fail "a damaged cache is not noticed"

# A bad photograph ends the run, or is left out and counted.
mkdir mine
cp -r "$WAIO_BUILD/data/shapes-iiit-pet" mine/
bad=$(sed -n '3s/ .*//p' mine/shapes-iiit-pet/annotations/test.txt)
head -c 500 "$WAIO_BUILD/data/shapes-iiit-pet/images/$bad.jpg" >"mine/shapes-iiit-pet/images/$bad.jpg"
expect 2 "test.txt:3: mine/shapes-iiit-pet/images/$bad.jpg: not a whole" \
    "$WAIO" eval model=shapes_resnet8 data=shapes_pets --data mine
expect 0 "1 bad images left out; the first: " \
    "$WAIO" eval model=shapes_resnet8 data=shapes_pets --data mine --skip-bad
expect 2 "1 problems" "$WAIO" data verify --dataset shapes_pets --data mine
sed '/^datasets/s/, shapes//' pets.yaml >skip.yaml
expect 0 "3 ok" "$WAIO" run skip.yaml --out skip.csv --data mine --skip-bad
[ "$(column skip.csv skipped_images | sort -u)" = 1 ] || fail "the rows do not count the skipped image"
[ "$(column skip.csv images | sort -u)" = 99 ] || fail "the rows count other images"

# Pixels of one file.
expect 0 "to 20x30" "$WAIO" data decode "mine/shapes-iiit-pet/images/$(sed -n '4s/ .*//p' \
    mine/shapes-iiit-pet/annotations/test.txt).jpg" --size 20x30 --out pixels.rgb
[ "$(wc -c <pixels.rgb)" -eq 1800 ] || fail "pixels.rgb does not hold 20x30 pixels"
expect 2 "expected HEIGHTxWIDTH" "$WAIO" data decode "mine/shapes-iiit-pet/images/$(sed -n \
    '4s/ .*//p' mine/shapes-iiit-pet/annotations/test.txt).jpg" --size 20

# Fetching: from files here, checked, resumed, nothing overwritten.
command -v curl >/dev/null || {
    echo "no curl here: fetch_data.sh was not tried"
    finish
}
tar -cf set.tar -C mine shapes-iiit-pet
export WAIO_FETCH_TABLE=$work/table
echo "mine|shapes-iiit-pet|$(md5sum <set.tar | cut -d' ' -f1)|0|file://$work/none.tar file://$work/set.tar" >table
fetch=$WAIO_SOURCE/scripts/fetch_data.sh
expect 2 "" bash -c "\"$fetch\" got yours || exit 2"
expect 0 "All there" "$fetch" got mine
diff -r mine/shapes-iiit-pet got/shapes-iiit-pet >/dev/null || fail "unpacked is something else"
echo changed >got/shapes-iiit-pet/annotations/test.txt
expect 0 "is there" "$fetch" got
[ "$(cat got/shapes-iiit-pet/annotations/test.txt)" = changed ] || fail "a file was overwritten"
mkdir -p part/archives
head -c 5000 set.tar >part/archives/none.tar.part
expect 0 "All there" "$fetch" part
diff -r mine/shapes-iiit-pet part/shapes-iiit-pet >/dev/null || fail "resumed is something else"
sed -i 's/|[0-9a-f]\{32\}|/|00000000000000000000000000000000|/' table
expect 1 "not fetched: mine" "$fetch" wrong
[ ! -e wrong/shapes-iiit-pet ] || fail "an archive with another sum was unpacked"
finish
