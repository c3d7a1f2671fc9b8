"""Figures of a sweep: what each precision costs, heat maps, accuracy over bits and over size."""
import math
from collections import Counter

from figures.rows import BITS, label, network, precision, quantized, say, variants
from figures.style import HATCHES, MARKERS, PALETTE, colours, legend_above

MOST_BARS = 64        # more cannot be read; change_by_precision then narrows its choice
MOST_EDGES = 4        # heat maps a network, side by side
MOST_LINES = 16       # rows of heat maps
MOST_LISTED = 40      # rows of Pareto fronts that size_accuracy lists
MOST_CURVES = 7       # of accuracy_over_bits, a panel
LINE = 10             # points from line to line of that list
SAME_SIZE = 0.05      # compressions in percent that are one: zero points take a few bytes


def networks(rows):
    """Names in order of appearance, each with its colour and marker: the same in every figure."""
    return colours(list(dict.fromkeys(network(row) for row in rows)))


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
        say(f"change_by_precision: {len(shown)} of {len(every)} rows: {words}")
        axes.set_title(f"{len(shown)} of {len(every)} rows: {words}", fontsize=8)
    legend_above(axes)
    return figure


def accuracy_heatmap(rows, plt):
    """Accuracy in percent by W and A, a row of panels for every network, a panel for every I and O
    (of more than four pairs the narrowest and the widest). A cell without a row has a dash."""
    return heatmap(rows, plt, "accuracy_heatmap", ("W", "A"), ("I", "O"))


def edge_heatmap(rows, plt):
    """Accuracy in percent by I and O, a row of panels for every network, a panel for every W and A
    (of more than four pairs the narrowest and the widest). A cell without a row has a dash."""
    return heatmap(rows, plt, "edge_heatmap", ("I", "O"), ("W", "A"))


def heatmap(rows, plt, name, inner, outer):
    names = networks(rows)
    variant = variants(rows)
    every = quantized(rows)
    if not every:
        return None
    rows_of = Counter(tuple(r[axis] for axis in outer) for r in every)
    edges = sorted(rows_of, key=lambda e: [BITS[bits] for bits in e])
    if len(edges) > MOST_EDGES:
        fullest = max(rows_of.values())  # a panel of dashes says nothing
        full = [edge for edge in edges if 2 * rows_of[edge] >= fullest]
        say(f"{name}: 2 of {len(edges)} pairs of {' and '.join(outer)}: the narrowest and the widest")
        edges = [full[0], full[-1]] if len(full) > 1 else full
    ups, acrosses = (sorted({row[axis] for row in every}, key=BITS.get) for axis in inner)
    lines = list(dict.fromkeys((network(row), variant(row)) for row in every))
    lines.sort(key=lambda line: list(names).index(line[0]))
    if len(lines) > MOST_LINES:
        say(f"{name}: {MOST_LINES} of {len(lines)} networks and choices; left out: "
            + ", ".join(" ".join(filter(None, line)) for line in lines[MOST_LINES:]))
        lines = lines[:MOST_LINES]
    figure, grid = panel_grid(plt, len(lines), len(edges), len(ups), len(acrosses))
    for panels, line in zip(grid, lines):
        floats = [row for row in rows if row["method"] == "float" and network(row) == line[0]]
        mine = [row for row in every if (network(row), variant(row)) == line]
        scale = plt.Normalize(min(row["value"] for row in mine),
                              max(row["value"] for row in mine + floats) + 1e-6)
        for axes, edge in zip(panels, edges):
            # The float network is 32 on the inner axes where the outer ones are 32 as well.
            cells = {tuple(row[axis] for axis in inner): row["value"] for row in mine + floats
                     if tuple(row[axis] for axis in outer) == edge}
            draw_cells(axes, cells, ups, acrosses, scale)
            axes.set_title(f"{outer[0]} {edge[0]}, {outer[1]} {edge[1]}", fontsize=8)
            axes.set_xlabel(f"{inner[1]} bits", fontsize=8)
            axes.set_ylabel(f"{inner[0]} bits", fontsize=8)
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


def accuracy_over_bits(rows, plt):
    """Accuracy over bits, W = A: a panel for every network, a line for every method and choice, at the
    widest I and O that it has. Dashed: the float network; shaded: a standard error."""
    names = networks(rows)
    variant = variants(rows)
    shown = [row for row in quantized(rows) if row["W"] == row["A"]]
    used = [name for name in names if any(network(row) == name for row in shown)]
    if not used:
        return None
    columns = min(3, len(used))
    lines = math.ceil(len(used) / columns)
    figure, grid = plt.subplots(lines, columns, squeeze=False, constrained_layout=True,
                                figsize=(4.4 * columns, 3.7 * lines))
    for axes in grid.flat[len(used):]:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, used):
        draw_curves(axes, [row for row in shown if network(row) == name], variant, name)
    return figure


def draw_curves(axes, rows, variant, name):
    lines = list(dict.fromkeys((row["method"], variant(row)) for row in rows))
    if len(lines) > MOST_CURVES:
        say(f"accuracy_over_bits: {name}: {MOST_CURVES} of {len(lines)} lines; left out: "
            + ", ".join(" ".join(filter(None, line)) for line in lines[MOST_CURVES:]))
    ticks = sorted({row["W"] for row in rows}, key=BITS.get)
    texts = []
    for i, line in enumerate(lines[:MOST_CURVES]):
        mine = [row for row in rows if (row["method"], variant(row)) == line]
        edge = max({(row["I"], row["O"]) for row in mine}, key=lambda e: [BITS[b] for b in e])
        mine = sorted((r for r in mine if (r["I"], r["O"]) == edge), key=precision)
        text = line[1] if line[0] in line[1].split() else " ".join(filter(None, line))
        texts.append(f"{text}, I {edge[0]}, O {edge[1]}")
        axes.plot([ticks.index(row["W"]) for row in mine], [row["value"] for row in mine],
                  color=PALETTE[i], marker=MARKERS[i], linestyle=("-", "--", "-.", ":")[i % 4],
                  markersize=4, linewidth=1.3, label=texts[-1])
    top, error = rows[0]["float_value"], rows[0].get("stderr") or 0
    axes.axhline(top, color="black", linewidth=0.8, linestyle="--")
    axes.axhspan(top - error, top + error, color="black", alpha=0.08, linewidth=0)
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlabel("W = A bits", fontsize=8)
    axes.set_ylabel("accuracy, %", fontsize=8)
    axes.set_title(f"{name}: float {top:.2f} %", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16),
                ncol=2 if max(map(len, texts)) < 28 else 1)


FIGURES = {f.__name__: f for f in (change_by_precision, accuracy_heatmap, edge_heatmap,
                                   accuracy_over_bits, size_accuracy)}
