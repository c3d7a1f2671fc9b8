#!/usr/bin/env python3
"""TFLite_Detection_PostProcess against TensorFlow Lite: the same boxes, to the bit.

Small networks whose input holds the box codes and the scores (a 1x1 convolution picks each), float
and uint8 (the kernel takes no int8), with random options: fast and class by class, one or several classes an anchor, with
and without background, tied scores (fast), anchors as floats and as codes. With WAIO_TEST_MODELS every
.tflite file with this operator below that folder is run on WAIO_TEST_IMAGES random images [4].

    test_tflite_detection.py --make-golden tests/data    writes the file of test_tflite_detection.c
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from flatbuffers import flexbuffers
    from tflite_make import Net
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
NAME = "TFLite_Detection_PostProcess"
CASES = int(os.environ.get("WAIO_TEST_DETECTION_CASES", "120"))
failures, compared = [], [0, 0]  # cases and boxes


def options_of(rng, classes, fast):
    made = {"max_detections": int(rng.integers(1, 40)),
            "max_classes_per_detection": int(rng.integers(1, min(classes, 3) + 1)),
            "num_classes": classes, "nms_score_threshold": float(rng.choice([1e-8, 0.2, 0.0])),
            "nms_iou_threshold": float(rng.choice([0.3, 0.5, 0.6, 1.0])),
            "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": float(rng.choice([5.0, 4.0]))}
    if not fast:
        made["use_regular_nms"] = True
        made["detections_per_class"] = int(rng.integers(1, 30))
    elif rng.random() < 0.5:
        made["use_regular_nms"] = False
    return made


def flex(options):
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in options.items():
            if isinstance(value, bool):
                builder.Bool(key, value)
            elif isinstance(value, int):
                builder.Int(key, value)
            else:
                builder.Float(key, value)
    return bytes(builder.Finish())


def network(rng, dtype, anchors, classes, background, options):
    """One input of (1, anchors, 1, 4 + columns)."""
    columns = classes + background
    quant = None if dtype == np.float32 else (1 / 32, 128)
    net = Net()
    x = net.tensor((1, anchors, 1, 4 + columns), dtype, quant)
    picked = []
    for first, count in ((0, 4), (4, columns)):
        weight = np.zeros((count, 1, 1, 4 + columns), dtype)
        zero = 0
        if quant:
            weight += np.array(quant[1], dtype)
            zero = quant[1]
        for i in range(count):
            weight[i, 0, 0, first + i] = 1 + zero
        w = net.constant(weight, (1.0, zero) if quant else None)
        b = net.constant(np.zeros(count, np.int32 if quant else np.float32),
                         (quant[0], 0) if quant else None)
        y = net.tensor((1, anchors, 1, count), dtype, quant)
        net.operator("CONV_2D", [x, w, b], [y], "Conv2D", strideH=1, strideW=1, padding=1)
        shape = net.constant(np.array([1, anchors, count], np.int32))
        z = net.tensor((1, anchors, count), dtype, quant)
        net.operator("RESHAPE", [y, shape], [z], "Reshape", newShape=[1, anchors, count])
        picked.append(z)
    place = np.concatenate((rng.uniform(0, 1, (anchors, 2)), rng.uniform(0.05, 0.6, (anchors, 2))), 1)
    if quant:
        a = net.constant(np.round(place / 0.006).astype(dtype), (0.006, 0))
    else:
        a = net.constant(place.astype(np.float32))
    most = options["max_detections"] * options["max_classes_per_detection"]
    outputs = [net.tensor(s, np.float32) for s in ((1, most, 4), (1, most), (1, most), (1,))]
    custom(net, [*picked, a], outputs, flex(options))
    return net.pack([x], outputs)


def custom(net, inputs, outputs, options):
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = NAME.encode()
    code.version = 1
    made = schema.OperatorT()
    made.opcodeIndex = len(net.codes)
    net.codes.append(code)
    made.inputs, made.outputs = inputs, outputs
    made.customOptions = np.frombuffer(options, np.uint8)
    net.operators.append(made)


def random_input(rng, dtype, anchors, columns, tied):
    if dtype != np.float32:
        return rng.integers(0, 256, (1, anchors, 1, 4 + columns)).astype(dtype)
    codes = rng.normal(0, 3, (1, anchors, 1, 4))
    scores = rng.uniform(0, 1, (1, anchors, 1, columns))
    if tied:
        scores = np.round(scores * 8) / 8
    return np.concatenate((codes, scores), 3).astype(np.float32)


def litert(content, image, each=1):
    """`each`: how many classes stand for every box that is counted."""
    made = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    made.allocate_tensors()
    made.set_tensor(made.get_input_details()[0]["index"], image)
    made.invoke()
    boxes, classes, scores, count = (made.get_tensor(o["index"]) for o in made.get_output_details())
    n = int(count.ravel()[0]) * each
    return np.concatenate((classes.reshape(-1, 1)[:n], scores.reshape(-1, 1)[:n],
                           boxes.reshape(-1, 4)[:n]), 1).astype(np.float32)


def waio(path, folder, image):
    (folder / "in").write_bytes(np.ascontiguousarray(image).tobytes())
    done = subprocess.run([WAIO, "infer", path, "--input", folder / "in", "--output", folder / "out",
                           "--backend", "ref", "--boxes"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    rows = [line.split() for line in (folder / "out").read_text().splitlines()]
    return np.array([[float(x) for x in row[1:]] for row in rows], np.float32).reshape(-1, 6)


def compare(name, path, folder, content, image, each=1):
    want, got = litert(content, image, each), waio(path, folder, image)
    # The operator leaves boxes with their corners out of order as they are; there are none here.
    good = want.shape == got.shape and np.array_equal(want, got)
    compared[0] += 1
    compared[1] += len(want)
    if not good:
        failures.append(name)
        print(f"FAILED {name}: {len(got)} boxes, expected {len(want)}")
        print(np.concatenate((want[:3], got[:3])) if want.shape == got.shape else "")


def test_small(folder):
    for case in range(CASES):
        rng = np.random.default_rng(case)
        fast = case % 3 != 0
        dtype = np.uint8 if case % 3 == 2 else np.float32
        anchors, classes = int(rng.integers(1, 80)), int(rng.integers(1, 6))
        background = int(rng.integers(0, 2))
        options = options_of(rng, classes, fast)
        if fast and options["max_classes_per_detection"] > 1:
            dtype = np.float32  # which of tied classes comes first is not said
        tied = fast and options["max_classes_per_detection"] == 1
        try:
            content = network(rng, dtype, anchors, classes, background, options)
            path = folder / "net.tflite"
            path.write_bytes(content)
            image = random_input(rng, dtype, anchors, classes + background, tied)
            compare(f"case {case} ({np.dtype(dtype).name}, {options})", path, folder, content, image,
                    options["max_classes_per_detection"] if fast else 1)
        except RuntimeError as error:
            failures.append(case)
            print(f"FAILED case {case}: {error}")


def test_real(folder):
    models = os.environ.get("WAIO_TEST_MODELS")
    count = 0
    for path in sorted(Path(models).rglob("*.tflite")) if models else []:
        content = path.read_bytes()
        if NAME.encode() not in content or Path(f"{path}.detector.json").exists():
            continue
        detail = Interpreter(model_content=content).get_input_details()[0]
        rng = np.random.default_rng(1)
        for i in range(int(os.environ.get("WAIO_TEST_IMAGES", "4"))):
            image = rng.integers(0, 256, detail["shape"]).astype(detail["dtype"])
            compare(f"{path.name}, image {i}", path, folder, content, image)
        count += 1
    print(f"{count} real networks" if count else "skipped: real networks (WAIO_TEST_MODELS)")


def make_golden(folder):
    """The file of tests/unit/test_tflite_detection.c."""
    rng = np.random.default_rng(7)
    options = {"max_detections": 5, "max_classes_per_detection": 1, "num_classes": 3,
               "nms_score_threshold": 0.25, "nms_iou_threshold": 0.5, "use_regular_nms": False,
               "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
    content = network(rng, np.uint8, 6, 3, 1, options)
    Path(folder, "small_detection.tflite").write_bytes(content)


if sys.argv[1:2] == ["--make-golden"]:
    make_golden(sys.argv[2])
    sys.exit()
with tempfile.TemporaryDirectory() as temporary:
    test_small(Path(temporary))
    test_real(Path(temporary))
print(f"{compared[0]} cases, {compared[1]} boxes compared, {len(failures)} failed")
sys.exit(1 if failures or compared[1] == 0 else 0)
