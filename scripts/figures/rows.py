"""Reading: results files of waio, the published numbers, layers (`waio sensitivity`) and
distributions (`waio show --distributions`), told apart by their headers. What cannot be drawn is
left out, and said."""
import csv
import re
import sys
from collections import Counter
from pathlib import Path

TEXTS = ("config", "dataset", "model", "method", "W", "A", "I", "O", "feed", "status")
COUNTS = ("images", "first_n")
NUMBERS = ("value", "float_value", "change_pct", "compression_pct")
# Of rows that have them; an older version, and a network of codes, may not.
OPTIONAL_NUMBERS = ("size_bytes", "float_bytes", "checkpoint_bytes", "checkpoint_compression_pct",
                    "stderr", "agree_pct", "images_per_s", "seconds")
# What tells two rows of one network and precision apart, beyond first_n and feed.
OTHER_AXES = ("split", "preprocess", "method", "mapping", "range", "weight_range", "rounding",
              "equalize", "absorb", "correction", "granularity", "symmetry", "suspects", "engine",
              "requant", "calibration_images", "backend", "seed")
# Choices that follow from the name of the method unless a suite says otherwise.
OF_METHOD = ("range", "weight_range", "rounding", "equalize", "absorb", "correction", "granularity",
             "symmetry", "calibration_images", "mapping")
BITS = {**{str(b): b for b in range(2, 17)}, "f16": 17, "32": 32}  # in their order


class FileError(Exception):
    """A file that cannot be drawn: says file, line and what was expected."""


def say(message):
    """What is left out: on stderr, since stdout names the files that were written."""
    print(message, file=sys.stderr)


# ---- files --------------------------------------------------------------------------------------

def read_csv(path):
    """The header's names and the rows, each with its line number."""
    reader = None
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames is None:
                raise FileError(f"{path}: the file is empty")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise FileError(f"{path}:{reader.line_num}: a row of another length than the "
                                    "header; is it cut short?")
                rows.append((reader.line_num, row))
            return reader.fieldnames, rows
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a results file: not text in UTF-8") from error
    except csv.Error as error:
        raise FileError(f"{path}:{reader.line_num}: {error}") from error


def number(row, name, kind, place):
    try:
        row[name] = kind(row[name])
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise FileError(f'{place}: column {name}: "{row[name]}" is not {what}') from None


def check_row(row, place):
    """Turns the numbers of an ok row into numbers; complains with file, line and column."""
    for name in OPTIONAL_NUMBERS:
        if row.get(name):
            number(row, name, float, place)
        else:
            row[name] = None
    if row["status"] != "ok" or row["method"] == "file":
        return
    for names, kind in ((COUNTS, int), (NUMBERS, float)):
        for name in names:
            number(row, name, kind, place)
    for axis in "WAIO":
        if row[axis] not in BITS:
            raise FileError(f'{place}: column {axis}: "{row[axis]}" is not a precision')


KINDS = {
    "published": ("table", "experiment", "method", "mapping", "W", "A", "I", "O", "first_n",
                  "suspected", "metric", "value", "size_mb", "note", "model", "dataset"),
    "distributions": ("tensor", "kind", "index", "low", "high", "count"),
    "layers": ("layer", "index"),
}


def kind_of(names):
    """published, distributions, layers or results, by the header."""
    if "config" in names:
        return "results"
    return next((kind for kind, needed in KINDS.items() if set(needed) <= set(names)), "results")


def read_any(path):
    """(kind, rows) of a file; rows of results are checked and have numbers."""
    names, rows = read_csv(path)
    kind = kind_of(names)
    if kind == "results":
        missing = [name for name in TEXTS + COUNTS + NUMBERS if name not in names]
        if missing:
            raise FileError(f"{path}: not a results file: no column {', '.join(missing)}")
        for line, row in rows:
            check_row(row, f"{path}:{line}")
    elif kind == "published":
        for line, row in rows:
            number(row, "value", float, f"{path}:{line}")
            number(row, "first_n", int, f"{path}:{line}")
            if row["size_mb"]:
                number(row, "size_mb", float, f"{path}:{line}")
    else:
        for line, row in rows:
            for name in ("low", "high", "count", "range_min", "range_max"):
                if kind == "distributions" and row.get(name):
                    number(row, name, float, f"{path}:{line}")
    return kind, [row for _, row in rows]


def usable(rows, partial, word=say):
    """Rows that a figure may show; says which are left out and why."""
    kept, left_out, seen = [], Counter(), set()
    for row in rows:
        key = tuple(row.get(name) for name in ("config", "method", "backend", "model_sha256"))
        if row["status"] != "ok":
            left_out[f"status {row['status']}"] += 1
        elif row["method"] == "file":
            left_out["networks that came quantized: no float network to compare with"] += 1
        elif is_partial(row) and not partial:
            left_out["a part of the test set (--partial takes them)"] += 1
        elif key in seen:
            left_out["given twice"] += 1
        else:
            seen.add(key)
            kept.append(row)
    for reason, count in left_out.items():
        word(f"left out: {count} of {len(rows)} rows, {reason}")
    return kept


# ---- what is in the rows ------------------------------------------------------------------------

def is_partial(row):
    return " images=0 " not in row["config"]


def quantized(rows):
    return [row for row in rows if row["method"] != "float"]


def precision(row):
    return tuple(BITS[row[axis]] for axis in "WAIO")


def model_name(row):
    """A model without the end of its file, and without the parameters that nobody reads."""
    name, *parameters = re.split(r"[:,]", row["model"])
    kept = [p for p in parameters if not p.startswith(("weights=", "classes=", "seed="))]
    stem = Path(name).stem if re.search(r"\.(h5|onnx|tflite|keras)$", name) else name
    return ":".join([stem] + kept)


def network(row):
    part = f", {row['images']} images" if is_partial(row) else ""
    return f"{model_name(row)} on {row['dataset']}{part}"


def variants(rows):
    """A function from a row to a text of what else differs between the rows: "", "raw", "F2"."""
    rows = quantized(rows)
    varying = [a for a in OTHER_AXES if len({row.get(a) for row in rows}) > 1]
    if "method" in varying:  # what each method has its own way is said by its name
        def one_way(axis):
            ways = {(row["method"], row.get(axis)) for row in rows}
            return len(ways) == len({method for method, _ in ways})
        varying = [a for a in varying if a not in OF_METHOD or not one_way(a)]

    def text(row):
        parts = [f"F{row['first_n']}"] if row["first_n"] else []
        parts += ["raw"] if row["feed"] == "raw" else []
        return " ".join(parts + [row[a] if a == "method" else f"{a}={row.get(a)}"
                                 for a in varying])
    return text


def label(row, variant):
    return " ".join(filter(None, ("/".join(row[axis] for axis in "WAIO"), variant(row))))
