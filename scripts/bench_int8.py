#!/usr/bin/env python3
"""Throughput of an 8-bit network in waio, TensorFlow Lite (XNNPACK) and onnxruntime, in one run.

    bench_int8.py NET_int8.tflite NET_float.tflite [more pairs] [--waio PATH] [--rounds 5] [--threads 2]

Both files of a pair are the same network. waio runs both (`waio bench`). TensorFlow Lite runs the
8-bit one. onnxruntime runs a QDQ model that its own quantizer makes of the float one (u8 activations,
s8 weights per channel), and the 8-bit file as tf2onnx converts it. A peer gets its best of several
batch sizes, as one interpreter with all threads or as one per thread, whichever is faster; inputs
lie in memory already. Rounds are interleaved and the median counts, so that a drift of the machine meets
all alike; images per second of processor time are given as well, for machines that others use, too (there
the time that a peer's idle threads spin counts). A peer that is not installed, or refuses the network, is left out and said.
"""
import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parent.parent
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def random_input(shape, dtype):
    rng = np.random.default_rng(1)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return rng.random(shape, dtype=np.float32)


def rate_of(runners, batch, seconds):
    """Images a second, and a second of processor time, of runners side by side, each a function that
    runs one batch."""
    counts, images = [0.0] * len(runners), [0] * len(runners)
    for run in runners:
        run()

    def work(i):
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            runners[i]()
            images[i] += batch
        counts[i] = images[i] / (time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(runners))]
    start = time.process_time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(counts), sum(images) / (time.process_time() - start)


# ---- peers: a function (batch, threads) -> runner -------------------------------------------------

def tflite_maker(path):
    from ai_edge_litert.interpreter import Interpreter

    def make(batch, threads):
        interpreter = Interpreter(str(path), num_threads=threads)
        detail = interpreter.get_input_details()[0]
        shape = [batch, *detail["shape"][1:]]
        interpreter.resize_tensor_input(detail["index"], shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(detail["index"], random_input(shape, detail["dtype"]))
        return interpreter.invoke
    return make


def free_batch(model):
    """Lets an ONNX model of batch 1 run any batch."""
    import onnx
    from onnx import numpy_helper

    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]
    shapes = {n.input[1] for n in model.graph.node if n.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            numbers = numpy_helper.to_array(tensor).copy()
            if numbers[0] == 1 and -1 not in numbers[1:]:
                numbers[0] = -1
                tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    return onnx.shape_inference.infer_shapes(model)


def ort_convert(path, folder):
    import onnx

    out = Path(folder) / (path.stem + ".onnx")
    subprocess.run([sys.executable, "-m", "tf2onnx.convert", "--tflite", str(path), "--output",
                    str(out), "--opset", "13"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    onnx.save(free_batch(onnx.load(str(out))), str(out))
    return out


def ort_quantize(path, folder):
    """The QDQ model that onnxruntime makes of a float one."""
    from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                          quantize_static)
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    value = session.get_inputs()[0]

    class Noise(CalibrationDataReader):
        def __init__(self):
            self.rest = 4

        def get_next(self):
            self.rest -= 1
            x = random_input([4, *value.shape[1:]], np.float32)
            return {value.name: x} if self.rest >= 0 else None

    out = Path(folder) / (path.stem + ".qdq.onnx")
    quantize_static(str(path), str(out), Noise(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return out


def ort_maker(path):
    import onnxruntime as ort

    def make(batch, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        value = session.get_inputs()[0]
        dtype = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8}.get(value.type, np.float32)
        x = {value.name: random_input([batch, *value.shape[1:]], dtype)}
        return lambda: session.run(None, x)
    return make


def best_way(make, threads):
    """(rate, batch, interpreters) of the fastest way; each is tried for a moment."""
    best = (0.0, 0, 0)
    for batch in BATCHES:
        for interpreters in sorted({1, threads}):
            runners = [make(batch, threads // interpreters) for _ in range(interpreters)]
            best = max(best, (rate_of(runners, batch, 0.3)[0], batch, interpreters))
    return best


def find_peers(int8, float32, folder):
    """name -> maker of those that can be had."""
    wanted = {"tflite int8 (XNNPACK)": lambda: tflite_maker(int8),
              "onnxruntime QDQ": lambda: ort_maker(ort_quantize(ort_convert(float32, folder),
                                                                folder)),
              "onnxruntime of the int8 file": lambda: ort_maker(ort_convert(int8, folder)),
              "tflite float (XNNPACK)": lambda: tflite_maker(float32)}
    found = {}
    for name, get in wanted.items():
        try:
            maker = get()
            maker(2, 1)()
            found[name] = maker
        except Exception as error:  # whatever a peer may throw: it is left out, and said
            print(f"{name}: left out: {str(error).splitlines()[0][:100]}")
    return found


# ---- waio -----------------------------------------------------------------------------------------

def waio_rate(waio, path, batch, threads, seconds=1):
    out = subprocess.run([waio, "bench", str(path), "--batch", str(batch), "--threads",
                          str(threads), "--seconds", str(seconds)], check=True,
                         capture_output=True, text=True).stdout
    found = re.search(r": ([\d.]+) images/s .*, ([\d.]+) a second of processor time", out)
    return float(found.group(1)), float(found.group(2))


def measure(int8, float32, args):
    with tempfile.TemporaryDirectory() as folder:
        peers = find_peers(int8, float32, folder)
        files = {"waio int8": int8, "waio float": float32}
        batch = {n: max(BATCHES, key=lambda b: waio_rate(args.waio, f, b, args.threads)[1])
                 for n, f in files.items()}
        way = {n: best_way(make, args.threads) for n, make in peers.items()}
        rates = {n: [] for n in [*files, *peers]}
        for _ in range(args.rounds):
            for n, f in files.items():
                rates[n].append(waio_rate(args.waio, f, batch[n], args.threads))
            for n, make in peers.items():
                _, size, interpreters = way[n]
                runners = [make(size, args.threads // interpreters) for _ in range(interpreters)]
                rates[n].append(rate_of(runners, size, 1))
    report(int8, args, rates, {**batch, **{n: f"{w[1]} in {w[2]}" for n, w in way.items()}})


def report(int8, args, rates, batch):
    def middle(name, which):
        return statistics.median(r[which] for r in rates[name])

    print(f"\n{int8.name}, {args.threads} threads, {args.rounds} rounds; waio int8 is so many times as fast")
    print(f"{'':30} {'images/s':>9} {'min':>8} {'max':>8} {'times':>7} {'CPU time':>9} {'times':>7}  batch")
    for n, values in rates.items():
        wall = [v[0] for v in values]
        print(f"{n:30} {middle(n, 0):9.0f} {min(wall):8.0f} {max(wall):8.0f} "
              f"{middle('waio int8', 0) / middle(n, 0):6.2f}x {middle(n, 1):9.0f} "
              f"{middle('waio int8', 1) / middle(n, 1):6.2f}x  {batch[n]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="+", type=Path, help="pairs: 8-bit .tflite, float .tflite")
    parser.add_argument("--waio", default=str(SOURCE / "build/release/bin/waio"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if len(args.file) % 2:
        parser.error("files come in pairs: 8 bits, float")
    for i in range(0, len(args.file), 2):
        measure(args.file[i], args.file[i + 1], args)


if __name__ == "__main__":
    main()
