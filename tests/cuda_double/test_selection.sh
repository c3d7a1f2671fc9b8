#!/usr/bin/env bash
# Which backend the program takes with and without a device, and the one line that says why.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME WANTED_STATUS WANTED_TEXT COMMAND...
check() {
  local name=$1 status=$2 text=$3
  shift 3
  "$@" > "$work/out" 2>&1
  local got=$?
  if [ $got -ne "$status" ] || { [ -n "$text" ] && ! grep -qF -- "$text" "$work/out"; }; then
    echo "FAILED: $name: status $got, expected $status with \"$text\":"
    cat "$work/out"
    failed=1
  fi
}

infer() {
  head -c 12288 /dev/zero > "$work/in.f32"
  "$WAIO" infer shapes_resnet8 --input "$work/in.f32" --output "$work/out.f32" "$@"
}

export WAIO_CUDA_PLUGIN=$WAIO_DOUBLE XDG_CACHE_HOME=$work/cache
check "info, a device" 0 "device double, sm_86, 68 multiprocessors" "$WAIO" info
check "info, auto" 0 "backends (auto takes cuda)" "$WAIO" info
check "cuda" 0 "" infer --backend cuda
cp "$work/out.f32" "$work/cuda.f32"
check "auto takes cuda" 0 "" infer
cmp -s "$work/out.f32" "$work/cuda.f32" || { echo "FAILED: auto is not cuda"; failed=1; }

while IFS='|' read -r device line; do
  export WAIO_DOUBLE_DEVICE=$device
  check "info, $device" 0 "not used: ${line#cuda: }" "$WAIO" info
  check "cuda, $device" 2 "$line" infer --backend cuda
  check "auto, $device" 0 "$line; using cpu" infer
  check "cpu, $device" 0 "" infer --backend cpu
  [ -s "$work/out" ] && { echo "FAILED: cpu says something"; cat "$work/out"; failed=1; }
done << 'END'
nodriver|cuda: no NVIDIA driver (runtime 13.0 needs one)
old|cuda: the NVIDIA driver is too old: it has CUDA 12.0, this is 13.0
none|cuda: no NVIDIA GPU is visible
END
unset WAIO_DOUBLE_DEVICE

# Several devices, and which of them.
eval_few() {
  "$WAIO" eval model=shapes_resnet8 data=shapes w=8 a=8 i=8 o=8 images=2 calib=2 --batch 2 "$@"
}
export WAIO_DOUBLE_DEVICE=sm_86,sm_86,sm_75
check "info, all of a kind" 0 "2 x device double, sm_86" "$WAIO" info
check "a list" 0 "" eval_few --backend cuda --devices 1,0
check "a device of another kind alone" 0 "" eval_few --backend cuda --devices 2
check "two kinds" 2 "cuda: device 2 (device double, sm_75" eval_few --backend cuda --devices 0,2
for list in 3 0,0 a , 0, 0,,1 -1 0x1 0,1,2,3 99999999999; do
  check "devices $list" 2 "cuda: devices $list: expected different numbers from 0 to 2" \
    eval_few --backend cuda --devices "$list"
done
check "devices of cpu" 2 "--devices goes with the backend cuda" eval_few --backend cpu --devices 0
unset WAIO_DOUBLE_DEVICE

export WAIO_DOUBLE_FAULT=cudaGetDeviceCount:1:999
check "an unknown error" 0 "cuda: no device can be used: unknown error (code 999); using cpu" infer
unset WAIO_DOUBLE_FAULT

echo "no object" > "$work/broken.so"
export WAIO_CUDA_PLUGIN=$work/broken.so
check "a broken object" 0 "; using cpu" infer
check "a broken object, cuda" 2 "cuda: " infer --backend cuda

# The real one beside the program, if it was built; most machines that run this have no driver.
unset WAIO_CUDA_PLUGIN
real=$(dirname "$WAIO")/waio_cuda.so
if [ ! -e "$real" ]; then
  check "not built in" 0 "not used: not built in" "$WAIO" info
  check "not built in, cuda" 2 "cuda: not built in" infer --backend cuda
  check "not built in, auto" 0 "" infer
elif ! ldconfig -p | grep -q libcuda.so.1; then
  check "no driver" 0 "cuda: no NVIDIA driver" infer
  export WAIO_CUDA_PLUGIN=$real # opened all the same: it loads, and finds no driver either
  check "the real object" 0 "not used: no NVIDIA driver (runtime" "$WAIO" info
fi
exit $failed
