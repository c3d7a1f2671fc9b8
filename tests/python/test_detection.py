#!/usr/bin/env python3
"""A real detector over real photographs, from file to metric, by other people's programs.

TensorFlow Lite runs the uint8 SSD-MobileNetV1 (WAIO_TEST_MODELS, any .tflite of that name) with its
own post-processing on the photographs of WAIO_DATA's VOCdevkit/COCO2017, which Pillow decodes and
TensorFlow resizes; pycocotools gives the metric of what it found. `waio eval` must give the same
number for the same images. WAIO_TEST_IMAGES: how many [12]."""
import contextlib
import csv
import io
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import numpy as np
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from PIL import Image
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
IMAGES = int(os.environ.get("WAIO_TEST_IMAGES", "12"))
MODEL = "ssd_mobilenet_v1_coco_quant.tflite"
TOLERANCE = 1e-6  # of percent; the row has nine digits
VOC = ("aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
       "pottedplant sheep sofa train tvmonitor").split()
# VOC's classes by COCO's category id less one, which is what the network's classes are.
COCO_INDEX = [4, 1, 15, 8, 43, 5, 2, 16, 61, 20, 66, 17, 18, 3, 0, 63, 19, 62, 6, 71]


def find(folder, name):
    return next(iter(sorted(Path(folder).rglob(name))), None) if folder else None


def annotations(root, names):
    images, objects = [], []
    for number, name in enumerate(names, 1):
        images.append({"id": number})
        for item in ElementTree.parse(root / "Annotations" / f"{name}.xml").iter("object"):
            box = item.find("bndbox")
            x0, y0, x1, y1 = (float(box.find(k).text) for k in ("xmin", "ymin", "xmax", "ymax"))
            objects.append({"id": len(objects) + 1, "image_id": number, "iscrowd": 0,
                            "category_id": VOC.index(item.find("name").text) + 1,
                            "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)})
    return {"images": images, "annotations": objects,
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(VOC)]}


def detections(root, names, content):
    net = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    detail, found = net.get_input_details()[0], []
    height, width = detail["shape"][1:3]
    for number, name in enumerate(names, 1):
        picture = np.asarray(Image.open(root / "JPEGImages" / f"{name}.jpg").convert("RGB"))
        small = tf.compat.v1.image.resize_bilinear(picture[None].astype(np.float32), (height, width))
        small = np.rint(small.numpy())
        codes = small.astype(np.uint8)  # as the network means them: (x - 128) / 128
        net.set_tensor(detail["index"], codes)
        net.invoke()
        boxes, classes, scores, count = (net.get_tensor(o["index"])[0]
                                         for o in net.get_output_details())
        for box, kind, score in list(zip(boxes, classes, scores))[:int(count)]:
            if int(kind) not in COCO_INDEX:
                continue
            y0, x0, y1, x1 = (float(v) for v in box)
            h, w = picture.shape[:2]
            found.append({"image_id": number, "category_id": COCO_INDEX.index(int(kind)) + 1,
                          "bbox": [x0 * w, y0 * h, (x1 - x0) * w, (y1 - y0) * h],
                          "score": float(score)})
    return found


def main():
    path = find(os.environ.get("WAIO_TEST_MODELS"), MODEL)
    data = os.environ.get("WAIO_DATA", "")
    root = find(data, "COCO2017")
    if not path or not root or Path(f"{path}.detector.json").exists():
        print(f"skipped: no {MODEL} (WAIO_TEST_MODELS) or no VOCdevkit/COCO2017 (WAIO_DATA)")
        return 77
    names = (root / "ImageSets/Main/test.txt").read_text().split()[:IMAGES]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations(root, names)
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(detections(root, names, path.read_bytes())), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for metric, want in (("map_coco", run.stats[0]), ("ap50", run.stats[1])):
            suite = Path(folder, f"{metric}.yaml")
            suite.write_text(f"name: s\nmodels: [{path}]\ndatasets: ['voc:COCO2017']\n"
                             f"images: {len(names)}\npreprocess: u8\nmetric: {metric}\n"
                             "method: {name: file}\n")
            out = Path(folder, f"{metric}.csv")
            done = subprocess.run([WAIO, "run", suite, "--out", out, "--data", root.parent.parent],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)

            row = next(csv.DictReader(out.open()))
            good = abs(float(row["value"]) - 100 * want) <= TOLERANCE
            bad += not good
            print(f"{'ok    ' if good else 'FAILED'} {metric} of {len(names)} images: {row['value']} %, "
                  f"TensorFlow Lite and pycocotools {100 * want:.9f} %, status {row['status']}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
