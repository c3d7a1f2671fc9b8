#!/usr/bin/env python3
"""Makes one self-contained HTML page of results files of waio: summary, figures, networks, failed
rows, every row in a table to sort and filter, machine and versions. Needs no network, and
python3-matplotlib for the figures.

    report.py results/quickstart.csv [MORE.csv ...] -o results/quickstart.html
    report.py new.csv results/thesis/published.csv --changes changes.csv -o night.html

Besides results files: the published numbers, whose figures then stand beside the own ones, and what
`waio sensitivity` and `waio show --distributions` write. --changes takes what `waio compare --csv`
wrote. Figures leave out what figures.py leaves out; the table has every row.
"""
import argparse
import csv
import io
import sys
from pathlib import Path

import figures.rows
from figures import layers, sweep, thesis
from figures.rows import FileError, is_partial, network, read_any, read_csv, usable
from figures.style import NoMatplotlib, pyplot
from report.page import page, picture, svg_of

MOST_NETWORKS = 8  # with a heat map of their own


def read_files(paths):
    files = {kind: [] for kind in ("results", "published", "layers", "distributions")}
    for path in paths:
        kind, rows = read_any(path)
        files[kind] += rows
    if not files["results"]:
        raise FileError(f"{', '.join(paths)}: no rows of results")
    return files


def read_changes(path):
    if path is None:
        return None
    names, rows = read_csv(path)
    for needed in ("change", "regression", "config", "old_value", "new_value", "text"):
        if needed not in names:
            raise FileError(f"{path}: not what `waio compare --csv` writes: no column {needed}")
    return [row for _, row in rows]


def drawn(files, shown, plt):
    """(name, caption, figure) of the page, one by one."""
    for name, function in sweep.FIGURES.items():
        figure = function(shown, plt)
        if figure is not None:
            yield name, " ".join(function.__doc__.split()), figure
    own, theirs = thesis.points_results(shown), thesis.points_published(files["published"])
    for number, spec in thesis.SPECS.items():
        mine, printed = thesis.select(spec, own), thesis.select(spec, theirs)
        panels = [("thesis", printed), ("waio", mine)] if printed[1] and mine[1] else [("waio", mine)]
        figure = thesis.draw(number, panels, plt)
        if figure is not None:
            yield (f"thesis-{number}", f"Figure {number} of the thesis ({spec.title}), these rows"
                   + (" beside the published numbers." if len(panels) > 1 else "."), figure)
    for kind, (name, function) in layers.FIGURES.items():
        figure = function(files[kind], plt) if files[kind] else None
        if figure is not None:
            yield name, " ".join(function.__doc__.split()), figure


def make_pictures(files, shown):
    """The pictures of the page and those of each network, as HTML."""
    plt = pyplot()
    pictures, own = [], {}
    for i, (name, caption, figure) in enumerate(drawn(files, shown, plt)):
        pictures.append(picture(name, caption, svg_of(figure, f"f{i}")))
        plt.close(figure)
    names = list(dict.fromkeys(network(row) for row in shown))
    for i, name in enumerate(names[:MOST_NETWORKS] if len(names) > 1 else []):
        mine = [row for row in shown if network(row) == name]
        figure = sweep.accuracy_heatmap(mine, plt)
        if figure is not None:
            own[name] = [picture(f"heat-{i}", f"{name}: accuracy by W and A.",
                                 svg_of(figure, f"n{i}"))]
            plt.close(figure)
    return pictures, own


def rows_csv(paths):
    """The results files as one CSV; columns that one of them lacks are empty."""
    names, rows = [], []
    for path in paths:
        if read_any(path)[0] != "results":
            continue
        header, some = read_csv(path)
        names += [name for name in header if name not in names]
        rows += [row for _, row in some]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", help="files of waio (CSV)")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="the page")
    parser.add_argument("--title", help="[the suites' names]")
    parser.add_argument("--changes", metavar="FILE", help="what `waio compare --csv` wrote")
    parser.add_argument("--whole-only", action="store_true",
                        help="figures without rows of a part of the test set")
    args = parser.parse_args()

    left_out = []
    figures.rows.say = left_out.append
    for module in (sweep, thesis, layers):
        module.say = left_out.append
    try:
        files = read_files(args.results)
        every = files["results"]
        shown = usable(every, not args.whole_only, left_out.append)
        suites = sorted({row.get("suite") or "" for row in every} - {""})
        title = args.title or f"waio: {', '.join(suites) or 'results'}"
        pictures, own = make_pictures(files, shown) if shown else ([], {})
        if any(is_partial(row) for row in shown):
            left_out.append("some rows are of a part of the test set; their networks say so")
        html = page(title, every, shown, pictures, own, left_out, read_changes(args.changes),
                    rows_csv(args.results))
        out = Path(args.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(out.name + ".new")
        part.write_text(html, encoding="utf-8")
        part.replace(out)
    except (FileError, NoMatplotlib) as error:
        sys.exit(f"report.py: {error}")
    except OSError as error:
        sys.exit(f"report.py: {error.filename or args.out}: {error.strerror}")
    print(out)


if __name__ == "__main__":
    main()
