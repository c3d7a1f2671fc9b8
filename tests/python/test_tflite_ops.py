#!/usr/bin/env python3
"""Each operator alone, with random shapes, options, scales and zero points, against TensorFlow
Lite's reference kernels: integer types must give the same bytes, float 1e-4 of the largest output.

WAIO_TEST_ROUNDS sets how many random files an operator and type get [6]. A failing file is kept
where WAIO_TEST_KEEP names a folder.
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
ROUNDS = int(os.environ.get("WAIO_TEST_ROUNDS", "6"))
KEEP = os.environ.get("WAIO_TEST_KEEP")
IMAGES = 8
SAME, VALID = 0, 1
INT32 = 2  # in the file's list of types


class Case:
    """A file under construction, with random choices."""

    def __init__(self, rng, dtype):
        self.rng, self.dtype, self.net = rng, np.dtype(dtype), Net()
        self.float = self.dtype == np.float32
        self.powers = bool(rng.integers(2))
        self.first = None
        self.bias_type = 0  # option quantized_bias_type: 0 says nothing

    def below(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *items):
        return items[self.below(0, len(items) - 1)]

    def quant(self, low=1e-3, high=1.0):
        """A random scale and zero point for activations of this type."""
        if self.float:
            return None
        scale = self.rounded(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        if self.dtype == np.int16:
            return scale / 100, 0
        info = np.iinfo(self.dtype)
        return scale, self.one_of(info.min, info.max, self.below(info.min, info.max))

    def rounded(self, scale):
        """Half of the files have powers of two for scales: there results fall on ties."""
        return np.exp2(np.round(np.log2(scale))) if self.powers else scale

    def image(self, low=1, channels=6):
        return (1, self.below(low, 9), self.below(low, 9), self.below(1, channels))

    def input(self, shape, quant=None):
        self.first = self.net.tensor(shape, self.dtype, quant or self.quant())
        self.first_quant = (self.net.tensors[self.first].quantization or None)
        return self.first

    def random(self, shape, dtype=None):
        dtype = np.dtype(dtype or self.dtype)
        if dtype == np.float32:
            return self.rng.standard_normal(shape, dtype=np.float32)
        info = np.iinfo(dtype)
        return self.rng.integers(info.min, info.max + 1, shape).astype(dtype)

    def output(self, shape, quant=None):
        return self.net.tensor(shape, self.dtype, quant or self.quant())

    def scale(self, tensor):
        return float(self.net.tensors[tensor].quantization.scale[0])

    def same_quant(self):
        q = self.net.tensors[self.first].quantization
        return None if q is None else (float(q.scale[0]), int(q.zeroPoint[0]))

    def done(self, output):
        return self.net.pack([self.first], [output])


def window(case, size, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - reach) // stride + 1


def weights(case, x, shape, channel_axis, spread, bias32=False):
    """A weight and a bias of this case's type; returns both and a fitting output quantization.
    `bias32`: int16 activations may get a bias of 32 bits, for which case.bias_type stands then."""
    channels = shape[channel_axis]
    if case.float:
        return (case.net.constant(case.random(shape)), case.net.constant(case.random(channels)),
                None)
    if case.dtype == np.uint8:
        scale = np.float32(case.rounded(case.rng.uniform(0.001, 0.02)))
        w = case.net.constant(case.random(shape), (scale, case.below(0, 255)))
        scales = np.full(channels, scale)
    else:
        w = case.rng.integers(-127, 128, shape).astype(np.int8)
        scales = case.rounded(case.rng.uniform(0.001, 0.02, channels)).astype(np.float32)
        if spread == "tensor":
            scales[:] = scales[0]
        w = case.net.constant(w, (scales[:1] if spread == "tensor" else scales, 0), channel_axis)
    s_in = np.float32(case.scale(x))
    bias_type = np.int64 if case.dtype == np.int16 else np.int32
    if bias32 and case.dtype == np.int16 and case.below(0, 1):
        bias_type, case.bias_type = np.int32, INT32
    bias = case.net.constant(case.rng.integers(-20000, 20000, channels).astype(bias_type),
                             (scales * s_in, 0))
    taps = np.prod(shape) / channels
    s_out = case.rounded(s_in * scales.max() * 70 * np.sqrt(taps) * case.rng.uniform(0.3, 3))
    zero = case.quant()[1]
    return w, bias, (s_out, zero)


def conv(case):
    x_shape = case.image(3)
    kernel = case.below(1, 3), case.below(1, 3)
    padding = case.one_of(SAME, VALID)
    stride, dilation = (case.below(1, 2), case.below(1, 3)), (1, 1)
    if case.below(0, 3) == 0 and min(x_shape[1:3]) >= 5:
        stride, dilation = (1, 1), (2, case.below(1, 2))
    groups = case.one_of(1, 1, 1, x_shape[3]) if case.dtype == np.int8 else 1
    out = case.below(1, 5) * groups
    x = case.input(x_shape)
    w, bias, q = weights(case, x, (out, *kernel, x_shape[3] // groups), 0,
                         case.one_of("tensor", "channel"), bias32=True)
    size = [window(case, x_shape[1 + i], kernel[i], stride[i], dilation[i], padding)
            for i in range(2)]
    y = case.output((1, *size, out), q)
    case.net.operator("CONV_2D", [x, w, bias], [y], "Conv2D", padding=padding,
                      strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
                      dilationWFactor=dilation[1], version=6, quantizedBiasType=case.bias_type,
                      fusedActivationFunction=case.below(0, 3))
    return case.done(y)


def depthwise(case):
    x_shape = case.image(3)
    kernel = case.below(1, 3), case.below(1, 3)
    padding, times = case.one_of(SAME, VALID), case.below(1, 3)
    stride, dilation = (case.below(1, 2),) * 2, (1, 1)
    if case.below(0, 3) == 0 and min(x_shape[1:3]) >= 5:
        stride, dilation = (1, 1), (2, case.below(1, 2))
    x = case.input(x_shape)
    channels = x_shape[3] * times
    w, bias, q = weights(case, x, (1, *kernel, channels), 3, case.one_of("channel", "tensor"))
    size = [window(case, x_shape[1 + i], kernel[i], stride[i], dilation[i], padding)
            for i in range(2)]
    y = case.output((1, *size, channels), q)
    case.net.operator("DEPTHWISE_CONV_2D", [x, w, bias], [y], "DepthwiseConv2D", padding=padding,
                      strideH=stride[0], strideW=stride[1], depthMultiplier=times,
                      dilationHFactor=dilation[0], dilationWFactor=dilation[1], version=6,
                      fusedActivationFunction=case.below(0, 3))
    return case.done(y)


def dense(case):
    inputs, outputs = case.below(1, 40), case.below(1, 12)
    keep = case.one_of(False, False, True)
    rows = case.below(1, 4) if keep else 1
    x = case.input((1, rows, inputs) if keep else case.one_of((1, inputs), (1, 1, 1, inputs)))
    spread = case.one_of("tensor", "channel")
    w, bias, q = weights(case, x, (outputs, inputs), 0, spread, bias32=True)
    y = case.output((1, rows, outputs) if keep else (1, outputs), q)
    inputs = [x, w, bias] if case.below(0, 3) else [x, w, -1]
    case.net.operator("FULLY_CONNECTED", inputs, [y], "FullyConnected", keepNumDims=keep,
                      version=12 if spread == "channel" else 7, quantizedBiasType=case.bias_type,
                      fusedActivationFunction=case.below(0, 3))
    return case.done(y)


def binary(name, options):
    def make(case):
        shape = case.image()
        other = case.one_of(shape, shape, (1, 1, 1, shape[3]), (shape[3],), ())
        x = case.input(shape)
        constant = case.net.tensor(other, case.dtype, case.quant(), case.random(other))
        q = case.quant()
        if q is not None:
            pair = case.scale(x), float(case.net.tensors[constant].quantization.scale[0])
            reach = (pair[0] * pair[1] * 10000 if name == "MUL" else 1.4 * max(pair))
            if case.dtype == np.int16 and name == "MUL":
                reach *= 2e4
            q = case.rounded(reach / 100 * case.rng.uniform(30, 200)), q[1]
        y = case.output(shape, q)
        order = case.one_of([x, constant], [constant, x])
        fields = {"potScaleInt16": False} if options in ("Add", "Sub") else {}
        case.net.operator(name, order, [y], options, version=2 if case.dtype != np.int16 else 4,
                          fusedActivationFunction=case.below(0, 3), **fields)
        return case.done(y)
    return make


def maximum(case):
    shape = case.image()
    other = case.one_of(shape, (1, 1, 1, shape[3]), ())
    x = case.input(shape)
    constant = case.net.tensor(other, case.dtype, case.same_quant(), case.random(other))
    y = case.output(shape, case.same_quant())
    case.net.operator("MAXIMUM", [x, constant], [y], "MaximumMinimum", version=4)
    return case.done(y)


def concat(case):
    shape = case.image()
    axis = case.one_of(1, 2, 3, -1)
    other = list(shape)
    other[axis] = case.below(1, 4)
    x = case.input(shape)
    q = case.quant() if case.dtype == np.uint8 and case.below(0, 1) else case.same_quant()
    constant = case.net.tensor(other, case.dtype, q, case.random(other))
    total = list(shape)
    total[axis] += other[axis]
    q = case.quant() if case.dtype == np.uint8 and case.below(0, 1) else case.same_quant()
    y = case.output(total, q)
    case.net.operator("CONCATENATION", [x, constant], [y], "Concatenation", axis=axis, version=3)
    return case.done(y)


def pool(name):
    def make(case):
        shape = case.image(3)
        kernel = case.below(1, 3), case.below(1, 3)
        stride, padding = (case.below(1, 2), case.below(1, 3)), case.one_of(SAME, VALID)
        x = case.input(shape)
        size = [window(case, shape[1 + i], kernel[i], stride[i], 1, padding) for i in range(2)]
        y = case.output((1, *size, shape[3]), case.same_quant())
        case.net.operator(name, [x], [y], "Pool2D", padding=padding, strideH=stride[0],
                          strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1],
                          version=3, fusedActivationFunction=case.below(0, 3))
        return case.done(y)
    return make


def reduction(name):
    def make(case):
        shape = case.image()
        axes = case.one_of([1, 2], [2, 1], [3], [1], [-1, -2], [1, 2, 3])
        keep = case.one_of(True, False)
        x = case.input(shape)
        gone = [a % 4 for a in axes]
        left = [1 if i in gone else n for i, n in enumerate(shape) if keep or i not in gone]
        q = case.same_quant()
        if q is not None and case.below(0, 1):
            q = case.rounded(q[0] * case.rng.uniform(0.3, 3)), case.quant()[1]
        y = case.output(left, q)
        case.net.operator(name, [x, case.net.constant(np.int32(axes))], [y], "Reducer",
                          keepDims=keep, version=2)
        return case.done(y)
    return make


def pad(case):
    shape = case.image()
    amount = np.array([[0, 0], *case.rng.integers(0, 3, (3, 2))], case.one_of(np.int32, np.int64))
    x = case.input(shape)
    y = case.output(amount.sum(1) + shape, case.same_quant())
    inputs = [x, case.net.constant(amount)]
    name = case.one_of("PAD", "PADV2")
    if name == "PADV2":
        inputs.append(case.net.tensor((), case.dtype, case.same_quant(), case.random(())))
    case.net.operator(name, inputs, [y], "Pad" if name == "PAD" else "PadV2", version=2)
    return case.done(y)


def reshape(case):
    shape = case.image()
    x = case.input(shape)
    name = case.one_of("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
    if name == "RESHAPE":
        new = case.one_of((1, int(np.prod(shape))), (1, shape[2], shape[3], shape[1]))
        y = case.output(new, case.same_quant())
        case.net.operator(name, [x, case.net.constant(np.int32(new))], [y], "Reshape",
                          newShape=list(new))
    elif name == "SQUEEZE":
        flat = case.input((1, 1, shape[2], 1, shape[3]))
        y = case.output((1, shape[2], shape[3]), case.same_quant())
        case.net.operator(name, [flat], [y], "Squeeze", squeezeDims=[1, 3])
    else:
        y = case.output((1, shape[1], 1, *shape[2:]), case.same_quant())
        case.net.operator(name, [x, case.net.constant(np.int32([2]))], [y], "ExpandDims")
    return case.done(y)


def transpose(case):
    shape = case.image()
    order = [0, *(case.rng.permutation(3) + 1)]
    x = case.input(shape)
    y = case.output([shape[i] for i in order], case.same_quant())
    case.net.operator("TRANSPOSE", [x, case.net.constant(np.int32(order))], [y], "Transpose",
                      version=4)
    return case.done(y)


FIXED = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0), "float32": None}


def softmax(case):
    q = case.quant(0.01, 0.5)
    x = case.input((1, case.below(1, 5), case.below(1, 20)), q)
    y = case.output(case.net.tensors[x].shape, FIXED[case.dtype.name])
    case.net.operator("SOFTMAX", [x], [y], "Softmax", beta=1.0, version=3)
    return case.done(y)


def logistic(case):
    x = case.input(case.image(), case.quant(0.01, 0.2))
    y = case.output(case.net.tensors[x].shape, FIXED[case.dtype.name])
    case.net.operator("LOGISTIC", [x], [y], version=3)
    return case.done(y)


def relu(case):
    x = case.input(case.image())
    q = case.same_quant()
    if q is not None and case.below(0, 1):
        q = case.rounded(q[0] * case.rng.uniform(0.3, 1.5)), case.quant()[1]
    y = case.output(case.net.tensors[x].shape, q)
    name = case.one_of("RELU", "RELU6", "RELU_N1_TO_1")
    case.net.operator(name, [x], [y], version=1 if name == "RELU_N1_TO_1" else 2)
    return case.done(y)


def convert(case):
    """QUANTIZE and DEQUANTIZE: float to codes, codes to codes, codes to float."""
    shape, kind = case.image(), case.below(0, 2)
    if case.float:
        kind = 0
    codes = case.one_of(np.int8, np.uint8, np.int16) if case.float else case.dtype
    target = Case(case.rng, codes).quant()
    if kind == 0:
        case.first = x = case.net.tensor(shape, np.float32)
        y = case.net.tensor(shape, codes, target)
        case.net.operator("QUANTIZE", [x], [y], "Quantize", version=3)
    elif kind == 1:
        x = case.input(shape)
        y = case.net.tensor(shape, codes, target)
        case.net.operator("QUANTIZE", [x], [y], "Quantize", version=3)
    else:
        x = case.input(shape)
        y = case.net.tensor(shape, np.float32)
        case.net.operator("DEQUANTIZE", [x], [y], "Dequantize", version=3)
    return case.done(y)


def resize(name, options):
    def make(case):
        shape = case.image(2)
        new = case.below(1, 12), case.below(1, 12)
        corners = case.one_of(False, True)
        half = not corners and case.one_of(False, True)
        x = case.input(shape)
        y = case.output((1, *new, shape[3]), case.same_quant())
        case.net.operator(name, [x, case.net.constant(np.int32(new))], [y], options,
                          alignCorners=corners, halfPixelCenters=half, version=4)
        return case.done(y)
    return make


OPERATORS = {
    "conv": conv, "depthwise": depthwise, "dense": dense, "add": binary("ADD", "Add"),
    "sub": binary("SUB", "Sub"), "mul": binary("MUL", "Mul"), "maximum": maximum,
    "concat": concat, "avg_pool": pool("AVERAGE_POOL_2D"), "max_pool": pool("MAX_POOL_2D"),
    "mean": reduction("MEAN"), "sum": reduction("SUM"), "pad": pad, "reshape": reshape,
    "transpose": transpose, "softmax": softmax, "logistic": logistic, "relu": relu,
    "convert": convert, "nearest": resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"),
    "bilinear": resize("RESIZE_BILINEAR", "ResizeBilinear"),
}
TYPES = ("float32", "int8", "int16", "uint8")


def litert(content, images, resolver=OpResolverType.BUILTIN_REF):
    made = Interpreter(model_content=content, num_threads=1,
                       experimental_op_resolver_type=resolver)
    made.allocate_tensors()
    source, sink = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]
    out = []
    for image in images:
        made.set_tensor(source, image[None])
        made.invoke()
        out.append(made.get_tensor(sink)[0].copy())
    return np.stack(out)


def images_for(content, rng):
    detail = Interpreter(model_content=content,
                         experimental_op_resolver_type=OpResolverType.BUILTIN_REF
                         ).get_input_details()[0]
    shape = (IMAGES, *detail["shape"][1:])
    if detail["dtype"] == np.float32:
        return (rng.standard_normal(shape) * 20).astype(np.float32)
    info = np.iinfo(detail["dtype"])
    return rng.integers(info.min, info.max + 1, shape).astype(detail["dtype"])


def run_file(content, rng, folder, resolver, steps):
    """(verdict, text): "ok", "refused" by waio, "litert" refuses it, or "FAILED"."""
    try:
        images = images_for(content, rng)
        want = litert(content, images, resolver)
    except (RuntimeError, ValueError) as error:
        return "litert", str(error).splitlines()[0][:100]
    (folder / "net.tflite").write_bytes(content)
    images.tofile(folder / "in")
    done = subprocess.run([WAIO, "infer", folder / "net.tflite", "--input", folder / "in",
                           "--output", folder / "out", "--backend", "ref", "--batch", "3"],
                          capture_output=True, text=True)
    if done.returncode:
        text = done.stderr.strip().replace(str(folder), "")
        return ("refused" if "waio: " in text or done.returncode == 2 else "FAILED"), text[:260]
    got = np.fromfile(folder / "out", want.dtype)
    if got.size != want.size:
        return "FAILED", f"{got.size} numbers, expected {want.size}"
    got = got.reshape(want.shape)
    if want.dtype == np.float32:
        worst = float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-30))
        return ("ok" if worst <= 1e-4 else "FAILED"), f"{worst:.1e} of the largest output"
    wrong = np.flatnonzero(got != want)
    if wrong.size == 0:
        return "ok", f"{len(np.unique(want))} different codes"
    step = np.abs(got.astype(int) - want.astype(int)).max()
    return "ok" if step <= steps else "FAILED", f"{wrong.size} of {want.size} codes differ, by up to {step}"


def run_operator(operator, dtype, folder):
    counts, told = {}, set()
    for round_ in range(ROUNDS):
        rng = np.random.default_rng([list(OPERATORS).index(operator), TYPES.index(dtype), round_])
        content = OPERATORS[operator](Case(rng, dtype))
        # litert 2.3.0's reference SUM gives wrong sums for int8 and int16. Its other kernel is right
        # but rounds in float; the reference rule is seen with uint8.
        broken = operator == "sum" and dtype in ("int8", "int16")
        resolver = (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if broken
                    else OpResolverType.BUILTIN_REF)
        verdict, text = run_file(content, rng, folder, resolver, 1 if broken else 0)
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict != "ok" and (verdict, text) not in told and len(told) < 4:
            told.add((verdict, text))
            print(f"  {operator} {dtype} round {round_}: {verdict}: {text}")
        if verdict == "FAILED" and KEEP:
            Path(KEEP, f"{operator}_{dtype}_{round_}.tflite").write_bytes(content)
    print(f"{operator} {dtype}: " + ", ".join(f"{n} {v}" for v, n in counts.items()), flush=True)
    return counts


def main():
    wanted = sys.argv[1:]
    failed = refused = compared = 0
    with tempfile.TemporaryDirectory() as folder:
        for operator in OPERATORS:
            for dtype in TYPES:
                if wanted and operator not in wanted and dtype not in wanted:
                    continue
                counts = run_operator(operator, dtype, Path(folder))
                failed += counts.get("FAILED", 0)
                refused += counts.get("refused", 0)
                compared += counts.get("ok", 0)
    print(f"{compared} files equal, {failed} different, {refused} refused by waio")
    sys.exit(1 if failed or not compared else 0)


main()
