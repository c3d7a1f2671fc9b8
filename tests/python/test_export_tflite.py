#!/usr/bin/env python3
"""Networks that `waio quantize` writes: TensorFlow Lite loads and runs them, and its reference
kernels give the same output bytes as waio.

WAIO_TEST_MODELS (with WAIO_DATA) adds real networks; WAIO_TEST_CIFAR_IMAGES sets how many CIFAR-10
images they see [50].
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from tflite_make import Net
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
BUILD = Path(os.environ["WAIO_BUILD"])
CIFAR_IMAGES = int(os.environ.get("WAIO_TEST_CIFAR_IMAGES", "50"))

# Precisions as `waio quantize` takes them.
CHOICES = [
    "w=8 a=8 i=8 o=8",
    "w=8 a=16 i=8 o=8",
    "w=4 a=8 i=8 o=8",
    "w=4 a=8 i=4 o=4 gran=layer",
    "w=3 a=5 i=6 o=7",
    "w=2 a=2 i=2 o=2",
    "w=5 a=11 i=8 o=7",
    "w=8 a=8 i=8 o=8 asym=symmetric",
    "w=8 a=8 i=32 o=32",
    "w=8 a=16 i=8 o=32",
    "w=8 a=8 i=8 o=8 first_n=2",
    "w=f16 a=32 i=f16 o=f16",
    "w=8 a=32 i=8 o=8",
    "w=32 a=8 i=8 o=8",
    "w=32 a=32 i=32 o=32",
]
EXACT = 8  # so many of them compute with codes alone
# Networks of floats agree within rounding; this share of the largest output.
FLOAT_SHARE = 2e-5
# What the format cannot hold is refused.
REFUSED = {"w=8 a=16 i=16 o=8": "TensorFlow Lite has at most 8",
           "w=8 a=8 i=8 o=8 wsym=asymmetric": "wsym=symmetric"}


def waio(*arguments):
    done = subprocess.run([WAIO, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"waio {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def run_litert(path, images):
    it = Interpreter(model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    it.resize_tensor_input(it.get_input_details()[0]["index"], images.shape)
    it.allocate_tensors()
    given, got = it.get_input_details()[0], it.get_output_details()[0]
    if given["dtype"] != np.float32:
        scale, zero = given["quantization"]
        info = np.iinfo(given["dtype"])
        images = np.clip(np.round(images / np.float32(scale)) + zero, info.min, info.max)
    images = images.astype(given["dtype"])
    it.set_tensor(given["index"], images)
    it.invoke()
    return images, it.get_tensor(got["index"])


def run_waio(path, images, folder, dtype, shape):
    images.tofile(folder / "in")
    waio("infer", path, "--input", folder / "in", "--output", folder / "out", "--backend", "ref")
    return np.fromfile(folder / "out", dtype=dtype).reshape(shape)


def check(model, data, choice, ends, images, folder, exact=False):
    """Compares one file; returns a text that says what is wrong, or None."""
    path = folder / "net.tflite"
    extra = ["--models", os.environ["WAIO_TEST_MODELS"]] if data == "cifar10" else []
    waio("quantize", model, f"data={data}", *choice.split(), "-o", path, "--ends", ends, *extra)
    fed, theirs = run_litert(path, images)
    ours = run_waio(path, fed, folder, theirs.dtype, theirs.shape)
    same = float((ours == theirs).all(axis=1).mean())
    off = np.abs(ours.astype(np.float64) - theirs).max(axis=1) / np.abs(theirs).max()
    if exact or choice in CHOICES[:EXACT]:
        return None if same == 1 else f"{100 * (1 - same):.2f} % of the images have other bytes"
    # Float sums run in another order, and now and then a code falls to the other side of a tie.
    near = float((off < FLOAT_SHARE).mean())
    print(f"       same bytes: {100 * same:.1f} % of the images, within float rounding: "
          f"{100 * near:.1f} %, off by {off.max():.2g} at the most")
    return None if near > 0.95 else "too many differ"


def wide_bias_net(path, whole):
    """A float network whose second layer has a channel (or all) with weights so small that a bias of 32
    bits asks for a wider scale."""
    rng = np.random.default_rng(3)
    net = Net()
    x = net.tensor([1, 32, 32, 3], np.float32)
    at = x
    for side, depth, step in ((32, 3, 2), (16, 6, 4)):
        out = side // step
        weight = rng.uniform(-0.3, 0.3, (6, 3, 3, depth)).astype(np.float32)
        bias = rng.uniform(-0.5, 0.5, 6).astype(np.float32)
        if side == 16:
            weight[slice(None) if whole else 4] *= 1e-9
            bias[4] = -0.7
        made = net.tensor([1, out, out, 6], np.float32)
        net.operator("CONV_2D", [at, net.constant(weight), net.constant(bias)], [made], "Conv2D",
                     strideH=step, strideW=step, dilationHFactor=1, dilationWFactor=1)
        at = made
    flat = net.tensor([1, 96], np.float32)
    net.operator("RESHAPE", [at, net.constant(np.array([1, 96], np.int32))], [flat], "Reshape",
                 newShape=[1, 96])
    head = [net.constant(rng.uniform(-0.3, 0.3, shape).astype(np.float32)) for shape in ((10, 96), 10)]
    y = net.tensor([1, 10], np.float32)
    net.operator("FULLY_CONNECTED", [flat, *head], [y], "FullyConnected")
    path.write_bytes(net.pack([x], [y]))


def largest_bias(path):
    it = Interpreter(model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    it.allocate_tensors()
    return max(np.abs(it.get_tensor(t["index"]).astype(np.int64)).max()
               for t in it.get_tensor_details()
               if t["dtype"] == np.int32 and t["quantization_parameters"]["scales"].size)


def check_wide_biases(images, folder):
    """Yields (name, what is wrong or None)."""
    for whole in (False, True):
        wide_bias_net(folder / "wide.tflite", whole)
        for choice in ("w=8 a=8 i=8 o=8", "w=4 a=8 i=8 o=8", "w=8 a=8 i=8 o=8 gran=layer",
                       "w=4 a=8 i=8 o=8 gran=layer"):
            wrong = check(folder / "wide.tflite", "shapes", choice, "codes", images, folder, True)
            bias = largest_bias(folder / "net.tflite")
            wide = whole or "layer" not in choice
            if not wrong and wide != (2**29 < bias <= 2**30 + 64):
                wrong = f"the largest bias is {bias}"
            yield f"biases of {'a layer' if whole else 'a channel'}, {choice}", wrong


def read_images(path, count):
    raw = np.fromfile(path, dtype=np.uint8).reshape(-1, 3073)[:count, 1:]
    return np.ascontiguousarray(raw.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).astype(np.float32)


def shapes_images():
    return read_images(sorted((BUILD / "data").rglob("test_batch.bin"))[0], 40)


def cases():
    """(model, data set, images)"""
    shapes = shapes_images()
    for model in ("shapes_resnet8", "shapes_mobilenet"):
        yield model, "shapes", shapes
    models, data = os.environ.get("WAIO_TEST_MODELS"), os.environ.get("WAIO_DATA")
    if not models or not data:
        print("WAIO_TEST_MODELS and WAIO_DATA are not set: real networks are left out")
        return
    cifar = read_images(Path(data) / "cifar-10-batches-bin/test_batch.bin", CIFAR_IMAGES)
    for path in sorted(Path(models).rglob("pretrainedResnet.h5")):
        yield str(path), "cifar10", cifar


def main():
    failed = checked = 0
    with tempfile.TemporaryDirectory() as name:
        for model, data, images in cases():
            for choice in CHOICES:
                for ends in ("float", "codes"):
                    if ends == "codes" and choice not in CHOICES[:EXACT]:
                        continue
                    try:
                        wrong = check(model, data, choice, ends, images, Path(name))
                    except (RuntimeError, ValueError) as error:
                        wrong = str(error)
                    checked += 1
                    failed += wrong is not None
                    print(f"{'FAILED' if wrong else 'ok':6} {Path(model).name} {choice} ends={ends}"
                          f"{': ' + wrong if wrong else ''}", flush=True)
        for title, wrong in check_wide_biases(shapes_images(), Path(name)):
            checked += 1
            failed += wrong is not None
            print(f"{'FAILED' if wrong else 'ok':6} {title}{': ' + wrong if wrong else ''}", flush=True)
        for choice, part in REFUSED.items():
            try:
                waio("quantize", "shapes_resnet8", "data=shapes", *choice.split(), "-o",
                     Path(name) / "no.tflite")
                message = "written"
            except RuntimeError as error:
                message = str(error)
            good = part in message and not (Path(name) / "no.tflite").exists()
            failed += not good
            print(f"{'ok' if good else 'FAILED':6} {choice} is refused: {message}")
    print(f"{checked} files, {failed} failed")
    sys.exit(1 if failed else 0)


main()
