#!/usr/bin/env python3
"""Throughput of the networks that waio builds, at full size, float and 8-bit, beside onnxruntime's.

    bench_networks.py [NETWORK ...] [--waio PATH] [--rounds 5] [--threads 2] [--seconds 2] [--batches 1,4,8]

Each network is written by waio as float ONNX, given random weights under which no layer vanishes, and
then run five ways: waio float and the onnxruntime float on that file; waio integer on the W8A8 .tflite that waio makes
of it; onnxruntime on the QDQ model that its own quantizer makes of it (u8 activations, s8 weights
per channel); waio's simulation of W8A8 (`waio run` on the shapes as photographs). Inputs lie in memory,
but for the simulation, whose figure is that of its row. Everyone gets its best batch size, and
onnxruntime one session with all threads or one session a thread, whichever is faster. Rounds are interleaved and medians count. The
right half is images a second of processor time, for machines that others use too; there onnxruntime
gets its best way by that measure, since idle threads of one session spin.
"""
import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench_int8 import free_batch, ort_maker, ort_quantize, rate_of, waio_rate

SOURCE = Path(__file__).resolve().parent.parent
# Name, of waio: classes as the data set of the simulation has them.
NETWORKS = ["mobilenet_v1:classes=10", "mobilenet_v2:classes=10", "resnet50:classes=10",
            "inception_v3:classes=10", "ssd_mobilenet_v2:input=300:classes=10"]
PROBE_SECONDS = 0.5


def waio(args, *arguments):
    done = subprocess.run([args.waio, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"waio {arguments[0]}: exit {done.returncode}: {done.stderr.strip()}")


def enliven(path):
    """Random weights, so large that values neither vanish nor saturate; any batch."""
    import onnx
    from onnx import numpy_helper

    rng = np.random.default_rng(5)
    model = onnx.load(path)
    constants = {c.name: c for c in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        for i, name in enumerate(node.input[1:]):
            shape = tuple(constants[name].dims)
            fan = shape[0] if node.op_type == "MatMul" else int(np.prod(shape[1:]))
            value = rng.normal(0.1, 0.1, shape) if i else rng.normal(0, 1.4 / fan ** 0.5, shape)
            constants[name].CopyFrom(numpy_helper.from_array(value.astype("float32"), name))
    onnx.save(free_batch(model), path)


def make_files(network, folder, args):
    """The float .onnx, the 8-bit .tflite, the QDQ .onnx."""
    shapes = "shapes_voc" if network.startswith("ssd") else "shapes_pets"
    one, path, codes = (Path(folder) / n for n in ("one.onnx", "net.onnx", "net.tflite"))
    waio(args, "quantize", network, "w=32", "a=32", "i=32", "o=32", "-o", one)
    path.write_bytes(one.read_bytes())
    enliven(path)
    waio(args, "quantize", f"{network}:weights={path}", f"data={shapes}", "pre=tf", "calib=32",
         "-o", codes, "--quiet")
    return path, codes, ort_quantize(path, folder)


def simulate_rate(network, path, folder, args, images=32):
    """images/s of the second of two rows: the first one also calibrates."""
    shapes = "shapes_voc" if network.startswith("ssd") else "shapes_pets"
    suite, out = Path(folder) / "simulate.yaml", Path(folder) / "simulate.csv"
    out.unlink(missing_ok=True)
    suite.write_text(f"name: simulate\nmodels: [\"{network}:weights={path}\"]\n"
                     f"datasets: [{shapes}]\npreprocess: tf\nimages: {images}\n"
                     "calibration: {images: 8}\n"
                     "precision: {W: [8], A: [16, 8], I: [8], O: [8]}\n")
    waio(args, "run", suite, "--out", out, "--threads", args.threads, "--quiet")
    with out.open() as f:
        return float(list(csv.DictReader(f))[-1]["images_per_s"])


def runners_of(make, way, threads):
    batch, sessions = way
    return [make(batch, threads // sessions) for _ in range(sessions)], batch


def best_ways(make, args):
    """(batch, sessions): the best by the clock and by processor time."""
    found = {}
    for batch in args.batches:
        for sessions in sorted({1, args.threads}):
            way = (batch, sessions)
            found[way] = rate_of(*runners_of(make, way, args.threads), PROBE_SECONDS)
    return [max(found, key=lambda way: found[way][i]) for i in range(2)]


def measure(network, args):
    with tempfile.TemporaryDirectory() as folder:
        path, codes, qdq = make_files(network, folder, args)
        files = {"waio float": path, "waio W8A8 integer": codes}
        batch = {n: max(args.batches, key=lambda b: waio_rate(args.waio, f, b, args.threads)[1])
                 for n, f in files.items()}
        peers = {"onnxruntime float": ort_maker(path), "onnxruntime QDQ int8": ort_maker(qdq)}
        ways = {n: best_ways(make, args) for n, make in peers.items()}
        rates = {n: [] for n in [*files, "waio W8A8 simulate", *peers]}
        for _ in range(args.rounds):
            for n, f in files.items():
                rates[n].append(waio_rate(args.waio, f, batch[n], args.threads, args.seconds))
            rates["waio W8A8 simulate"].append((simulate_rate(network, path, folder, args), None))
            for n, make in peers.items():
                clock, own = (rate_of(*runners_of(make, way, args.threads), args.seconds)
                              for way in ways[n])
                rates[n].append((max(clock[0], own[0]), max(clock[1], own[1])))
    report(network, args, rates, {**batch, **ways})


def report(network, args, rates, batch):
    print(f"\n{network}, {args.threads} threads, {args.rounds} rounds; (batch, sessions)")
    print(f"{'':22} {'images/s':>9} {'min':>8} {'max':>8} {'of CPU time':>12} {'min':>8} {'max':>8}"
          "  batch")
    for n, values in rates.items():
        line = f"{n:22}"
        for i, width in ((0, 9), (1, 12)):
            numbers = [v[i] for v in values if v[i] is not None]
            line += f" {statistics.median(numbers):{width}.1f} {min(numbers):8.1f} {max(numbers):8.1f}" \
                if numbers else f" {'':{width}} {'':8} {'':8}"
        print(f"{line}  {batch.get(n, 'auto')}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="*", default=NETWORKS, help=f"[{' '.join(NETWORKS)}]")
    parser.add_argument("--waio", default=str(SOURCE / "build/release/bin/waio"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=2, help="of every measurement [2]")
    parser.add_argument("--batches", type=lambda t: [int(b) for b in t.split(",")],
                        default=[1, 4, 8], help="sizes to choose from [1,4,8]")
    args = parser.parse_args()
    for name in ("onnx", "onnxruntime"):
        try:
            __import__(name)
        except ImportError:
            sys.exit(f"bench_networks.py: the Python package {name} is needed")
    for network in args.network:
        measure(network, args)


if __name__ == "__main__":
    main()
