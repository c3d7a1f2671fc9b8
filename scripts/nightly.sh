#!/usr/bin/env bash
# Runs a suite, compares it with the last good results and writes a report. Pulls nothing and builds
# nothing. Made for a timer: under a lock, within a budget of time; what was cut off, by the budget,
# a kill or a power cut, the next call completes. Nothing that was computed is ever deleted.
#
#   nightly.sh SUITE [OPTIONS] [-- OPTIONS OF waio run]
#     --state DIR        where it keeps everything [results/nightly/<suite>]
#     --budget TIME      as of timeout(1): 8h, 90m, 600 [8h]
#     --factor X         of `waio compare` [1]
#     --speed-ratio X    of `waio compare` [off]
#     --accept           take the last finished results as good, run nothing
#
#   DIR/good.csv         the last good results: what the next night is compared with
#   DIR/running.csv      a night that is not complete yet
#   DIR/history/         of every night, named after its end: .csv, .changes.csv, .html
#   DIR/latest.html      the last report           DIR/nightly.log   what was said
#
# Exit status: 0 complete, no regression; 1 complete, but rows failed; 2 usage or input wrong;
# 3 a regression; 4 another one is running; 130 not complete, call again to go on.
# Results with a regression or failed rows are kept and do not become the good ones.
# Environment: WAIO (the program) [build/release/bin/waio], WAIO_DATA, WAIO_MODELS.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
waio=${WAIO:-$root/build/release/bin/waio}

say() { printf '%s nightly: %s\n' "$(date -u +%FT%TZ)" "$*"; }
fail() {
    printf 'nightly.sh: %s\n' "$*" >&2
    exit 2
}
usage() { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; }

suite="" state="" budget=8h accept=false
compare_options=() run_options=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --accept) accept=true ;;
    --state | --budget | --factor | --speed-ratio)
        [ $# -ge 2 ] || fail "$1 needs a value (--help explains)"
        case $1 in
        --state) state=$2 ;;
        --budget) budget=$2 ;;
        *) compare_options+=("$1" "$2") ;;
        esac
        shift
        ;;
    --)
        shift
        run_options=("$@")
        break
        ;;
    -*) fail "unknown option $1 (--help explains)" ;;
    *)
        [ -z "$suite" ] || fail "one suite at a time: $1"
        suite=$1
        ;;
    esac
    shift
done
[ -n "$suite" ] || fail "which suite? (--help explains)"
[ -x "$waio" ] || fail "$waio is no program; build it, or name it in WAIO"
rows=$("$waio" list "$suite" --count 2>&1) || fail "$rows"
name=$(sed -n 's/^name: *//p' "$suite" | head -n 1 | tr -d '"' | cut -d ' ' -f 1)
state=${state:-results/nightly/$name}
mkdir -p "$state/history" || fail "$state cannot be made"
[[ $budget =~ ^[0-9]+(\.[0-9]+)?[smhd]?$ ]] || fail "--budget $budget: expected a time as 8h, 90m or 600"

exec 9>>"$state/lock" || fail "$state/lock cannot be written"
flock -n 9 || {
    echo "nightly.sh: $state: another one is running" >&2
    exit 4
}
exec > >(exec 9>&-; tee -a "$state/nightly.log") 2>&1
log=$!
trap 'exec >&- 2>&-; wait "$log"' EXIT # the last lines are out before this script is gone
running=$state/running.csv good=$state/good.csv

# A copy beside it and a rename: never half a file under the name.
replace() {
    cp "$1" "$2.new" && sync "$2.new" && mv "$2.new" "$2"
}
if $accept; then
    last=$(find "$state/history" -name '*.csv' ! -name '*.changes.csv' ! -name '*.unfinished.csv' | sort | tail -n 1)
    [ -n "$last" ] || fail "$state/history has no finished results to accept"
    replace "$last" "$good" || fail "$good cannot be written"
    say "accepted as good: $last"
    exit 0
fi

# ---- run, or go on -----------------------------------------------------------------------------
# A signal to this script is passed on. The sweep holds the lock too: should this script be killed
# alone, the next call waits for what it left behind.
sweep() {
    timeout --signal=TERM --kill-after=60 "$budget" "$waio" run "$suite" --out "$running" --quiet \
        ${run_options[@]+"${run_options[@]}"} >/dev/null &
    child=$!
    trap 'kill -TERM "$child" 2>/dev/null' INT TERM HUP
    wait "$child"
    status=$?
    trap - INT TERM HUP
    # Woken by a signal, wait ends before the child: once more for what became of it.
    if kill -0 "$child" 2>/dev/null; then
        wait "$child"
        status=$?
        [ "$status" -ne 0 ] || status=130
    fi
}
stamp=$(date -u +%Y%m%dT%H%M%SZ)
resumed=false
[ ! -s "$running" ] || resumed=true
say "$suite: $rows; budget $budget$($resumed && echo ", going on with $(($(wc -l <"$running") - 1)) rows")"
sweep
if [ "$status" -eq 2 ] && $resumed; then
    # The suite, a model or the data is another one now: those rows are kept, a new night begins.
    say "the unfinished rows do not belong to this night: kept as history/$stamp.unfinished.csv"
    mv "$running" "$state/history/$stamp.unfinished.csv"
    sweep
fi
case $status in
0 | 1) ;;
2) fail "the suite could not be run" ;;
*)
    say "not complete (status $status): $(($(wc -l <"$running" 2>/dev/null || echo 1) - 1)) rows so far; call again to go on"
    exit 130
    ;;
esac
failed=$status

# ---- compare, report, keep ---------------------------------------------------------------------
# running.csv goes last: whatever stops this, the next call does it again from the same rows.
stamp=$(date -u +%Y%m%dT%H%M%SZ)
kept=$state/history/$stamp
replace "$running" "$kept.csv" || fail "$kept.csv cannot be written"
verdict=0
report=("$kept.csv" -o "$kept.html" --title "waio $name, $stamp")
if [ -s "$good" ]; then
    "$waio" compare "$good" "$kept.csv" ${compare_options[@]+"${compare_options[@]}"} || verdict=$?
    "$waio" compare "$good" "$kept.csv" ${compare_options[@]+"${compare_options[@]}"} --csv \
        >"$kept.changes.csv" 2>/dev/null
    [ ! -s "$kept.changes.csv" ] || report+=(--changes "$kept.changes.csv")
fi
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
if "$python" "$root/scripts/report.py" "${report[@]}" >/dev/null; then
    ln -sfn "history/$stamp.html" "$state/latest.html"
    say "report: $kept.html"
else
    say "no report could be written; the results are kept"
fi
case $verdict in
0) [ "$failed" -ne 0 ] || replace "$kept.csv" "$good" || fail "$good cannot be written" ;;
3) say "REGRESSION: named above and in the report; the good results stay as they were (--accept takes these)" ;;
*) say "the comparison failed (status $verdict); the good results stay as they were" ;;
esac
rm -f "$running"
[ "$failed" -eq 0 ] || say "some rows failed: the report has their reasons"
[ "$verdict" -ne 0 ] || verdict=$failed
say "complete: $kept.csv, exit status $verdict"
exit "$verdict"
