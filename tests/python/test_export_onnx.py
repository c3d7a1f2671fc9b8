"""ONNX files that waio writes, in onnxruntime: every op in float and on codes, random quantized
networks, and the embedded networks over their test images, beside what waio's reference gives.
`test_onnx_write FOLDER` of the build makes them all.

Environment: WAIO_BUILD, the build's folder. Arguments: parts of the names of cases to run (all).
Exit status 77: skipped, the reason is printed.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
except Exception as e:  # a broken installation raises more than ImportError
    print(f"skipped: {e}")
    sys.exit(77)

# Another order of float32 sums, relative to the largest |number| of the output.
FLOAT_SHARE = 1e-5
# Largest difference in codes. onnxruntime rounds ties to even and requantizes in float32; waio's
# bilinear positions of codes are off by some 1/1024 of a cell, of which neighbours may be 2^16 apart;
# a code of 4 bits that is one off is 16 steps of an output of 8 bits.
MOST_OFF = {"codes": 1, "resized": 256, "quantized": 16}
# Share of the images that must get the same class.
SAME_TOP1 = 0.999

failures = []
totals = {}  # kind: [cases, numbers, numbers that differ, largest difference]


def session_of(path, optimized=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(path, batch, optimized=True):
    session = session_of(path, optimized)
    feed, out = session.get_inputs()[0], session.get_outputs()[0]
    dtype = {"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(int16)": np.int16}
    x = np.fromfile(path[:-5] + ".in", dtype[feed.type]).reshape(batch, *feed.shape[1:])
    want = np.fromfile(path[:-5] + ".out", dtype[out.type]).reshape(batch, *out.shape[1:])
    got = session.run([out.name], {feed.name: x})[0]
    if got.shape != want.shape or got.dtype != want.dtype:
        raise ValueError(f"gives {got.dtype} {got.shape}, expected {want.dtype} {want.shape}")
    return got.astype(np.float64), want.astype(np.float64), got.dtype == np.float32


def note(kind, numbers, differ, worst):
    total = totals.setdefault(kind, [0, 0, 0, 0.0])
    total[0] += 1
    total[1] += numbers
    total[2] += differ
    total[3] = max(total[3], worst)


def compare(name, kind, got, want, step, numbers):
    """The difference in codes, or relative to the largest number; images by their best class."""
    if kind == "images":
        same = np.mean(got.argmax(1) == want.argmax(1))
        off = np.abs(got - want) / (step or np.abs(want).max())
        differ = int((off > (0.5 if step else FLOAT_SHARE)).sum())
        print(f"{name}: same class {100 * same:.2f} %, {differ} of {off.size} scores differ, "
              f"by up to {off.max():.3g}")
        note(kind, len(got), int((got.argmax(1) != want.argmax(1)).sum()), off.max())
        if same < SAME_TOP1:
            failures.append(f"{name}: the same class for {100 * same:.2f} % of the images only")
        return
    if step and numbers:
        got, want = got / step, want / step
    if step:
        off, limit = np.abs(got - want), MOST_OFF[kind]
        differ = int((off > 0.5).sum())
    else:
        off, limit = np.abs(got - want) / max(np.abs(want).max(), 1e-30), FLOAT_SHARE
        differ = int((off > 0).sum())
    note(kind if step or kind == "float" else "float tail", off.size, differ, off.max())
    if not off.max() <= limit + 1e-3 * bool(step):
        failures.append(f"{name}: {differ} of {off.size} differ, by up to {off.max():.3g}")


def check(folder, line):
    name, kind, batch, step = line.split()
    path = os.path.join(folder, name + ".onnx")
    try:
        onnx.checker.check_model(path, full_check=True)
        for optimized in (True, False):
            if optimized or kind != "images":
                got, want, numbers = run(path, int(batch), optimized)
                compare(name, kind, got, want, float(step), numbers)
    except Exception as e:
        failures.append(f"{name}: {str(e)[:300]}")


def main():
    build = os.environ.get("WAIO_BUILD")
    if not build:
        print("skipped: WAIO_BUILD is not set")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([os.path.join(build, "bin", "test_onnx_write"), folder])
        if made.returncode:
            return made.returncode
        with open(os.path.join(folder, "cases.txt"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        for line in lines:
            if len(sys.argv) < 2 or any(part in line.split()[0] for part in sys.argv[1:]):
                check(folder, line)
    for kind, (cases, numbers, differ, worst) in totals.items():
        print(f"{kind:10} {cases} runs, {differ} of {numbers} differ, by up to {worst:.3g}")
    for failure in failures:
        print(failure)
    print(f"{len(lines)} files, {len(failures)} failures")
    return 1 if failures or not totals else 0


if __name__ == "__main__":
    sys.exit(main())
