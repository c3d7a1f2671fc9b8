#!/usr/bin/env python3
"""Draws figures from results files of waio (CSV), and from nothing else.

    figures.py results/quickstart.csv [MORE.csv ...] [--out results/figures] [--format png]
    figures.py --list

Left out, and said so: rows whose status is not ok, rows of a part of the test set (a suite with
`images: N`; --partial takes them), and rows that are given twice. Needs python3-matplotlib.
"""
import argparse
import csv
import math
import sys
from collections import Counter
from pathlib import Path

TEXTS = ("config", "dataset", "model", "method", "W", "A", "I", "O", "feed", "status")
COUNTS = ("images", "first_n")
NUMBERS = ("value", "float_value", "change_pct", "compression_pct")
# What tells two rows of one network and precision apart, beyond first_n and feed.
OTHER_AXES = ("split", "preprocess", "mapping", "range", "granularity", "symmetry", "suspects",
              "engine", "requant", "calibration_images", "backend", "seed")
# Okabe and Ito's palette: told apart with any colour vision. The markers tell apart what has the
# same colour, and what is printed in black and white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
MARKERS = "os^DvPX*"
HATCHES = ("", "///", "...")
MOST_BARS = 64        # more cannot be read; change_by_precision then narrows its choice
MOST_EDGES = 4        # heat maps a network, side by side
MOST_LISTED = 40      # rows of Pareto fronts that size_accuracy lists
LINE = 10             # points from line to line of that list
SAME_SIZE = 0.05      # compressions in percent that are one: zero points take a few bytes


def fail(message):
    sys.exit(f"figures.py: {message}")


def pyplot():
    """Matplotlib is looked for only when something is drawn, so that --list needs nothing."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot
    except ImportError as error:
        fail(f"matplotlib is missing ({error}): apt-get install python3-matplotlib, and run this "
             "with /usr/bin/python3")
    return matplotlib.pyplot


# ---- reading ------------------------------------------------------------------------------------

def check_row(row, place):
    """Turns the numbers of an ok row into numbers; complains with file, line and column."""
    if None in row or None in row.values():
        fail(f"{place}: a row of another length than the header; is it cut short?")
    if row["status"] != "ok" or row["method"] == "file":
        return
    for names, kind, what in ((COUNTS, int, "a whole number"), (NUMBERS, float, "a number")):
        for name in names:
            try:
                row[name] = kind(row[name])
            except ValueError:
                fail(f'{place}: column {name}: "{row[name]}" is not {what}')
    for axis in "WAIO":
        if row[axis] not in BITS:
            fail(f'{place}: column {axis}: "{row[axis]}" is not a precision')


def read_file(path):
    needed = TEXTS + COUNTS + NUMBERS
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames is None:
                fail(f"{path}: the file is empty")
            missing = [name for name in needed if name not in reader.fieldnames]
            if missing:
                fail(f"{path}: not a results file: no column {', '.join(missing)}")
            rows = []
            for row in reader:
                check_row(row, f"{path}:{reader.line_num}")
                rows.append(row)
            return rows
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{path}: not a results file: not text in UTF-8")
    except csv.Error as error:
        fail(f"{path}:{reader.line_num}: {error}")


def usable(rows, partial):
    """Rows that a figure may show; says which are left out and why."""
    kept, left_out, seen = [], Counter(), set()
    for row in rows:
        key = tuple(row.get(name) for name in ("config", "method", "backend", "model_sha256"))
        if row["status"] != "ok":
            left_out[f"status {row['status']}"] += 1
        elif row["method"] == "file":
            left_out["networks that came quantized: no float network to compare with"] += 1
        elif " images=0 " not in row["config"] and not partial:
            left_out["a part of the test set (--partial takes them)"] += 1
        elif key in seen:
            left_out["given twice"] += 1
        else:
            seen.add(key)
            kept.append(row)
    for reason, count in left_out.items():
        print(f"left out: {count} of {len(rows)} rows, {reason}")
    return kept


# ---- what is in the rows ------------------------------------------------------------------------

BITS = {**{str(b): b for b in range(2, 17)}, "f16": 17, "32": 32}  # in their order


def quantized(rows):
    return [row for row in rows if row["method"] != "float"]


def precision(row):
    return tuple(BITS[row[axis]] for axis in "WAIO")


def network(row):
    part = "" if " images=0 " in row["config"] else f", {row['images']} images"
    return f"{Path(row['model']).stem} on {row['dataset']}{part}"


def networks(rows):
    """Names in order of appearance, each with its colour and marker: the same in every figure."""
    names = list(dict.fromkeys(network(row) for row in rows))
    return {name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
            for i, name in enumerate(names)}


def variants(rows):
    """A function from a row to a text of what else differs between the rows: "", "raw", "F2"."""
    rows = quantized(rows)
    varying = [a for a in OTHER_AXES if len({row.get(a) for row in rows}) > 1]

    def text(row):
        parts = [f"F{row['first_n']}"] if row["first_n"] else []
        parts += ["raw"] if row["feed"] == "raw" else []
        return " ".join(parts + [f"{a}={row[a]}" for a in varying])
    return text


def label(row, variant):
    return " ".join(filter(None, ("/".join(row[axis] for axis in "WAIO"), variant(row))))


# ---- figures ------------------------------------------------------------------------------------

def narrow(rows, bars):
    """The rows of a bar chart that can be read, and in words which those are. `bars` counts."""
    ends = [{f([BITS[row[axis]] for row in rows]) for f in (min, max)} for axis in "IO"]
    widest = [max(precision(row)[axis] for row in rows) for axis in (2, 3)]
    choices = (
        ("", lambda w, a, i, o: True),
        ("W = A only", lambda w, a, i, o: w == a),
        ("W = A, narrowest and widest I and O only",
         lambda w, a, i, o: w == a and i in ends[0] and o in ends[1]),
        ("W = A, widest I and O only", lambda w, a, i, o: w == a and [i, o] == widest),
        ("widest I and O only", lambda w, a, i, o: [i, o] == widest),
    )
    chosen = [(words, [row for row in rows if keep(*precision(row))]) for words, keep in choices]
    chosen = [(words, some) for words, some in chosen if some]
    return next((c for c in chosen if bars(c[1]) <= MOST_BARS),
                min(chosen, key=lambda c: bars(c[1])))


def change_by_precision(rows, plt):
    """Percentage change in accuracy by precision W/A/I/O, a bar for every network. Where the rows
    are too many for bars that can be read, a choice of them; the title says which."""
    names = networks(rows)
    variant = variants(rows)
    every = quantized(rows)
    if not every:
        return None
    words, shown = narrow(every, len)
    shown = sorted(shown, key=lambda row: (precision(row), variant(row)))
    texts = list(dict.fromkeys(label(row, variant) for row in shown))
    used = [name for name in names if any(network(row) == name for row in shown)]
    step = 0.8 / len(used)
    height = 0.19 * len(texts) * max(len(used), 1.3) + 1.2
    figure, axes = plt.subplots(figsize=(8, height), constrained_layout=True)
    for i, name in enumerate(used):
        mine = [row for row in shown if network(row) == name]
        bars = axes.barh([texts.index(label(row, variant)) + i * step for row in mine],
                         [row["change_pct"] for row in mine], height=step, color=names[name][0],
                         label=name, hatch=HATCHES[list(names).index(name) // len(PALETTE) % 3])
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axes.set_yticks([k + step * (len(used) - 1) / 2 for k in range(len(texts))], texts, fontsize=8)
    axes.set_ylim(len(texts) - step / 2, -0.2 - step / 2)
    axes.margins(x=0.12)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("percentage change in accuracy, (float - quantized) / float x 100")
    axes.set_ylabel("W/A/I/O")
    if words:
        print(f"change_by_precision: {len(shown)} of {len(every)} rows: {words}")
        axes.set_title(f"{len(shown)} of {len(every)} rows: {words}", fontsize=8)
    legend_above(axes)
    return figure


def legend_above(axes):
    handles, texts = axes.get_legend_handles_labels()
    axes.legend(handles, texts, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False,
                ncol=2 if max(map(len, texts)) < 40 else 1, fontsize=8,
                borderaxespad=2 if axes.get_title() else 0.3)


def accuracy_heatmap(rows, plt):
    """Accuracy in percent by W and A, a row of panels for every network, a panel for every I and O
    (of more than four pairs the narrowest and the widest). A cell without a row has a dash."""
    names = networks(rows)
    variant = variants(rows)
    every = quantized(rows)
    if not every:
        return None
    edges = sorted({(r["I"], r["O"]) for r in every}, key=lambda e: (BITS[e[0]], BITS[e[1]]))
    if len(edges) > MOST_EDGES:
        print(f"accuracy_heatmap: 2 of {len(edges)} pairs of I and O: the narrowest and the widest")
        edges = [edges[0], edges[-1]]
    widths, acts = (sorted({row[axis] for row in every}, key=BITS.get) for axis in "WA")
    lines = list(dict.fromkeys((network(row), variant(row)) for row in every))
    lines.sort(key=lambda line: list(names).index(line[0]))
    figure, grid = panel_grid(plt, len(lines), len(edges), len(widths), len(acts))
    for panels, line in zip(grid, lines):
        floats = [row for row in rows if row["method"] == "float" and network(row) == line[0]]
        mine = [row for row in every if (network(row), variant(row)) == line]
        scale = plt.Normalize(min(row["value"] for row in mine),
                              max(row["value"] for row in mine + floats) + 1e-6)
        for axes, edge in zip(panels, edges):
            # The float network is W 32, A 32 where I and O are 32 as well.
            cells = {(row["W"], row["A"]): row["value"] for row in mine + floats
                     if (row["I"], row["O"]) == edge}
            draw_cells(axes, cells, widths, acts, scale)
            axes.set_title(f"I {edge[0]}, O {edge[1]}", fontsize=8)
        panels[0].annotate(f"{' '.join(filter(None, line))}: float {mine[0]['float_value']:.2f} %",
                           (0, 1), (0, 20), xycoords="axes fraction", textcoords="offset points",
                           fontsize=9, fontweight="bold", annotation_clip=False)
    return figure


def panel_grid(plt, lines, columns, widths, acts):
    """Panels whose cells have one size, whatever their number."""
    width, height = max(0.5 * acts, 0.9), 0.32 * widths
    gap_x, gap_y = 0.6, 1.1
    figure, grid = plt.subplots(lines, columns, squeeze=False,
                                figsize=(columns * (width + gap_x) - gap_x,
                                         lines * (height + gap_y) - gap_y))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=gap_x / width,
                           hspace=gap_y / height)
    return figure, grid


def draw_cells(axes, cells, widths, acts, scale):
    table = [[cells.get((w, a), math.nan) for a in acts] for w in widths]
    image = axes.imshow(table, cmap="cividis", norm=scale, aspect="auto")
    for y, line in enumerate(table):
        for x, value in enumerate(line):
            red, green, blue, _ = image.cmap(scale(value))
            dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.45
            axes.text(x, y, "-" if math.isnan(value) else f"{value:.1f}", ha="center", va="center",
                      fontsize=7, color="white" if dark and not math.isnan(value) else "black")
    axes.set_xticks(range(len(acts)), acts, fontsize=8)
    axes.set_yticks(range(len(widths)), widths, fontsize=8)
    axes.set_xlabel("A bits", fontsize=8)
    axes.set_ylabel("W bits", fontsize=8)


def pareto_front(rows):
    """Rows that no other row beats in size and accuracy, the smallest first."""
    front = []
    for row in sorted(rows, key=lambda r: (-round(r["compression_pct"] / SAME_SIZE), -r["value"])):
        if not front or row["value"] > front[-1]["value"]:
            front.append(row)
    return front


def size_accuracy(rows, plt):
    """Compression against accuracy of every quantized row; the line goes through the rows that no
    other beats in both (Pareto front), which are listed beside it. Dotted: the float network."""
    names = networks(rows)
    variant = variants(rows)
    every = quantized(rows)
    if not every:
        return None
    of = {name: [row for row in every if network(row) == name] for name in names}
    of = {name: mine for name, mine in of.items() if mine}
    fronts = {name: pareto_front(mine) for name, mine in of.items()}
    listing = [line for name in of
               for line in front_lines(name, names[name][0], fronts[name], len(of), variant)]
    figure, axes = plt.subplots(figsize=(7.5, max(5.2, LINE * len(listing) / 72)))
    for name, mine in of.items():
        colour, marker = names[name]
        axes.scatter([r["compression_pct"] for r in mine], [r["value"] for r in mine], s=14,
                     alpha=0.4, marker=marker, color=colour, linewidths=0)
        axes.step([r["compression_pct"] for r in fronts[name]], [r["value"] for r in fronts[name]],
                  color=colour, where="post", linewidth=1, marker=marker, markersize=4, label=name)
        axes.axhline(mine[0]["float_value"], color=colour, linewidth=0.8, linestyle=":")
    for i, (colour, weight, text) in enumerate(listing):
        axes.annotate(text, (1, 1), (12, -LINE * i), xycoords="axes fraction", va="top",
                      textcoords="offset points", color=colour, fontweight=weight, fontsize=7,
                      family="monospace", annotation_clip=False)
    axes.set_xlabel("model compression, (1 - size / float size) x 100")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.3)
    legend_above(axes)
    return figure


def front_lines(name, colour, front, networks_shown, variant):
    """A front as lines of text, each with colour and weight; the ends of a long one are always
    among them."""
    most = max(3, MOST_LISTED // networks_shown)
    step = max(1, math.ceil((len(front) - 1) / (most - 1)))
    picked = front[:-1:step] + front[-1:]
    lines = [(colour, "bold", name), (colour, "normal", " size    acc. %  W/A/I/O")]
    lines += [("black", "normal", f"{-r['compression_pct']:5.1f} %  {r['value']:5.2f}  "
                                  f"{label(r, variant)}") for r in picked]
    if len(picked) < len(front):
        lines.append(("black", "normal", f"({len(front) - len(picked)} more)"))
    return lines


FIGURES = {f.__name__: f for f in (change_by_precision, accuracy_heatmap, size_accuracy)}


# ---- the program --------------------------------------------------------------------------------

def in_view(axis, tick):
    low, high = sorted(axis.get_view_interval())
    return low <= tick.get_loc() <= high


def overlapping_labels(figure):
    """Pairs of texts that lie over each other: a fault of the figure."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.findobj(lambda a: hasattr(a, "get_text") and hasattr(a, "get_font"))
             if t.get_text().strip() and t.get_visible()]
    unseen = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
              for tick in axis.get_major_ticks() for text in (tick.label1, tick.label2)
              if not in_view(axis, tick)}
    boxes = [(t.get_window_extent(renderer), t.get_text()) for t in texts if id(t) not in unseen]
    boxes = [(box.padded(-1), text) for box, text in boxes if box.width > 2 and box.height > 2]
    return [(a, b) for i, (one, a) in enumerate(boxes) for other, b in boxes[:i]
            if one.overlaps(other)]


def draw(name, rows, out, args):
    plt = pyplot()
    figure = FIGURES[name](rows, plt)
    if figure is None:
        print(f"{name}: no quantized rows, not drawn")
        return
    for kind in args.format or ["png"]:
        path = out / f"{name}.{kind}"
        figure.savefig(path, dpi=150, bbox_inches="tight")
        print(path)
    if args.check_labels:
        overlaps = overlapping_labels(figure)
        if overlaps:
            fail(f"{name}: {len(overlaps)} labels lie over others, as {overlaps[0]}")
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", help="results files (CSV)")
    parser.add_argument("--out", default="results/figures", help="folder [results/figures]")
    parser.add_argument("--format", action="append", choices=("png", "svg", "pdf"),
                        help="may be given more than once [png]")
    parser.add_argument("--only", choices=sorted(FIGURES), help="one figure instead of all")
    parser.add_argument("--partial", action="store_true",
                        help="also rows of a part of the test set; their networks say so")
    parser.add_argument("--check-labels", action="store_true",
                        help="fail if labels of a figure lie over each other")
    parser.add_argument("--list", action="store_true", help="the figures there are")
    args = parser.parse_args()

    if args.list:
        for name, figure in FIGURES.items():
            print(f"{name}: {' '.join(figure.__doc__.split())}")
        return
    if not args.results:
        fail("no results file given (--help explains)")
    rows = [row for path in args.results for row in read_file(path)]
    if not rows:
        fail(f"{', '.join(args.results)}: no rows")
    rows = usable(rows, args.partial)
    if not rows:
        fail("no row is left to draw")
    out = Path(args.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in [args.only] if args.only else FIGURES:
            draw(name, rows, out, args)
    except OSError as error:
        fail(f"{out}: {error.strerror}")


if __name__ == "__main__":
    main()
