#!/usr/bin/env bash
# Tiles by measurement, on the double, whose kernels take as long as they have blocks: the largest tile
# wins. What was measured is kept, read back, validated; rows are the same whatever the tiles are.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
export WAIO_CUDA_PLUGIN=$WAIO_DOUBLE XDG_CACHE_HOME=$work/cache
file=$work/cache/waio/tiles-device_double__sm_86__68_multiprocessors-13000-13000-1.txt

complain() {
  echo "FAILED: $*"
  cat "$work/out" "$work/err"
  failed=1
}

# The row's numbers, without times and device.
run() {
  "$WAIO" eval model=shapes_resnet8 data=shapes w=8 a=8 i=8 o=8 engine=integer images=3 calib=1 \
    --batch 1 --quiet --threads 1 "$@" > "$work/out" 2> "$work/err"
  local status=$?
  awk 'NR == 2 { print $7, $9, $10, $NF }' "$work/out" > "$work/row"
  return $status
}

run --backend ref || complain "ref"
grep -q ' ok$' "$work/row" || complain "no row"
cp "$work/row" "$work/want"
same() {
  cmp -s "$work/row" "$work/want" || complain "$1: other numbers"
}

run --backend cuda --no-autotune || complain "--no-autotune"
same "--no-autotune"
[ -e "$work/cache" ] && complain "--no-autotune writes a file"

run --backend cuda || complain "the first run"
same "the first run"
[ -s "$work/err" ] && complain "the first run says something"
[ -s "$file" ] || { complain "no file"; ls -R "$work/cache"; exit 1; }
[ "$(head -n 1 "$file")" = "waio tiles 1" ] || complain "first line"
grep -q " 3$" "$file" || complain "256x128 was never the fastest"
grep -qv " 3$" "$file" || complain "256x128 was always the fastest"
shapes=$(($(wc -l < "$file") - 3))
[ "$shapes" -ge 5 ] || complain "$shapes shapes"
cp "$file" "$work/good"

# Nothing is measured twice: the clock is not read.
export WAIO_DOUBLE_FAULT=cudaEventElapsedTime:1:999
run --backend cuda || complain "the second run measures"
same "the second run"
rm "$file"
run --backend cuda && complain "without a file nothing was measured"
unset WAIO_DOUBLE_FAULT

# Other tiles, read from the file: the same numbers.
for tile in 1 2; do
  sed "3,$((shapes + 2))s/[123]\$/$tile/" "$work/good" > "$file"
  cp "$file" "$work/changed"
  run --backend cuda || complain "tile $tile"
  same "tile $tile"
  cmp -s "$file" "$work/changed" || complain "tile $tile: measured again"
done

# Broken files are ignored, with a line, and replaced.
broken() { # NAME LINE
  run --backend cuda || complain "$1"
  same "$1"
  [ "$(grep -c . "$work/err")" = 1 ] && grep -qF "cuda: tiles are measured anew: $file:$2" "$work/err" ||
    complain "$1: not one line about line $2"
  cmp -s "$file" "$work/good" || complain "$1: not replaced"
}
: > "$file"; broken "empty" 1
printf 'waio tiles 2\n' > "$file"; broken "another version" 1
sed '2s/68/70/' "$work/good" > "$file"; broken "another device" 2
sed '4s/ /  /' "$work/good" > "$file"; broken "two spaces" 4
sed '4s/ [0-9]*$/ 4/' "$work/good" > "$file"; broken "no such tile" 4
sed '4s/ [0-9]*$/ 0/' "$work/good" > "$file"; broken "tile 0" 4
sed '4s/ [0-9]*$//' "$work/good" > "$file"; broken "a number less" 4
sed '4s/$/ 1/' "$work/good" > "$file"; broken "a number more" 4
sed '4s/^[0-9]*/99999999999/' "$work/good" > "$file"; broken "a large number" 4
sed '4s/^/-/' "$work/good" > "$file"; broken "a sign" 4
sed '4s/.*/x/' "$work/good" > "$file"; broken "text" 4
sed '4{p}' "$work/good" > "$file"; broken "a shape twice" 5
sed '$d' "$work/good" > "$file"; broken "no end" $((shapes + 3))
sed '4d' "$work/good" > "$file"; broken "a line less" $((shapes + 2))
head -c 200 "$work/good" > "$file"; broken "cut off" "$(head -c 200 "$work/good" | awk 'END { print NR }')"
{ cat "$work/good"; echo; } > "$file"; broken "more behind the end" $((shapes + 3))
head -c 3000 /dev/urandom > "$file"; broken "noise" 1

# Where nothing can be kept, everything works all the same.
XDG_CACHE_HOME=/dev/null run --backend cuda || complain "no folder"
same "no folder"
# No memory to try a tile with: the rule decides for this shape, and nothing is kept of it.
without=0
for nth in 35 45 55 65 75 85; do
  rm -f "$file"
  WAIO_DOUBLE_FAULT=cudaMalloc:$nth:2 run --backend cuda || continue
  same "no memory"
  [ "$(wc -l < "$file")" -lt $((shapes + 3)) ] && without=$((without + 1))
done
[ $without -gt 0 ] || complain "no call for memory was one of the measurements"
exit $failed
