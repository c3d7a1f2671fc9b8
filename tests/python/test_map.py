#!/usr/bin/env python3
"""Detection metrics on random sets: `waio map` against pycocotools to 1e-9, and VOC's average
precision against the plain reference below.

Sets are of every kind that goes wrong: scores that tie, boxes that repeat, crowds, annotations or
results of none, areas on the edges of COCO's ranges, more than 100 boxes a class, boxes of no area.
WAIO_TEST_MAP_SETS: how many (1,200)."""
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as error:
    print(f"skipped: {error} (scripts/requirements-test.txt)")
    sys.exit(77)

WAIO = os.environ["WAIO"]
SETS = int(os.environ.get("WAIO_TEST_MAP_SETS", "1200"))
TOLERANCE = 1e-9
COCO_NAMES = ["AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100",
              "AR_small", "AR_medium", "AR_large"]


# ---- random sets ----

def random_box(rng, kind):
    if kind == "edges":  # sides whose products lie on the edges of the area ranges
        width, height = rng.choice([(32, 32), (96, 96), (16, 64), (0, 20), (128, 72), (31, 33)])
        return [rng.randrange(8), rng.randrange(8), width, height]
    if kind == "grid":
        return [rng.randrange(4) * 10, rng.randrange(4) * 10, 10 * rng.randint(1, 4),
                10 * rng.randint(1, 4)]
    return [rng.uniform(0, 300), rng.uniform(0, 300), rng.uniform(1, 250), rng.uniform(1, 250)]


def near(rng, box):
    if rng.random() < 0.2:
        return list(box)
    return [box[0] + rng.gauss(0, 0.1) * box[2], box[1] + rng.gauss(0, 0.1) * box[3],
            max(0, box[2] * (1 + rng.gauss(0, 0.15))), max(0, box[3] * (1 + rng.gauss(0, 0.15)))]


def random_set(seed):
    rng = random.Random(seed)
    kind = rng.choice(["free", "free", "grid", "edges"])
    tied = rng.random() < 0.5
    crowded = rng.random() < 0.4
    images = [{"id": i} for i in rng.sample(range(1, 10000), rng.randint(1, 8))]
    categories = [{"id": c, "name": f"class {c}"}
                  for c in rng.sample(range(1, 91), rng.randint(1, 4))]
    truth, found = [], []
    ids = iter(rng.sample(range(1, 100000), 2000))
    for image in images:
        for category in categories:
            boxes = [random_box(rng, kind)
                     for _ in range(rng.choice([0, 0, 1, 1, 2, 3, rng.randint(4, 20)]))]
            for box in boxes:
                area = box[2] * box[3] if rng.random() < 0.7 else rng.uniform(0, 1) * box[2] * box[3]
                truth.append({"id": next(ids), "image_id": image["id"], "bbox": box, "area": area,
                              "category_id": category["id"],
                              "iscrowd": int(crowded and rng.random() < 0.3),
                              "difficult": int(rng.random() < 0.2)})
            count = rng.choice([0, 1, 2, 5, 12])
            if rng.random() < 0.02:
                count = 130
            for _ in range(count):
                hit = boxes and rng.random() < 0.7
                box = near(rng, rng.choice(boxes)) if hit else random_box(rng, kind)
                score = rng.choice([0, 0.25, 0.5, 0.5, 0.75, 1]) if tied else rng.random()
                found.append({"image_id": image["id"], "category_id": category["id"], "bbox": box,
                              "score": score})
    if seed % 40 == 0:
        found = []
    if seed % 40 == 1:
        truth = []
    rng.shuffle(truth)
    rng.shuffle(found)
    return {"images": images, "annotations": truth, "categories": categories}, found


# ---- what is expected ----

def coco_expected(annotations, found):
    if not found:  # pycocotools reads no empty list of results: one of no category stands for it
        found = [{"image_id": annotations["images"][0]["id"], "category_id": 100000,
                  "bbox": [0, 0, 1, 1], "score": 0.5}]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(annotations))
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(json.loads(json.dumps(found))), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return dict(zip(COCO_NAMES, run.stats))


def iou(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def voc_class(annotations, found, category, ignore):
    """Recalls and precisions of one class, as VOCevaldet.m walks through them; None: no object."""
    order = {image: i for i, image in enumerate(sorted(i["id"] for i in annotations["images"]))}
    objects = {image: [a for a in annotations["annotations"]
                       if a["image_id"] == image and a["category_id"] == category]
               for image in order}
    positives = sum(not (ignore and a["difficult"]) for image in objects.values() for a in image)
    if positives == 0:
        return None
    boxes = sorted((f for f in found if f["category_id"] == category),
                   key=lambda f: (-f["score"], order[f["image_id"]]))
    claimed, hits, misses, recalls, precisions = set(), 0, 0, [], []
    for f in boxes:
        best, match = 0.0, None
        for a in objects[f["image_id"]]:
            overlap = iou(f["bbox"], a["bbox"])
            if overlap > best:
                best, match = overlap, a
        if best >= 0.5 and ignore and match["difficult"]:
            continue
        if best >= 0.5 and match["id"] not in claimed:
            claimed.add(match["id"])
            hits += 1
        else:
            misses += 1
        recalls.append(hits / positives)
        precisions.append(hits / (hits + misses))
    return recalls, precisions


def voc_expected(annotations, found, ignore):
    eleven, area = [], []
    for category in annotations["categories"]:
        curve = voc_class(annotations, found, category["id"], ignore)
        if curve is None:
            continue
        recalls, precisions = curve
        eleven.append(sum(max((p for r, p in zip(recalls, precisions) if r >= i * 0.1), default=0.0)
                          for i in range(11)) / 11)
        r = np.concatenate(([0], recalls, [1]))
        p = np.concatenate(([0], precisions, [0]))
        p = np.maximum.accumulate(p[::-1])[::-1]
        step = np.flatnonzero(r[1:] != r[:-1])
        area.append(float(np.sum((r[step + 1] - r[step]) * p[step + 1])))
    return {"VOC07": float(np.mean(eleven)) if eleven else -1.0,
            "VOC10": float(np.mean(area)) if area else -1.0}


# ---- the program ----

def measured(folder, annotations, found, *options):
    (folder / "truth.json").write_text(json.dumps(annotations))
    (folder / "found.json").write_text(json.dumps(found))
    run = subprocess.run([WAIO, "map", folder / "found.json", folder / "truth.json", *options],
                         capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"waio map failed: {run.stderr}")
    return {name: float(value) for name, value in map(str.split, run.stdout.splitlines())}


def compare(expected, got, what):
    bad = [f"{name}: {got[name]!r}, expected {expected[name]!r}" for name in expected
           if not abs(got[name] - expected[name]) <= TOLERANCE]
    for line in bad:
        print(f"{what}: {line}")
    return len(bad), max(abs(got[name] - expected[name]) for name in expected)


def main():
    bad, worst, values, nothing = 0, 0.0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(SETS):
            annotations, found = random_set(seed)
            checks = [(coco_expected(annotations, found), []),
                      (voc_expected(annotations, found, True), ["--threads", "2"])]
            if seed % 4 == 0:  # difficult objects as crowds, and as any other
                crowds = json.loads(json.dumps(annotations))
                for a in crowds["annotations"]:
                    a["iscrowd"] |= a["difficult"]
                checks.append((coco_expected(crowds, found), ["--ignore-difficult"]))
                checks.append((voc_expected(annotations, found, False), ["--count-difficult"]))
            results = {}
            for expected, options in checks:
                key = tuple(options)
                results[key] = measured(folder, annotations, found, *options)
                wrong, far = compare(expected, results[key], f"set {seed} {' '.join(options)}")
                bad += wrong
                worst = max(worst, far)
                values += len(expected)
                nothing += sum(v == -1 for v in expected.values())
    print(f"{SETS} sets, {values} values ({nothing} of them -1), worst difference {worst:.3g}, "
          f"{bad} beyond {TOLERANCE:g}")
    if SETS == 0 or nothing == values:
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
