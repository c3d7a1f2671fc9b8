#!/usr/bin/env python3
"""JPEG decoding and resizing, waio beside Pillow, on one processor: images per second and their ratio.

    bench_images.py WAIO FILE ...        at most 30 files; needs Pillow

The two take turns in one run, ROUNDS times with all files, in processor time, so that what else runs on
the machine meets both; the median round of each is printed, and the range of the ratios."""
import re
import statistics
import subprocess
import sys
import time

from PIL import Image, features

ROUNDS, REPEAT, SIZE = 9, 3, (224, 224)
FILTERS = {"pil-bilinear": Image.BILINEAR, "pil-bicubic": Image.BICUBIC}


def with_waio(waio, files, resize):
    command = [waio, "data", "decode", *files, "--repeat", str(REPEAT)]
    if resize:
        command += ["--size", f"{SIZE[0]}x{SIZE[1]}", "--resize", resize]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"([0-9.]+) images/s", text).group(1))


def with_pillow(files, resize):
    started = time.thread_time()
    for _ in range(REPEAT):
        for path in files:
            image = Image.open(path).convert("RGB")
            if resize:
                image.resize((SIZE[1], SIZE[0]), FILTERS[resize])
    return REPEAT * len(files) / (time.thread_time() - started)


def main():
    if len(sys.argv) < 3 or len(sys.argv) > 32:
        sys.exit(__doc__)
    waio, files = sys.argv[1], sys.argv[2:]
    print(f"Pillow {Image.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}; "
          f"{len(files)} files, {ROUNDS} rounds of {REPEAT} times each")
    for resize in (None, *FILTERS):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(with_waio(waio, files, resize))
            theirs.append(with_pillow(files, resize))
        ratios = sorted(a / b for a, b in zip(ours, theirs))
        print(f"{'decode' if not resize else 'decode, ' + resize:22} waio {statistics.median(ours):7.1f}"
              f"  Pillow {statistics.median(theirs):7.1f} images/s  ratio {statistics.median(ratios):.2f}"
              f" ({ratios[0]:.2f} to {ratios[-1]:.2f})")


main()
