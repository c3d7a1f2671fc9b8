# Shared by the end-to-end tests: WAIO is the program, WAIO_SOURCE and WAIO_BUILD its folders.
set -u
: "${WAIO:?}" "${WAIO_SOURCE:?}" "${WAIO_BUILD:?}"
unset WAIO_DATA WAIO_MODELS

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

# expect STATUS TEXT COMMAND...: the command ends with the status and says the text.
expect() {
    local status=$1 text=$2 got
    shift 2
    "$@" >stdout.txt 2>stderr.txt
    got=$?
    [ "$got" -eq "$status" ] || fail "exit $got instead of $status: $*: $(tail -3 stderr.txt)"
    [ -z "$text" ] || grep -qF -- "$text" stdout.txt stderr.txt || fail "no \"$text\" from: $*: $(tail -3 stderr.txt)"
}

# same_rows A B: equal but for the columns that hold times.
same_rows() {
    python3 - "$1" "$2" <<'PYTHON' || fail "$1 and $2 hold other rows"
import csv, sys
def rows(path):
    with open(path, newline="") as file:
        found = list(csv.DictReader(file))
    for row in found:
        for column in ("images_per_s", "seconds", "started"):
            row[column] = ""
    return found
a, b = rows(sys.argv[1]), rows(sys.argv[2])
if a != b:
    print(len(a), "and", len(b), "rows")
    for x, y in zip(a, b):
        if x != y:
            print({c: (x[c], y[c]) for c in x if x[c] != y[c]})
            break
    sys.exit(1)
PYTHON
}

finish() {
    [ "$failures" -eq 0 ] && echo "ok"
    [ "$failures" -eq 0 ]
    exit $?
}
