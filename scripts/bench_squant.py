#!/usr/bin/env python3
"""Times SQuant's rounding of all weights of a ResNet-50, ours and, beside it, that of the method's
authors.

    scripts/bench_squant.py build/release [--bits 4] [--threads 2] [--runs 5]
    scripts/bench_squant.py build/release --peer DIR [--peer-runs 1]

DIR is a checkout of the authors' program (github.com/clevercool/SQuant, commit 9cc77fc or later; GPL,
none of it is in this project). Its PyTorch path is run as it is, on the CPU; its CUDA extension needs a
GPU. Both round the same weights, drawn as networks are initialized (normal, deviation sqrt(2 / fan in),
seed 1), or those of an .npz of arrays OIHW and OI (--weights FILE).

Prints medians of wall and processor seconds and how many weights the two round to other codes. The peer
sums errors in float32, we exactly: where a sum is a tie the number of flips may differ by one.
Needs numpy, and torch for the peer."""
import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def resnet50():
    """Shapes of its 53 convolutions and the classifier, (out, in, height, width)."""
    shapes, channels = [(64, 3, 7, 7)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            if block == 0:
                shapes.append((4 * width, channels, 1, 1))
            channels = 4 * width
    return shapes + [(1000, channels)]


def random_weights():
    rng = np.random.default_rng(1)
    return [rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
            for shape in resnet50()]


def ours(build, weights, args):
    """Values of every layer, and (wall, processor) seconds of every run."""
    values = []
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/weights", "wb") as file:
            np.int64(len(weights)).tofile(file)
            for w in weights:
                flat = w.reshape(*w.shape[:2], -1)
                np.array([flat.shape[0], flat.shape[2], flat.shape[1]], np.int64).tofile(file)
                flat.transpose(0, 2, 1).tofile(file)
        out = subprocess.run([f"{build}/bin/bench_squant", f"{folder}/weights", f"{folder}/values",
                              str(args.bits), str(args.threads), str(args.runs)],
                             check=True, capture_output=True, text=True).stdout
        with open(f"{folder}/values", "rb") as file:
            for w in weights:
                flat = w.reshape(*w.shape[:2], -1)
                turned = np.fromfile(file, np.float32, w.size).reshape(
                    flat.shape[0], flat.shape[2], flat.shape[1])
                values.append(turned.transpose(0, 2, 1).reshape(w.shape))
    return values, [tuple(map(float, line.split())) for line in out.splitlines()]


def theirs(folder, weights, args):
    sys.path.insert(0, folder)
    import torch
    from quant_modules import Quantizer
    torch.set_num_threads(args.threads)
    options = argparse.Namespace(percent=100, sigma=0, constraint_radius=1.0, packed_element=1)
    runs, values = [], []
    for _ in range(args.peer_runs):
        values, start, own = [], time.perf_counter(), time.process_time()
        for w in weights:
            quantizer = Quantizer(mode="squant", bit=args.bits, is_signed=True, is_enable=True,
                                  args=options)
            quantizer._init_quant_para(torch.from_numpy(w))
            values.append(quantizer.quant_weight_tensor)
        runs.append((time.perf_counter() - start, time.process_time() - own))
    return [v.numpy() for v in values], runs


def report(name, runs, count):
    wall, own = (statistics.median(r[k] for r in runs) for k in (0, 1))
    print(f"{name}: {wall:.3f} s, {own:.3f} s of processor time for {count / 1e6:.1f} million weights "
          f"(medians of {len(runs)})", flush=True)
    return wall, own


def compare(a, b, weights, bits):
    """Weights that have other codes, and those in layers where no sum was a tie."""
    differ = layers = 0
    for x, y, w in zip(a, b, weights):
        flat = w.reshape(len(w), -1)
        step = (flat.max(1) - flat.min(1)) / (2 ** bits - 1)
        other = (np.abs(x - y).reshape(len(w), -1) > step[:, None] / 2).sum()
        differ, layers = differ + other, layers + (other > 0)
    total = sum(w.size for w in weights)
    print(f"other codes: {differ} of {total} weights ({100 * differ / total:.5f} %), in {layers} of "
          f"{len(weights)} layers")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", metavar="DIR")
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--weights", metavar="FILE.npz")
    args = parser.parse_args()
    if not Path(args.build, "bin/bench_squant").is_file():
        sys.exit(f"{args.build}: no bin/bench_squant (build the tests)")
    if args.weights:
        with np.load(args.weights) as file:
            weights = [np.ascontiguousarray(file[k], np.float32) for k in file]
    else:
        weights = random_weights()
    count = sum(w.size for w in weights)
    mine, runs = ours(args.build, weights, args)
    fast = report(f"waio, {args.bits} bits, {args.threads} threads", runs, count)
    if args.peer:
        other, runs = theirs(args.peer, weights, args)
        slow = report(f"SQuant's PyTorch path, {args.bits} bits, {args.threads} threads", runs, count)
        print(f"ratio: {slow[0] / fast[0]:.0f} in time, {slow[1] / fast[1]:.0f} in processor time")
        compare(mine, other, weights, args.bits)


if __name__ == "__main__":
    main()
