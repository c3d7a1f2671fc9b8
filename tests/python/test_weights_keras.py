"""Networks that waio builds, with the weights of Keras Applications: saved in every format in which
Keras keeps weights, loaded by name, and the outputs set beside those of Keras itself. Keras 2 and 3,
whole files and weights alone, with and without a classifier, models inside of models, names that
were counted on, and files that do not fit.

Environment: WAIO, the binary. Arguments: parts of the names of cases to run (all).
Exit status 77: skipped, the reason is printed.
"""
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
try:
    import numpy as np
    import keras
    if keras.backend.backend() != "tensorflow":
        raise ImportError("keras does not run on tensorflow")
    try:
        import tf_keras
    except ImportError:
        tf_keras = None
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Largest difference, relative to the largest |number| of the output: float32 sums in another order,
# through up to 94 layers, and batch norms folded into the weights.
TOLERANCE = 1e-4
IMAGES = 2
WAIO = os.environ.get("WAIO")
FOLDER = tempfile.mkdtemp()
rng = np.random.default_rng(7)
failures, worst, cases = [], {}, 0


def randomize(model):
    """As in training, so that the logits neither vanish nor saturate."""
    values = []
    for w in model.weights:
        name, shape = getattr(w, "path", w.name), tuple(w.shape)
        if "variance" in name:
            value = rng.uniform(0.5, 1.5, shape)
        elif "gamma" in name:
            # The ends of ResNet's branches: sums of 16 of them must stay small.
            value = rng.uniform(0.7, 1.3, shape) * (0.2 if "_3_bn" in name else 1)
        elif len(shape) >= 2:
            fan = int(np.prod(shape[:-1]))
            depthwise = len(shape) == 4 and shape[3] == 1 and shape[2] > 1
            value = rng.normal(0, (2.0 / (fan // shape[2] if depthwise else fan)) ** 0.5, shape)
        else:
            value = rng.normal(0, 0.2, shape)
        values.append(value.astype("float32"))
    model.set_weights(values)
    head = [w for w in model.weights if len(w.shape) >= 2][-1]
    head.assign(head * 0.2)  # no class takes everything
    return model


def infer(network, x, *options):
    source, target = os.path.join(FOLDER, "in.f32"), os.path.join(FOLDER, "out.f32")
    x.astype("<f4").tofile(source)
    done = subprocess.run([WAIO, "infer", network, "--input", source, "--output", target, *options],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return np.fromfile(target, "<f4")


def compare(name, network, model, size, *options):
    """One case: the outputs of `model` and those of `network`."""
    global cases
    if len(sys.argv) > 1 and not any(part in name for part in sys.argv[1:]):
        return
    cases += 1
    x = rng.uniform(-1, 1, (IMAGES, size, size, 3)).astype("float32")
    want = np.asarray(model(x, training=False)).ravel()
    try:
        got = infer(network, x, *options)
    except RuntimeError as e:
        failures.append(f"{name}: {e}")
        return
    if got.shape != want.shape:
        failures.append(f"{name}: {got.size} numbers, expected {want.size}")
        return
    error = float(np.abs(got - want).max() / np.abs(want).max())
    worst[name] = error
    print(f"{name}: {error:.2g}", flush=True)
    rows = np.sort(want.reshape(IMAGES, -1))
    if not error <= TOLERANCE:
        failures.append(f"{name}: differs by {error:.3g} of the largest")
    if (rows[:, -2] < 1e-3 * rows[:, -1]).any() or (rows[:, 0] > 0.99 * rows[:, -1]).any():
        failures.append(f"{name}: the test says nothing: {rows[:, -3:]}")


def refused(name, network, *parts):
    global cases
    if len(sys.argv) > 1 and not any(part in name for part in sys.argv[1:]):
        return
    cases += 1
    done = subprocess.run([WAIO, "show", network], capture_output=True, text=True)
    if done.returncode != 2 or any(part not in done.stderr for part in parts):
        failures.append(f"{name}: exit {done.returncode}, {done.stderr.strip()}; expected {parts}")


def save(model, name, whole=False):
    path = os.path.join(FOLDER, name)
    (model.save if whole else model.save_weights)(path)
    return path


def with_thesis_head(base, K, hidden=(1024, 600), classes=37):
    x = K.layers.Flatten()(base.output)
    for units in hidden:
        x = K.layers.Dense(units, activation="relu")(x)
    return K.Model(base.input, K.layers.Dense(classes, activation="softmax")(x))


def base(K, application, size, **options):
    return getattr(K.applications, application)(weights=None, input_shape=(size, size, 3), **options)


def run_family(K, version):
    """The three networks of the thesis, with their own and with the thesis's classifier."""
    weights = ".weights.h5" if K is keras else ".h5"
    for application, network, size in (("MobileNet", "mobilenet_v1", 96),
                                       ("MobileNetV2", "mobilenet_v2", 96),
                                       ("ResNet50", "resnet50", 75),
                                       ("InceptionV3", "inception_v3", 75)):
        model = randomize(base(K, application, size, classes=11))
        for whole, suffix in ((False, weights), (True, ".h5")):
            path = save(model, f"{version}_{network}_{whole}{suffix}", whole)
            compare(f"{version} {network} {'whole' if whole else 'weights'}",
                    f"{network}:input={size},classes=11,weights={path}", model, size)
        if network == "mobilenet_v2":
            continue
        model = randomize(with_thesis_head(base(K, application, size, include_top=False), K))
        path = save(model, f"{version}_{network}_thesis{weights}")
        compare(f"{version} {network} thesis",
                f"{network}:input={size},classes=37,head=thesis,weights={path}", model, size)
        compare(f"{version} {network} thesis as imported",
                f"{network}:input={size},classes=37,head=thesis,weights={path}", model, size,
                "--as-imported", "--backend", "ref")


def run_nested(K, version):
    """A trunk that is one layer of a Sequential model, with dropout between the dense layers."""
    model = randomize(K.Sequential([base(K, "MobileNet", 64, alpha=0.5, include_top=False),
                                    K.layers.Flatten(), K.layers.Dense(40, activation="relu"),
                                    K.layers.Dropout(0.5), K.layers.Dense(30, activation="relu"),
                                    K.layers.Dense(5, activation="softmax")]))
    network = "mobilenet_v1:width=0.5,input=64,classes=5,head=thesis,hidden=40x30"
    for whole in (False, True):
        suffix = ".weights.h5" if K is keras and not whole else ".h5"
        path = save(model, f"{version}_nested_{whole}{suffix}", whole)
        compare(f"{version} nested {whole}", f"{network},weights={path}", model, 64)


def run_trunk():
    """A file without classifier, and only the trunk of a file that has one: the same trunk."""
    trunk = randomize(base(keras, "MobileNet", 32, alpha=0.25, include_top=False))
    path = save(trunk, "trunk.weights.h5")
    name = f"mobilenet_v1:width=0.25,input=32,classes=4,weights={path}"
    text = subprocess.run([WAIO, "show", name], capture_output=True, text=True).stdout
    if "untrained: the classifier's weights are random" not in text:
        failures.append(f"trunk: {text[-300:]}")
    full = base(keras, "MobileNet", 32, alpha=0.25, classes=9)
    for layer in trunk.layers:
        if layer.weights:
            full.get_layer(layer.name).set_weights(layer.get_weights())
    top = save(full, "full.weights.h5")
    x = rng.uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    skipped = f"mobilenet_v1:width=0.25,input=32,classes=4,top=skip,weights={top}"
    if not np.array_equal(infer(name, x), infer(skipped, x)):
        failures.append("trunk: top=skip gives another network")
    refused("classes", f"mobilenet_v1:width=0.25,input=32,classes=4,weights={top}", "dense_2",
            "256x9", "expected 256x4")
    refused("width", f"mobilenet_v1:width=0.5,input=32,classes=9,weights={top}", "conv1",
            "3x3x3x8", "expected 3x3x3x16")
    refused("head", f"mobilenet_v1:width=0.25,input=32,classes=9,head=thesis,weights={top}",
            "conv_preds", "top=skip")
    refused("network", f"resnet50:input=32,classes=9,weights={top}", "conv1_conv",
            "is not among")


def run_epsilons():
    """Keras's epsilons are not all alike: large gains make them visible."""
    model = base(keras, "ResNet50", 64, include_top=True, classes=3)
    randomize(model)
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            gamma, beta, mean, _ = layer.get_weights()
            layer.set_weights([gamma * 0.05, beta, mean * 0.05, np.full_like(mean, 1e-3)])
        elif layer.name.endswith("_conv"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 0.03, bias * 0.03])
    path = save(model, "epsilon.weights.h5")
    compare("epsilon", f"resnet50:input=64,classes=3,weights={path}", model, 64)


def main():
    run_family(keras, "keras3")
    run_nested(keras, "keras3")
    if tf_keras:
        run_family(tf_keras, "keras2")
        run_nested(tf_keras, "keras2")
    run_trunk()
    run_epsilons()
    print(f"{cases} cases, worst {max(worst.values(), default=0):.2g} of {TOLERANCE:g}")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
