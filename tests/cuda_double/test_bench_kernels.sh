#!/usr/bin/env bash
# waio bench --kernels from end to end on the double, whose times mean nothing: every kernel is there
# and right, the columns are there; calls that fail end it with a message; no device: one line.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
  echo "FAILED: $*"
  cat "$work/out"
  failed=1
}

bench() {
  "$WAIO" bench --kernels --small "$@" > "$work/out" 2>&1
}

export WAIO_CUDA_PLUGIN=$WAIO_DOUBLE
columns=device,kernel,shape,microseconds,gb_per_s,top_per_s,limit,limit_us,share_pct,peer,peer_us,checked,wrong
kernels="gemm_qs8 sums,gemm_qs8 64x64,gemm_qs8 128x128,gemm_16x8,gemm_16x16,conv2d_qs8,conv2d_16x8,depthwise_qs8,depthwise_16x8,fake_quantize,fake_quantize_several,fake_quantize_jobs,quantize_qs8,quantize_qs16,dequantize_qs8,requantize_qs8,range,histogram,squared_errors"
for device in sm_75 sm_86; do
  export WAIO_DOUBLE_DEVICE=$device
  bench --out "$work/$device.csv" || complain "$device: status $?"
  [ "$(head -n 1 "$work/$device.csv")" = "$columns" ] || complain "$device: other columns"
  # A field more where the device's name, quoted, has commas: four of them.
  awk -F, -v n=16 'NR > 1 && (NF < n || $NF != 0 || $(NF - 1) < 2) { print; bad = 1 } END { exit bad }' \
    "$work/$device.csv" || complain "$device: rows that are short, wrong or not checked"
  IFS=,
  for kernel in $kernels; do
    grep -qF ",$kernel," "$work/$device.csv" || complain "$device: no row of $kernel"
  done
  unset IFS
done
grep -q "gemm_qs8 256x128" "$work/sm_75.csv" && complain "sm_75 has no tile of 256x128"
grep -q "gemm_qs8 256x128" "$work/sm_86.csv" || complain "sm_86 has a tile of 256x128"
bench # the table again
grep -qF "760 GB/s (320 bit at 9.50 GHz), 238 int8 TOP/s" "$work/out" || complain "other limits"
grep -q "cuBLAS int8" "$work/out" || complain "no cuBLAS"
grep -q "cuDNN float" "$work/out" || complain "no cuDNN"

bench --only histogram || complain "--only"
[ "$(grep -c right "$work/out")" = 1 ] || complain "--only gives other rows"
bench --only nothing && complain "a kernel called nothing"
grep -q "no kernel has that in its name" "$work/out" || complain "no message"
"$WAIO" bench --small shapes_resnet8 > "$work/out" 2>&1 && complain "--small without --kernels"
bench --out "$work" && complain "a folder as CSV"

for call in 20 90 333 500 741 1000; do
  WAIO_DOUBLE_FAULT="*:$call:2" bench
  status=$?
  { [ $status = 2 ] && grep -q "waio bench: cuda: " "$work/out"; } || [ $status = 0 ] ||
    complain "call $call failed: status $status"
done
WAIO_DOUBLE_FAULT="cudaEventElapsedTime:9:700" bench
[ $? = 2 ] || complain "an illegal address"
WAIO_DOUBLE_DEVICE=none bench
{ [ $? = 2 ] && grep -q "cuda: no NVIDIA GPU is visible" "$work/out"; } || complain "no device"
exit $failed
