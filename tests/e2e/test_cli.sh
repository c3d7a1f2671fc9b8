#!/usr/bin/env bash
# Help, exit statuses, streams, colour.
. "$(dirname "$0")/lib.sh"

expect 0 "Usage: waio COMMAND" "$WAIO" --help
[ ! -s stderr.txt ] || fail "help that was asked for is on stderr"
expect 2 "Usage: waio COMMAND" "$WAIO"
[ ! -s stdout.txt ] || fail "the usage after a mistake is on stdout"
expect 0 "waio" "$WAIO" --version

# Every help ends in an example, and the example works. The suite of the example is cut to a few
# images, so that this takes seconds under sanitizers as well.
cp -r "$WAIO_SOURCE/suites" .
sed -i 's/^datasets:/images: 50\n&/' suites/quickstart.yaml
head -c $((4 * 2 * 32 * 32 * 3)) /dev/zero >images.f32
echo '{"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1}]}' >instances_val2017.json
echo '[]' >detections.json
commands=$("$WAIO" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 7 ] || fail "the help lists only: $commands"
for command in $commands; do
    expect 0 "Example:" "$WAIO" "$command" --help
    [ ! -s stderr.txt ] || fail "$command --help is on stderr"
    cp stdout.txt help.txt
    expect 0 "" "$WAIO" "$command" -h
    cmp -s stdout.txt help.txt || fail "$command: -h and --help differ"
    example=$(tail -n 1 help.txt | sed 's/^ *//')
    [ "${example%% *}" = waio ] || fail "$command: the help does not end in an example: $example"
    [ "$(sed -n 'x;$p' help.txt)" = "Example:" ] || fail "$command: no \"Example:\" above the last line"
    # shellcheck disable=SC2086
    expect 0 "" "$WAIO" ${example#waio }
    [ -s stdout.txt ] || [ "$command" = infer ] || fail "$command: the example prints nothing"
    # Whatever is wrong is said in one line that names the command, on stderr.
    expect 2 "waio $command: unknown option --nonsense" "$WAIO" "$command" --nonsense
    [ ! -s stdout.txt ] || fail "$command: a mistake gives output on stdout"
    [ "$(wc -l <stderr.txt)" -eq 1 ] || fail "$command: a mistake gives more than a line"
done
# `infer` prints nothing: its scores go to the file, two images of ten classes.
[ "$(wc -c <scores.f32)" -eq 80 ] || fail "scores.f32 does not hold two images of ten float32"

# stdout is data, stderr is progress.
"$WAIO" run suites/smoke.yaml --out o.csv >out.txt 2>err.txt
[ "$(wc -l <out.txt)" -eq 17 ] || fail "stdout is not a header and 16 rows"
[ "$(grep -c '^shapes_resnet8 ' out.txt)" -eq 16 ] || fail "stdout has lines that are no rows"
grep -q "^16 rows in o.csv: 16 ok, 0 mistrusted, 0 failed" err.txt || fail "no summary on stderr"
"$WAIO" run suites/smoke.yaml --out o.csv >again.txt 2>/dev/null
[ ! -s again.txt ] || fail "rows that were there are in the table again"
"$WAIO" list suites/smoke.yaml >list.txt 2>/dev/null
[ "$(wc -l <list.txt)" -eq 16 ] && ! grep -vq '^model=' list.txt ||
    fail "waio list prints more than rows"
"$WAIO" eval model=shapes_resnet8 data=shapes images=50 --quiet >out.txt 2>err.txt
[ "$(wc -l <out.txt)" -eq 2 ] && [ ! -s err.txt ] || fail "eval --quiet prints more than its row"
"$WAIO" info --columns | tail -n +3 | grep -vq '^| `[a-zA-Z0-9_]*` | ' &&
    fail "info --columns prints more than its table"

# A locale with a decimal comma changes no number.
LC_ALL=de_DE.UTF-8 "$WAIO" run suites/smoke.yaml --out locale.csv >/dev/null 2>&1
same_rows o.csv locale.csv

# Colour, and a line that is rewritten, only on a terminal; NO_COLOR takes the colour away.
escape=$(printf '\033')
images=10
took=0
until [ "$took" -gt 1500 ] || [ "$images" -gt 1000 ]; do # long enough for a progress line
    images=$((images * 2))
    slow="eval model=shapes_resnet8 data=shapes images=$images w=8 --backend ref --threads 1"
    began=$(date +%s%N)
    # shellcheck disable=SC2086
    "$WAIO" $slow >out.txt 2>err.txt
    took=$((($(date +%s%N) - began) / 1000000))
done
grep -q "$escape" out.txt err.txt list.txt o.csv && fail "escape codes without a terminal"
if command -v script >/dev/null; then
    on_terminal() { script -qec "\"$WAIO\" $slow" /dev/null </dev/null 2>&1; }
    TERM=xterm NO_COLOR='' on_terminal >colour.txt
    TERM=xterm NO_COLOR=1 on_terminal >plain.txt
    TERM=dumb NO_COLOR='' on_terminal >dumb.txt
    for file in colour.txt plain.txt dumb.txt; do
        grep -q "^.*shapes_resnet8 .* ok" $file || fail "no row on a terminal: $(tail -n 3 $file)"
    done
    grep -q "$escape\[2m" colour.txt || fail "no colour on a terminal"
    grep -q "[1-9][0-9]* images/s  [0-9]*s left" colour.txt || fail "no speed and time left: $(cat -v colour.txt)"
    grep -q "$escape\[K" plain.txt || fail "no line that is rewritten on a terminal"
    grep -q "$escape\[[0-9;]*m" plain.txt && fail "colour in spite of NO_COLOR"
    grep -q "$escape" dumb.txt && fail "escape codes on a dumb terminal"
fi
finish
