#!/usr/bin/env python3
"""Draws figures from results files of waio (CSV), and from nothing else.

    figures.py results/quickstart.csv [MORE.csv ...] [--out results/figures] [--format png]
    figures.py --list

Rows whose status is not ok, and rows of a part of the test set next to rows of more images, are
left out; how many and why is printed.
"""
import argparse
import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

NEEDED = ("model", "dataset", "W", "A", "I", "O", "first_n", "feed", "method", "images", "value",
          "float_value", "change_pct", "compression_pct", "status")
# Okabe and Ito's palette: told apart with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "os^DvPX*"
MOST_BARS = 60


def fail(message):
    sys.exit(f"figures.py: {message}")


def read_rows(paths):
    """All rows of the files as dictionaries; complains about files that are not waio's."""
    rows = []
    for path in paths:
        try:
            with open(path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                missing = [c for c in NEEDED if c not in (reader.fieldnames or [])]
                if missing:
                    fail(f"{path}: not a results file: no column {', '.join(missing)}")
                rows += list(reader)
        except OSError as error:
            fail(f"{path}: {error.strerror}")
    if not rows:
        fail(f"{', '.join(map(str, paths))}: no rows")
    return rows


def usable(rows):
    """Rows that a figure may show; says on stdout which are left out and why."""
    most = {}
    for row in rows:
        key = row["model"], row["dataset"]
        most[key] = max(most.get(key, 0), int(row["images"] or 0))
    kept, left_out = [], Counter()
    for row in rows:
        if row["status"] != "ok":
            left_out[f"status {row['status']}"] += 1
        elif int(row["images"]) < most[row["model"], row["dataset"]]:
            left_out["part of the test set"] += 1
        else:
            kept.append(row)
    for reason, count in left_out.items():
        print(f"left out: {count} rows, {reason}")
    return kept


def quantized(rows):
    return [row for row in rows if row["method"] != "float"]


def bits(text):
    """Sorts 2..16, f16, 32."""
    return 17 if text == "f16" else int(text)


def label(row):
    text = "/".join(row[axis] for axis in "WAIO")
    if row["first_n"] not in ("", "0"):
        text += f" F{row['first_n']}"
    return text + (" raw" if row["feed"] == "raw" else "")


def networks(rows):
    """(model, dataset) in order of appearance, with a short name."""
    pairs = list(dict.fromkeys((row["model"], row["dataset"]) for row in rows))
    return {pair: f"{Path(pair[0]).stem} on {pair[1]}" for pair in pairs}


def change_by_precision(rows):
    """Percentage change in accuracy by precision, a bar for every network (thesis, figures 4.1.x)."""
    names = networks(rows)
    values = defaultdict(dict)
    order = {}
    for row in quantized(rows):
        text = label(row)
        order[text] = [bits(row[axis]) for axis in "WAIO"]
        values[text][row["model"], row["dataset"]] = float(row["change_pct"])
    texts = sorted(values, key=lambda t: (order[t], t))
    if not texts:
        return None
    if len(texts) * len(names) > MOST_BARS:
        # Too many for bars that can be read: hidden layers only, first and last as wide as they get.
        top = [max(order[t][axis] for t in texts) for axis in (2, 3)]
        texts = [t for t in texts if order[t][2:] == top]
        print(f"change_by_precision: shows I = {top[0]}, O = {top[1]} of {len(values)} precisions")
    height = max(2.5, 0.22 * len(texts) * len(names) + 1.2)
    figure, axes = plt.subplots(figsize=(8, height))
    step = 0.8 / len(names)
    for i, (pair, name) in enumerate(names.items()):
        places = [k + i * step for k, t in enumerate(texts) if pair in values[t]]
        widths = [values[t][pair] for t in texts if pair in values[t]]
        bars = axes.barh(places, widths, height=step, color=PALETTE[i % len(PALETTE)], label=name)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axes.set_yticks([k + step * (len(names) - 1) / 2 for k in range(len(texts))], texts, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("percentage change in accuracy, (float - quantized) / float x 100")
    axes.set_ylabel("W/A/I/O")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.55 / height), ncol=2, frameon=False,
                fontsize=8)
    return figure


def accuracy_heatmap(rows):
    """Accuracy by W and A, a panel for every network, at the widest and the narrowest I and O."""
    names = networks(rows)
    every = [r for r in rows if r["first_n"] in ("", "0") and r["feed"] != "raw"]
    plain = quantized(every)
    edges = sorted({(r["I"], r["O"]) for r in plain}, key=lambda e: (bits(e[0]), bits(e[1])))
    if not edges:
        return None
    edges = list(dict.fromkeys((edges[0], edges[-1])))
    widths = sorted({r["W"] for r in plain}, key=bits)
    acts = sorted({r["A"] for r in plain}, key=bits)
    figure, grid = plt.subplots(len(names), len(edges), squeeze=False, constrained_layout=True,
                                figsize=(1.8 + 0.75 * len(acts) * len(edges) + 0.8 * len(edges),
                                         (1.1 + 0.5 * len(widths)) * len(names)))
    for axes_row, (pair, name) in zip(grid, names.items()):
        mine = [r for r in every if (r["model"], r["dataset"]) == pair]
        top = max((float(r["float_value"]) for r in mine), default=100)
        for axes, edge in zip(axes_row, edges):
            table = {(r["W"], r["A"]): float(r["value"]) for r in mine if (r["I"], r["O"]) == edge}
            cells = [[table.get((w, a), float("nan")) for a in acts] for w in widths]
            axes.imshow(cells, cmap="cividis", vmin=0, vmax=top, aspect="auto")
            for y, line in enumerate(cells):
                for x, value in enumerate(line):
                    if value == value:
                        axes.text(x, y, f"{value:.1f}", ha="center", va="center", fontsize=8,
                                  color="black" if value > 0.6 * top else "white")
            axes.set_xticks(range(len(acts)), acts)
            axes.set_yticks(range(len(widths)), widths)
            axes.set_xlabel("A bits")
            axes.set_ylabel("W bits")
            axes.set_title(f"{name}\nI {edge[0]}, O {edge[1]} (float {top:.2f} %)", fontsize=9)
    return figure


def size_accuracy(rows):
    """Compression against accuracy of every row, and the rows that no other beats in both."""
    names = networks(rows)
    figure, axes = plt.subplots(figsize=(7.5, 5), constrained_layout=True)
    for i, (pair, name) in enumerate(names.items()):
        points = sorted((float(r["compression_pct"]), float(r["value"]), label(r)) for r in rows
                        if (r["model"], r["dataset"]) == pair)
        colour = PALETTE[i % len(PALETTE)]
        axes.scatter([p[0] for p in points], [p[1] for p in points], s=14, alpha=0.45,
                     marker=MARKERS[i % len(MARKERS)], color=colour, label=name, linewidths=0)
        front, best = [], float("-inf")
        for point in sorted(points, key=lambda p: (-p[0], -p[1])):
            if point[1] > best:
                front.append(point)
                best = point[1]
        axes.step([p[0] for p in front], [p[1] for p in front], where="post", color=colour,
                  linewidth=1)
    axes.set_xlabel("model compression, (1 - size / float size) x 100")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", frameon=False, fontsize=8,
                title="line: no other row is smaller and better", title_fontsize=8)
    return figure


FIGURES = {f.__name__: f for f in (change_by_precision, accuracy_heatmap, size_accuracy)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", help="results files (CSV)")
    parser.add_argument("--out", default="results/figures", help="folder [results/figures]")
    parser.add_argument("--format", default="png", choices=("png", "svg", "pdf"))
    parser.add_argument("--only", choices=sorted(FIGURES), help="one figure instead of all")
    parser.add_argument("--list", action="store_true", help="the figures there are")
    args = parser.parse_args()

    if args.list:
        for name, figure in FIGURES.items():
            print(f"{name}: {figure.__doc__}")
        return
    if not args.results:
        fail("no results file given (--help explains)")
    rows = usable(read_rows(args.results))
    if not rows:
        fail("no row is left to draw")
    out = Path(args.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in [args.only] if args.only else FIGURES:
            figure = FIGURES[name](rows)
            if figure is None:
                print(f"{name}: no quantized rows, not drawn")
                continue
            path = out / f"{name}.{args.format}"
            figure.savefig(path, dpi=150, bbox_inches="tight")
            plt.close(figure)
            print(path)
    except OSError as error:
        fail(f"{out}: {error.strerror}")


if __name__ == "__main__":
    main()
