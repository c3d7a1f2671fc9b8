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
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
BUILD = Path(os.environ["WAIO_BUILD"])
CIFAR_IMAGES = int(os.environ.get("WAIO_TEST_CIFAR_IMAGES", "50"))
PER_FILE = 30730000 // 10000

# Precisions as `waio quantize` takes them.
CHOICES = [
    "w=8 a=8 i=8 o=8",
    "w=8 a=8 i=32 o=32",
    "w=8 a=16 i=16 o=16",
    "w=8 a=8 i=16 o=8",
    "w=8 a=16 i=8 o=16",
    "w=4 a=8 i=8 o=8",
    "w=4 a=8 i=4 o=4 gran=layer",
    "w=3 a=5 i=6 o=7",
    "w=2 a=2 i=2 o=2",
    "w=5 a=11 i=8 o=13",
    "w=8 a=8 i=8 o=8 first_n=2",
    "w=8 a=8 i=8 o=8 asym=symmetric",
    "w=f16 a=32 i=f16 o=f16",
    "w=8 a=32 i=8 o=8",
    "w=32 a=8 i=8 o=8",
    "w=32 a=32 i=32 o=32",
]
# Networks of floats agree within rounding; this share of the largest output.
FLOAT_SHARE = 2e-5


def waio(*arguments):
    done = subprocess.run([WAIO, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"waio {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def interpreter(path, batch, resolver=OpResolverType.BUILTIN_REF):
    it = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver)
    it.resize_tensor_input(it.get_input_details()[0]["index"], (batch, *IMAGE))
    it.allocate_tensors()
    return it


IMAGE = (32, 32, 3)


def run_litert(path, images):
    it = interpreter(path, len(images))
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


def check(model, data, choice, ends, images, folder):
    """Compares one file; returns a text that says what is wrong, or None."""
    path = folder / "net.tflite"
    extra = ["--models", os.environ["WAIO_TEST_MODELS"]] if data == "cifar10" else []
    waio("quantize", model, f"data={data}", *choice.split(), "-o", path, "--ends", ends, *extra)
    fed, theirs = run_litert(path, images)
    ours = run_waio(path, fed, folder, theirs.dtype, theirs.shape)
    on_codes = "a=32" not in choice and "w=32" not in choice
    if theirs.dtype != np.float32 or (on_codes and "o=32" not in choice and "first_n" not in choice):
        wrong = int((ours != theirs).any(axis=1).sum())
        return f"{wrong} of {len(images)} images have other bytes" if wrong else None
    off = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    same = float((ours == theirs).all(axis=1).mean())
    print(f"      {100 * same:.1f} % of the images the same bytes, largest difference {off:.2g}")
    return None if off < FLOAT_SHARE or (on_codes and same > 0.9) else f"off by {off:.2g}"


def shapes_images(count):
    raw = np.fromfile(BUILD / "data/shapes-batches-bin/test_batch.bin", dtype=np.uint8)
    return raw


def read_images(path, count):
    raw = np.fromfile(path, dtype=np.uint8).reshape(-1, 3073)[:count, 1:]
    return np.ascontiguousarray(raw.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).astype(np.float32)


def cases():
    """(model, data set, images)"""
    found = sorted((BUILD / "data").rglob("test_batch.bin"))
    shapes = read_images(found[0], 40)
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
                    if ends == "codes" and choice not in CHOICES[:1] + CHOICES[2:7]:
                        continue
                    try:
                        wrong = check(model, data, choice, ends, images, Path(name))
                    except (RuntimeError, ValueError) as error:
                        wrong = str(error)
                    checked += 1
                    failed += wrong is not None
                    print(f"{'FAILED' if wrong else 'ok':6} {Path(model).name} {choice} ends={ends}"
                          f"{': ' + wrong if wrong else ''}", flush=True)
    print(f"{checked} files, {failed} failed")
    sys.exit(1 if failed else 0)


main()
