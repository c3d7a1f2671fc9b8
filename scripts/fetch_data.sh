#!/usr/bin/env bash
# Fetches data sets from their publishers, checks them and unpacks them where waio looks for them.
#   fetch_data.sh [--list] [DIR] [SET ...]   DIR: WAIO_DATA, else ./data; SET: all of the table
# Broken downloads are resumed; what is unpacked already is left alone, and nothing is overwritten.
# Each set has its own terms of use: see its publisher's page.
set -euo pipefail

# set | folder that it gives | MD5 of the archive | bytes | URL, mirrors behind it
# MD5: CIFAR-10's from https://www.cs.toronto.edu/~kriz/cifar.html, the others from torchvision's
# datasets (voc.py, oxford_iiit_pet.py). Bytes 0: not known. None of these archives was
# downloaded where this table was written: sums, sizes and addresses are as published, and the second
# addresses were not tried.
# WAIO_FETCH_TABLE names a file to use instead: for a mirror of one's own.
table() {
    if [ -n "${WAIO_FETCH_TABLE:-}" ]; then
        cat "$WAIO_FETCH_TABLE"
        return
    fi
    cat <<'END'
cifar10|cifar-10-batches-bin|c32a1d4ab5d03f1284b67883e8d87530|170052171|https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz
oxford_pets|oxford-iiit-pet/images|5c4f3ee8e5d25df40f4fd59a7f44e54c|791918971|https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz https://thor.robots.ox.ac.uk/pets/images.tar.gz
oxford_pets|oxford-iiit-pet/annotations|95a8c909bbe2e81eed6a22bccdf3f68f|0|https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz https://thor.robots.ox.ac.uk/pets/annotations.tar.gz
voc2007|VOCdevkit/VOC2007/ImageSets/Main/trainval.txt|c52e279531787c972589f7e41ab4ae64|460032000|http://host.robots.ox.ac.uk/pascal/VOC/voc2007/VOCtrainval_06-Nov-2007.tar
voc2007|VOCdevkit/VOC2007/ImageSets/Main/test.txt|b6e924de25625d8de591ea690078ad9f|451020800|http://host.robots.ox.ac.uk/pascal/VOC/voc2007/VOCtest_06-Nov-2007.tar
voc2012|VOCdevkit/VOC2012|6cd6e144f989b92b3379bac3b3de84fd|1999639040|http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar
END
}

fail() {
    printf 'fetch_data.sh: %s\n' "$@" >&2
    exit 1
}

md5_of() {
    md5sum "$1" | cut -d' ' -f1
}

# The archive of a row, whole and checked, from the first address that gives it.
fetch() {
    local archive=$1 md5=$2 bytes=$3 url
    shift 3
    if [ -f "$archive" ] && [ "$(md5_of "$archive")" = "$md5" ]; then
        echo "  $archive is there"
        return 0
    fi
    for url in "$@"; do
        echo "  $url${bytes:+ ($bytes bytes)}"
        # A part that is there goes on where it stopped; a whole one that is wrong starts anew.
        if ! curl --fail --location --retry 3 --continue-at - --output "$archive.part" "$url"; then
            echo "  not to be had there" >&2
            continue
        fi
        if [ "$(md5_of "$archive.part")" = "$md5" ]; then
            mv "$archive.part" "$archive"
            return 0
        fi
        echo "  its MD5 is $(md5_of "$archive.part"), expected $md5: thrown away" >&2
        rm -f "$archive.part"
    done
    return 1
}

# Unpacks beside the data first, so that a broken run leaves no half set; then moves what is new.
unpack() {
    local archive=$1 dir=$2 below=$3 stage
    stage=$(mktemp -d "$dir/.unpack.XXXXXX")
    mkdir -p "$stage/$below" "$dir"
    if ! tar -xf "$archive" -C "$stage/$below" --no-same-owner; then
        rm -rf "$stage"
        return 1
    fi
    cp -al --no-clobber "$stage/." "$dir/" 2>/dev/null || cp -a --no-clobber "$stage/." "$dir/"
    rm -rf "$stage"
}

case ${1:-} in
-h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
--list)
    table | while IFS='|' read -r set folder md5 bytes urls; do
        printf '%-12s %-46s md5 %s  %s\n' "$set" "$folder" "$md5" "${urls%% *}"
    done
    exit 0
    ;;
-*) fail "unknown option $1" ;;
esac

dir=${1:-${WAIO_DATA:-data}}
[ $# -gt 0 ] && shift
for set in "$@"; do
    table | grep -q "^$set|" || fail "unknown set $set; there are: $(table | cut -d'|' -f1 | sort -u | tr '\n' ' ')"
done
for tool in curl tar md5sum; do
    command -v "$tool" >/dev/null || fail "$tool is needed"
done
mkdir -p "$dir/archives"
failures=()
while IFS='|' read -r set folder md5 bytes urls; do
    if [ $# -gt 0 ] && [[ " $* " != *" $set "* ]]; then
        continue
    fi
    if [ -e "$dir/$folder" ]; then
        echo "$set: $dir/$folder is there"
        continue
    fi
    echo "$set: fetching"
    archive=$dir/archives/$(basename "${urls%% *}")
    [ "$set" = oxford_pets ] && archive=$dir/archives/oxford-pets-$(basename "${urls%% *}")
    below=.
    [ "$set" = oxford_pets ] && below=oxford-iiit-pet
    # shellcheck disable=SC2086 # addresses are words
    if fetch "$archive" "$md5" "$bytes" $urls && unpack "$archive" "$dir" "$below"; then
        echo "$set: $dir/$folder unpacked"
    else
        failures+=("$set ($folder)")
    fi
done < <(table)
[ ${#failures[@]} -eq 0 ] || fail "not fetched: ${failures[*]}; start again to go on where it stopped"
echo "All there. \`waio data verify --data $dir\` looks at every image; archives may go: $dir/archives"
