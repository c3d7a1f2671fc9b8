#!/usr/bin/env bash
# Help, exit statuses, streams.
. "$(dirname "$0")/lib.sh"

expect 0 "Usage: waio COMMAND" "$WAIO" --help
expect 2 "Usage: waio COMMAND" "$WAIO"
cp -r "$WAIO_SOURCE/suites" .
python3 -c "import sys; sys.stdout.buffer.write(bytes(4 * 2 * 32 * 32 * 3))" >images.f32
commands=$("$WAIO" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^waio$')
[ "$(echo "$commands" | wc -l)" -ge 7 ] || fail "the help lists only: $commands"
for command in $commands; do
    expect 0 "Example:" "$WAIO" "$command" --help
    # Every help ends in an example that works.
    example=$("$WAIO" "$command" --help | tail -1 | sed 's/^ *//')
    [ "${example%% *}" = waio ] || fail "$command: the help does not end in an example: $example"
    case $command in check) continue ;; esac # minutes under sanitizers; test_check runs it
    # shellcheck disable=SC2086
    expect 0 "" "$WAIO" ${example#waio }
done
expect 0 "resnet" "$WAIO" check --images 1

# stdout is data, stderr is progress.
"$WAIO" run suites/smoke.yaml --out o.csv >out.txt 2>err.txt
grep -q "^shapes_resnet8" out.txt || fail "no table on stdout"
[ "$(grep -c . out.txt)" -eq 17 ] || fail "stdout is not a header and 16 rows"
grep -q "16 rows in o.csv" err.txt || fail "no summary on stderr"
"$WAIO" list suites/smoke.yaml 2>/dev/null | grep -vq '^model=' && fail "waio list prints more than rows"
grep -q "$(printf '\033')" out.txt err.txt && fail "colour without a terminal"
expect 0 "waio" "$WAIO" --version
finish
