"""Layers: how sensitive each is (the CSV of `waio sensitivity`), and how its weights and activations
are distributed (the CSV of `waio show NET --distributions FILE`)."""
from figures.rows import say
from figures.style import HATCHES, PALETTE, wrap

MOST_LAYERS = 60      # bars of a sensitivity figure
MOST_PANELS = 32      # of a distribution figure
PANELS = (("rmse_over_scale", "error / step"), ("sqnr_db", "signal to noise, dB"),
          ("value_only", "accuracy, only this layer quantized, %"),
          ("value_all_but", "accuracy, all but this layer quantized, %"))


def real(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def layer_sensitivity(rows, plt):
    """How sensitive each layer is: a bar a layer for every measure that the file has."""
    rows = [row for row in rows if any(real(row.get(name)) is not None for name, _ in PANELS)]
    shown = [(name, text) for name, text in PANELS
             if any(real(row.get(name)) is not None for row in rows)]
    if not shown:
        say("layer_sensitivity: no column with numbers among " + ", ".join(n for n, _ in PANELS))
        return None
    if len(rows) > MOST_LAYERS:
        say(f"layer_sensitivity: the first {MOST_LAYERS} of {len(rows)} layers")
        rows = rows[:MOST_LAYERS]
    figure, grid = plt.subplots(1, len(shown), squeeze=False, sharey=True, constrained_layout=True,
                                figsize=(2.2 + 2.5 * len(shown), 0.9 + 0.2 * max(len(rows), 5)))
    places = range(len(rows))
    for i, (axes, (name, text)) in enumerate(zip(grid[0], shown)):
        values = [real(row.get(name)) for row in rows]
        known = [(k, v) for k, v in zip(places, values) if v is not None]
        axes.barh([k for k, _ in known], [v for _, v in known], height=0.7, color=PALETTE[i],
                  hatch=HATCHES[i], edgecolor="white", linewidth=0.4)
        if name.startswith("value") and known:
            low, high = min(v for _, v in known), max(v for _, v in known)
            axes.set_xlim(low - 0.15 * (high - low) - 0.2, high + 0.05 * (high - low) + 0.2)
        axes.set_xlabel(wrap(text, 26), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    grid[0][0].set_yticks(list(places), [f"{row['index']}  {row['layer'][-32:]}" for row in rows],
                          fontsize=7)
    grid[0][0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def distributions(rows, plt):
    """Histograms of weights and activations, a panel for each tensor, counts on a logarithmic axis;
    dashed: the range that is quantized, dotted: zero."""
    names = list(dict.fromkeys((row["kind"], row["index"], row["tensor"]) for row in rows))
    if not names:
        return None
    if len(names) > MOST_PANELS:
        kinds = [k for k in ("weights", "activations") if any(n[0] == k for n in names)]
        each = MOST_PANELS // len(kinds)
        picked = []
        for kind in kinds:
            mine = [n for n in names if n[0] == kind]
            step = max(1, -(-len(mine) // each))
            picked += mine[::step]
        say(f"distributions: {len(picked)} of {len(names)} tensors, evenly through the network")
        names = picked
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, grid = plt.subplots(lines, columns, squeeze=False, constrained_layout=True,
                                figsize=(2.7 * columns, 1.9 * lines))
    for axes in grid.flat[len(names):]:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, names):
        draw_histogram(axes, name, [row for row in rows
                                    if (row["kind"], row["index"], row["tensor"]) == name])
    return figure


def draw_histogram(axes, name, bins):
    kind = 0 if name[0] == "weights" else 1
    axes.stairs([b["count"] for b in bins], [b["low"] for b in bins] + [bins[-1]["high"]], fill=True,
                color=PALETTE[kind], alpha=0.75, hatch=HATCHES[kind])
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(0.5, max(2 * max(b["count"] for b in bins), 2))
    for end in ("range_min", "range_max"):
        if isinstance(bins[0].get(end), float):
            axes.axvline(bins[0][end], color="black", linewidth=0.9, linestyle="--")
    axes.axvline(0, color="black", linewidth=0.6, linestyle=":")
    axes.set_title(f"{name[1]} {name[2][-24:]}\n{name[0]}", fontsize=7)
    axes.tick_params(labelsize=6)
    axes.locator_params(axis="x", nbins=4)
    axes.minorticks_off()


FIGURES = {"layers": ("layer_sensitivity", layer_sensitivity),
           "distributions": ("distributions", distributions)}
