#!/usr/bin/env bash
# Whether all C and CUDA sources are formatted as .clang-format says. Versions of clang-format differ, so it
# must be version 14; without it the check is skipped (exit 77).
set -euo pipefail
cd "$(dirname "$0")/.."

tool=""
for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q "version 14\."; then
        tool=$candidate
        break
    fi
done
if [ -z "$tool" ]; then
    echo "skipped: no clang-format 14 here (apt-get install clang-format-14)"
    exit 77
fi
find host kernels tests datasets \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \
    -o -name '*.cpp' \) -print0 |
    xargs -0 "$tool" --dry-run -Werror
echo "all files are formatted"
