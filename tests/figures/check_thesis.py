"""The heights of the bars that scripts/figures.py draws, read back, against the printed tables. Run
by tests/e2e/test_thesis_figures.sh: check_thesis.py SOURCE. The expected numbers are computed here
from the CSV alone, in another way than the figures do, and some are typed from the tables."""
import csv
import sys
from pathlib import Path

source = Path(sys.argv[1])
sys.path.insert(0, str(source / "scripts"))
from figures import tables, thesis  # noqa: E402
from figures.rows import read_any  # noqa: E402
from figures.style import overlapping_labels, pyplot  # noqa: E402

published = source / "results/thesis/published.csv"
failures = checks = 0


def check(good, text):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        print("FAILED:", text, file=sys.stderr)


def value(table, model, dataset, bits, mapping=None, column="value"):
    """A number of the published file as text."""
    with open(published, newline="", encoding="utf-8") as file:
        found = [r[column] for r in csv.DictReader(file)
                 if (r["table"], r["model"], r["dataset"]) == (table, model, dataset)
                 and "/".join(r[a] for a in "WAIO") == bits and mapping in (None, r["mapping"])]
    assert len(found) == 1, (table, model, dataset, bits, mapping, found)
    return float(found[0])


def change(table, float_table, model, dataset, bits, mapping=None):
    base = value(float_table, model, dataset, "32/32/32/32", "none")
    return 100 - 100 * value(table, model, dataset, bits, mapping) / base


def compression(table, model, dataset, bits):
    return 100 - 100 * (value(table, model, dataset, bits, None, "size_mb")
                        / value(table, model, dataset, "32/32/32/32", "none", "size_mb"))


MODELS = ("resnet50", "mobilenet_v1", "inception_v3")
SIX = [(m, d) for d in ("oxford_pets", "cifar10") for m in MODELS]


def over_six(table, float_table, bits):
    return [change(table, float_table, m, d, bits) for m, d in SIX]


def expected():
    """Figure: one list of heights a series, in the order that the thesis has them."""
    yield "4.1.1", [over_six("4.1.1", "4.1.1", "16/16/32/32"),
                    [compression("4.1.1", m, d, "16/16/32/32") for m, d in SIX]]
    yield "4.1.2", [over_six("4.1.2", "4.1.2", "8/8/8/8"),
                    [compression("4.1.2", m, d, "8/8/8/8") for m, d in SIX]]
    yield "4.1.3", [over_six("4.1.3", "4.1.2", b) for b in ("8/8/32/32", "8/8/32/8", "8/8/8/32")] + [
        over_six("4.1.2", "4.1.2", "8/8/8/8")]
    yield "4.1.4", [over_six("4.1.4", "4.1.4", b)
                    for b in ("8/8/32/32", "8/8/32/8", "8/8/8/32", "8/8/8/8")]
    pets = ("resnet50", "oxford_pets")
    yield "4.1.5", [[change("4.1.6", "4.1.6", *pets, "/".join([b] * 4), "quantized_bits")
                     for b in ("8", "16", "32")],
                    [change("4.1.6", "4.1.6", *pets, "8/8/8/8", "quantized_po2")]]
    yield "4.1.6", [over_six("4.1.7", "4.1.7", b) for b in ("8/8/8/8", "6/6/8/6", "4/4/8/4")]
    yield "4.1.7", [over_six("4.1.8", "4.1.8", b) for b in ("8/8/32/8", "6/6/32/6", "4/4/32/4")]
    ssd = ("ssd_mobilenet_v2", "pascal_voc")
    yield "4.2.1", [[change("4.2.1", "4.2.1", *ssd, b) for b in ("16/16/32/32", "8/8/8/32/8/32")],
                    [compression("4.2.1", *ssd, b) for b in ("16/16/32/32", "8/8/8/32/8/32")]]


# (figure, series, bar): typed from the tables, in percent.
TYPED = {("4.1.1", 0, 0): 0.0, ("4.1.1", 1, 0): 74.94, ("4.1.2", 0, 0): 95.04, ("4.1.2", 1, 4): 87.42,
         ("4.1.3", 2, 3): 88.84, ("4.1.4", 1, 3): 71.10, ("4.1.4", 1, 5): 68.32, ("4.1.5", 0, 2): 94.56,
         ("4.1.6", 2, 3): 83.78, ("4.1.7", 2, 4): 24.19, ("4.2.1", 0, 1): 99.83, ("4.2.1", 1, 0): 77.2}


def heights(axes):
    return [[bar.get_height() for bar in container] for container in axes.containers
            if hasattr(container, "patches")]


def check_bars(axes, number, wanted):
    got = heights(axes)
    check([len(g) for g in got] == [len(w) for w in wanted],
          f"{number}: {[len(g) for g in got]} bars, not {[len(w) for w in wanted]}")
    for s, (mine, theirs) in enumerate(zip(got, wanted)):
        for k, (a, b) in enumerate(zip(mine, theirs)):
            check(abs(a - b) < 1e-9, f"{number}, series {s}, bar {k}: {a}, not {b}")
    # The number at a bar is the height of that bar, and stands over its middle.
    bars = [bar for c in axes.containers if hasattr(c, "patches") for bar in c]
    texts = [t.get_text() for t in axes.texts]
    check(texts == [f"{bar.get_height():.2f}" for bar in bars], f"{number}: texts {texts}")


def check_groups(axes, number):
    """Bars stand in the group of their network."""
    labels = [t.get_text() for t in axes.get_xticklabels()]
    if len(labels) != 6:
        return
    for k, (model, dataset) in enumerate(SIX):
        wanted = thesis.PRETTY[model], thesis.PRETTY[dataset]
        check(labels[k].split("\n") == list(wanted), f"{number}: group {k} is {labels[k]!r}")
    for container in (c for c in axes.containers if hasattr(c, "patches")):
        for k, bar in enumerate(container):
            middle = bar.get_x() + bar.get_width() / 2
            check(abs(middle - k) < 0.45, f"{number}: a bar of group {k} stands at {middle:.2f}")


def check_sixteen_bits():
    """Rows of float16 storage, the thesis's 16 bits, go before 16-bit integers; those stand in where
    there are no others, and the table says so."""
    def point(model, bits, number):
        return thesis.Point("", model, "cifar10", "tflite_ptq", "quantized_bits", tuple(bits.split("/")),
                            0, 0, "quantized", "accuracy", number, 90.0, 75.0, 50.0, ("ptq", "simulate", bits))

    points = [point("a", "16/16/32/32", 45.0), point("a", "f16/32/f16/f16", 81.0),
              point("b", "16/16/32/32", 72.0)]
    _, series, _ = thesis.select(thesis.SPECS["4.1.1"], points)
    got = [thesis.quantity(series[0][2][(m, "cifar10")], thesis.CHANGE) for m in "ab"]
    check(got == [10.0, 20.0], f"4.1.1 draws {got} of float16 and integer rows")
    _, header, lines = tables.make("4.1.1", points)
    check(header[3] == "f16/32/f16/f16", f"table 4.1.1 is headed {header}")
    check([line[3] for line in lines] == ["81.00", "72.00 (16/16/32/32)"], f"table 4.1.1: {lines}")


def main():
    plt = pyplot()
    check_sixteen_bits()
    _, rows = read_any(published)
    points = thesis.points_published(rows)
    seen = 0
    for number, wanted in expected():
        spec = thesis.SPECS[number]
        figure = thesis.draw(number, [("thesis", thesis.select(spec, points))], plt)
        check_bars(figure.axes[0], number, wanted)
        check_groups(figure.axes[0], number)
        check(not overlapping_labels(figure), f"{number}: labels overlap")
        for (typed, series, bar), height in TYPED.items():
            if typed == number:
                seen += 1
                got = heights(figure.axes[0])[series][bar]
                check(abs(got - height) < 0.006, f"{number}: {got} where the table gives {height}")
        plt.close(figure)
    check(seen == len(TYPED), f"{seen} of {len(TYPED)} typed numbers compared")

    # Every published number stands in the tables, in both forms.
    for text, sign in ((tables.markdown(points, "x"), "|"), (tables.latex(points, "x"), "&")):
        cells = [cell.strip().rstrip("\\").strip() for line in text.splitlines()
                 for cell in line.split(sign)]
        for row in rows:
            if row["table"] != "4.1.3" or row["mapping"] != "none":
                check(f"{row['value']:.2f}" in cells, f"tables ({sign}) lack {row['value']}")
    check("90.50 (90.44)" in tables.markdown(points, "x"), "4.2.2 lacks its printed change")
    # The overlap check sees an overlap.
    figure, axes = plt.subplots()
    axes.text(0.5, 0.5, "one label")
    axes.text(0.5, 0.5, "another")
    check(len(overlapping_labels(figure)) == 1, "labels that overlap are not found")
    print(f"{checks} checks, {failures} failed")
    sys.exit(bool(failures))


main()
