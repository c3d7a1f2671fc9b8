"""Colours, hatches, legends, and the checks that no label lies over another."""
import textwrap

# Okabe and Ito's palette: told apart with any colour vision. Markers and hatches tell apart what has
# the same colour, and what is printed in black and white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
MARKERS = "os^DvPX*"
HATCHES = ("", "///", "...", "xx", "\\\\\\", "ooo", "--")


class NoMatplotlib(Exception):
    pass


def pyplot():
    """Matplotlib is looked for only when something is drawn, so that --list needs nothing."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot
    except ImportError as error:
        raise NoMatplotlib(f"matplotlib is missing ({error}): apt-get install python3-matplotlib, "
                           "and run this with /usr/bin/python3") from error
    matplotlib.rcParams["svg.hashsalt"] = "waio"  # the same file from the same rows
    matplotlib.rcParams["hatch.linewidth"] = 0.6
    return matplotlib.pyplot


def colours(names):
    """Each name with its colour and marker: the same in every figure."""
    return {name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
            for i, name in enumerate(names)}


def legend_above(axes):
    handles, texts = axes.get_legend_handles_labels()
    axes.legend(handles, texts, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False,
                ncol=2 if max(map(len, texts)) < 40 else 1, fontsize=8,
                borderaxespad=2 if axes.get_title() else 0.3)


def wrap(text, width):
    """Broken at spaces and, where a word is too long, at _ - : / inside it."""
    lines = []
    for line in text.split("\n"):
        soft = line.replace("_", "_\u200b").replace("-", "-\u200b").replace(":", ":\u200b")
        pieces = textwrap.wrap(soft.replace("\u200b", " \u200b"), width,
                               break_long_words=True) or [""]
        lines += [piece.replace(" \u200b", "").replace("\u200b", "") for piece in pieces]
    return "\n".join(lines)


# ---- labels -------------------------------------------------------------------------------------

def in_view(axis, tick):
    low, high = sorted(axis.get_view_interval())
    return low <= tick.get_loc() <= high


def label_boxes(figure):
    """The texts of a figure that can be seen, each with its box in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.findobj(lambda a: hasattr(a, "get_text") and hasattr(a, "get_font"))
             if t.get_text().strip() and t.get_visible()]
    unseen = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
              for tick in axis.get_major_ticks() for text in (tick.label1, tick.label2)
              if not in_view(axis, tick)}
    boxes = [(t.get_window_extent(renderer), t.get_text()) for t in texts if id(t) not in unseen]
    return [(box.padded(-1), text) for box, text in boxes if box.width > 2 and box.height > 2]


def overlapping_labels(figure):
    """Pairs of texts that lie over each other: a fault of the figure."""
    boxes = sorted(label_boxes(figure), key=lambda b: b[0].x0)
    found, open_boxes = [], []
    for box, text in boxes:  # from left to right, so that only neighbours are compared
        open_boxes = [(other, word) for other, word in open_boxes if other.x1 > box.x0]
        found += [(word, text) for other, word in open_boxes if other.overlaps(box)]
        open_boxes.append((box, text))
    return found


def save(figure, out, name, formats):
    """Writes out/name.<format>; the paths."""
    paths = []
    for kind in formats:
        path = out / f"{name}.{kind}"
        metadata = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else {}
        figure.savefig(path, dpi=150, bbox_inches="tight", metadata=metadata)
        paths.append(path)
    return paths
