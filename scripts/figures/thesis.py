"""The result figures of the thesis, from its published numbers or from results of waio.

    percentage change = (float - quantized) / float x 100           a drop is positive
    model compression = (1 - quantized size / float size) x 100     of 8 bytes a parameter, as there

A figure is a row of SPECS. Points are rows of either file in one form (`points_*`); `select` finds
those that a figure shows, `draw_panel` draws them. Own rows are taken from every network there is."""
from collections import namedtuple

from figures.rows import BITS, is_partial, model_name, say
from figures.style import HATCHES, PALETTE, wrap

Point = namedtuple("Point", "table model dataset method mapping bits first_n suspects feed metric "
                            "value float_value compression weights_compression note")
# `bars`: (label, quantity, precisions in order of preference, mapping or None)
Spec = namedtuple("Spec", "title tables method metric groups bars note")

CHANGE, COMPRESSION = "change", "compression"
RAW = ", raw feed"  # behind the label of a bar
# The thesis's 16 bits, which it calls W16A16I32O32, are float16 storage of the weights: those rows go
# before 16-bit integers where both are there.
HALF = (("f16", "32", "f16", "f16"), ("f16", "32", "32", "32"), ("f16", "f16", "f16", "f16"),
        ("f16", "f16", "32", "32"), ("16", "16", "32", "32"))


def changes(*precisions):
    """A bar of change for each W/A/I/O."""
    return tuple((p, CHANGE, (tuple(p.split("/")),), None) for p in precisions)


def both(name, precisions):
    return ((f"change in accuracy, {name}", CHANGE, precisions, None),
            (f"model compression, {name}", COMPRESSION, precisions, None))


PO2_NOTE = "quantized_po2: the precision cannot be read in the thesis; column heads are assumed"
SPECS = {
    "4.1.1": Spec("16 bits, PTQ", ("4.1.1",), "tflite_ptq", "accuracy", "networks",
                  both("16 bits", HALF), ""),
    "4.1.2": Spec("8 bits, QAT", ("4.1.2",), "tflite_qat", "accuracy", "networks",
                  both("W8A8I8O8", (("8", "8", "8", "8"),)), ""),
    "4.1.3": Spec("W8A8 by I/O, QAT", ("4.1.2", "4.1.3"), "tflite_qat", "accuracy", "networks",
                  changes("8/8/32/32", "8/8/32/8", "8/8/8/32", "8/8/8/8"), ""),
    "4.1.4": Spec("W8A8 by I/O, PTQ", ("4.1.4",), "tflite_ptq", "accuracy", "networks",
                  changes("8/8/32/32", "8/8/32/8", "8/8/8/32", "8/8/8/8"), ""),
    "4.1.5": Spec("QKeras, ResNet50", ("4.1.6",), "qkeras_qat", "accuracy", "precisions",
                  tuple((mapping, CHANGE, tuple((b,) * 4 for b in ("8", "16", "32")), mapping)
                        for mapping in ("quantized_bits", "quantized_po2")), PO2_NOTE),
    "4.1.6": Spec("DFQ, I = 8", ("4.1.7",), "squant_dfq", "accuracy", "networks",
                  changes("8/8/8/8", "6/6/8/6", "4/4/8/4"), ""),
    "4.1.7": Spec("DFQ, I = 32", ("4.1.8",), "squant_dfq", "accuracy", "networks",
                  changes("8/8/32/8", "6/6/32/6", "4/4/32/4"), ""),
    "4.2.1": Spec("Detection, PTQ", ("4.2.1",), "tflite_ptq", "mAP", "precisions",
                  (("change in mAP", CHANGE, HALF + (("8", "8", "8/32", "8/32"),
                                                     ("8", "8", "32", "32"), ("8", "8", "8", "8")),
                    None),
                   ("model compression", COMPRESSION, HALF + (("8", "8", "8/32", "8/32"),
                                                              ("8", "8", "32", "32"),
                                                              ("8", "8", "8", "8")), None)), ""),
}
# Methods of waio that answer a framework of the thesis, the first that has rows for a network.
METHODS = {"tflite_ptq": ("ptq",), "tflite_qat": ("qat",), "qkeras_qat": ("qkeras",),
           "squant_dfq": ("squant", "dfq")}
PRETTY = {"resnet50": "ResNet50", "mobilenet_v1": "MobileNetV1", "inception_v3": "InceptionV3",
          "ssd_mobilenet_v2": "SSD-MobileNetV2", "oxford_pets": "Oxford-IIIT Pet",
          "cifar10": "CIFAR-10", "pascal_voc": "Pascal VOC"}
MOST_NETWORKS = 8


# ---- points -------------------------------------------------------------------------------------

def points_published(rows):
    """Rows of published.csv, each with the float row of its table and network; table 4.1.3 has none
    and takes those of 4.1.2, table 4.2.2 that of 4.2.1."""
    floats = {(r["table"], r["model"], r["dataset"]): r for r in rows if r["mapping"] == "none"}
    points = []
    for r in rows:
        if r["mapping"] == "none":
            continue
        home = {"4.1.3": "4.1.2", "4.2.2": "4.2.1"}.get(r["table"], r["table"])
        base = floats.get((home, r["model"], r["dataset"]))
        if base is None:
            say(f"left out: table {r['table']}, {r['model']} on {r['dataset']}: no float row")
            continue
        sizes = r["size_mb"], base["size_mb"]
        compression = (1 - sizes[0] / sizes[1]) * 100 if all(sizes) else None
        weights = (1 - 2 * sizes[0] / sizes[1]) * 100 if all(sizes) and r["table"] < "4.2" else None
        points.append(Point(r["table"], r["model"], r["dataset"], r["method"], r["mapping"],
                            (r["W"], r["A"], r["I"], r["O"]), int(r["first_n"]),
                            int(r["suspected"]), "", r["metric"], r["value"], base["value"],
                            compression, weights, r["note"]))
    return points


def thesis_method(method):
    for name, own in METHODS.items():
        if method in own or method.startswith(tuple(f"{m}_" for m in own)):
            return name
    return method


def metric_name(row):
    """The thesis's mAP is COCO's."""
    metric = row.get("metric") or "accuracy"
    return "mAP" if metric == "map_coco" else metric


def points_results(rows):
    """Rows of results files that are usable, quantized, and simulated or integer alike."""
    points = []
    for r in rows:
        if r["method"] == "float":
            continue
        name = model_name(r) + (f" ({r['images']} images)" if is_partial(r) else "")
        points.append(Point("", name, r["dataset"], thesis_method(r["method"]), r["mapping"] if
                            r.get("mapping") else "quantized_bits",
                            tuple(r[axis] for axis in "WAIO"), r["first_n"],
                            int(r.get("suspects") or 0), r["feed"], metric_name(r),
                            r["value"], r["float_value"], r["checkpoint_compression_pct"],
                            r["compression_pct"], (r["method"], r.get("engine"), r["config"])))
    return points


def change(point):
    if not point.float_value:
        return None
    return (point.float_value - point.value) / point.float_value * 100


def quantity(point, which):
    return change(point) if which == CHANGE else point.compression


# ---- what a figure shows ------------------------------------------------------------------------

def preference(point):
    """Of rows for one bar: the plain method before its variants, simulate before the rest."""
    method, engine, config = point.note if isinstance(point.note, tuple) else ("", "", "")
    plain = METHODS.get(point.method, ())
    return (plain.index(method) if method in plain else len(plain), engine != "simulate", config)


def for_bar(points, precisions, mapping):
    """The point of a bar for every feed, by the first precision that there is."""
    for bits in precisions:
        found = [p for p in points if p.bits == bits and mapping in (None, p.mapping)]
        if found:
            found.sort(key=preference)
            feeds = list(dict.fromkeys(p.feed for p in found))
            feeds.sort(key=lambda f: f == "raw")
            return [next(p for p in found if p.feed == f) for f in feeds], len(found) - len(feeds)
    return [], 0


def networks_of(points):
    return list(dict.fromkeys((p.model, p.dataset) for p in points))


def select(spec, points):
    """(groups, series, missing): groups are labels; series are (label, {group: point}); missing
    says in words what has no row."""
    mine = [p for p in points if p.method == spec.method and p.metric == spec.metric
            and p.first_n == 0 and p.suspects == 0 and (not p.table or p.table in spec.tables)]
    build = by_network if spec.groups == "networks" else by_precision
    return build(spec, mine)


def by_network(spec, points):
    names = networks_of(points)
    series, missing = {}, []
    if len(names) > MOST_NETWORKS:
        missing.append(f"{len(names) - MOST_NETWORKS} more networks: "
                       + ", ".join(f"{m} on {d}" for m, d in names[MOST_NETWORKS:]))
        names = names[:MOST_NETWORKS]
    for name in names:
        mine = [p for p in points if (p.model, p.dataset) == name]
        for text, what, precisions, mapping in spec.bars:
            found, more = for_bar(mine, precisions, mapping)
            if not found:
                bits = "at 16 bits" if precisions is HALF else "/".join(precisions[0])
                missing.append(f"no row {bits} of {name[0]} on {name[1]}")
            if more:
                missing.append(f"{more} more rows {'/'.join(found[0].bits)} of {name[0]} on "
                               f"{name[1]} by other choices")
            for p in found:
                key = text + RAW if p.feed == "raw" and p.bits[2] != "32" else text
                if what == COMPRESSION and p.feed == "raw" and len(found) > 1:
                    continue
                series.setdefault((key, what), {})[name] = p
    shown = {name for values in series.values() for name in values}
    names = [name for name in names if name in shown]
    order = [text for text, *_ in spec.bars]
    rank = {key: (order.index(key[0].replace(RAW, "")), key[0].endswith(RAW))
            for key in series}
    return ([(name, group_label(name)) for name in names],
            [(key[0], key[1], series[key]) for key in sorted(series, key=rank.get)],
            list(dict.fromkeys(missing)))


def by_precision(spec, points):
    names = networks_of(points)
    groups, series, missing = {}, {}, []
    for name in names[:MOST_NETWORKS // 2]:
        for text, what, precisions, mapping in spec.bars:
            for bits in precisions:
                found, _ = for_bar([p for p in points if (p.model, p.dataset) == name], (bits,),
                                   mapping)
                for p in found[:1]:
                    words = "/".join(bits) if "/" not in bits[2] else f"{bits[0]}/{bits[1]}, I/O 8 or 32"
                    tail = "" if len(names) == 1 else "\n" + group_label(name)
                    groups[(name, bits)] = words + tail
                    series.setdefault((text, what), {})[(name, bits)] = p
    for name in names[MOST_NETWORKS // 2:]:
        missing.append(f"not shown: {name[0]} on {name[1]}")
    order = sorted(groups, key=lambda g: (names.index(g[0]),
                                          [-BITS.get(b, 8) for b in g[1][:2]])
                   if spec.metric == "mAP" else (names.index(g[0]), [BITS.get(b, 8) for b in g[1]]))
    return ([(group, groups[group]) for group in order],
            [(key[0], key[1], values) for key, values in series.items()], missing)


def group_label(name):
    return "\n".join(wrap(PRETTY.get(part, part), 18) for part in name)


# ---- drawing ------------------------------------------------------------------------------------

def look(spec, text):
    """Colour and hatch of a bar: one of the figure's has the same in every panel; fed raw, another hatch."""
    i = [label for label, *_ in spec.bars].index(text.replace(RAW, ""))
    hatch = i + len(spec.bars) if text.endswith(RAW) else i
    return {"color": PALETTE[i % len(PALETTE)], "hatch": HATCHES[hatch % len(HATCHES)]}


def draw_panel(axes, spec, selection, title):
    """Bars of a selection, each with its number; the height is the number. Returns the room, a share of
    the height, that the numbers want."""
    groups, series, _ = selection
    step = 0.84 / max(len(series), 1)
    at = {group: k for k, (group, _) in enumerate(groups)}
    inches = axes.figure.get_size_inches()[0] * axes.get_position().width
    upright = inches * step / len(groups) < 0.42
    for i, (text, what, values) in enumerate(series):
        shown = [(group, quantity(p, what)) for group, p in values.items()]
        shown = [(group, height) for group, height in shown if height is not None]
        bars = axes.bar([at[g] + (i - (len(series) - 1) / 2) * step for g, _ in shown],
                        [height for _, height in shown], width=step * 0.94, label=text,
                        edgecolor="white", linewidth=0.4, **look(spec, text))
        bars.waio_groups = [g for g, _ in shown]
        axes.bar_label(bars, [f"{height:.2f}" for _, height in shown], padding=2, fontsize=7,
                       rotation=90 if upright else 0)
    axes.set_xticks(range(len(groups)), [text for _, text in groups], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(-0.55, len(groups) - 0.45)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=9)
    return 0.2 if upright else 0.12


def panel_width(selection):
    groups, series, _ = selection
    return max(4.2, 1.15 * len(groups), 0.24 * len(groups) * len(series) + 1.2)


def notes(spec, panels):
    """Lines below a figure: what is missing, the other convention of size, what is assumed."""
    lines = []
    for title, selection in panels:
        groups, series, missing = selection
        weights = [p.weights_compression for _, what, values in series if what == COMPRESSION
                   for p in values.values() if p.weights_compression is not None]
        if weights:
            low, high = min(weights), max(weights)
            span = f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"
            lines.append(f"{title}: compression counts from a checkpoint of 8 bytes a parameter; "
                         f"from float weights it is {span} %")
        halves = list(dict.fromkeys("/".join(p.bits) for _, what, values in series if what == CHANGE
                                    for p in values.values() if p.bits in HALF))
        if halves and spec.groups == "networks":
            lines.append(f"{title}: 16 bits are {', '.join(halves)} (W/A/I/O)"
                         + (", by which the thesis means float16 storage of the weights"
                            if title.startswith("thesis") else ""))
        if missing:
            few = missing[:4] + ([f"and {len(missing) - 4} more (stderr has them)"]
                                 if len(missing) > 4 else [])
            lines.append(f"{title}: {'; '.join(few)}")
    if spec.note and any(title.startswith("thesis") for title, _ in panels):
        lines.append(spec.note)
    return lines


def draw(number, panels, plt):
    """A figure of one panel or two side by side: `panels` are (title, selection). None if no panel
    has a bar."""
    spec = SPECS[number]
    panels = [(title, s) for title, s in panels if s[1]]
    if not panels:
        return None
    widths = [panel_width(s) for _, s in panels]
    figure, grid = plt.subplots(1, len(panels), figsize=(sum(widths) + 0.6, 4.4), squeeze=False,
                                sharey=True, gridspec_kw={"width_ratios": widths},
                                constrained_layout=True)
    room = [draw_panel(axes, spec, selection, f"Figure {number}, {title}: {spec.title}")
            for axes, (title, selection) in zip(grid[0], panels)]
    for axes in grid[0]:  # their heights are one
        axes.margins(y=max(room))
    compression = any(what == COMPRESSION for _, s in panels for _, what, _ in s[1])
    name = "mAP" if spec.metric == "mAP" else "accuracy"
    grid[0][0].set_ylabel(f"percentage change in {name}" + (", model compression, %"
                                                            if compression else ", %"),
                          fontsize=8)
    legend_below(figure, grid[0], panels, notes(spec, panels))
    return figure


def legend_below(figure, axes, panels, lines):
    """One legend for all panels, and the notes under it."""
    for one, (_, (_, series, _)) in zip(axes, panels):
        columns = max(1, min(len(series), int(panel_width((one.get_xticks(), series, [])) / 1.7)))
        one.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02 - 0.04 * label_lines(one)),
                   ncol=columns, frameon=False, fontsize=8, borderaxespad=1.2,
                   title="W/A/I/O" if "/" in series[0][0] else None, title_fontsize=8)
    if lines:
        width = int(figure.get_size_inches()[0] * 16)
        figure.supxlabel("\n".join(wrap(line, width) for line in lines), fontsize=7, x=0.01,
                         ha="left")


def label_lines(axes):
    return max((t.get_text().count("\n") + 1 for t in axes.get_xticklabels()), default=1)
