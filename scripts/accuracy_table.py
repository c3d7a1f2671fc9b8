#!/usr/bin/env python3
"""Prints, as Markdown, what rounding and ranges keep of the accuracy at few bits: suites/accuracy.yaml
once for every choice of methods below, without and with equalization.

    scripts/accuracy_table.py build/release/bin/waio results/accuracy [MODEL:DATASET ...]
    scripts/accuracy_table.py build/release/bin/waio results/accuracy --data ~/data --models ~/models \\
        pretrainedResnet.h5:cifar10

Networks: shapes_resnet8:shapes and shapes_mobilenet:shapes unless others are named. The CSVs stay in
the folder, and rows that are there already are not run again. --float-activations: rounding of weights
alone, A = 32, I = O = 8. --only TEXT: the choices whose name has that text. --plain: without equalization
alone, in half the time. The rest of the options goes to `waio run`."""
import argparse
import csv
import re
import subprocess
from pathlib import Path

METHODS = (
    ("nearest, minmax", "name: ptq"),
    ("nearest, mse", "name: ptq_mse"),
    ("SQuant, minmax", "name: ptq, rounding: squant"),
    ("SQuant, mse", "name: ptq_mse, rounding: squant"),
    ("SQuant, no data", "name: squant"),
    ("nearest, one scale a layer", "name: ptq, granularity: layer"),
    ("SQuant, one scale a layer", "name: ptq, granularity: layer, rounding: squant"),
    ("no data, one scale a layer", "name: dfq"),
)
BITS = ("8", "6", "5", "4", "3")
TEMPLATE = Path(__file__).resolve().parent.parent / "suites/accuracy.yaml"


def suite(name, network, method, equalize, floats):
    model, data = network.rsplit(":", 1)
    text = TEMPLATE.read_text(encoding="utf-8")
    precision = ("{W: [8, 6, 5, 4, 3], A: [32], I: [8], O: [8]}" if floats else None)
    for key, value in (("name", name), ("models", f"[{model}]"), ("datasets", f"[{data}]"),
                       ("method", f"{{{method}, equalize: {equalize}}}"), ("precision", precision)):
        if value:
            text, count = re.subn(rf"^{key}:.*$", f"{key}: {value}", text, flags=re.M)
            assert count == 1, f"{TEMPLATE} has no line {key}"
    return text


def run(args, network, index, method, equalize):
    """Accuracy per W, and that of the float network."""
    model = re.sub(r"[^a-z0-9]+", "-", network.lower())
    name = f"accuracy-{model}-{index}-{equalize}{'-float' if args.float_activations else ''}"
    path, out = args.folder / f"{name}.yaml", args.folder / f"{name}.csv"
    path.write_text(suite(name, network, method, equalize, args.float_activations), encoding="utf-8")
    subprocess.run([args.waio, "run", path, "--out", out, *args.rest], check=True,
                   stdout=subprocess.DEVNULL)
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    bad = [row["config"] for row in rows if row["status"] not in ("ok", "mistrusted")]
    assert not bad, f"{out}: {bad[0]}"
    return ({row["W"]: float(row["value"]) for row in rows if row["method"] != "float"},
            next(float(row["value"]) for row in rows if row["method"] == "float"), rows[0]["images"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("waio")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--float-activations", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--plain", action="store_true")
    args, rest = parser.parse_known_args()
    networks = [r for r in rest if re.fullmatch(r"[^-][^:]*:[a-z0-9]+", r)]
    args.rest = [r for r in rest if r not in networks]
    args.folder.mkdir(parents=True, exist_ok=True)
    print("| network | choices | " + " | ".join(BITS) + " |")
    print("| --- " * (len(BITS) + 2) + "|")
    for network in networks or ["shapes_resnet8:shapes", "shapes_mobilenet:shapes"]:
        for index, (title, method) in enumerate(METHODS):
            if args.only not in title:
                continue
            plain, top, images = run(args, network, index, method, "off")
            equal = None if args.plain else run(args, network, index, method, "on")[0]
            if not args.only and index == 0:
                print(f"| {network}, {images} images | float: {top:.1f} |" + " |" * len(BITS))
            cells = [f"{plain[b]:.1f}" + (f" / {equal[b]:.1f}" if equal else "") for b in BITS]
            print(f"| {network} | {title} (`{method}`) | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
