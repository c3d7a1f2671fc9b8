#!/usr/bin/env bash
# The report page: whole and self-contained, fast from 2,500 rows, and in a real browser: sorting,
# filtering, keyboard, no message on the console, as wide as a desk's and a phone's window.
. "$(dirname "$0")/lib.sh"
here=$WAIO_SOURCE/tests/figures
export PYTHONDONTWRITEBYTECODE=1

python=""
for candidate in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$candidate" -c 'import matplotlib' 2>/dev/null || python=$candidate
done
[ -n "$python" ] || {
    echo "skipped: no matplotlib (apt-get install python3-matplotlib)"
    exit 77
}
report() { "$python" "$WAIO_SOURCE/scripts/report.py" "$@"; }

expect 0 "16 ok" "$WAIO" run "$WAIO_SOURCE/suites/smoke.yaml" --out smoke.csv
expect 0 "" "$python" "$here/make_rows.py" 2500 big.csv smoke.csv
[ "$(wc -l <big.csv)" -eq 2501 ] || fail "the test made no 2500 rows"

# 20 seconds of processor time for both, on whatever else runs here.
started=$SECONDS
TIMEFORMAT="%U %S"
{ time expect 0 "big.html" report big.csv "$WAIO_SOURCE/results/thesis/published.csv" -o big.html; } 2>time1.txt
{ time expect 0 "size_accuracy.png" "$python" "$WAIO_SOURCE/scripts/figures.py" big.csv --out figures --check-labels; } 2>time2.txt
spent=$(tail -qn 1 time1.txt time2.txt | awk '{ s += $1 + $2 } END { printf "%.1f", s }')
echo "figures and report of 2500 rows: $spent s of processor time, $((SECONDS - started)) s"
awk -v s="$spent" 'BEGIN { exit !(s < 20) }' || fail "figures and report took $spent s"

expect 0 "smoke.html" report smoke.csv -o pages/smoke.html
for page in big.html pages/smoke.html; do
    grep -oE '(src|href)="[^"#]*"|url\([^)#]*\)|@import|fetch\(|XMLHttpRequest' "$page" |
        grep -vE '="data:|="#' >outside.txt
    [ ! -s outside.txt ] || fail "$page asks for something outside: $(head -n 3 outside.txt)"
    for id in summary findings figures networks failed table machine; do
        grep -q "<h2 id=\"$id\">" "$page" || fail "$page has no section $id"
    done
done
grep -q '<script>window.broken' big.html && fail "a reason is not escaped"
"$WAIO" compare smoke.csv <(sed '3s/,ok,,/,failed,"made up",/' smoke.csv) --csv >changes.csv 2>/dev/null
cp smoke.csv new.csv
expect 0 "" report new.csv --changes <(printf 'change,regression,config,old_value,new_value,text\nworse,1,the row,9,8,went down\n') -o c.html
grep -q "1 regressions" c.html || fail "no word on the regression"
head -n 3 smoke.csv | cut -c 1-300 >cut.csv
expect 1 "cut.csv:" report cut.csv -o no.html
expect 1 "no rows of results" report "$WAIO_SOURCE/results/thesis/published.csv" -o no.html
expect 1 "not what" report smoke.csv --changes smoke.csv -o no.html
[ ! -e no.html ] || fail "a page after a failure"
grep -q Traceback stderr.txt && fail "a Python traceback"

browser=""
for candidate in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v "$candidate" || true)
done
if [ -z "$browser" ]; then
    echo "the page is not opened: no chromium (apt-get install chromium)"
    [ "$failures" -eq 0 ] || finish
    exit 77
fi
# browse PAGE ROWS WIDTH: opens the page with the test behind its script.
browse() {
    sed "s/EXPECTED_ROWS/$2/" "$here/page_test.js" >test.js
    awk '/<\/script><\/body><\/html>/ { sub("</body></html>", ""); print; print "<script>";
        while ((getline line < "test.js") > 0) print line; print "</script></body></html>"; next } 1' "$1" >tested.html
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
        --window-size="$3,900" --enable-logging=stderr --virtual-time-budget=20000 \
        --dump-dom "file://$work/tested.html" >dom.html 2>browser.txt
    title=$(grep -o '<title>[^<]*' dom.html | head -n 1)
    case $title in
    *"tested "*" failed 0 "*) echo "$1 at $3: ${title#<title>}" ;;
    *) fail "$1 at $3: $title" ;;
    esac
    grep 'CONSOLE' browser.txt && fail "$1 at $3: messages on the console"
}
browse big.html 2500 1280
browse pages/smoke.html 16 1280
browse big.html 2500 390
# The test sees what it looks for: a page whose sorting does nothing, and one that says something.
sed 's/body.appendChild(row);/;/' pages/smoke.html >dull.html
before=$failures
(browse dull.html 16 1280) >dull.txt 2>&1
grep -q "is not sorted" dull.txt || fail "a page that does not sort passes"
sed 's/  filter();$/  filter(); console.error("planted");/' pages/smoke.html >loud.html
(browse loud.html 16 1280) >loud.txt 2>&1
grep -q "messages on the console" loud.txt || fail "a page with an error on the console passes"
failures=$before
finish
