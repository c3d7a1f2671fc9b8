# Shared by the end-to-end tests: WAIO is the program, WAIO_SOURCE and WAIO_BUILD its folders.
set -u
: "${WAIO:?}" "${WAIO_SOURCE:?}" "${WAIO_BUILD:?}"
unset WAIO_DATA WAIO_MODELS WAIO_CACHE

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

[ -f "$WAIO_BUILD/data/shapes-batches-bin/test_batch.bin" ] || {
    echo "skipped: the build has not drawn the shapes data set"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# expect STATUS TEXT COMMAND...: the command ends with the status and says the text. What it said
# stays in stdout.txt and stderr.txt.
expect() {
    local status=$1 text=$2 got
    shift 2
    "$@" >stdout.txt 2>stderr.txt
    got=$?
    [ "$got" -eq "$status" ] || fail "exit $got instead of $status: $*: $(tail -n 3 stderr.txt)"
    [ -z "$text" ] || grep -qF -- "$text" stdout.txt stderr.txt ||
        fail "no \"$text\" from: $*: $(tail -n 3 stderr.txt)"
}

# place FILE COLUMN: which column of a results file that is, from 1.
place() {
    head -n 1 "$1" | tr ',' '\n' | grep -nx "$2" | cut -d : -f 1
}

# column FILE COLUMN: its values. For columns with no quoted ones before them.
column() {
    tail -n +2 "$1" | cut -d , -f "$(place "$1" "$2")"
}

# untimed FILE: its rows without what two runs may differ in.
untimed() {
    local before
    before=$(($(place "$1" images_per_s) - 1))
    head -n 1 "$1" | grep -q ',images_per_s,seconds,.*,started$' ||
        fail "$1: the columns of times are elsewhere"
    tail -n +2 "$1" | sed -E "s/^(([^,\"]*,){$before})[^,]*,[^,]*,/\1,,/; s/,[^,]*\$/,/"
}

# same_rows A B: the same rows in the same order, times aside.
same_rows() {
    untimed "$1" >untimed-a.txt
    untimed "$2" >untimed-b.txt
    [ -s untimed-a.txt ] || fail "$1 has no rows"
    cmp -s untimed-a.txt untimed-b.txt ||
        fail "$1 and $2 hold other rows: $(diff untimed-a.txt untimed-b.txt | head -n 4)"
}

finish() {
    [ "$failures" -eq 0 ] || {
        echo "$failures checks failed"
        exit 1
    }
    echo "ok"
    exit 0
}
