#!/usr/bin/env bash
# Every suite that comes with waio is one, and gives as many rows as its first lines say.
. "$(dirname "$0")/lib.sh"
said=0
for suite in "$WAIO_SOURCE"/suites/*.yaml; do
    name=$(basename "$suite" .yaml)
    expect 0 "" "$WAIO" list "$suite" --count
    rows=$(cut -d ' ' -f 1 stdout.txt) passes=$(cut -d ' ' -f 4 stdout.txt)
    [ "$(sed -n 's/^name: //p' "$suite")" = "$(echo "$name" | tr _ -)" ] || fail "$name has another name inside"
    grep -q "\`$name\.yaml\`" "$WAIO_SOURCE/suites/README.md" || fail "suites/README.md does not know $name"
    text=$(grep '^#' "$suite" | tr '\n' ' ' | tr -d '#' | tr -s ' ')
    if [[ $text =~ ([0-9]+)\ rows ]]; then
        said=$((said + 1))
        [ "${BASH_REMATCH[1]}" -eq "$rows" ] || fail "$name says ${BASH_REMATCH[1]} rows, there are $rows"
    else
        fail "$name does not say how many rows it has"
    fi
    if [[ $text =~ ([0-9]+)\ passes ]]; then
        [ "${BASH_REMATCH[1]}" -eq "$passes" ] || fail "$name says ${BASH_REMATCH[1]} passes, there are $passes"
    fi
done
[ "$said" -ge 20 ] || fail "only $said suites were looked at"
finish
