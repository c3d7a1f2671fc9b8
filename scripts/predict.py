#!/usr/bin/env python3
"""Predicts, on paper, how long the CUDA kernels take on a GeForce RTX 3080, and prints
docs/performance_prediction.md:

    scripts/predict.py build/ci > docs/performance_prediction.md

Instructions are counted in the machine code that nvcc made for sm_86 (objects of that build, which
must hold uncompressed device code); shapes are those that `waio show` prints. No GPU is asked. The text
that it prints says what is counted, what is assumed, and what replaces it by a measurement.
"""
import argparse
import math
import re
import struct
import subprocess
import sys
from pathlib import Path

# ---- the card ----
NAME, ARCH, SMS, CLOCK, BANDWIDTH = "GeForce RTX 3080", 86, 68, 1.71e9, 760e9
QUARTERS = 4                # schedulers of a multiprocessor: one instruction a clock each
IMMA_CLOCKS = 16            # 16x8x32: 4,096 products, 256 a quarter and clock (238 TOP/s)
SHARED_BYTES = 128          # of shared memory a multiprocessor and clock
REGISTERS, SHARED, WARPS = 65536, 100 << 10, 48  # of a multiprocessor
# ---- assumed, not counted ----
L2_RATE = 2.0e12            # bytes a second from L2, all multiprocessors (recalled)
DRAM_SHARE = 0.92           # of the bandwidth that a copy reaches (recalled)
START_CLOCKS = 1500         # before a block's first products: indices, the first bytes
GAP = 2e-6                  # seconds between two kernels of a stream

TENSOR_RATE = 2 * 256 * QUARTERS * SMS * CLOCK
ISSUE_RATE = 32 * QUARTERS * SMS * CLOCK  # instructions of one lane


# ---- machine code ----

class Kernel:
    """Instructions of one kernel: all, and those of its longest loop."""

    def __init__(self, name, code, registers):
        self.name, self.registers = name, registers
        self.words = list(struct.iter_unpack("<QQ", code))
        self.total = len(self.words)
        loops = []
        for at, (low, high) in enumerate(self.words):
            if low & 0xFFF != 0x947:  # BRA; its target lies a signed number of bytes behind it
                continue
            offset = low >> 32 | (high & 0x3FFFF) << 32
            offset -= (offset >> 49) << 50
            target = at + 1 + offset // 16
            if target < at:  # `BRA .` behind the end is none
                loops.append((target, at + 1))
        self.loop = max(loops, key=lambda l: (self.count(0x237, l), l[1] - l[0]), default=(0, 0))

    def count(self, opcode, span=None):
        first, end = span or (0, self.total)
        return sum(low & 0xFFF == opcode for low, _ in self.words[first:end])

    def loop_length(self):
        return self.loop[1] - self.loop[0]

    def behind(self):
        """Instructions behind the loop; the padding at the end does not count."""
        end = max(i for i, (low, _) in enumerate(self.words) if low & 0xFFF == 0x94D) + 1  # EXIT
        return max(end - self.loop[1], 0)


def kernels_of(path):
    data, at = path.read_bytes(), 0
    while (at := data.find(b"\x7fELF", at)) >= 0:
        cubin = data[at:]
        at += 4
        if struct.unpack_from("<H", cubin, 18)[0] != 190:
            continue
        if struct.unpack_from("<I", cubin, 0x30)[0] >> 8 & 0xFF != ARCH:
            continue
        table = struct.unpack_from("<Q", cubin, 0x28)[0]
        count, names = struct.unpack_from("<HH", cubin, 0x3C)
        sections = [struct.unpack_from("<IIQQQQIIQQ", cubin, table + 64 * i) for i in range(count)]
        start = sections[names][4]
        info = {}
        for s in sections:
            name = cubin[start + s[0]:cubin.index(b"\0", start + s[0])].decode()
            if name == ".nv.info":
                info = register_counts(cubin[s[4]:s[4] + s[5]])
            if name.startswith(".text."):
                registers = s[7] >> 24 or info.get(s[7] & 0xFFFFFF, 0)
                yield Kernel(name[6:], cubin[s[4]:s[4] + s[5]], registers)


def register_counts(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        at += 4
        if kind & 0xFF != 4:
            continue
        if kind == 0x2F04 and size == 8:
            symbol, registers = struct.unpack_from("<II", data, at)
            found[symbol] = registers
        at += size
    return found


class Code:
    """The kernels of a build by parts of their names."""

    def __init__(self, build):
        folder = build / "CMakeFiles" / "waio_kernels.dir" / "kernels"
        self.files = {p.name: list(kernels_of(p)) for p in sorted(folder.glob("*.cu.o"))}
        if not any(self.files.values()):
            sys.exit(f"{folder}: no kernels for sm_{ARCH}; build with the CUDA toolkit first")

    def find(self, file, *parts):
        found = [k for k in self.files[file + ".cu.o"] if all(p in k.name for p in parts)]
        if len(found) != 1:
            sys.exit(f"{file}: {len(found)} kernels with {parts} in their name, expected one")
        return found[0]


# ---- matrix products ----

TILES = {"64x64": (64, 64, 4), "128x128": (128, 128, 8), "256x128": (256, 128, 8)}  # warps


def tile_kernel(code, tile, image):
    rows, columns, _ = TILES[tile]
    return code.find("conv2d_qs8" if image else "gemm_qs8", f"waio_tileILi{rows}ELi{columns}E",
                     "ELb1ELb1E", "waio_image_source" if image else "waio_matrix_source",
                     "qs8ILb0E")


def resident(kernel, tile):
    """Blocks that a multiprocessor holds."""
    rows, columns, warps = TILES[tile]
    shared = 3 * 64 * (rows + columns) + 1024
    registers = math.ceil(kernel.registers / 8) * 8 * 32 * warps
    return min(SHARED // shared, REGISTERS // registers, WARPS // warps)


def k_tile_clocks(kernel, tile):
    """Clocks of a multiprocessor per block and 64 bytes of k, by what is counted."""
    rows, columns, warps = TILES[tile]
    loop = kernel.loop
    return {
        "tensor": kernel.count(0x237, loop) * warps / QUARTERS * IMMA_CLOCKS,
        "issue": kernel.loop_length() * warps / QUARTERS,
        "shared": (kernel.count(0x83B, loop) + kernel.count(0xFAE, loop)) * warps * 512 / SHARED_BYTES,
        "L2": 64 * (rows + columns) / (L2_RATE / SMS / CLOCK),
    }


def product_seconds(code, rows, columns, chunks, tile, image):
    """Waves of blocks, each its k-tiles at what takes longest, its start and its epilogue."""
    kernel = tile_kernel(code, tile, image)
    tile_rows, tile_columns, warps = TILES[tile]
    blocks = math.ceil(rows / tile_rows) * math.ceil(columns / tile_columns)
    together = resident(kernel, tile)
    step = max(k_tile_clocks(kernel, tile).values())
    k_tiles = math.ceil(chunks / 4)
    epilogue = kernel.behind() * warps / QUARTERS

    def wave(count):
        return START_CLOCKS + count * (k_tiles * step + epilogue) if count else 0

    full, rest = divmod(blocks, SMS * together)
    return (full * wave(together) + wave(math.ceil(rest / SMS))) / CLOCK


def choose_tile(rows, columns):
    """As waio_cuda_choose_tile (kernels/gemm_qs8.cu)."""
    def time(r, c, together, cost):
        blocks = math.ceil(rows / r) * math.ceil(columns / c)
        return math.ceil(blocks / (SMS * together)) * together * r * c * cost
    small, middle, large = time(64, 64, 2, 1300), time(128, 128, 1, 1050), time(256, 128, 1, 1000)
    if large < middle and large < small:
        return "256x128"
    return "128x128" if middle < small else "64x64"


# ---- networks ----

LINE = re.compile(r"^ *(\d+|-)  (\S+) +(\S+) +(.*?) {2,}(\d+(?:x\d+)*) +\d+ +(\d+)$")


def layers_of(waio, network):
    text = subprocess.run([waio, "show", *network], check=True, capture_output=True, text=True).stdout
    layers, before = [], None
    for line in text.splitlines():
        m = LINE.match(line)
        if not m:
            continue
        number, name, op, detail, shape, macs = m.groups()
        dims = [int(d) for d in shape.split("x")]
        layers.append({"name": name, "op": op, "detail": detail, "shape": dims, "macs": int(macs),
                       "before": before})
        before = dims
    if len(layers) < 10:
        sys.exit(f"waio show {network[0]}: {len(layers)} layers understood")
    return layers


def predict_layer(code, layer, batch):
    """(kernel, what bounds it, its seconds, least seconds by memory) for one batch."""
    shape, op = layer["shape"], layer["op"]
    out = math.prod(shape)
    if op in ("conv2d", "dense"):
        return predict_weighted(code, layer, batch)
    moved = {"add": 3 * out, "softmax": 2 * out, "reshape": 2 * out, "mean": out,
             "max_pool": out, "pad": out}.get(op, 2 * out)
    if op in ("mean", "max_pool", "pad"):
        moved += math.prod(layer["before"])
    memory = batch * moved / (BANDWIDTH * DRAM_SHARE)
    return op, "memory", memory, memory


def predict_weighted(code, layer, batch):
    shape, detail = layer["shape"], layer["detail"]
    out, columns = math.prod(shape), shape[-1]
    rows = batch * out // columns
    window = re.search(r"(\d+)x(\d+) /(\d+)", detail)
    kh, kw, stride = (int(g) for g in window.groups()) if window else (1, 1, 1)
    depth = layer["macs"] // (out * kh * kw)
    weights = columns * kh * kw * depth
    if "depthwise" in detail:
        moved = batch * (out * stride * stride + out) + weights
        memory = moved / (BANDWIDTH * DRAM_SHARE)
        kernel = code.find("depthwise", "depthwise_8_kernelILi3ELi3ELi0E")
        issue = batch * out / 4 * kernel.total / ISSUE_RATE
        return "depthwise", "issue" if issue > memory else "memory", max(issue, memory), memory
    moved = batch * (rows // batch * stride * stride * depth + out) + weights
    extra = 0
    if stride == 2 and depth <= 4:  # blocks of 2x2 pixels, arranged first
        extra = batch * (out // columns) * 4 * (depth + 4) / (BANDWIDTH * DRAM_SHARE) + GAP
        kh, kw, depth = (kh + 1) // 2, (kw + 1) // 2, 16
    chunks = kh * kw * math.ceil(depth / 16)
    tile = choose_tile(rows, columns)
    image = not (kh == kw == stride == 1)
    compute = product_seconds(code, rows, columns, chunks, tile, image)
    memory = moved / (BANDWIDTH * DRAM_SHARE)
    kernel = tile_kernel(code, tile, image)
    step, bound = max((c, n) for n, c in k_tile_clocks(kernel, tile).items())
    if kernel.behind() * TILES[tile][2] / QUARTERS > step * math.ceil(chunks / 4):
        bound = "epilogue"
    if memory > compute:
        bound = "memory"
    return f"{'conv2d' if image else 'gemm'} {tile}", bound, max(compute, memory) + extra, memory


def print_network(code, waio, title, network, batch):
    print(f"\n## {title}, int8, batch {batch}\n")
    print("| layer | op | output | kernel | bound by | us a batch | us an image | share of its limit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    total = limits = 0
    launches = 0
    for layer in layers_of(waio, network):
        if layer["op"] == "input":
            continue
        kernel, bound, seconds, memory = predict_layer(code, layer, batch)
        limit = max(memory * DRAM_SHARE, 2 * layer["macs"] * batch / TENSOR_RATE)
        if layer["op"] != "reshape":
            total += seconds + GAP
            limits += limit
            launches += 1
        print(f"| {layer['name']} | {layer['op']} | {'x'.join(map(str, layer['shape'][1:]))} | {kernel}"
              f" | {bound} | {1e6 * seconds:.1f} | {1e6 * seconds / batch:.3f} |"
              f" {100 * limit / seconds:.0f} % |")
    print(f"\n{launches} kernels: **{1e6 * total / batch:.1f} us an image, {batch / total:,.0f} images/s**, of"
          f" which gaps between kernels {1e6 * launches * GAP / batch:.1f} us; at the card's limits (tensor"
          f" cores and memory, no gaps) {1e6 * limits / batch:.1f} us.")
    print("\nMeasure it: `waio bench MODEL.tflite --backend cuda --batch "
          f"{batch} --layers` (the network on codes), `waio bench --kernels --out kernels.csv` (its layers"
          " alone).")


# ---- the document ----

# Lines of up to 100 characters, but for tables.
HEAD = f"""# What the CUDA kernels should reach: a prediction

**Nothing here was measured: no GPU has run this code yet.** The tables are printed by
`scripts/predict.py BUILD` for a {NAME} ({SMS} multiprocessors at {CLOCK / 1e9:.2f} GHz,
{BANDWIDTH / 1e9:.0f} GB/s, {TENSOR_RATE / 1e12:.0f} int8 TOP/s) and hold until they are measured: each
says which command replaces it. `waio bench --kernels` reads the limits of the card that it runs on.

Counted in the machine code of sm_{ARCH} (nvcc, this build): instructions of the main loop by kind, all
instructions behind it as if each ran once (an upper bound: the code of roundings and narrow stores that
a launch does not use is among them), registers and shared memory, hence the blocks that fit. Bytes are
the least: operands and results once. The emulator's traffic counter holds the kernels to it: 1.00 of the
least sectors and of the least shared-memory passes for operands, ldmatrix and stores
(`test_cuda_gemm_traffic`, `test_cuda_traffic`).

Assumed: an mma 16x8x32 takes {IMMA_CLOCKS} clocks of a quarter and overlaps with everything else; a
multiprocessor issues {QUARTERS} instructions a clock and moves {SHARED_BYTES} bytes of shared memory; L2 gives
{L2_RATE / 1e12:.1f} TB/s (recalled); a copy reaches {100 * DRAM_SHARE:.0f} % of the bandwidth (recalled); a block
starts in {START_CLOCKS} clocks; {1e6 * GAP:.0f} us lie between two kernels. Stalls of other kinds are not in it,
nor what L2 keeps from one layer to the next. A kernel takes the longest of its parts, blocks in whole
waves, nothing of an epilogue overlapped with the next block.
"""


def print_gemm(code, side):
    print(f"\n## int8 matrix product, {side} x {side} x {side}, codes out\n")
    print("| tile | registers | blocks an SM | loop | IMMA | LDSM | LDGSTS | clocks a k-tile: tensor | issue |"
          " shared | L2 | instructions behind the loop | us | TOP/s | of the limit |")
    print("| " + " | ".join(["---"] * 15) + " |")
    for tile in TILES:
        kernel = tile_kernel(code, tile, False)
        clocks = k_tile_clocks(kernel, tile)
        seconds = product_seconds(code, side, side, side // 16, tile, False)
        rate = 2 * side**3 / seconds
        print(f"| {tile} | {kernel.registers} | {resident(kernel, tile)} | {kernel.loop_length()} |"
              f" {kernel.count(0x237, kernel.loop)} | {kernel.count(0x83B, kernel.loop)} |"
              f" {kernel.count(0xFAE, kernel.loop)} | {clocks['tensor']:.0f} | {clocks['issue']:.0f} |"
              f" {clocks['shared']:.0f} | {clocks['L2']:.0f} | {kernel.behind()} | {1e6 * seconds:.0f} |"
              f" {rate / 1e12:.0f} | {100 * rate / TENSOR_RATE:.0f} % |")
    print(f"\nThe rule takes {choose_tile(side, side)}. Measure it: `waio bench --kernels --only gemm_qs8`,"
          " which sets cuBLAS beside it.")


def print_elementwise(code):
    print("\n## Quantizers and observers of a large float tensor\n")
    print("| kernel | bytes an element | instructions an element | the budget at full bandwidth |"
          " Gelements/s | of the bandwidth |")
    print("| --- | --- | --- | --- | --- | --- |")
    for title, moved, file, parts, per in (
            ("fake_quantize", 8, "quantize", ("fake_quantize_f32_fqILi1E",), 4),
            ("quantize to 8 bits", 5, "quantize", ("quantize_f32_codeIaLi1E",), 4),
            ("dequantize of 8 bits", 5, "quantize", ("dequantize_code_f32Ia",), 4),
            ("range", 4, "observe", ("widen",), 4)):
        kernel = code.find(file, *parts)
        each = kernel.loop_length() / per
        budget = ISSUE_RATE / (BANDWIDTH / moved)
        rate = min(BANDWIDTH * DRAM_SHARE / moved, ISSUE_RATE / each)
        print(f"| {title} | {moved} | {each:.0f} | {budget:.0f} | {rate / 1e9:.0f} |"
              f" {100 * rate * moved / BANDWIDTH:.0f} % |")
    print("\nLoops are counted whole; the slow path of a division, which numbers of usual size do not take, lies"
          " outside. Measure it: `waio bench --kernels --only quantize` (beside a copy of the same bytes),"
          " `--only range`.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="folder of a build with CUDA, as build/ci")
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    code, waio = Code(args.build), str(args.build / "bin" / "waio")
    print(HEAD, end="")
    print_gemm(code, 4096)
    print_elementwise(code)
    print_network(code, waio, "ResNet50 at 128x128", ["resnet50", "--input", "128"], args.batch)
    print_network(code, waio, "MobileNetV1 at 128x128", ["mobilenet_v1", "--input", "128"], args.batch)


if __name__ == "__main__":
    main()
