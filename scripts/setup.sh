#!/usr/bin/env bash
# Installs what waio needs from the distribution's packages (Debian 12 or later, Ubuntu 22.04 or
# later). Does nothing, and needs no network, when everything is there.
#   setup.sh [--tests]    --tests: also what only the tests need
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config libdnnl-dev libcyaml-dev libyaml-dev
    libprotobuf-c-dev protobuf-c-compiler libonnx-dev libhdf5-dev libcjson-dev zlib1g-dev
    python3 python3-matplotlib)
[ "${1:-}" = "--tests" ] && packages+=(python3-venv clang-format-14)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    case "$status" in *" installed") ;; *) missing+=("$package") ;; esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || {
    echo "setup.sh: no apt-get here; install these by hand: ${missing[*]}" >&2
    exit 1
}
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
