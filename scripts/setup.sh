#!/usr/bin/env bash
# Installs what waio needs from the distribution's packages (Debian 12 or later, Ubuntu 24.04 or
# later). Does nothing, and needs no network, when everything is there.
#   setup.sh [--tests]    --tests: also what only the tests need
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config libdnnl-dev libcyaml-dev libyaml-dev
    libprotobuf-c-dev protobuf-c-compiler libonnx-dev libhdf5-dev libcjson-dev zlib1g-dev
    python3 python3-matplotlib)
optional=()
if [ "${1:-}" = "--tests" ]; then
    packages+=(python3-venv)
    optional+=(clang-format-14) # the format check is skipped without it
fi

installed() {
    case "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null || true)" in
    *" installed") return 0 ;;
    *) return 1 ;;
    esac
}
missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
wanted=()
for package in ${optional[@]+"${optional[@]}"}; do
    installed "$package" || wanted+=("$package")
done
[ $((${#missing[@]} + ${#wanted[@]})) -eq 0 ] && exit 0

command -v apt-get >/dev/null || {
    echo "setup.sh: no apt-get here; install these by hand: ${missing[*]}" >&2
    exit 1
}
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
export DEBIAN_FRONTEND=noninteractive
if [ ${#missing[@]} -gt 0 ]; then
    echo "Installing: ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
for package in ${wanted[@]+"${wanted[@]}"}; do
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
        echo "not installed: $package (nothing depends on it)"
done
