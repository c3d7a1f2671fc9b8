"""Networks that waio builds, as files of other tools, there and back: written as .onnx and .tflite,
run by onnxruntime, their weights taken back out of these files by structure; and the
weights of what tf2onnx makes of Keras Applications and torch of torchvision (where they are there).

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
    import onnx
    import onnx.numpy_helper
    import onnxruntime
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Relative to the largest |number| of an output: float32 sums in another order, and batch norms
# folded by other tools.
TOLERANCE = 1e-4
WAIO = os.environ.get("WAIO")
FOLDER = tempfile.mkdtemp()
rng = np.random.default_rng(3)
failures, worst, cases = [], 0.0, 0

# Network, side of its input.
NETWORKS = [("mobilenet_v1:width=0.25:input=64:classes=7", 64),
            ("mobilenet_v1:width=0.25:stem=cifar:classes=7", 32),
            ("mobilenet_v2:width=0.35:input=64:classes=7", 64),
            ("mobilenet_v2_torch:input=64:classes=7", 64),
            ("resnet50:input=64:classes=7:head=thesis:hidden=64x32", 64),
            ("resnet50_torch:input=64:classes=7", 64),
            ("inception_v3:input=75:classes=7", 75),
            ("inception_v3_torch:input=75:classes=7", 75),
            ("ssd_mobilenet_v2:input=96:classes=3", 96),
            ("ssd_mobilenet_v2_fpnlite:input=128:classes=3", 128)]


def wanted(name):
    global cases
    if len(sys.argv) > 1 and not any(part in name for part in sys.argv[1:]):
        return False
    cases += 1
    return True


def run(*arguments):
    done = subprocess.run([WAIO, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def infer(network, x):
    source, target = os.path.join(FOLDER, "in.f32"), os.path.join(FOLDER, "out.f32")
    x.astype("<f4").tofile(source)
    run("infer", network, "--input", source, "--output", target)
    return np.fromfile(target, "<f4")


def check(name, got, want):
    global worst
    got, want = np.ravel(got), np.ravel(want)
    if got.shape != want.shape:
        failures.append(f"{name}: {got.size} numbers, expected {want.size}")
        return
    error = float(np.abs(got - want).max() / np.abs(want).max())
    worst = max(worst, error)
    print(f"{name}: {error:.2g}", flush=True)
    if not error <= TOLERANCE:
        failures.append(f"{name}: differs by {error:.3g} of the largest")


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    nchw = feed.shape[1] == 3 and feed.shape[3] != 3
    x = x.transpose(0, 3, 1, 2) if nchw else x
    return np.concatenate([y.ravel() for y in session.run(None, {feed.name: x})])


def enliven(path):
    """Other weights, so large that values neither vanish nor grow from layer to layer."""
    model = onnx.load(path)
    constants = {c.name: c for c in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        for i, name in enumerate(node.input[1:]):
            shape = tuple(constants[name].dims)
            if i == 0:
                last = node.op_type != "Conv"
                fan = shape[0] if node.op_type == "MatMul" else int(np.prod(shape[1:]))
                value = rng.normal(0, (0.2 if last else 1.4) / fan ** 0.5, shape)
            else:
                value = rng.normal(0, 0.1, shape)
            constants[name].CopyFrom(onnx.numpy_helper.from_array(value.astype("float32"), name))
    onnx.save(model, path)


def there_and_back(network, side):
    """Written, given other weights, run by others, and read back into the same network."""
    name = network.split(":")[0]
    if not wanted(name):
        return
    x = rng.uniform(-1, 1, (1, side, side, 3)).astype("float32")
    path = os.path.join(FOLDER, "net.onnx")
    run("quantize", network, "w=32", "a=32", "i=32", "o=32", "-o", path)
    enliven(path)
    want = run_onnx(path, x)
    if np.ptp(want) < 1e-2 * np.abs(want).max():
        failures.append(f"{name}: the test says nothing: {want[:9]}")
    loaded = f"{network}:seed=9:weights={path}"
    check(f"{name} from .onnx", infer(loaded, x), want)
    for suffix in (".onnx", ".tflite"):
        again = os.path.join(FOLDER, "again" + suffix)
        run("quantize", loaded, "w=32", "a=32", "i=32", "o=32", "-o", again)
        if suffix == ".onnx":
            check(f"{name} in onnxruntime", run_onnx(again, x), want)
        check(f"{name} through {suffix}", infer(f"{network}:weights={again}", x), want)


def refused(name, network, path, *parts):
    if not wanted(name):
        return
    done = subprocess.run([WAIO, "show", f"{network}:weights={path}"], capture_output=True,
                          text=True)
    if done.returncode != 2 or any(part not in done.stderr for part in parts):
        failures.append(f"{name}: exit {done.returncode}, {done.stderr.strip()}; expected {parts}")


def refusals():
    """Same shapes, another meaning: only strides, pads and activations tell these apart."""
    path = os.path.join(FOLDER, "v15.onnx")
    run("quantize", "resnet50_torch:input=64:classes=7", "w=32", "a=32", "i=32", "o=32", "-o", path)
    refused("v1 from v1.5", "resnet50:input=64:classes=7", path, "conv2", "another stride")
    refused("classes", "resnet50_torch:input=64:classes=8", path, "dense 8x2048", "dense 7x2048",
            "another shape of weights")
    refused("head", "resnet50_torch:input=64:classes=7:head=thesis", path, "1 dense", "top=skip")
    path = os.path.join(FOLDER, "v2.onnx")
    run("quantize", "mobilenet_v2_torch:input=64:classes=7", "w=32", "a=32", "i=32", "o=32", "-o",
        path)
    refused("pads", "mobilenet_v2:input=64:classes=7", path, "depthwise", "other pads")
    if wanted("trunk"):
        text = run("show", f"mobilenet_v2_torch:input=64:classes=3:top=skip:weights={path}")
        if "untrained: the classifier's weights are random" not in text:
            failures.append(f"trunk: {text[-300:]}")


def randomize_keras(model):
    values = []
    for w in model.weights:
        shape = tuple(w.shape)
        if "variance" in w.path:
            value = rng.uniform(0.5, 1.5, shape)
        elif "gamma" in w.path:
            value = rng.uniform(0.7, 1.3, shape) * (0.2 if "_3_bn" in w.path else 1)
        elif len(shape) >= 2:
            fan = int(np.prod(shape[:-1]))
            depthwise = len(shape) == 4 and shape[3] == 1 and shape[2] > 1
            value = rng.normal(0, (2.0 / (fan // shape[2] if depthwise else fan)) ** 0.5, shape)
        else:
            value = rng.normal(0, 0.2, shape)
        values.append(value.astype("float32"))
    model.set_weights(values)


def from_tf2onnx():
    try:
        import keras
        import tensorflow as tf
        import tf2onnx
    except Exception as e:
        print(f"left out: tf2onnx: {e}")
        return
    for application, network, side in (("MobileNet", "mobilenet_v1", 64),
                                       ("ResNet50", "resnet50", 64),
                                       ("InceptionV3", "inception_v3", 75)):
        if not wanted(f"tf2onnx {network}"):
            continue
        trunk = getattr(keras.applications, application)(
            weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg")
        model = keras.Model(trunk.input,
                            keras.layers.Dense(5, activation="softmax")(trunk.output))
        randomize_keras(model)
        path = os.path.join(FOLDER, "tf2onnx.onnx")
        signature = [tf.TensorSpec((1, side, side, 3), tf.float32, name="image")]
        tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False)),
                                      input_signature=signature, opset=13, output_path=path)
        x = rng.uniform(-1, 1, (1, side, side, 3)).astype("float32")
        check(f"tf2onnx {network}", infer(f"{network}:input={side}:classes=5:weights={path}", x),
              np.asarray(model(x, training=False)))


def from_torchvision():
    try:
        import torch
        import torchvision
    except Exception as e:
        print(f"left out: torchvision: {e}")
        return
    torch.manual_seed(1)
    for application, network, options in (("resnet50", "resnet50_torch", {}),
                                          ("mobilenet_v2", "mobilenet_v2_torch", {}),
                                          ("inception_v3", "inception_v3_torch",
                                           {"aux_logits": False, "init_weights": True})):
        if not wanted(f"torchvision {network}"):
            continue
        model = getattr(torchvision.models, application)(num_classes=5, **options).eval()
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                gain = 0.2 if name.endswith("bn3") else 1
                torch.nn.init.uniform_(module.weight, 0.7 * gain, 1.3 * gain)
                torch.nn.init.uniform_(module.bias, -0.2, 0.2)
        x = torch.rand(1, 3, 96, 96) * 2 - 1
        path = os.path.join(FOLDER, "torch.onnx")
        torch.onnx.export(model, x, path, opset_version=13)
        got = infer(f"{network}:input=96:classes=5:weights={path}",
                    x.permute(0, 2, 3, 1).contiguous().numpy())
        check(f"torchvision {network}", got, model(x).detach().numpy())


def main():
    for network, side in NETWORKS:
        there_and_back(network, side)
    refusals()
    from_tf2onnx()
    from_torchvision()
    print(f"{cases} cases, worst {worst:.2g} of {TOLERANCE:g}")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
