#!/usr/bin/env bash
# Installs what waio needs from the distribution's packages (Debian 12 or later, Ubuntu 24.04 or
# later). Does nothing, and needs no network, when everything is there.
#   setup.sh [--tests]    --tests: also what only the tests need
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config libdnnl-dev libcyaml-dev libyaml-dev
    libprotobuf-c-dev protobuf-c-compiler libonnx-dev libhdf5-dev libcjson-dev zlib1g-dev
    libjpeg-dev libpng-dev libexpat1-dev
    python3 python3-matplotlib)
optional=()
if [ "${1:-}" = "--tests" ]; then
    packages+=(python3-venv)
    optional+=(clang-format-14) # the format check is skipped without it
    optional+=(chromium)        # the report page is not opened in tests without it
fi
least_cmake=3.25

fail() {
    printf 'setup.sh: %s\n' "$@" >&2
    exit 1
}
cmake_is_new() {
    local version
    version=$(cmake --version 2>/dev/null | sed -n '1s/.* //p')
    [ -n "$version" ] && printf '%s\n' "$least_cmake" "$version" | sort -CV
}
installed() {
    # A CMake or Ninja from elsewhere will do.
    case $1 in
    cmake) cmake_is_new && return 0 ;;
    ninja-build) command -v ninja >/dev/null && return 0 ;;
    esac
    case "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null || true)" in
    *" installed") return 0 ;;
    *) return 1 ;;
    esac
}

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -qq --no-install-recommends)

if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "no apt-get here; install these by hand: ${missing[*]}"
    [ ${#sudo[@]} -eq 0 ] || command -v sudo >/dev/null ||
        fail "neither root nor sudo here; as root: apt-get install ${missing[*]}"
    echo "Installing: ${missing[*]}"
    "${sudo[@]}" apt-get update -qq ||
        echo "setup.sh: the package lists cannot be renewed; trying with those that are there" >&2
    "${sudo[@]}" "${install[@]}" "${missing[@]}" >/dev/null ||
        fail "not all of these can be installed: ${missing[*]}" \
            "(on Ubuntu some are in \"universe\": sudo add-apt-repository universe)"
fi
cmake_is_new || fail "CMake $least_cmake or later is needed, here is $(cmake --version | head -n 1)." \
    "A newer one: pip install cmake, or the packages of cmake.org"

# Whoever must type a password for it does without.
[ ${#sudo[@]} -eq 0 ] || sudo=(sudo -n)
for package in ${optional[@]+"${optional[@]}"}; do
    installed "$package" || "${sudo[@]}" "${install[@]}" "$package" >/dev/null 2>&1 ||
        echo "not installed: $package (nothing depends on it)"
done
