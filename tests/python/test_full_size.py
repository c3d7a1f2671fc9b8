"""The networks of the thesis at their full size on real photographs: what other tools wrote (Keras
Applications' .h5, torchvision's ONNX) and what waio wrote itself (the SSDs), in float, against Keras and
onnxruntime. Each file is read twice: as the network that it is, and as weights of the network that
waio builds. Weights are random, but the batch norms hold the photographs' own statistics, as
after training, so that no layer vanishes; one MobileNet is trained, if WAIO_TEST_MODELS has it.
Offsets are mostly positive and the ends of ResNet's branches small, as training leaves them: without, a
random network multiplies every rounding layer by layer, and Keras in float32 is itself 1e-4 to 3e-4 from
Keras in float64 (as waio is).

Environment: WAIO, the binary; WAIO_DATA, a folder with oxford-iiit-pet; WAIO_TEST_MODELS, a
folder with mobilenet_v1_0.25_224.h5. Arguments: parts of the names of cases to run (all).
Exit status 77: skipped, the reason is printed.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
PETS = Path(os.environ.get("WAIO_DATA", "nowhere")) / "oxford-iiit-pet"
if not (PETS / "annotations/test.txt").exists():
    print("skipped: WAIO_DATA names no folder with oxford-iiit-pet")
    sys.exit(77)
try:
    import numpy as np
    import keras
    import onnx
    import onnx.numpy_helper
    import onnxruntime
    try:
        import tf_keras
    except ImportError:
        tf_keras = keras
    if keras.backend.backend() != "tensorflow":
        raise ImportError("keras does not run on tensorflow")
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Largest difference in an image's output, relative to the largest |number| of that output.
TOLERANCE = 1e-4
IMAGES = 8
WAIO = os.environ.get("WAIO")
TEMPORARY = tempfile.TemporaryDirectory()
FOLDER = TEMPORARY.name
rng = np.random.default_rng(11)
failures, worst, cases = [], {}, 0


def wanted(name):
    return len(sys.argv) < 2 or any(part in name for part in sys.argv[1:])


def run(*arguments):
    done = subprocess.run([WAIO, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def photographs(side, resize, normalization):
    """(IMAGES, side, side, 3) float32, decoded and resized by waio."""
    names = [line.split()[0] for line in (PETS / "annotations/test.txt").read_text().splitlines()
             if line.strip() and not line.startswith("#")]
    images = []
    for name in names[::max(1, len(names) // IMAGES)][:IMAGES]:
        out = os.path.join(FOLDER, "photo.rgb")
        run("data", "decode", str(PETS / "images" / f"{name}.jpg"), "--size", f"{side}x{side}",
            "--resize", resize, "--out", out)
        images.append(np.fromfile(out, np.uint8).reshape(side, side, 3))
    x = np.stack(images).astype("float32")
    if normalization == "caffe":
        return x[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    if normalization == "torch":
        return (x / 255 - np.array([.485, .456, .406], "float32")) \
            / np.array([.229, .224, .225], "float32")
    return x / np.float32(127.5) - 1


def infer(network, x, *options):
    source, target = os.path.join(FOLDER, "in.f32"), os.path.join(FOLDER, "out.f32")
    np.ascontiguousarray(x, "<f4").tofile(source)
    run("infer", network, "--input", source, "--output", target, *options)
    return np.fromfile(target, "<f4")


def check(name, network, x, want, *options):
    """`want`: a list of outputs, (IMAGES, ...); waio writes all of an image one behind the other."""
    global cases
    cases += 1
    want = [w.reshape(len(x), -1) for w in want]
    try:
        got = infer(network, x, *options)
    except RuntimeError as e:
        failures.append(f"{name}: {e}")
        return
    if got.size != sum(w.size for w in want):
        failures.append(f"{name}: {got.size} numbers, expected {sum(w.size for w in want)}")
        return
    got, at, error = got.reshape(len(x), -1), 0, 0.0
    for w in want:
        part = got[:, at:at + w.shape[1]]
        at += w.shape[1]
        error = max(error, float((np.abs(part - w).max(1) / np.abs(w).max(1)).max()))
        ordered = np.sort(w)
        if not np.isfinite(w).all() or (np.ptp(w, axis=1) < 1e-2 * np.abs(w).max(1)).any() or \
                np.abs(w - w[:1]).max() < 1e-3 * np.abs(w).max() or \
                (len(want) == 1 and (ordered[:, -2] < 1e-3 * ordered[:, -1]).any()):
            failures.append(f"{name}: the test says nothing: {ordered[:, -3:]}")
    worst[name] = error
    print(f"{name}: {error:.2g}", flush=True)
    if not error <= TOLERANCE:
        failures.append(f"{name}: differs by {error:.3g} of the largest")


# ---- Keras ----

def learn_statistics(model, x):
    """Random weights; batch norms as after training on x; logits of standard deviation 2."""
    for layer in model.layers:
        values = []
        for w in layer.weights:
            shape = tuple(w.shape)
            if len(shape) >= 2:
                fan = int(np.prod(shape[:-1]))
                if layer.__class__.__name__ == "DepthwiseConv2D":
                    fan //= shape[2]
                value = rng.normal(0, (2.0 / fan) ** 0.5, shape)
            elif "gamma" in w.path:
                value = rng.uniform(0.7, 1.3, shape) * (0.2 if "_3_bn" in w.path else 1)
            elif "beta" in w.path:
                value = rng.normal(0.5, 0.3, shape)
            elif "variance" in w.path:
                value = np.ones(shape)
            else:
                value = rng.normal(0, 0.2, shape)
            values.append(value.astype("float32"))
        if values:
            layer.set_weights(values)
        if layer.__class__.__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(x, training=True)
    last = model.layers[-1] if model.layers[-1].weights else \
        [layer for layer in model.layers if layer.weights][-1]  # conv_preds before a softmax
    logits = keras.Model(model.input, last.input)(x, training=False)
    logits = np.asarray(logits).reshape(len(x), -1) @ \
        np.asarray(last.kernel).reshape(-1, last.kernel.shape[-1])
    last.kernel.assign(last.kernel * (2 / logits.std()))


def thesis_head(trunk, classes):
    x = keras.layers.Flatten()(trunk.output)
    for units in (1024, 600):
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(trunk.input, keras.layers.Dense(classes, activation="softmax")(x))


def from_keras():
    for application, network, full, norm in (("ResNet50", "resnet50", 224, "caffe"),
                                             ("InceptionV3", "inception_v3", 299, "tf"),
                                             ("MobileNet", "mobilenet_v1", 224, "tf")):
        for side, head in ((full, "plain"), (128, "thesis")):
            name = f"Keras {network} {side} {head}"
            if not wanted(name):
                continue
            x = photographs(side, "tf2-bilinear", norm)
            make = getattr(keras.applications, application)
            if head == "plain":
                model, classes = make(weights=None, input_shape=(side, side, 3)), 1000
            else:
                model = thesis_head(make(weights=None, include_top=False,
                                         input_shape=(side, side, 3)), 37)
                classes = 37
            learn_statistics(model, x)
            want = [np.asarray(model(x, training=False))]
            path = os.path.join(FOLDER, "keras.h5")
            model.save(path)
            check(f"{name}, the file", path, x, want)
            check(f"{name}, its weights",
                  f"{network}:input={side},classes={classes},head={head},weights={path}", x, want)


def trained():
    path = Path(os.environ.get("WAIO_TEST_MODELS", "nowhere")) / "mobilenet_v1_0.25_224.h5"
    if not wanted("trained mobilenet_v1"):
        return
    if not path.exists():
        print("left out: WAIO_TEST_MODELS names no folder with mobilenet_v1_0.25_224.h5")
        return
    x = photographs(224, "pil-bilinear/crop", "tf")
    # Keras 2 wrote it; Keras 3 may refuse its DepthwiseConv2D.
    want = [np.asarray(tf_keras.models.load_model(path, compile=False)(x, training=False))]
    check("trained mobilenet_v1 0.25 224, the file", str(path), x, want)
    check("trained mobilenet_v1 0.25 224, its weights",
          f"mobilenet_v1:width=0.25,classes=1000,weights={path}", x, want)


# ---- onnxruntime ----

def run_onnx(path, x):
    """The outputs of a network that takes one image, NHWC or NCHW."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    x = x.transpose(0, 3, 1, 2) if feed.shape[1] == 3 else x
    each = [session.run(None, {feed.name: np.ascontiguousarray(x[i:i + 1])}) for i in range(len(x))]
    return [np.concatenate(outputs) for outputs in zip(*each)]


# In a process of its own: torch and TensorFlow each bring a protobuf, which may not be one process's.
EXPORT = """
import sys
try:
    import numpy, torch, torchvision
except Exception as e:
    print(e)
    sys.exit(77)
torch.manual_seed(1)
application, images, path = sys.argv[1:]
images = torch.from_numpy(numpy.load(images))
options = {"aux_logits": False, "init_weights": True} if application == "inception_v3" else {}
model = getattr(torchvision.models, application)(**options).eval()
for name, module in model.named_modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        gain = 0.2 if name.endswith("bn3") else 1
        torch.nn.init.uniform_(module.weight, 0.7 * gain, 1.3 * gain)
        torch.nn.init.normal_(module.bias, 0.5, 0.3)
        module.momentum = 1.0
        module.train()
with torch.no_grad():
    model(images)
    model.eval()
    model.fc.weight *= 2 / model(images).std()
    numpy.save(path + ".npy", model(images).numpy())
torch.onnx.export(model, images[:1], path, opset_version=13)
"""


def export_torchvision(application, x):
    """Path of the ONNX file, torch's own outputs; None if no Python here has torchvision."""
    images, path = os.path.join(FOLDER, "images.npy"), os.path.join(FOLDER, "torch.onnx")
    np.save(images, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    said = []
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", EXPORT, application, images, path],
                              capture_output=True, text=True)
        if done.returncode == 0:
            return path, np.load(path + ".npy")
        if done.returncode != 77:
            raise RuntimeError(f"torchvision's export: exit {done.returncode}: {done.stderr[-500:]}")
        said.append(done.stdout.strip())
    print(f"left out: torchvision: {said[0]}")
    return None, None


def from_torchvision():
    for application, network, side, shorter in (
            ("resnet50", "resnet50_torch", 224, 256),
            ("inception_v3", "inception_v3_torch", 299, 342)):
        name = f"torchvision {network} {side}"
        if not wanted(name):
            continue
        x = photographs(side, f"pil-bilinear/crop{shorter}", "torch")
        path, own = export_torchvision(application, x)
        if path is None:
            return
        want = run_onnx(path, x)
        check(f"{name}, the file", path, x, want)
        check(f"{name}, its weights", f"{network}:weights={path}", x, want)
        check(f"{name}, torch itself", path, x, [own])


def enliven(path):
    """Other weights, so large that values neither vanish nor grow from layer to layer."""
    model = onnx.load(path)
    constants = {c.name: c for c in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        for i, name in enumerate(node.input[1:]):
            shape = tuple(constants[name].dims)
            gain = 0.3 if "lass" in node.name else 1.4  # of the classes: sigmoids that do not saturate
            value = rng.normal(0.3, 0.1, shape) if i else \
                rng.normal(0, gain / np.prod(shape[1:]) ** 0.5, shape)
            constants[name].CopyFrom(onnx.numpy_helper.from_array(value.astype("float32"), name))
    onnx.save(model, path)


def detectors():
    for network, side in (("ssd_mobilenet_v2", 300), ("ssd_mobilenet_v2", 320),
                          ("ssd_mobilenet_v2_fpnlite", 320)):
        name = f"onnxruntime {network} {side}"
        if not wanted(name):
            continue
        x = photographs(side, "tf-bilinear", "tf")
        path = os.path.join(FOLDER, "ssd.onnx")
        built = f"{network}:input={side}"
        run("quantize", built, "w=32", "a=32", "i=32", "o=32", "-o", path)
        enliven(path)
        want = run_onnx(path, x)
        check(f"{name}, the file", path, x, want)
        check(f"{name}, its weights", f"{built},seed=9,weights={path}", x, want)


def main():
    trained()
    from_keras()
    from_torchvision()
    detectors()
    print(f"{cases} cases, worst {max(worst.values(), default=0):.2g} of {TOLERANCE:g}")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
