#!/usr/bin/env python3
"""waio against TensorFlow Lite's reference kernels: quantized networks must give the same bytes.

Small networks are made with TensorFlow's converter: float, float16 weights, full int8 (with int8,
uint8 or float at its ends) and int16 activations with int8 weights (biases of 64 and 32 bits). With
WAIO_TEST_MODELS, every .tflite file below that folder is run as well, on WAIO_TEST_IMAGES seeded
random images [20] and, where WAIO_DATA has CIFAR-10, on WAIO_TEST_CIFAR_IMAGES of its test images
[500], scaled up (and then at most 200 of them) where the network takes larger ones. How often
TensorFlow Lite's other kernels differ from its reference is printed, not judged. Files with custom
operators must be refused by these operators' names.

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
    from ai_edge_litert import schema_py_generated as schema
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


def differing(a, b):
    return int((a != b).reshape(len(a), -1).any(1).sum())


def top1(outputs, labels):
    """", top-1 0.871" where the outputs are classes."""
    outputs = outputs.reshape(len(outputs), -1)
    if labels is None or outputs.shape[1] != labels.max() + 1:
        return ""
    return f", top-1 {float((outputs.argmax(1) == labels).mean()):.4f}"


def compare(name, path, images, labels=None, backend="ref"):
    content = Path(path).read_bytes()
    want = litert(content, images)
    with tempfile.TemporaryDirectory() as folder:
        got = waio(path, images, want, Path(folder), backend)
    if want.dtype == np.float32:
        worst = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))
        good, text = worst <= 1e-4, f"worst difference {worst:.2g} of the largest output"
    else:
        other = differing(got, want)
        good = other == 0
        text = f"{len(images) - other} of {len(images)} images with equal bytes{top1(want, labels)}"
        for kind, resolver in (("optimized kernels", OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
                               ("XNNPACK", OpResolverType.AUTO)):
            fast = litert(content, images, resolver)
            text += f"; {kind} differ on {differing(fast, want)}{top1(fast, labels)}"
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
        y = layers.Dense(5, kernel_initializer=small(1e-5))(layers.Flatten()(y))
        return keras.Model(x, layers.Softmax()(y))

    def small(deviation):
        """Weights that leave softmax and sigmoid something to tell apart."""
        return keras.initializers.RandomNormal(stddev=deviation)

    return {
        "branches": branches(),
        "depthwise": net(layers.ZeroPadding2D(((0, 1), (1, 0))), layers.Conv2D(8, 3, 2),
                         layers.ReLU(6.0), layers.DepthwiseConv2D(3, padding="same"),
                         layers.ReLU(6.0), layers.Conv2D(16, 1), layers.ReLU(),
                         layers.GlobalAveragePooling2D(), layers.Dense(7, activation="sigmoid")),
        "upsampled": net(layers.Conv2D(4, 3), layers.UpSampling2D(2, interpolation="bilinear"),
                         layers.Conv2D(6, 3, 2, padding="same", activation="relu"),
                         layers.GlobalAveragePooling2D(),
                         layers.Dense(6, kernel_initializer=small(0.01)), layers.Softmax()),
        "permuted": net(layers.Conv2D(6, (3, 2), (2, 1)), layers.Permute((2, 1, 3)),
                        layers.Conv2D(4, 3, padding="same"), layers.Flatten(), layers.Dense(4)),
    }


KINDS = ("float", "float16", "int8", "int8_uint8_ends", "int8_float_ends", "int16",
         "int16_bias32")


def convert(tf, net, kind):
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    rng = np.random.default_rng(3)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.startswith("int"):
        ops, ends = tf.lite.OpsSet, tf.int8
        converter.representative_dataset = lambda: (
            [rng.random((1, 12, 11, 3), dtype=np.float32) * 255] for _ in range(20))
        converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8]
        if kind.startswith("int16"):
            ends = tf.int16
            converter.target_spec.supported_ops = [
                ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        if kind.endswith("bias32"):
            converter._experimental_full_integer_quantization_bias_type = tf.int32
        if kind.endswith("uint8_ends"):
            ends = tf.uint8
        if not kind.endswith("float_ends"):
            converter.inference_input_type = converter.inference_output_type = ends
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
            for kind in KINDS:
                path = Path(folder) / f"{name}_{kind}.tflite"
                path.write_bytes(convert(tf, net, kind))
                try:
                    detail = interpreter(path.read_bytes(),
                                         OpResolverType.BUILTIN_REF).get_input_details()[0]
                except RuntimeError as error:  # its depthwise kernel takes no biases of 32 bits
                    print(f"skipped: {name} {kind}: TensorFlow Lite refuses it: {error}")
                    continue
                try:
                    compare(f"{name} {kind}", path, random_images(detail, 40))
                except RuntimeError as error:
                    print(f"FAILED {name} {kind}: {error}")
                    failures.append(name)


# ---- real networks ----

def cifar_images(detail):
    """(images, labels) as the network takes them: bytes, or int8 codes 128 lower."""
    path = Path(os.environ.get("WAIO_DATA", "")) / "cifar-10-batches-bin/test_batch.bin"
    shape = tuple(int(n) for n in detail["shape"][1:])
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < 32 or not path.is_file():
        return None, None
    count = int(os.environ.get("WAIO_TEST_CIFAR_IMAGES", "500"))
    if shape[:2] != (32, 32):
        count = min(count, 200)
    data = np.fromfile(path, np.uint8).reshape(-1, 3073)[:count]
    images = data[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    rows, columns = (np.arange(n) * 32 // n for n in shape[:2])
    images = images[:, rows][:, :, columns]
    if detail["dtype"] == np.float32:
        images = images.astype(np.float32)
    elif detail["dtype"] == np.int8:
        images = (images.astype(np.int16) - 128).astype(np.int8)
    elif detail["dtype"] != np.uint8:
        return None, None
    return np.ascontiguousarray(images), data[:, 0]


def custom_operators(content):
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    return [code.CustomCode().decode() for code in codes if code.CustomCode()]


def check_refused(name, path, operators):
    done = subprocess.run([WAIO, "show", str(path)], capture_output=True, text=True)
    good = done.returncode != 0 and any(f'custom operator "{o}"' in done.stderr for o in operators)
    print(f"{'ok    ' if good else 'FAILED'} {name}: refused: {done.stderr.strip()}")
    if not good:
        failures.append(name)


def run_real(path):
    content = path.read_bytes()
    operators = custom_operators(content)
    if operators == ["TFLite_Detection_PostProcess"]:
        print(f"ok     {path.name}: test_tflite_detection.py runs it")
        return
    if operators:
        check_refused(path.name, path, operators)
        return
    detail = interpreter(content, OpResolverType.BUILTIN_REF).get_input_details()[0]
    compare(f"{path.name} random", path, random_images(detail, RANDOM_IMAGES))
    images, labels = cifar_images(detail)
    if images is not None:
        compare(f"{path.name} cifar10", path, images, labels)


def test_real():
    folder = os.environ.get("WAIO_TEST_MODELS")
    paths = sorted(Path(folder).rglob("*.tflite")) if folder else []
    if not paths:
        print("skipped: real networks (WAIO_TEST_MODELS names no folder with .tflite files)")
    for path in paths:
        try:
            run_real(path)
        except RuntimeError as error:
            if "not supported" not in str(error):
                failures.append(path.name)
            print(f"{'skipped:' if 'not supported' in str(error) else 'FAILED'} {error}"[:300])
        sys.stdout.flush()


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
