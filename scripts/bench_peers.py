#!/usr/bin/env python3
"""Throughput of waio, PyTorch and onnxruntime on the same network, images and cores, in one run.

The network (ResNet-8 of MLPerf Tiny, or a 0.25 MobileNetV1-like one) is built in PyTorch with random
weights, exported to ONNX, and run by all three. Peers get float arrays that lie in memory already
and their best of several batch sizes; waio's figure is its own: bytes to predictions. Rounds are
interleaved, the median counts, so that a drift of the machine meets all alike.

    bench_peers.py --waio build/release/bin/waio [--rounds 5] [--threads 2] [--net resnet8]

What is missing (torch, onnxruntime) is left out and said. waio runs on the shapes data set.
"""
import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parent.parent
BATCHES = (8, 16, 32, 64)


def build_networks():
    """name -> torch module, input 32x32 RGB."""
    import torch
    from torch import nn

    def unit(ic, oc, kernel, stride=1, groups=1, act=True):
        layers = [nn.Conv2d(ic, oc, kernel, stride, kernel // 2, groups=groups, bias=False),
                  nn.BatchNorm2d(oc)]
        return nn.Sequential(*layers, *([nn.ReLU()] if act else []))

    class Block(nn.Module):
        def __init__(self, ic, oc, stride):
            super().__init__()
            self.body = nn.Sequential(unit(ic, oc, 3, stride), unit(oc, oc, 3, act=False))
            self.skip = nn.Identity() if ic == oc else nn.Conv2d(ic, oc, 1, stride)

        def forward(self, x):
            return torch.relu(self.body(x) + self.skip(x))

    def head(channels):
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10), nn.Softmax(1)]

    resnet8 = nn.Sequential(unit(3, 16, 3), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
                            *head(64))
    plan = [(16, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
    layers = [unit(3, 16, 3)]
    for ic, oc, stride in plan:
        layers += [unit(ic, ic, 3, stride, groups=ic), unit(ic, oc, 1)]
    mobilenet = nn.Sequential(*layers, *head(128))
    return {"resnet8": resnet8.eval(), "mobilenet": mobilenet.eval()}


def images_per_second(run, images, batch):
    """`run` takes (batch, 3, 32, 32) float32."""
    count = len(images) // batch * batch
    run(images[:batch])
    start = time.perf_counter()
    for i in range(0, count, batch):
        run(images[i:i + batch])
    return count / (time.perf_counter() - start)


def torch_runners(module, threads):
    """Eager, frozen TorchScript, and eager with fake-quantized W8A8."""
    import torch

    torch.set_num_threads(threads)

    def runner(net):
        def run(x):
            with torch.inference_mode():
                return net(torch.from_numpy(x))
        return run

    def fake_quantized(net):
        import copy
        net = copy.deepcopy(net)

        def quantize_output(_module, _args, out):
            return torch.fake_quantize_per_tensor_affine(out, 0.05, 0, -128, 127)

        for m in net.modules():
            if isinstance(m, (torch.nn.ReLU, torch.nn.Linear, torch.nn.AdaptiveAvgPool2d)):
                m.register_forward_hook(quantize_output)
        return net

    example = torch.zeros(1, 3, 32, 32)
    with torch.inference_mode():
        frozen = torch.jit.freeze(torch.jit.trace(module, example))
        frozen = torch.jit.optimize_for_inference(frozen)
    return {"torch eager": runner(module), "torch frozen": runner(frozen),
            "torch fake-quant W8A8": runner(fake_quantized(module))}


def ort_runner(path, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})


def waio_rate(waio, model, threads, bits):
    """images/s that waio prints for one configuration on the shapes test set."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "bench.yaml"
        lists = ", ".join(f"{axis}: [{bits}]" for axis in "WAIO")
        # The first quantized pass also calibrates; the row that counts comes behind it.
        suite.write_text(f"name: bench\nmodels: [{model}]\ndatasets: [shapes]\n"
                         f"calibration: {{images: 256}}\nprecision: {{{lists}}}\n"
                         if bits == 32 else
                         f"name: bench\nmodels: [{model}]\ndatasets: [shapes]\n"
                         f"precision: {{W: [{bits}], A: [16, {bits}], I: [32], O: [32]}}\n")
        out = Path(folder) / "bench.csv"
        subprocess.run([waio, "run", str(suite), "--out", str(out), "--threads", str(threads),
                        "--quiet"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with out.open() as f:
            return float(list(csv.DictReader(f))[-1]["images_per_s"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waio", default=str(SOURCE / "build/release/bin/waio"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--net", choices=["resnet8", "mobilenet"], default="resnet8")
    parser.add_argument("--images", type=int, default=2000)
    args = parser.parse_args()

    try:
        import torch
    except ImportError:
        sys.exit("bench_peers.py: torch is needed to build and export the network")
    torch.manual_seed(1)
    module = build_networks()[args.net]
    images = np.random.default_rng(1).random((args.images, 3, 32, 32), dtype=np.float32) * 255

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{args.net}.onnx"
        torch.onnx.export(module, torch.zeros(1, 3, 32, 32), str(path), input_names=["x"],
                          dynamic_axes={"x": {0: "n"}}, opset_version=13)
        peers = torch_runners(module, args.threads)
        try:
            peers["onnxruntime"] = ort_runner(path, args.threads)
        except ImportError:
            print("onnxruntime is not installed: left out")
        rates = {name: [] for name in ["waio float", "waio fake-quant W8A8", *peers]}
        best = {name: max(BATCHES, key=lambda b: images_per_second(run, images, b))
                for name, run in peers.items()}
        for _ in range(args.rounds):
            rates["waio float"].append(waio_rate(args.waio, path, args.threads, 32))
            rates["waio fake-quant W8A8"].append(waio_rate(args.waio, path, args.threads, 8))
            for name, run in peers.items():
                rates[name].append(images_per_second(run, images, best[name]))

    base = statistics.median(rates["waio float"])
    print(f"{args.net}, {args.threads} threads, {args.rounds} rounds, torch {torch.__version__}")
    print(f"{'':24} {'images/s':>10} {'min':>10} {'max':>10} {'to waio float':>14}  batch")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:24} {median:10.0f} {min(values):10.0f} {max(values):10.0f} "
              f"{median / base:14.2f}  {best.get(name, 'auto')}")


if __name__ == "__main__":
    main()
