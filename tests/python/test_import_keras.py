"""Keras HDF5 files against Keras itself: many small random networks are saved by Keras 3 (and by
Keras 2, if tf_keras is there), run by `waio infer`, and the outputs set side by side.

Environment: WAIO, the binary. WAIO_TEST_MODELS, a folder with real networks (optional).
Exit status 77: skipped, the reason is printed.
"""
import glob
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
try:
    import h5py
    import numpy as np
    import keras
    if keras.backend.backend() != "tensorflow":
        raise ImportError("keras does not run on tensorflow")
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Largest difference, relative to the largest |output| of Keras: float32 sums in another order.
TOLERANCE = 1e-4
IMAGES, BATCH = 5, 2
WAIO = os.environ.get("WAIO")
rng = np.random.default_rng(1)
failures, worst = [], {}


def randomize(model):
    """Random weights whose layers neither blow up nor vanish; variances stay positive."""
    values = []
    for w in model.weights:
        name = getattr(w, "path", w.name)
        shape = tuple(w.shape)
        if "variance" in name:
            value = rng.uniform(0.3, 2.0, shape)
        elif "count" in name:
            value = np.full(shape, 10)
        elif "gamma" in name:
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) >= 2:
            fan = int(np.prod(shape[:-1]))
            fan = max(1, fan // shape[-2] if "depthwise" in name else fan)
            value = rng.normal(0, (2.0 / fan) ** 0.5, shape)
        else:
            value = rng.normal(0, 0.3, shape)
        values.append(value.astype("float32"))
    model.set_weights(values)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization: takes over what it was given
            layer.finalize_state()


def infer(path, x, batch, *options):
    with tempfile.TemporaryDirectory() as tmp:
        source, target = os.path.join(tmp, "in.f32"), os.path.join(tmp, "out.f32")
        x.astype("<f4").tofile(source)
        done = subprocess.run(
            [WAIO, "infer", path, "--input", source, "--output", target, "--batch", str(batch),
             *options], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
        return np.fromfile(target, "<f4")


def compare(group, name, path, x, expected):
    """Runs the file as imported and optimized; several outputs need one batch for all images."""
    outputs = expected if isinstance(expected, (list, tuple)) else [expected]
    batch = BATCH if len(outputs) == 1 else len(x)
    flat = np.concatenate([np.asarray(y, "float32").ravel() for y in outputs])
    for options in (["--backend", "ref", "--as-imported"], ["--backend", "ref"], []):
        label = f"{group}: {name} {' '.join(options)}"
        try:
            got = infer(path, x, batch, *options)
        except RuntimeError as e:
            failures.append(f"{label}: {e}")
            continue
        if got.shape != flat.shape:
            failures.append(f"{label}: {got.size} numbers, expected {flat.size}")
            continue
        start = error = 0
        for y in outputs:
            part, want = got[start:start + y.size], np.asarray(y, "float32").ravel()
            start += y.size
            error = max(error, float(np.max(np.abs(part - want)) / max(np.max(np.abs(want)), 1e-9)))
        worst[group] = max(worst.get(group, (0, "")), (error, name))
        if not error <= TOLERANCE:
            failures.append(f"{label}: relative error {error:.3g}")


# ---- the networks -------------------------------------------------------------------------------

def networks(K):
    """Yields (name, model) for the given Keras. Everything is odd-sized on purpose."""
    L = K.layers
    keras3 = hasattr(K, "ops")

    def chain(shape, *layers):
        x = start = L.Input(shape)
        for layer in layers:
            x = layer(x)
        return K.Model(start, x)

    def size():
        return int(rng.integers(9, 16)), int(rng.integers(9, 16))

    for padding in ("same", "valid"):
        for stride in (1, 2, 3):
            for kernel in (1, 2, (3, 5), 4):
                yield f"conv {padding} {stride} {kernel}", chain(
                    (*size(), 3), L.Conv2D(6, kernel, strides=stride, padding=padding))
                yield f"depthwise {padding} {stride} {kernel}", chain(
                    (*size(), 3), L.DepthwiseConv2D(kernel, strides=stride, padding=padding,
                                                    depth_multiplier=stride))
        for stride in ((1, 2), (2, 1), (3, 2)):
            yield f"conv {padding} {stride}", chain(
                (*size(), 3), L.Conv2D(4, 3, strides=stride, padding=padding, use_bias=False))
            for layer in (L.MaxPooling2D, L.AveragePooling2D):
                yield f"pool {layer.__name__} {padding} {stride}", chain(
                    (*size(), 3), layer((3, 2), strides=stride, padding=padding))
        for dilation in (2, (1, 3)):
            yield f"conv {padding} dilation {dilation}", chain(
                (*size(), 3), L.Conv2D(4, 3, dilation_rate=dilation, padding=padding))
            yield f"depthwise {padding} dilation {dilation}", chain(
                (*size(), 3), L.DepthwiseConv2D(3, dilation_rate=dilation, padding=padding,
                                                use_bias=False))
        for layer in (L.MaxPooling2D, L.AveragePooling2D):
            yield f"pool {layer.__name__} {padding}", chain((*size(), 3), layer(3, padding=padding))
        yield f"separable {padding}", chain(
            (*size(), 3), L.SeparableConv2D(5, 3, strides=2, padding=padding, depth_multiplier=2,
                                            activation="relu"))
        yield f"separable no bias {padding}", chain(
            (*size(), 3), L.SeparableConv2D(5, (2, 3), padding=padding, use_bias=False))
        yield f"conv groups {padding}", chain(
            (*size(), 6), L.Conv2D(9, 3, groups=3, padding=padding, strides=2))
    for activation in ("linear", "relu", "relu6", "softmax", "sigmoid", "swish", None):
        try:
            yield f"activation {activation}", chain(
                (*size(), 3), L.Conv2D(4, 3, activation=activation), L.Flatten(),
                L.Dense(7, activation=activation), L.Activation(activation or "linear"))
        except ValueError:  # Keras 2 has no relu6 by name
            pass
    yield "activation layers", chain(
        (*size(), 3), L.Conv2D(4, 3, activation=L.ReLU(3.0)), L.ReLU(), L.ReLU(max_value=6.0),
        L.Dense(5, activation=L.Softmax()), L.Activation(K.activations.sigmoid))
    for axis in (-1, 1, 2, 3):
        yield f"softmax {axis}", chain((5, 6, 4), L.Softmax(axis))
    for scale in (True, False):
        for center in (True, False):
            yield f"batch norm {scale} {center}", chain(
                (*size(), 3), L.Conv2D(4, 3, use_bias=False),
                L.BatchNormalization(scale=scale, center=center, epsilon=0.01), L.ReLU(),
                L.Flatten(), L.Dense(6), L.BatchNormalization(scale=scale, center=center, axis=1))
    yield "dense 3d", chain((4, 5, 3), L.Dense(6, activation="relu"), L.Dense(2, use_bias=False))
    for keepdims in (True, False):
        yield f"global average {keepdims}", chain(
            (7, 9, 3), L.GlobalAveragePooling2D(keepdims=keepdims))
        yield f"global max {keepdims}", chain((7, 9, 3), L.GlobalMaxPooling2D(keepdims=keepdims))
    for padding in (2, (1, 3), ((0, 1), (2, 3))):
        yield f"zero padding {padding}", chain(
            (6, 7, 3), L.ZeroPadding2D(padding), L.Conv2D(4, 3, strides=2))
    yield "shapes", chain((4, 6, 3), L.Reshape((8, -1)), L.Permute((2, 1)), L.Reshape((6, 3, 4)),
                          L.Permute((3, 1, 2)), L.Flatten(), L.Reshape((72,)))
    yield "ignored", chain(
        (5, 6, 3), L.Dropout(0.5), L.SpatialDropout2D(0.5), L.GaussianNoise(1.0),
        L.GaussianDropout(0.5), L.ActivityRegularization(0.1), L.Conv2D(3, 3), L.Dropout(0.1))
    yield "only identity", chain((5, 6, 3), L.Dropout(0.5))
    for scale, offset in ((1 / 127.5, -1), (0.5, 0), (1, 2.0), ([1.0, 2.0, 3.0], 0.5),
                          (2.0, [0.1, 0.2, 0.3])):
        yield f"rescaling {scale} {offset}", chain(
            (5, 6, 3), L.Rescaling(scale, offset=offset), L.Conv2D(3, 3))
    adapted = L.Normalization()
    adapted.adapt(rng.normal(2, 3, (10, 5, 6, 3)))
    whole = L.Normalization(axis=None)
    whole.adapt(rng.normal(2, 3, (10, 5, 6, 3)))
    yield "normalization", chain((5, 6, 3), adapted, L.Normalization(mean=1.0, variance=4.0),
                                 L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.25]))
    yield "normalization of all", chain((5, 6, 3), whole)
    yield "normalization inverse", chain(
        (5, 6, 3), L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0], invert=True))
    for interpolation in ("nearest", "bilinear"):
        for factor in (2, (3, 1)):
            yield f"up sampling {interpolation} {factor}", chain(
                (5, 6, 3), L.UpSampling2D(factor, interpolation=interpolation))
        for height, width in ((8, 11), (3, 4), (5, 13)):
            yield f"resizing {interpolation} {height}x{width}", chain(
                (5, 6, 3), L.Resizing(height, width, interpolation=interpolation))

    for layer in (L.Add, L.Multiply, L.Maximum):
        start = L.Input((5, 6, 3))
        branches = [L.Conv2D(4, 1)(start) for _ in range(3)]
        yield f"merge {layer.__name__}", K.Model(start, layer()(branches))
    start = L.Input((5, 6, 4))
    squeeze = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D()(start))
    yield "merge ranks", K.Model(start, L.Multiply()([start, squeeze]))
    squeeze = L.Dense(4)(L.GlobalAveragePooling2D(keepdims=True)(start))
    yield "merge sizes", K.Model(start, L.Subtract()([L.Conv2D(4, 1)(start), squeeze]))
    for axis in (-1, 1, 2):
        start = L.Input((5, 6, 3))
        yield f"concatenate {axis}", K.Model(start, L.Concatenate(axis=axis)(
            [start, L.Conv2D(3, 1)(start), start]))

    # Sequential, shared and nested models.
    yield "sequential", K.Sequential([
        L.Input((9, 11, 3)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(),
        L.BatchNormalization(), L.Flatten(), L.Dropout(0.2), L.Dense(5, activation="softmax")])
    late = K.Sequential([L.Conv2D(4, 3), L.GlobalAveragePooling2D()])
    late.build((None, 7, 8, 3))
    late(np.zeros((1, 7, 8, 3), "float32"))
    yield "sequential built late", late
    shared = L.Conv2D(3, 3, padding="same", activation="relu")
    start = L.Input((5, 6, 3))
    once = shared(start)
    twice = shared(once)
    yield "shared layer", K.Model(start, [L.Concatenate()([once, shared(twice)]), twice])

    def block(name, norm=True):
        inner = L.Input((6, 7, 4))
        x = L.Conv2D(4, 3, padding="same", activation="relu", name=f"{name}_conv")(inner)
        x = L.BatchNormalization(name=f"{name}_bn")(x) if norm else x
        x = L.SeparableConv2D(4, 3, padding="same", name=f"{name}_sep")(x)
        return K.Model(inner, L.Add(name=f"{name}_add")([x, inner]), name=name)

    def stack(name):
        # Keras 2 cannot save two layers of one name below the same model.
        own = "" if keras3 else f"{name}_"
        return K.Sequential([L.Input((6, 7, 4)), L.Conv2D(4, 1, name=f"{own}conv"),
                             L.BatchNormalization(scale=False, name=f"{own}bn")], name=name)

    a = block("a")
    start = L.Input((6, 7, 4))
    yield "nested functional", K.Model(start, L.Flatten()(block("b")(start)))
    yield "nested twice", K.Model(start, a(a(start)))
    s = stack("s")
    yield "nested sequential", K.Model(start, [s(start), s(s(start))])
    c = block("c")
    yield "nested in order", K.Model(start, [c(c(c(start))), c(start)])
    inner = L.Input((6, 7, 4))
    deep = K.Model(inner, stack("s1")(block("d")(stack("s2")(inner))), name="deep")
    yield "nested deep", K.Model(start, L.GlobalAveragePooling2D()(deep(deep(start))))
    yield "nested in sequential", K.Sequential([
        L.Input((6, 7, 4)), block("e"), stack("s3"), L.Flatten(), L.Dense(3)])
    first = K.Sequential([block("f"), L.Flatten(), L.Dense(3)])
    first.build((None, 6, 7, 4))
    yield "nested first in sequential", first
    frozen = block("g")
    frozen.get_layer("g_conv").trainable = False
    yield "nested half frozen", K.Model(start, frozen(start))
    two = L.Input((6, 7, 4)), L.Input((6, 7, 4))
    minus = K.Model(two, [L.Subtract()(list(two)), L.Add()(list(two))], name="minus")
    left, right = minus([L.Conv2D(4, 1)(start), start])
    yield "nested with two inputs and outputs", K.Model(start, L.Concatenate()([right, left]))
    # weight_names of the group is larger than an HDF5 attribute may be.
    inner = x = L.Input((3,))
    for i in range(120):
        x = L.Dense(3, name=f"dense_{i}_" + "x" * 290)(x)
    yield "nested with long names", chain((3,), K.Model(inner, x, name="long"))

    if keras3:
        start = L.Input((5, 6, 3))
        y = start * 2.0 + np.array([1.0, 2.0, 3.0], "float32")
        y = K.ops.maximum(3.0 - y, y * y - start)
        y = K.ops.softmax(K.ops.concatenate([y, start], axis=1), axis=2)
        yield "operators", K.Model(start, y)
        yield "identity", chain((5, 6, 3), L.Identity(), L.Conv2D(3, 3), L.Identity())


# ---- the test -----------------------------------------------------------------------------------

def check_networks(group, K, tmp):
    count = 0
    for name, model in networks(K):
        randomize(model)
        x = rng.normal(0.5, 1.0, (IMAGES, *model.inputs[0].shape[1:])).astype("float32")
        path = os.path.join(tmp, f"{group}_{count}.h5")
        model.save(path)
        compare(group, name, path, x, model.predict(x, verbose=0))
        count += 1
    return count


def check_types(tmp):
    """float16 and float64 data sets, and weights and config at the root."""
    L = keras.layers
    model = keras.Sequential([L.Input((7, 8, 3)), L.Conv2D(4, 3), L.BatchNormalization(),
                              L.Flatten(), L.Dense(4)])
    randomize(model)
    model.set_weights([w.astype("float16").astype("float32") for w in model.get_weights()])
    x = rng.normal(0, 1, (IMAGES, 7, 8, 3)).astype("float32")
    path = os.path.join(tmp, "float32.h5")
    model.save(path)
    for dtype in ("float16", "float64"):
        other = os.path.join(tmp, f"{dtype}.h5")
        shutil.copy(path, other)
        with h5py.File(other, "r+") as f:
            names = []
            f.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
            for n in names:
                data = f[n][()]
                del f[n]
                f.create_dataset(n, data=data.astype(dtype), compression="gzip" if data.size > 9
                                 else None)
        compare("variants", dtype, other, x, model.predict(x, verbose=0))
    root = os.path.join(tmp, "root.h5")
    with h5py.File(path) as f, h5py.File(root, "w") as g:
        g.attrs["model_config"] = f.attrs["model_config"]
        for key in f["model_weights"]:
            f.copy(f["model_weights"][key], g, name=key)
    compare("variants", "weights at the root", root, x, model.predict(x, verbose=0))
    return 3


def check_refusals(tmp):
    """What cannot be imported must say so, by layer and class."""
    L = keras.layers
    cases = {
        "Conv1D": (L.Conv1D(3, 2), (8, 3)), "LeakyReLU": (L.LeakyReLU(), (8, 3)),
        "negative_slope": (L.ReLU(negative_slope=0.1), (8, 3)),
        "channels_first": (L.MaxPooling2D(data_format="channels_first"), (3, 8, 8)),
        "axis 1 of 4": (L.BatchNormalization(axis=1), (4, 5, 3)),
        "activation tanh": (L.Dense(3, activation="tanh"), (4,)),
        "bicubic": (L.UpSampling2D(interpolation="bicubic"), (4, 5, 3)),
    }
    for part, (layer, shape) in cases.items():
        path = os.path.join(tmp, "refused.h5")
        model = keras.Sequential([L.Input(shape), layer])
        model.save(path)
        try:
            infer(path, np.zeros((1, *shape)), 1)
            failures.append(f"refusal of {part}: it was accepted")
        except RuntimeError as e:
            if part not in str(e) or f'layer "{layer.name}"' not in str(e) or path not in str(e):
                failures.append(f"refusal of {part}: {e}")
    return len(cases)


def check_real(K):
    """Networks that others trained."""
    folder = os.environ.get("WAIO_TEST_MODELS", "")
    wanted = ("pretrainedResnet.h5", "vww_96.h5", "mobilenet_v1_0.25_224.h5")
    found = [p for n in wanted
             for p in glob.glob(os.path.join(glob.escape(folder), "**", n), recursive=True)[:1]]
    if not folder or not found:
        print("skipped: real networks (WAIO_TEST_MODELS names no folder that holds them)")
        return 0
    for path in found:
        try:
            model = K.models.load_model(path, compile=False)
        except Exception as e:
            print(f"skipped: {os.path.basename(path)}: this Keras cannot load it: {str(e)[:200]}")
            continue
        for top in (1.0, 255.0):
            x = rng.uniform(0, top, (IMAGES, *model.inputs[0].shape[1:])).astype("float32")
            compare(f"real {os.path.basename(path)}", f"0 to {top}", path, x,
                    model.predict(x, verbose=0))
    return len(found)


def main():
    if not WAIO or not os.path.exists(WAIO):
        print("skipped: the environment variable WAIO does not name the binary")
        return 77
    try:
        keras2 = importlib.import_module("tf_keras")
    except Exception as e:
        keras2 = None
        print(f"skipped: Keras 2 files ({e})")
    with tempfile.TemporaryDirectory() as tmp:
        count = check_networks("keras 3", keras, tmp)
        if keras2:
            count += check_networks("keras 2", keras2, tmp)
        count += check_types(tmp) + check_refusals(tmp) + check_real(keras2 or keras)
    for group, (error, name) in worst.items():
        print(f"{group}: worst relative error {error:.2g} ({name}), allowed {TOLERANCE:g}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{count} networks, {len(failures)} failures")
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
