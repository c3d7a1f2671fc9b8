"""ONNX files against onnxruntime: small networks for each op and option over opsets 7 to 21, made
with onnx.helper, and networks from torch and tf2onnx if these are there. `waio infer` runs them and
the outputs are set side by side.

Environment: WAIO, the binary. WAIO_TEST_MODELS, a folder with real *.onnx (optional).
WAIO_TEST_BACKENDS, which backends run (ref and cpu). Arguments: names of cases to run (all).
Exit status 77: skipped, the reason is printed.
"""
import glob
import os
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import onnxruntime
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Largest difference, relative to the largest |output|: float32 sums in another order, and x/c as
# x*(1/c).
TOLERANCE = 1e-4
IMAGES = 3
EVERY = (7, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21)
WAIO = os.environ.get("WAIO")
BACKENDS = os.environ.get("WAIO_TEST_BACKENDS", "ref,cpu").split(",")
rng = np.random.default_rng(1)
cases, failures, worst = [], [], {}
checked = 0


# ---- making a model ---------------------------------------------------------------------------

class Model:
    """Nodes, initializers and outputs in the making. `x` is the input; NCHW unless told."""

    def __init__(self, opset):
        self.opset, self.nodes, self.constants, self.results = opset, [], [], []
        self.batch, self.nchw, self.shape = "N", True, None
        self.listed = False  # initializers also as graph inputs

    def image(self, *shape, batch="N", nchw=True):
        self.shape, self.batch, self.nchw = shape, batch, nchw
        return "x"

    def const(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, *values):
        return self.const(np.array(values, np.int64), np.int64)

    def weight(self, *shape):
        fan = max(1, int(np.prod(shape[1:])))
        return self.const(rng.normal(0, fan ** -0.5, shape))

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(kind, list(inputs), names,
                                           name=f"{kind}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def out(self, *names):
        self.results += names

    def proto(self):
        value = helper.make_tensor_value_info
        inputs = [value("x", TensorProto.FLOAT, [self.batch, *self.shape])]
        if self.listed:
            inputs += [value(c.name, c.data_type, list(c.dims)) for c in self.constants]
        graph = helper.make_graph(self.nodes, "g", inputs,
                                  [value(r, TensorProto.FLOAT, None) for r in self.results],
                                  self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = max(4, helper.find_min_ir_version_for(opsets))
        return model


def case(*opsets):
    def register(function):
        cases.append((function.__name__, opsets or EVERY, function))
        return function
    return register


# ---- running and comparing --------------------------------------------------------------------

def expected_of(path, x, nchw):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # refusals come as exceptions
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    outputs = session.run(None, {feed.name: x})
    return [y.transpose(0, 2, 3, 1) if y.ndim == 4 and nchw else y for y in outputs]


def waio(*arguments):
    return subprocess.run([WAIO, *map(str, arguments)], capture_output=True, text=True)


def compare(name, path, shape, batch="N", nchw=True):
    """Runs one file; `shape` without the batch and in the file's order."""
    global checked
    images = batch if isinstance(batch, int) and batch > 0 else IMAGES
    x = rng.normal(0, 1, (images, *shape)).astype(np.float32)
    ours = x.transpose(0, 2, 3, 1) if x.ndim == 4 and nchw else x
    try:
        expected = expected_of(path, x, nchw)
    except Exception as e:
        failures.append(f"{name}: onnxruntime refuses it: {e}")
        return
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "in.f32"), os.path.join(folder, "out.f32")
        np.ascontiguousarray(ours).tofile(source)
        for backend in [*BACKENDS, "ref as imported"]:
            checked += 1
            run = waio("infer", path, "--input", source, "--output", target, "--batch", images,
                       "--backend", *backend.replace("as imported", "--as-imported").split())
            if run.returncode:
                failures.append(f"{name} ({backend}): {run.stderr.strip()}")
                return
            got = np.fromfile(target, np.float32)
            if got.size != sum(y.size for y in expected):
                failures.append(f"{name} ({backend}): {got.size} numbers, onnxruntime gives "
                                f"{[y.shape for y in expected]}")
                return
            at, error = 0, 0.0
            for y in expected:
                part = got[at:at + y.size].reshape(y.shape)
                at += y.size
                scale = float(np.abs(y).max()) or 1.0
                error = max(error, float(np.abs(part - y).max()) / scale)
            worst[name] = max(worst.get(name, 0.0), error)
            if not error <= TOLERANCE:
                failures.append(f"{name} ({backend}): relative error {error:.2e}")


def run_case(name, opset, function, folder):
    m = Model(opset)
    function(m)
    model = m.proto()
    path = os.path.join(folder, f"{name}_{opset}.onnx")
    onnx.save(model, path)
    compare(f"{name}/{opset}", path, m.shape, m.batch, m.nchw)


def must_fail(name, model, *parts):
    """The file must be refused with a message that holds all of `parts`."""
    global checked
    checked += 1
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bad.onnx")
        with open(path, "wb") as f:
            f.write(model if isinstance(model, bytes) else model.SerializeToString())
        run = waio("show", path)
    missing = [p for p in parts if p not in run.stderr]
    if run.returncode != 2 or missing:
        failures.append(f"{name}: status {run.returncode}, message lacks {missing}: {run.stderr}")


def no_transpose(name, path):
    global checked
    checked += 1
    run = waio("show", path)
    if run.returncode or "transpose" in run.stdout.lower():
        failures.append(f"{name}: a transpose is left: {run.stdout}{run.stderr}")


# ---- convolution, normalization ---------------------------------------------------------------

def conv(m, x, inputs, outputs, kernel, bias=True, **attributes):
    group = attributes.get("group", 1)
    parts = [x, m.weight(outputs, inputs // group, *kernel)]
    if bias:
        parts.append(m.weight(outputs))
    return m.op("Conv", *parts, **attributes)


def norm(m, x, channels):
    return m.op("BatchNormalization", x, m.const(rng.uniform(0.5, 1.5, channels)),
                m.weight(channels), m.weight(channels), m.const(rng.uniform(0.3, 2, channels)),
                epsilon=1e-3)


@case()
def conv_plain(m):
    m.out(conv(m, m.image(3, 9, 11), 3, 5, (3, 3)))


@case(7, 11, 21)
def conv_options(m):
    x = m.image(6, 13, 10)
    m.out(conv(m, x, 6, 4, (3, 2), pads=[1, 0, 2, 1], strides=[2, 1]),
          conv(m, x, 6, 8, (3, 3), group=2, dilations=[2, 3], pads=[2, 3, 2, 3]),
          conv(m, x, 6, 12, (5, 3), bias=False, group=6, strides=[2, 3], kernel_shape=[5, 3]),
          conv(m, x, 6, 7, (1, 1)))


@case(7, 13)
def conv_auto_pad(m):
    x = m.image(3, 11, 8)
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"):
        for strides in ([1, 1], [2, 3]):
            m.out(conv(m, x, 3, 4, (4, 3), auto_pad=pad, strides=strides))


@case()
def batch_norm(m):
    x = m.image(5, 4, 6)
    m.out(norm(m, x, 5), norm(m, conv(m, m.op("Relu", x), 5, 7, (3, 3), bias=False), 7))


@case(9, 15)
def batch_norm_rank2(m):
    m.out(norm(m, m.op("Flatten", m.image(2, 3, 2)), 12))


# ---- activations ------------------------------------------------------------------------------

def clip(m, x, low, high):
    if m.opset < 11:
        return m.op("Clip", x, min=low, max=high)
    return m.op("Clip", x, "" if low is None else m.const(low),
                *([] if high is None else [m.const(high)]))


@case()
def activations(m):
    x = m.image(3, 5, 7)
    m.out(m.op("Relu", x), clip(m, x, 0.0, 6.0), clip(m, x, -0.5, 0.25), clip(m, x, -0.5, None),
          clip(m, x, None, 0.5), clip(m, x, None, None), m.op("Sigmoid", x))


@case()
def softmax(m):
    x = m.image(4, 3, 5)
    m.out(m.op("Softmax", x), m.op("Softmax", x, axis=1), m.op("Softmax", x, axis=2),
          m.op("Softmax", x, axis=3), m.op("Softmax", m.op("Flatten", x)),
          m.op("Softmax", m.op("GlobalAveragePool", x), axis=1))


# ---- arithmetic -------------------------------------------------------------------------------

SHAPES_BESIDE = [(3, 1, 1), (1, 3, 1, 1), (), (1,), (5,), (4, 1), (4, 5), (3, 4, 5), (1, 1, 1, 5)]


def beside(m, kind, swapped):
    x = m.image(3, 4, 5)
    for shape in SHAPES_BESIDE:
        c = m.const(rng.uniform(0.5, 2, shape))
        m.out(m.op(kind, x, c), *([m.op(kind, c, x)] if swapped else []))
    m.out(m.op(kind, m.op("Flatten", x), m.const(3)),
          m.op(kind, m.op("Flatten", x), m.const(rng.uniform(0.5, 2, 60))))


@case(7, 14)
def add_constant(m):
    beside(m, "Add", True)


@case(7, 14)
def sub_constant(m):
    beside(m, "Sub", True)


@case(7, 14)
def mul_constant(m):
    beside(m, "Mul", True)


@case(7, 14)
def div_constant(m):
    beside(m, "Div", False)


@case(7, 13, 21)
def residual(m):
    x = m.image(4, 6, 5)
    a = conv(m, x, 4, 4, (3, 3), pads=[1, 1, 1, 1])
    gate = m.op("Sigmoid", conv(m, m.op("GlobalAveragePool", a), 4, 4, (1, 1)))
    m.out(m.op("Relu", m.op("Add", a, x)), m.op("Mul", a, gate), m.op("Mul", gate, x),
          m.op("Sub", a, x), m.op("Add", x, x))


@case(8, 13)
def max_sum(m):
    x = m.image(4, 6, 5)
    a, b = m.op("Relu", x), m.op("Sigmoid", x)
    m.out(m.op("Max", x, a), m.op("Max", x, a, b), m.op("Max", x, m.const(np.zeros((4, 1, 1)))),
          m.op("Sum", x, a, b), m.op("Sum", x), m.op("Sum", x, m.const([1.0]), b))


@case(7, 13)
def layouts_meet(m):
    """One side is NHWC in the file, the other NCHW."""
    x = m.image(4, 6, 5)
    turned = m.op("Transpose", x, perm=[0, 2, 3, 1])
    c = m.op("Reshape", m.op("Reshape", x, m.ints(0, 24, 5)), m.ints(0, 4, 6, 5))
    m.out(m.op("Add", turned, m.const(rng.normal(0, 1, 4))), m.op("Add", c, x),
          m.op("Concat", c, x, axis=1),
          m.op("Add", turned, m.op("Transpose", m.op("Relu", x), perm=[0, 2, 3, 1])))


# ---- pooling ----------------------------------------------------------------------------------

@case()
def pools(m):
    x = m.image(3, 9, 10)
    for kind in ("MaxPool", "AveragePool"):
        m.out(m.op(kind, x, kernel_shape=[2, 2], strides=[2, 2]),
              m.op(kind, x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
              m.op(kind, x, kernel_shape=[3, 2], pads=[0, 1, 2, 0]),
              m.op(kind, x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
              m.op(kind, x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
              m.op(kind, x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="VALID"))
    m.out(m.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
          m.op("GlobalAveragePool", x), m.op("GlobalMaxPool", x))


@case(10, 12, 18)
def pools_ceil(m):
    for kind in ("MaxPool", "AveragePool"):
        x = m.image(3, 9, 10)
        for kernel, stride, pads in [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 4, 0), (2, 3, 0),
                                     (3, 3, 1)]:
            m.out(m.op(kind, x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pads] * 4,
                       ceil_mode=1))


# ---- reductions, pads, joins ------------------------------------------------------------------

def reduce(m, kind, x, axes, keepdims=None):
    by_input = m.opset >= (13 if kind == "ReduceSum" else 18)
    if by_input:
        return m.op(kind, x, m.ints(*axes), keepdims=keepdims)
    return m.op(kind, x, axes=axes, keepdims=keepdims)


@case()
def reductions(m):
    x = m.image(3, 4, 5)
    for kind in ("ReduceMean", "ReduceSum"):
        for axes in ([2, 3], [1], [3], [1, 2, 3], [1, 3]):
            m.out(reduce(m, kind, x, axes), reduce(m, kind, x, axes, 0))
    if m.opset >= 11:
        m.out(reduce(m, "ReduceMean", x, [-1, -2], 0))


@case(18, 21)
def reduce_nothing(m):
    m.out(m.op("ReduceSum", m.image(3, 4, 5), noop_with_empty_axes=1))


def pad(m, x, pads, value=None, axes=None):
    if m.opset < 11:
        return m.op("Pad", x, pads=pads, value=value)
    parts = [x, m.ints(*pads), "" if value is None else m.const(value)]
    if axes:
        parts.append(m.ints(*axes))
    return m.op("Pad", *parts)


@case()
def pads(m):
    x = m.image(3, 4, 5)
    m.out(pad(m, x, [0, 0, 1, 2, 0, 0, 3, 0]), pad(m, x, [0, 1, 1, 0, 0, 2, 0, 1], 1.5),
          conv(m, pad(m, x, [0, 0, 1, 1, 0, 0, 1, 1]), 3, 4, (3, 3)))
    if m.opset >= 18:
        m.out(pad(m, x, [1, 2, 0, 1], None, [-1, 1]))


@case()
def concats(m):
    x = m.image(3, 4, 6)
    a, b = m.op("Relu", x), conv(m, x, 3, 5, (1, 1))
    flat = m.op("Flatten", x)
    m.out(m.op("Concat", x, a, b, axis=1), m.op("Concat", x, a, axis=2),
          m.op("Concat", x, a, a, axis=3), m.op("Concat", flat, m.op("Flatten", b), axis=1))
    if m.opset >= 11:
        m.out(m.op("Concat", x, a, axis=-1))


# ---- shapes -----------------------------------------------------------------------------------

def unsqueeze(m, x, *axes):
    return m.op("Unsqueeze", x, m.ints(*axes)) if m.opset >= 13 else \
        m.op("Unsqueeze", x, axes=list(axes))


def squeeze(m, x, *axes):
    return m.op("Squeeze", x, m.ints(*axes)) if m.opset >= 13 else \
        m.op("Squeeze", x, axes=list(axes))


def cut(m, x, start, end):
    if m.opset < 10:
        return m.op("Slice", x, starts=[start], ends=[end], axes=[0])
    return m.op("Slice", x, m.ints(start), m.ints(end), m.ints(0))


def dense(m, x, inputs, outputs):
    return m.op("Gemm", x, m.weight(outputs, inputs), m.weight(outputs), transB=1)


@case()
def flatten_dense(m):
    x = m.op("Relu", m.image(3, 4, 5))
    flat = m.op("Flatten", x)
    m.out(dense(m, flat, 60, 7), dense(m, m.op("Relu", flat), 60, 4),
          m.op("MatMul", m.op("Reshape", x, m.ints(0, -1)), m.weight(60, 5)),
          dense(m, m.op("Reshape", x, m.ints(-1, 60)), 60, 3),
          dense(m, m.op("Flatten", m.op("GlobalAveragePool", x)), 3, 2),
          dense(m, squeeze(m, m.op("GlobalAveragePool", x), 2, 3), 3, 2), flat)


@case()
def view_flatten(m):
    """x.view(x.size(0), -1) and its relatives as torch writes them."""
    x = m.op("Relu", m.image(3, 4, 5))
    size = m.op("Gather", m.op("Shape", x), m.const(0, np.int64))
    target = m.op("Concat", unsqueeze(m, size, 0), m.ints(-1), axis=0)
    front = m.op("Concat", cut(m, m.op("Shape", x), 0, 1), m.ints(60), axis=0)
    rows = m.op("Cast", m.op("Gather", m.op("Shape", x), m.ints(1)), to=TensorProto.INT64)
    cells = m.op("Mul", m.op("Gather", m.op("Shape", x), m.ints(2)),
                 m.op("Gather", m.op("Shape", x), m.ints(-1)))
    merged = m.op("Concat", cut(m, m.op("Shape", x), 0, 2), m.op("Mul", cells, m.ints(1)), axis=0)
    both = m.op("Concat", m.ints(0), m.op("Div", m.op("Mul", rows, cells), m.ints(2)), m.ints(2),
                axis=0)
    m.out(dense(m, m.op("Reshape", x, target), 60, 7), dense(m, m.op("Reshape", x, front), 60, 4),
          m.op("Reshape", x, merged), m.op("Reshape", x, both))


@case(7, 13, 21)
def fixed_batch(m):
    x = m.op("Relu", m.image(3, 4, 5, batch=4))
    m.out(dense(m, m.op("Reshape", x, m.ints(4, 60)), 60, 7),
          dense(m, m.op("Reshape", x, m.ints(4, -1)), 60, 7), m.op("Reshape", x, m.ints(4, 3, 20)),
          dense(m, m.op("Reshape", x, m.op("Concat", cut(m, m.op("Shape", x), 0, 1), m.ints(60),
                                           axis=0)), 60, 3))


@case(7, 13)
def batch_of_one(m):
    x = m.op("Relu", m.image(3, 4, 5, batch=1))
    m.out(dense(m, m.op("Reshape", x, m.ints(1, 60)), 60, 7), m.op("Reshape", x, m.ints(1, -1)))


@case(7, 13)
def reshapes(m):
    x = m.op("Relu", m.image(6, 4, 5))
    m.out(m.op("Reshape", x, m.ints(0, 0, -1)), m.op("Reshape", x, m.ints(0, 2, 3, 20)),
          m.op("Reshape", x, m.ints(0, 2, 3, 4, 5)), m.op("Reshape", x, m.ints(-1, 6, 20, 1)),
          m.op("Reshape", x, m.ints(0, 8, 15)), m.op("Flatten", x, axis=1),
          m.op("Reshape", m.op("Flatten", x), m.ints(0, 6, 4, 5)),
          m.op("ReduceMean", m.op("Reshape", x, m.ints(0, 6, 20)), axes=[2], keepdims=0),
          m.op("MatMul", m.op("Reshape", x, m.ints(0, 6, 20)), m.weight(20, 3)),
          m.op("MatMul", m.op("Transpose", m.op("Reshape", x, m.ints(0, 6, 20)), perm=[0, 2, 1]),
               m.weight(6, 3)),
          m.op("MatMul", m.op("Transpose", x, perm=[0, 2, 3, 1]), m.weight(6, 3)),
          m.op("MatMul", x, m.weight(5, 2)))


@case(7, 11, 13)
def squeezes(m):
    x = m.op("GlobalAveragePool", m.image(6, 4, 5))
    a = squeeze(m, x, 2, 3)
    b = unsqueeze(m, a, 2, 3) if m.opset < 11 else unsqueeze(m, a, -1, 2)
    m.out(a, squeeze(m, x, 3), b, m.op("Squeeze", x), conv(m, b, 6, 2, (1, 1)),
          m.op("Flatten", x, axis=1))


@case(7, 13)
def shuffle(m):
    """ShuffleNet's channel shuffle."""
    x = conv(m, m.image(6, 4, 5), 6, 6, (1, 1))
    y = m.op("Reshape", x, m.ints(0, 2, 3, 4, 5))
    y = m.op("Reshape", m.op("Transpose", y, perm=[0, 2, 1, 3, 4]), m.ints(0, 6, 4, 5))
    m.out(conv(m, y, 6, 4, (3, 3)), y)


@case(7, 13)
def transposes(m):
    x = m.op("Relu", m.image(3, 4, 5))
    m.out(*(m.op("Transpose", x, perm=p) for p in
            ([0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 3, 2, 1])),
          m.op("Flatten", m.op("Transpose", x, perm=[0, 3, 1, 2])),
          m.op("Transpose", m.op("Transpose", x, perm=[3, 0, 1, 2]), perm=[1, 2, 3, 0]))


@case(7, 12, 13)
def gemms(m):
    x = m.op("Flatten", m.image(2, 3, 2))
    w, c = m.weight(12, 5), m.weight(5)
    m.out(m.op("Gemm", x, w, c), m.op("Gemm", x, w, c, alpha=0.5, beta=2.0),
          m.op("Gemm", x, m.weight(4, 12), m.weight(1, 4), transB=1),
          m.op("Gemm", x, w, m.const(0.5)), m.op("Gemm", x, w, c, beta=0.0),
          m.op("Add", m.op("MatMul", x, w), c), m.op("Add", c, m.op("MatMul", x, w)))
    if m.opset >= 11:
        m.out(m.op("Gemm", x, w))


@case()
def passing_on(m):
    x = m.image(3, 4, 5)
    ratio = {"ratio": 0.4} if m.opset < 12 else {}
    a, _ = m.op("Dropout", m.op("Identity", x), outputs=2, **ratio)
    b = m.op("Cast", m.op("Relu", a), to=TensorProto.FLOAT)
    c = m.op("Constant", value=numpy_helper.from_array(np.float32([[[1]], [[2]], [[3]]])))
    d = m.op("Constant", value=numpy_helper.from_array(np.int64([0, -1])))
    shape = m.op("ConstantOfShape", m.ints(3, 1, 1), value=numpy_helper.from_array(
        np.float32([0.5]))) if m.opset >= 9 else c
    m.out(m.op("Add", b, m.op("Add", c, m.op("Mul", c, m.op("Identity", shape)))),
          m.op("Reshape", b, d))
    if m.opset >= 12:
        m.out(m.op("Add", b, m.op("Constant", value_float=0.5)),
              m.op("Mul", b, m.op("Constant", value_floats=[1.0, 2.0, 3.0, 4.0, 5.0])),
              m.op("Reshape", b, m.op("Constant", value_ints=[0, 20, 3])))


@case(13, 21)
def types_of_weights(m):
    x = m.image(3, 4, 5)
    for dtype in (np.float16, np.float64):
        c = m.op("Cast", m.const(rng.normal(0, 1, (3, 1, 1)), dtype), to=TensorProto.FLOAT)
        x = m.op("Mul", x, c)
    m.constants.append(helper.make_tensor("bf", TensorProto.BFLOAT16, [3, 1, 1], [0.5, -3, 1.25]))
    m.constants.append(helper.make_tensor("f", TensorProto.FLOAT, [3, 1, 1], [0.3, 7, 1e-3]))
    m.constants.append(helper.make_tensor("i", TensorProto.INT64, [3], [0, 20, 3]))
    m.constants.append(helper.make_tensor("j", TensorProto.INT32, [2], [0, 60]))
    x = m.op("Add", m.op("Add", x, "f"), m.op("Cast", "bf", to=TensorProto.FLOAT))
    m.out(m.op("Reshape", x, "i"), m.op("Reshape", x, m.op("Cast", "j", to=TensorProto.INT64)))


@case(7, 13)
def listed_initializers(m):
    m.listed = True
    m.out(dense(m, m.op("Flatten", conv(m, m.image(3, 4, 5), 3, 2, (3, 3))), 12, 4))


# ---- resize -----------------------------------------------------------------------------------

def resize(m, x, scales=None, sizes=None, **attributes):
    if m.opset < 9:
        return m.op("Upsample", x, scales=scales, **attributes)
    if m.opset == 9:
        return m.op("Upsample", x, m.const(scales), **attributes)
    if m.opset == 10:
        return m.op("Resize", x, m.const(scales), **attributes)
    if sizes:
        return m.op("Resize", x, "", "", sizes if isinstance(sizes, str) else m.ints(*sizes),
                    **attributes)
    return m.op("Resize", x, "" if m.opset > 11 else m.const(np.zeros(0)), m.const(scales),
                **attributes)


@case(7, 9, 10)
def upsample(m):
    x = m.image(3, 5, 4)
    m.out(resize(m, x, [1.0, 1.0, 2.0, 3.0]), resize(m, x, [1.0, 1.0, 2.0, 2.0], mode="linear"))


@case(11, 13, 18, 19, 21)
def resizes(m):
    x = m.image(3, 6, 4)
    for scale in ([1, 1, 2, 2], [1, 1, 1.5, 3]):
        m.out(resize(m, x, scale, mode="linear"),
              resize(m, x, scale, mode="linear", coordinate_transformation_mode="align_corners"),
              resize(m, x, scale, mode="linear", coordinate_transformation_mode="asymmetric"),
              resize(m, x, scale, mode="linear",
                     coordinate_transformation_mode="pytorch_half_pixel"),
              resize(m, x, scale, nearest_mode="floor",
                     coordinate_transformation_mode="asymmetric"),
              resize(m, x, scale, nearest_mode="round_prefer_ceil"))
    m.out(resize(m, x, [1, 1, 2, 3]), resize(m, x, [1, 1, 0.5, 0.5], mode="linear"),
          resize(m, x, [1, 1, 0.5, 0.5], mode="nearest"))


@case(13, 18)
def resize_sizes(m):
    x = m.image(3, 6, 4, batch="N")
    front = cut(m, m.op("Shape", x), 0, 2)
    sizes = m.op("Concat", front, m.ints(9, 8), axis=0)
    m.out(resize(m, x, sizes=sizes, mode="linear"),
          resize(m, x, sizes=sizes, nearest_mode="floor",
                 coordinate_transformation_mode="asymmetric"))
    if m.opset >= 18:
        m.out(m.op("Resize", x, "", "", m.ints(7, 9), axes=[3, 2], mode="linear"))


# ---- images that are NHWC in the file ---------------------------------------------------------

@case(9, 13, 18)
def channels_last(m):
    x = m.op("Mul", m.image(7, 6, 3, nchw=False), m.const(0.5))
    x = m.op("Transpose", x, perm=[0, 3, 1, 2])
    x = m.op("Relu", conv(m, x, 3, 5, (3, 3)))
    x = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = m.op("Transpose", x, perm=[0, 2, 3, 1])
    m.out(dense(m, m.op("Reshape", y, m.ints(-1, 20)), 20, 4), m.op("Softmax", y, axis=3))


@case(9, 13)
def channels_last_one(m):
    """tf2onnx writes the transpose of a grey image as a reshape."""
    x = m.op("Reshape", m.image(7, 6, 1, nchw=False), m.ints(-1, 1, 7, 6))
    m.out(dense(m, m.op("Flatten", conv(m, x, 1, 3, (3, 3))), 60, 4))


@case(13)
def flat_input(m):
    x = m.image(12)
    m.out(m.op("Relu", dense(m, x, 12, 5)), m.op("Reshape", x, m.ints(-1, 3, 2, 2)))
    m.nchw = False


# ---- whole networks ---------------------------------------------------------------------------

@case(7, 12, 17)
def small_mobilenet(m):
    x, c = m.image(3, 17, 19), 3
    for width, stride in [(8, 2), (12, 1), (12, 2)]:
        y = conv(m, x, c, c * 4, (1, 1), bias=False)
        y = clip(m, norm(m, y, c * 4), 0.0, 6.0)
        y = conv(m, y, c * 4, c * 4, (3, 3), bias=False, group=c * 4, strides=[stride] * 2,
                 pads=[1, 1, 1, 1])
        y = clip(m, norm(m, y, c * 4), 0.0, 6.0)
        y = norm(m, conv(m, y, c * 4, width, (1, 1), bias=False), width)
        x, c = (m.op("Add", x, y) if c == width and stride == 1 else y), width
    x = m.op("Flatten", m.op("GlobalAveragePool", x))
    m.out(m.op("Softmax", dense(m, x, c, 10), axis=1))


def torch_models(folder):
    try:
        import torch
        from torch import nn
    except Exception as e:
        print(f"without torch: {e}")
        return

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o),
                                   nn.ReLU(), nn.Conv2d(o, o, 3, 1, 1, bias=False),
                                   nn.BatchNorm2d(o))
            self.b = nn.Identity() if i == o and stride == 1 else nn.Sequential(
                nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

        def forward(self, x):
            return torch.relu(self.a(x) + self.b(x))

    class ResNet(nn.Module):
        def __init__(self, view):
            super().__init__()
            self.view = view
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.MaxPool2d(3, 2, 1),
                                      Block(8, 8, 1), Block(8, 12, 2))
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(12 if view == "pool" else 12 * 4 * 5, 10)

        def forward(self, x):
            x = self.body(x)
            if self.view == "pool":
                return self.fc(torch.flatten(self.pool(x), 1))
            if self.view == "size":
                return self.fc(x.view(x.size(0), -1))
            return self.fc(x.reshape(-1, 12 * 4 * 5))

    class MobileNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16),
                                   nn.ReLU6(), nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False),
                                   nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 24, 1),
                                   nn.BatchNorm2d(24), nn.Dropout(0.2))
            self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(24, 24, 1), nn.Sigmoid())
            self.fc = nn.Linear(24, 10)

        def forward(self, x):
            x = self.a(x)
            x = nn.functional.interpolate(x * self.gate(x), scale_factor=2)
            return self.fc(x.mean([2, 3])).softmax(1)

    class Shuffle(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(16, 8, 1, groups=2)
            self.norm, self.fc = nn.BatchNorm2d(16), nn.Linear(8 * 8 * 9, 6)

        def forward(self, x):
            x = self.a(x)
            x = self.norm(torch.cat([x, torch.relu(x)], 1))
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
            x = nn.functional.avg_pool2d(self.b(x), 3, 2, 1)
            x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
            return self.fc(nn.functional.max_pool2d(x, 2, ceil_mode=True).flatten(1))

    models = [(f"torch_resnet_{v}", ResNet(v)) for v in ("pool", "size", "fixed")]
    for name, net in models + [("torch_mobilenet", MobileNet()), ("torch_shuffle", Shuffle())]:
        torch.manual_seed(1)
        net.train()
        for _ in range(3):  # moves the running means
            net(torch.randn(4, 3, 15, 17))
        net.eval()
        for opset, fixed in [(11, False), (13, True), (17, False), (18, False)]:
            path = os.path.join(folder, f"{name}_{opset}.onnx")
            axes = None if fixed else {"x": {0: "batch"}, "y": {0: "batch"}}
            export(torch, net, path, opset, axes)
            if os.path.exists(path):
                compare(f"{name}/{opset}", path, (3, 15, 17), 2 if fixed else "N")


def export(torch, net, path, opset, axes):
    import contextlib
    import io
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(net, (torch.randn(2, 3, 15, 17),), path, opset_version=opset,
                              input_names=["x"], output_names=["y"], dynamic_axes=axes,
                              **({"dynamo": opset >= 18} if "dynamo" in
                                 torch.onnx.export.__code__.co_varnames else {}))
        except Exception as e:
            print(f"torch cannot export {os.path.basename(path)}: {e}", file=sys.stderr)


def keras_models(folder):
    try:
        import tensorflow as tf
        import tf2onnx
        layers = tf.keras.layers
    except Exception as e:
        print(f"without tf2onnx: {e}")
        return

    def convnet(channels, global_pool):
        image = tf.keras.Input((15, 14, channels))
        x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        y = layers.DepthwiseConv2D(3, padding="same")(x)
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        x = layers.Concatenate()([layers.Add()([x, y]), layers.AveragePooling2D(3, 1, "same")(y)])
        x = layers.ZeroPadding2D(((0, 1), (1, 0)))(x)
        x = layers.Conv2D(6, 3, strides=2)(x)
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.GlobalAveragePooling2D()(x) if global_pool else layers.Flatten()(x)
        x = layers.Dropout(0.3)(layers.Dense(12, "sigmoid")(x))
        return tf.keras.Model(image, layers.Dense(5, "softmax")(x))

    for channels in (3, 1):
        for global_pool in (True, False):
            net = convnet(channels, global_pool)
            for w in net.weights:
                if "variance" not in w.path:
                    w.assign(rng.normal(0, 0.4, w.shape))
            spec = (tf.TensorSpec((None, 15, 14, channels), tf.float32, name="x"),)
            name = f"keras_{channels}_{'pool' if global_pool else 'flatten'}"
            for opset in (11, 13, 18):
                path = os.path.join(folder, f"{name}_{opset}.onnx")
                function = tf.function(lambda x: net(x, training=False), input_signature=spec)
                tf2onnx.convert.from_function(function, input_signature=spec, opset=opset,
                                              output_path=path)
                compare(f"{name}/{opset}", path, (15, 14, channels), nchw=False)
                no_transpose(f"{name}/{opset}", path)


# ---- files ------------------------------------------------------------------------------------

def external_data(folder):
    m = Model(13)
    m.out(dense(m, m.op("Flatten", conv(m, m.image(3, 4, 5), 3, 2, (3, 3))), 12, 4))
    path = os.path.join(folder, "external.onnx")
    onnx.save(m.proto(), path, save_as_external_data=True, all_tensors_to_one_file=True,
              location="external.bin", size_threshold=0)
    compare("external data", path, m.shape)


def given_models():
    root = os.environ.get("WAIO_TEST_MODELS")
    for path in sorted(glob.glob(os.path.join(root, "*.onnx")) if root else []):
        model = onnx.load(path, load_external_data=False)
        known = {i.name for i in model.graph.initializer}
        value = [i for i in model.graph.input if i.name not in known][0]
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        text = waio("show", path)
        if text.returncode:
            failures.append(f"{path}: {text.stderr.strip()}")
            continue
        nchw = len(dims) == 4 and not (dims[3] in (1, 3, 4) and dims[1] not in (1, 3, 4))
        compare(os.path.basename(path), path, tuple(dims[1:]), dims[0] or "N", nchw)


def refusals():
    def model(build, opset=13, **changes):
        m = Model(opset)
        x = m.image(*changes.pop("shape", (3, 4, 5)), batch=changes.pop("batch", "N"))
        m.out(build(m, x))
        return m.proto()

    must_fail("unknown op", model(lambda m, x: m.op("Erf", x)), 'node "Erf_0" (Erf)', "supported",
              "AveragePool, BatchNormalization", "Upsample")
    for kind in ("LeakyRelu", "HardSigmoid", "LogSoftmax", "Tanh", "If"):
        must_fail(kind, model(lambda m, x: m.op(kind, x)), kind, "supported")
    must_fail("quantized", model(lambda m, x: m.op("QuantizeLinear", x, m.const(1))),
              "QuantizeLinear")
    must_fail("group", model(lambda m, x: m.op("Conv", x, m.weight(16, 3, 3, 3), group=2)),
              'node "Conv_0" (Conv)', "16x3x3x3", "group 2 does not divide 3")
    must_fail("weight", model(lambda m, x: m.op("Conv", x, m.weight(4, 2, 3, 3))), "4x2x3x3")
    must_fail("domain", model(lambda m, x: m.op("Relu", x, domain="com.example")), "com.example")
    must_fail("attribute", model(lambda m, x: m.op("Relu", x, colour=1)), "colour")
    must_fail("opset", model(lambda m, x: m.op("Relu", x), opset=6), "opset 6", "7 to 21")
    must_fail("no size", model(lambda m, x: m.op("Relu", x), shape=(3, "H", 5)), "dimension 2")
    must_fail("dividend", model(lambda m, x: m.op("Div", m.const(1), x)), "division")
    must_fail("matmul", model(lambda m, x: m.op("MatMul", x, x)), "computed")
    must_fail("pad mode", model(lambda m, x: m.op("Pad", x, m.ints(*[0] * 8), mode="edge")), "edge")
    must_fail("negative pad", model(lambda m, x: m.op("Pad", x, m.ints(*[0] * 6, -1, 0))), "-1")
    must_fail("cubic", model(lambda m, x: m.op("Resize", x, "", m.const([1, 1, 2, 2]),
                                               mode="cubic")), "cubic")
    must_fail("cells", model(lambda m, x: m.op("Resize", x, "", m.const([1, 1, 3, 2]),
                                               nearest_mode="floor")), "half_pixel", "4x5 to 12x10")
    must_fail("batch", model(lambda m, x: m.op("Reshape", x, m.ints(-1, 5))), "batch")
    must_fail("batch sum", model(lambda m, x: m.op("ReduceSum", x)), "batch")
    must_fail("pool dilation", model(lambda m, x: m.op("MaxPool", x, kernel_shape=[2, 2],
                                                       dilations=[2, 2])), "dilations")
    must_fail("missing", model(lambda m, x: m.op("Add", x, "nowhere")), "nowhere")
    late = model(lambda m, x: m.op("Add", x, m.op("Relu", x)))
    late.graph.node.insert(0, late.graph.node.pop())
    must_fail("not sorted", late, "before this one")
    twice = model(lambda m, x: m.op("Relu", m.op("Relu", x)))
    twice.graph.node[1].output[0] = twice.graph.node[0].output[0]
    must_fail("name twice", twice, "more than one value")
    must_fail("text", b"this is no model at all", "not an ONNX model")
    must_fail("tflite", b"\x1c\0\0\0TFL3" + bytes(32), "the file is damaged or cut short")
    must_fail("zip", b"PK\x03\x04" + bytes(32), "zip")
    must_fail("pickle", b"\x80\x02" + bytes(32), "pickle")
    must_fail("empty", b"", "not an ONNX model")


def main():
    if not WAIO:
        print("skipped: WAIO does not name the binary")
        return 77
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for name, opsets, function in cases:
            for opset in opsets:
                if not chosen or name in chosen:
                    run_case(name, opset, function, folder)
        for function in (external_data, torch_models, keras_models):
            if not chosen or function.__name__ in chosen:
                function(folder)
    for function in (given_models, refusals):
        if not chosen or function.__name__ in chosen:
            function()
    for name, error in sorted(worst.items(), key=lambda item: -item[1])[:8]:
        print(f"{error / TOLERANCE:6.1%} of the tolerance: {name}")
    for failure in failures:
        print("FAILED", failure)
    print(f"{checked - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
