#!/usr/bin/env python3
"""waio against TensorFlow Lite's reference kernels: quantized networks must give the same bytes.

Small networks are made with TensorFlow's converter (full int8; float; float16 weights). With
WAIO_TEST_MODELS, every .tflite file below that folder is run as well, on seeded random images and,
where WAIO_DATA has CIFAR-10 and the network takes 32x32 images, on real ones. How often TensorFlow
Lite's optimized kernels differ from its reference is printed, not judged.

    test_import_tflite.py --make-golden tests/data    writes the files of tests/unit/test_import_tflite.c
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
RANDOM_IMAGES = int(os.environ.get("WAIO_TEST_IMAGES", "20"))
failures = []


def interpreter(content, resolver):
    made = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    made.allocate_tensors()
    return made


def litert(content, images, resolver=OpResolverType.BUILTIN_REF):
    made = interpreter(content, resolver)
    source, sink = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]
    out = []
    for image in images:
        made.set_tensor(source, image[None])
        made.invoke()
        out.append(made.get_tensor(sink)[0].copy())
    return np.stack(out)


def waio(path, images, output, folder, backend):
    images.tofile(folder / "in.bin")
    done = subprocess.run([WAIO, "infer", str(path), "--input", str(folder / "in.bin"), "--output",
                           str(folder / "out.bin"), "--batch", "5", "--backend", backend],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return np.fromfile(folder / "out.bin", output.dtype).reshape(output.shape)


def compare(name, path, images, backend="ref"):
    content = Path(path).read_bytes()
    want = litert(content, images)
    with tempfile.TemporaryDirectory() as folder:
        got = waio(path, images, want, Path(folder), backend)
    if want.dtype == np.float32:
        worst = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))
        good, text = worst <= 1e-4, f"worst difference {worst:.2g} of the largest output"
    else:
        other = int((got != want).reshape(len(images), -1).any(1).sum())
        fast = litert(content, images, OpResolverType.AUTO)
        drift = int((fast != want).reshape(len(images), -1).any(1).sum())
        good = other == 0
        text = (f"{len(images) - other} of {len(images)} images with equal bytes; optimized "
                f"kernels differ from the reference on {drift}")
    print(f"{'ok    ' if good else 'FAILED'} {name}: {text}")
    if not good:
        failures.append(name)


def random_images(detail, count, seed=1):
    rng = np.random.default_rng(seed)
    shape = (count, *detail["shape"][1:])
    if detail["dtype"] == np.float32:
        return (rng.random(shape, dtype=np.float32) * 255).astype(np.float32)
    info = np.iinfo(detail["dtype"])
    return rng.integers(info.min, info.max + 1, shape).astype(detail["dtype"])


# ---- networks made here ----

def small_networks(keras, tf):
    """name -> Keras network on 12x11 images of 3 channels."""
    layers = keras.layers

    def net(*stack):
        x = y = keras.Input((12, 11, 3), batch_size=1)
        for layer in stack:
            y = layer(y)
        return keras.Model(x, y)

    def branches():
        x = keras.Input((12, 11, 3), batch_size=1)
        a = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        b = layers.Conv2D(8, 1)(x)
        y = layers.Concatenate()([layers.Add()([a, b]), layers.Subtract()([a, b]),
                                  layers.Multiply()([a, b]), layers.Maximum()([a, b])])
        y = layers.MaxPooling2D(3, 2, padding="same")(y)
        y = layers.AveragePooling2D(2, 1, padding="same")(y)
        y = layers.Dense(5)(layers.Flatten()(y))
        return keras.Model(x, layers.Softmax()(y))

    return {
        "branches": branches(),
        "depthwise": net(layers.ZeroPadding2D(((0, 1), (1, 0))), layers.Conv2D(8, 3, 2),
                         layers.ReLU(6.0), layers.DepthwiseConv2D(3, padding="same"),
                         layers.ReLU(6.0), layers.Conv2D(16, 1), layers.ReLU(),
                         layers.GlobalAveragePooling2D(), layers.Dense(7, activation="sigmoid")),
        "permuted": net(layers.Conv2D(6, (3, 2), (2, 1)), layers.Permute((2, 1, 3)),
                        layers.Conv2D(4, 3, padding="same"), layers.Flatten(), layers.Dense(4)),
    }


def convert(tf, net, kind):
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    rng = np.random.default_rng(3)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.representative_dataset = lambda: (
            [rng.random((1, 12, 11, 3), dtype=np.float32) * 255] for _ in range(20))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


def test_small():
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        print(f"skipped: networks made by TensorFlow: {error}")
        return
    keras.utils.set_random_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        for name, net in small_networks(keras, tf).items():
            for kind in ("float", "float16", "int8"):
                path = Path(folder) / f"{name}_{kind}.tflite"
                path.write_bytes(convert(tf, net, kind))
                detail = interpreter(path.read_bytes(),
                                     OpResolverType.BUILTIN_REF).get_input_details()[0]
                try:
                    compare(f"{name} {kind}", path, random_images(detail, 40))
                except RuntimeError as error:
                    print(f"FAILED {name} {kind}: {error}")
                    failures.append(name)


# ---- real networks ----

def cifar_images(detail):
    path = Path(os.environ.get("WAIO_DATA", "")) / "cifar-10-batches-bin/test_batch.bin"
    if tuple(detail["shape"][1:]) != (32, 32, 3) or not path.is_file():
        return None
    data = np.fromfile(path, np.uint8).reshape(-1, 3073)[:, 1:]
    images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    images = images[:int(os.environ.get("WAIO_TEST_CIFAR_IMAGES", "500"))]
    if detail["dtype"] == np.float32:
        return np.ascontiguousarray(images.astype(np.float32))
    return np.ascontiguousarray((images.astype(np.int16) - 128).astype(np.int8))


def test_real():
    folder = os.environ.get("WAIO_TEST_MODELS")
    paths = sorted(Path(folder).rglob("*.tflite")) if folder else []
    if not paths:
        print("skipped: real networks (WAIO_TEST_MODELS names no folder with .tflite files)")
    for path in paths:
        detail = interpreter(path.read_bytes(), OpResolverType.BUILTIN_REF).get_input_details()[0]
        if detail["dtype"] not in (np.float32, np.int8, np.int16):
            print(f"skipped: {path.name}: takes {detail['dtype'].__name__}, not supported yet")
            continue
        try:
            compare(f"{path.name} random", path, random_images(detail, RANDOM_IMAGES))
            images = cifar_images(detail)
            if images is not None:
                compare(f"{path.name} cifar10", path, images)
        except RuntimeError as error:
            if "not supported" not in str(error):
                failures.append(path.name)
            print(f"{'skipped:' if 'not supported' in str(error) else 'FAILED'} {error}"[:300])


def make_golden(folder):
    """The small int8 network of the unit tests, with inputs and the reference kernels' outputs."""
    import keras
    import tensorflow as tf
    keras.utils.set_random_seed(7)
    content = convert(tf, small_networks(keras, tf)["depthwise"], "int8")
    detail = interpreter(content, OpResolverType.BUILTIN_REF).get_input_details()[0]
    images = random_images(detail, 4)
    Path(folder, "small_int8.tflite").write_bytes(content)
    images.tofile(Path(folder, "small_int8.in"))
    litert(content, images).tofile(Path(folder, "small_int8.out"))


if sys.argv[1:2] == ["--make-golden"]:
    make_golden(sys.argv[2])
    sys.exit()
test_small()
test_real()
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
