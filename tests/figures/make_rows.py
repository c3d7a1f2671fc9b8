"""Made-up rows in the columns of results, for tests of speed and of the page:
make_rows.py ROWS FILE COLUMNS-FILE. The columns come from a results file of waio. Some rows fail,
some are at chance, texts try to break out of HTML."""
import csv
import itertools
import sys

count, out, sample = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with open(sample, newline="", encoding="utf-8") as file:
    names = next(csv.reader(file))
MODELS = ("resnet50:input=32", "mobilenet_v1:width=0.25:input=32", "pretrainedResnet.h5")
WIDTHS = ("2", "4", "6", "8", "16", "32")
product = itertools.product(MODELS, ("ptq", "squant"), WIDTHS, WIDTHS, WIDTHS, WIDTHS)
with open(out, "w", newline="", encoding="utf-8") as file:
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    made = 0
    for model in MODELS:
        writer.writerow({"config": f"model={model} images=0 float", "suite": "made-up", "model": model,
                         "dataset": "cifar10", "images": 10000, "method": "float", "W": 32, "A": 32,
                         "I": 32, "O": 32, "first_n": 0, "value": 91, "float_value": 91,
                         "change_pct": 0, "compression_pct": 0, "status": "ok", "metric": "accuracy",
                         "backend": "cpu", "device": "none", "seconds": 1, "version": "0"})
        made += 1
    for k, (model, method, w, a, i, o) in enumerate(product):
        if (w, a, i, o) == ("32",) * 4:
            continue
        if made == count:
            break
        made += 1
        value = 91 - sum(40 / 2 ** int(b) for b in (w, a, i, o)) - k % 7 / 10
        row = {"config": f"model={model} images=0 method={method} w={w} a={a} i={i} o={o}",
               "suite": "made-up", "model": model, "dataset": "cifar10", "images": 10000,
               "method": method, "mapping": "quantized_bits", "W": w, "A": a, "I": i, "O": o,
               "first_n": 0, "suspects": 0, "feed": "quantized", "engine": "simulate",
               "backend": "cpu", "device": "none", "metric": "accuracy", "seconds": 0.5,
               "images_per_s": 1000 + k % 500, "version": "0", "status": "ok", "stderr": 0.3}
        if k % 97 == 5:
            row |= {"status": "failed", "reason": "<script>window.broken=1</script> & \"quotes\", " * 2}
        else:
            row |= {"value": f"{value:.4f}", "float_value": 91,
                    "change_pct": f"{(91 - value) / 91 * 100:.4f}", "agree_pct": 90,
                    "compression_pct": f"{100 - int(w) / 32 * 95 - int(o) / 32 * 5:.3f}",
                    "size_bytes": 1000 * int(w) + int(o), "float_bytes": 33000}
            if k % 101 == 7:
                row |= {"status": "mistrusted", "reason": "accuracy at chance (10.0 % of 10 classes)"}
        writer.writerow(row)
assert made == count, f"{made} rows; there are no more"
