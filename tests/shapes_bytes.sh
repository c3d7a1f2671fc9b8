#!/usr/bin/env bash
# Whether the drawn data set has the digests that datasets/README.md states.
set -euo pipefail
cd "$WAIO_BUILD/data/shapes-batches-bin"
checked=0
for file in data_batch_1.bin test_batch.bin; do
    sum=$(sha256sum "$file" | cut -d' ' -f1)
    grep -q "$sum" "$WAIO_SOURCE/datasets/README.md" || {
        echo "$file has the digest $sum, which datasets/README.md does not state" >&2
        exit 1
    }
    checked=$((checked + 1))
done
echo "$checked files have the stated bytes"
