#!/usr/bin/env python3
"""Draws figures and tables from files of waio (CSV), and from nothing else.

    figures.py results/quickstart.csv [MORE.csv ...] [--out results/figures] [--format svg]
    figures.py results/thesis/published.csv              the thesis's figures and tables
    figures.py results/mine.csv results/thesis/published.csv         the same from both, side by side
    figures.py sensitivity.csv distributions.csv         what `waio sensitivity` and
                                                         `waio show NET --distributions FILE` write
    figures.py --list

A file's header says what it is. Left out, and said so on stderr: rows whose status is not ok, rows of
a part of the test set (a suite with `images: N`; --partial takes them), rows that are given twice.
Needs python3-matplotlib.
"""
import argparse
import sys
from pathlib import Path

from figures import layers, sweep, tables, thesis
from figures.rows import FileError, read_any, say, usable
from figures.style import NoMatplotlib, overlapping_labels, pyplot, save


def fail(message):
    sys.exit(f"figures.py: {message}")


def thesis_name(number, what):
    return f"thesis_{number.replace('.', '_')}{what}"


def descriptions():
    """Name and description of every figure, as --list prints them."""
    found = {name: " ".join(f.__doc__.split()) for name, f in sweep.FIGURES.items()}
    for number, spec in thesis.SPECS.items():
        found[thesis_name(number, "")] = (f"Figure {number} of the thesis ({spec.title}), from own "
                                          "rows; _published and _both: beside the published numbers.")
    for name, f in layers.FIGURES.values():
        found[name] = " ".join(f.__doc__.split())
    found["tables"] = "Tables 4.1.1 to 4.2.2 of the thesis, Markdown and LaTeX."
    return found


def thesis_figures(published, own, plt):
    """(name, figure) of the thesis's figures that the given rows make."""
    points = thesis.points_published(published), thesis.points_results(own)
    for number, spec in thesis.SPECS.items():
        theirs, mine = (thesis.select(spec, p) for p in points)
        panels = (("_published", [("thesis", theirs)]), ("", [("waio", mine)]),
                  ("_both", [("thesis", theirs), ("waio", mine)]))
        for what, chosen in panels:
            if all(selection[1] for _, selection in chosen):
                yield thesis_name(number, what), thesis.draw(number, chosen, plt)
        if mine[1]:
            for line in mine[2]:
                say(f"{thesis_name(number, '')}: {line}")
        elif own and published:
            say(f"{thesis_name(number, '')}: no rows of method "
                f"{' or '.join(thesis.METHODS[spec.method])} at its precisions, not drawn")


def figures_of(files, plt, only):
    """(name, figure) of everything that the files make, drawn one by one."""
    own, published = files["results"], files["published"]
    if own:
        for name, function in sweep.FIGURES.items():
            if only in (None, name):
                figure = function(own, plt)
                if figure is None:
                    say(f"{name}: no rows for it, not drawn")
                else:
                    yield name, figure
    if only is None or only.startswith("thesis"):
        yield from ((n, f) for n, f in thesis_figures(published, own, plt)
                    if only is None or n == only or n.startswith(f"{only}_"))
    for kind, (name, function) in layers.FIGURES.items():
        if files[kind] and only in (None, name):
            figure = function(files[kind], plt)
            if figure is not None:
                yield name, figure


def write_tables(files, out):
    """The tables of the published rows, and of own ones that belong to any of them."""
    made = (("published", thesis.points_published(files["published"]), "as published"),
            ("waio", thesis.points_results(files["results"]), "from results of waio"))
    for name, points, source in made:
        if any(tables.make(table, points)[2] for table in tables.TABLES):
            for kind, text in (("md", tables.markdown(points, source)),
                               ("tex", tables.latex(points, source))):
                path = out / f"tables_{name}.{kind}"
                path.write_text(text + "\n", encoding="utf-8")
                print(path)


def read_files(paths, partial):
    """Rows of every kind; results are those that can be drawn."""
    files = {kind: [] for kind in ("results", "published", "layers", "distributions")}
    for path in paths:
        kind, rows = read_any(path)
        if not rows:
            raise FileError(f"{path}: no rows")
        files[kind] += rows
    if files["results"]:
        files["results"] = usable(files["results"], partial)
    if not any(files.values()):
        raise FileError("no row is left to draw")
    return files


def draw(files, out, args):
    plt = pyplot()
    drawn = 0
    for name, figure in figures_of(files, plt, args.only):
        drawn += 1
        for path in save(figure, out, name, args.format or ["png"]):
            print(path)
        if args.check_labels:
            overlaps = overlapping_labels(figure)
            if overlaps:
                fail(f"{name}: {len(overlaps)} labels lie over others, as {overlaps[0]}")
        plt.close(figure)
    if args.only in (None, "tables"):
        write_tables(files, out)
    elif not drawn:
        say(f"{args.only}: no rows for it, not drawn")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", help="files of waio (CSV)")
    parser.add_argument("--out", default="results/figures", help="folder [results/figures]")
    parser.add_argument("--format", action="append", choices=("png", "svg", "pdf"),
                        help="may be given more than once [png]")
    parser.add_argument("--only", choices=sorted(descriptions()), metavar="NAME",
                        help="one figure instead of all; --list has the names")
    parser.add_argument("--partial", action="store_true",
                        help="also rows of a part of the test set; their networks say so")
    parser.add_argument("--check-labels", action="store_true",
                        help="fail if labels of a figure lie over each other")
    parser.add_argument("--list", action="store_true", help="the figures there are")
    args = parser.parse_args()

    if args.list:
        for name, text in descriptions().items():
            print(f"{name}: {text}")
        return
    if not args.results:
        fail("no results file given (--help explains)")
    out = Path(args.out)
    try:
        files = read_files(args.results, args.partial)
        out.mkdir(parents=True, exist_ok=True)
        draw(files, out, args)
    except (FileError, NoMatplotlib) as error:
        fail(error)
    except OSError as error:
        fail(f"{out}: {error.strerror}")


if __name__ == "__main__":
    main()
