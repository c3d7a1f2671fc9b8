"""The HTML of the report: one file, nothing fetched. What is in a cell comes from files and is
escaped, always."""
import base64
import io
import re
from collections import Counter, namedtuple
from html import escape
from pathlib import Path

from figures.rows import BITS, label, model_name, network, quantized, variants
from figures.sweep import pareto_front
from report.findings import check

HERE = Path(__file__).resolve().parent
# heading, "n" number or "t" text, from a row to its text
Column = namedtuple("Column", "head kind text")
MOST_FRONT = 30


def real(name, decimals=2):
    def text(row):
        try:
            return f"{float(row[name]):.{decimals}f}"
        except (TypeError, ValueError, KeyError):
            return ""
    return text


def plain(name):
    return lambda row: "" if row.get(name) is None else str(row[name])


def kibibytes(row):
    size = row.get("size_bytes")
    return f"{size / 1024:.1f}" if isinstance(size, float) else ""


COLUMNS = (
    Column("network", "t", model_name), Column("data", "t", plain("dataset")),
    Column("images", "n", plain("images")), Column("method", "t", plain("method")),
    Column("W", "n", plain("W")), Column("A", "n", plain("A")), Column("I", "n", plain("I")),
    Column("O", "n", plain("O")), Column("F_N", "n", plain("first_n")),
    Column("feed", "t", plain("feed")), Column("engine", "t", plain("engine")),
    Column("value %", "n", real("value")), Column("stderr", "n", real("stderr")),
    Column("change %", "n", real("change_pct")), Column("agree %", "n", real("agree_pct")),
    Column("size KiB", "n", kibibytes), Column("compression %", "n", real("compression_pct", 1)),
    Column("images/s", "n", real("images_per_s", 0)), Column("status", "t", plain("status")),
    Column("reason", "t", plain("reason")), Column("configuration", "t", plain("config")))
FILTERS = ("network", "data", "method", "feed", "status")


# ---- pieces -------------------------------------------------------------------------------------

def sort_value(column, text):
    """What a cell sorts by, where that is not its text: f16 lies between 16 and 32."""
    return str(BITS[text]) if column.head in ("W", "A", "I", "O") and text in BITS else None


def cell(column, row):
    text = column.text(row)
    value = sort_value(column, text)
    data = f' data-v="{value}"' if value else ""
    kind = ' class="n"' if column.kind == "n" else ""
    return f"<td{kind}{data}>{escape(text)}</td>"


def rows_table(rows):
    heads = "".join(f'<th scope="col" data-kind="{c.kind}"{" class=n" if c.kind == "n" else ""}>'
                    f'<button type="button">{escape(c.head)}</button></th>' for c in COLUMNS)
    body = "\n".join("<tr>" + "".join(cell(c, row) for c in COLUMNS) + "</tr>" for row in rows)
    return (f'<div class="wide" id="rows-box" tabindex="0" role="region" aria-label="all rows">'
            f'<table id="rows"><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>')


def controls(rows):
    lists = []
    for head in FILTERS:
        place = next(i for i, c in enumerate(COLUMNS) if c.head == head)
        values = sorted({COLUMNS[place].text(row) for row in rows})
        options = "".join(f'<option value="={escape(v, True)}">{escape(v or "(none)")}</option>'
                          for v in values)
        lists.append(f'<label>{escape(head)}<select data-column="{place}">'
                     f'<option value="">all</option>{options}</select></label>')
    return ('<div class="controls"><label>words that a row has'
            '<input id="filter" type="search" placeholder="w=8 ptq shapes" autocomplete="off"></label>'
            + "".join(lists) + '<button class="plain" id="clear" type="button">show all</button></div>'
            '<p id="shown" class="soft" role="status"></p>')


def small_table(heads, lines, numbers=()):
    """`lines` of texts; columns whose index is in `numbers` stand right."""
    def klass(i, extra=""):
        return ' class="n"' if i in numbers else extra
    head = "".join(f'<th scope="col"{klass(i)}>{escape(h)}</th>' for i, h in enumerate(heads))
    body = "".join("<tr>" + "".join(f'<td{klass(i, long_class(t))}>{escape(t)}</td>'
                                    for i, t in enumerate(line)) + "</tr>" for line in lines)
    return (f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def long_class(text):
    return ' class="t"' if len(text) > 40 else ""


def svg_of(figure, prefix):
    """A figure as SVG that can stand among others: its ids get a prefix."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'url\(#', f"url(#{prefix}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{prefix}-', text)
    # Hundredths of a point are enough for lines; glyphs are scaled, and stay as they are.
    return re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d.group()), text)


def picture(name, caption, svg):
    width = float(re.search(r'width="([\d.]+)pt"', svg).group(1))
    big = " big" if width > 1000 else ""
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption, True)}"', 1)
    return (f'<figure id="{escape(name, True)}"><div class="picture{big}" tabindex="0">{svg}</div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>")


# ---- sections -----------------------------------------------------------------------------------

def summary(rows):
    status = Counter(row["status"] for row in rows)
    best = [row for row in quantized(rows) if row["status"] == "ok" and row["method"] != "file"]
    within = [row for row in best if row["change_pct"] <= 1]
    smallest = max(within, key=lambda r: r["compression_pct"], default=None)
    cards = [(str(len(rows)), "rows"), (str(status["ok"]), "ok"),
             (str(status["mistrusted"]), "mistrusted"),
             (str(sum(status.values()) - status["ok"] - status["mistrusted"]), "failed or left out"),
             (str(len({network(r) for r in rows})), "networks on data sets")]
    html = '<ul class="cards">' + "".join(f"<li><b>{escape(a)}</b>{escape(b)}</li>"
                                          for a, b in cards) + "</ul>"
    if smallest:
        html += (f"<p>The smallest within 1 % of float: {escape(network(smallest))} at "
                 f"{'/'.join(smallest[a] for a in 'WAIO')} (W/A/I/O), "
                 f"{smallest['compression_pct']:.1f} % smaller, {smallest['value']:.2f} % against "
                 f"{smallest['float_value']:.2f} %.</p>")
    return html


def machine(rows):
    def distinct(name):
        return ", ".join(sorted({row.get(name) or "" for row in rows} - {""})) or "not recorded"
    started = sorted({row.get("started") or "" for row in rows} - {""})
    spent = sum(row["seconds"] for row in rows if isinstance(row.get("seconds"), float))
    entries = [("processor or device", distinct("device")), ("backend", distinct("backend")),
               ("waio", distinct("version")), ("suite", distinct("suite")),
               ("first and last row begun", f"{started[0]} to {started[-1]}" if started else
                "not recorded"),
               ("time of all rows", f"{spent:.0f} s"), ("seeds", distinct("seed"))]
    html = "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in entries) + "</dl>"
    sources = sorted({(row["model"], (row.get("model_sha256") or "")[:16], row["dataset"],
                       (row.get("data_sha256") or "")[:16]) for row in rows})
    return html + small_table(("network", "its SHA-256", "data set", "its SHA-256"), sources)


def failures(rows):
    lines = [(row["status"], row.get("reason") or "no reason given", row["config"])
             for row in rows if row["status"] != "ok"]
    if not lines:
        return "<p>None: every row is ok.</p>"
    counts = Counter((status, reason) for status, reason, _ in lines)
    html = small_table(("rows", "status", "reason"),
                       [(str(n), s, r) for (s, r), n in counts.most_common()], numbers=(0,))
    return html + ("<details><summary>Each of them</summary>"
                   + small_table(("status", "reason", "configuration"), lines) + "</details>")


def findings(rows):
    html = ""
    colour = {"confirmed": "good", "refuted": "bad"}
    for finding in check(rows):
        lines = list(dict.fromkeys(finding.lines))
        html += (f'<h3>{escape(finding.title)}: <span class="{colour.get(finding.verdict, "soft")}">'
                 f"{escape(finding.verdict)}</span></h3><p>Claim: {escape(finding.claim)}.</p>")
        if lines:
            html += (f"<details><summary>the rows ({len(lines)})</summary><ul>"
                     + "".join(f"<li>{escape(text)}</li>" for text in lines) + "</ul></details>")
    return html


def network_section(name, rows, variant, pictures):
    """The page of one network: its extremes and its Pareto front."""
    mine = [row for row in quantized(rows) if network(row) == name]
    html = f'<h3 id="{anchor(name)}">{escape(name)}</h3>'
    if not mine:
        return html + "<p>No quantized rows that can be shown.</p>"
    front = pareto_front(mine)
    worst = min(mine, key=lambda r: r["value"])
    html += (f"<p>Float {mine[0]['float_value']:.2f} %; {len(mine)} quantized rows, from "
             f"{worst['value']:.2f} % ({escape(label(worst, variant))}) to "
             f"{max(r['value'] for r in mine):.2f} %. No row is both smaller and better than these:"
             "</p>")
    lines = [(label(r, variant), f"{r['value']:.2f}", f"{r['change_pct']:+.2f}", kibibytes(r),
              f"{r['compression_pct']:.1f}") for r in front]
    html += small_table(("W/A/I/O", "value %", "change %", "size KiB", "compression %"),
                        lines[:MOST_FRONT], numbers=(1, 2, 3, 4))
    if len(lines) > MOST_FRONT:
        html += f'<p class="soft">and {len(lines) - MOST_FRONT} larger ones</p>'
    return html + "".join(pictures.get(name, ()))


def anchor(name):
    return "net-" + re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-").lower()


def since(changes):
    """What `waio compare --csv` says, as a section; None if it was not asked for."""
    if changes is None:
        return ""
    bad = [c for c in changes if c["regression"] == "1"]
    word = (f'<p class="bad">{len(bad)} regressions.</p>' if bad
            else '<p class="good">No regression.</p>')
    if not changes:
        return word + "<p>Nothing moved.</p>"
    lines = [(c["change"], "yes" if c["regression"] == "1" else "", c["old_value"], c["new_value"],
              c["text"], c["config"]) for c in bad + [c for c in changes if c not in bad]]
    return word + small_table(("change", "regression", "old", "new", "what", "configuration"), lines,
                              numbers=(2, 3))


# ---- the page -----------------------------------------------------------------------------------

def download(data):
    encoded = base64.b64encode(data).decode("ascii")
    return (f'<a download="rows.csv" href="data:text/csv;base64,{encoded}">all columns as CSV</a>')


def page(title, every, shown, pictures, own_pictures, left_out, changes, data):
    """`every` rows, those `shown` in figures, pictures as HTML, those of each network, what the
    figures leave out, the changes or None, the CSV for download."""
    variant = variants(shown)
    names = list(dict.fromkeys(network(row) for row in shown))
    sections = [("summary", "Summary", summary(every))]
    if changes is not None:
        sections.append(("changes", "Since the last good run", since(changes)))
    sections.append(("findings", "The thesis's findings on these rows", findings(every)))
    notes = "".join(f"<li>{escape(text)}</li>" for text in left_out)
    notes = f"<details><summary>What the figures leave out</summary><ul>{notes}</ul></details>" \
        if notes else ""
    sections += [
        ("figures", "Figures", ("".join(pictures) or "<p>No row can be drawn.</p>") + notes),
        ("networks", "Networks", '<ul>' + "".join(
            f'<li><a href="#{anchor(n)}">{escape(n)}</a></li>' for n in names) + "</ul>"
         + "".join(network_section(n, shown, variant, own_pictures) for n in names)),
        ("failed", "Rows that are not ok", failures(every)),
        ("table", "All rows", f"<p>A click on a heading sorts, a second one the other way round; "
         f"{download(data)}.</p>" + controls(every) + rows_table(every)),
        ("machine", "Machine and versions", machine(every))]
    nav = "".join(f'<li><a href="#{key}">{escape(head)}</a></li>' for key, head, _ in sections)
    body = "\n".join(f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(head)}</h2>\n{html}'
                     "</section>" for key, head, html in sections)
    style, script = ((HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{escape(title)}</title><style>{style}</style></head>
<body><a class="skip" href="#table">to the rows</a>
<header><h1>{escape(title)}</h1>
<button class="plain" id="theme" type="button">light or dark</button></header>
<nav aria-label="sections"><ul>{nav}</ul></nav>
<main>
{body}
</main>
<script>{script}</script></body></html>
"""
