"""Decoding and every resize pipeline against the library it is named after: Pillow and torchvision's
arithmetic on it, TensorFlow, OpenCV; on generated files of every kind, and on real photographs where
WAIO_DATA has them. Prints the share of bytes that are equal and the largest difference."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import cv2
    import numpy as np
    import keras
    import tensorflow as tf
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

WAIO = os.environ["WAIO"]
SIZES = [(224, 224), (300, 300), (96, 128), (7, 5), (640, 800)]
MOST_PHOTOGRAPHS = 30
failed = 0
largest = {}


def waio(path, size, pipeline, out):
    command = [WAIO, "data", "decode", str(path), "--out", str(out)]
    if size:
        command += ["--size", f"{size[0]}x{size[1]}", "--resize", pipeline]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    return np.fromfile(out, np.uint8)


def check(name, path, ours, theirs, most):
    """`most`: the largest difference that passes; 0 is equality."""
    global failed
    if isinstance(ours, str) or ours.size != theirs.size:
        print(f"{name} {path}: {ours if isinstance(ours, str) else 'other size'}")
        failed += 1
        return
    difference = np.abs(ours.reshape(theirs.shape).astype(int) - theirs.astype(int))
    seen = largest.setdefault(name, [0, 0, 0])
    seen[0] = max(seen[0], int(difference.max()))
    seen[1] += int((difference == 0).sum())
    seen[2] += difference.size
    if difference.max() > most:
        print(f"{name} {path}: differs by {difference.max()}, at most {most} is allowed")
        failed += 1


# ---- what the libraries give ----

def pil_image(path):
    image = Image.open(path)
    if image.mode.startswith("I"):  # Pillow clips 16 bits of grey; the upper byte is meant
        return Image.fromarray((np.array(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def crop_like_torchvision(image, side, size, how):
    w, h = image.size
    if min(w, h) != side:
        w, h = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
        image = image.resize((w, h), how)
    top, left = int(round((h - size[0]) / 2.0)), int(round((w - size[1]) / 2.0))
    return np.array(image.crop((left, top, left + size[1], top + size[0])))


def letterbox(image, size, how):
    w, h = image.size
    scale = min(size[0] / h, size[1] / w)
    small = image.resize((max(1, round(w * scale)), max(1, round(h * scale))), how)
    out = np.zeros((*size, 3), np.uint8)
    out[:small.size[1], :small.size[0]] = np.array(small)
    return out


def smart_resize(pixels, size):
    """As Keras documents its function of this name, which fails on images of one pixel."""
    h, w = pixels.shape[:2]
    crop_h = max(1, min(h, int(float(w * size[0]) / size[1])))
    crop_w = max(1, min(w, int(float(h * size[1]) / size[0])))
    top, left = int((h - crop_h) / 2), int((w - crop_w) / 2)
    part = pixels[top:top + crop_h, left:left + crop_w]
    ours = tf.image.resize(part[None], size, "bilinear", antialias=False).numpy()[0]
    if min(h, w) > 4:
        theirs = np.asarray(keras.utils.img_to_array(keras.preprocessing.image.smart_resize(pixels, size)))
        assert np.abs(ours - theirs).max() < 1, "Keras does something else"
    return ours


def check_file(path, folder, exif):
    image, out = pil_image(path), folder / "ours.rgb"
    pixels = np.array(image)
    check("decode", path, waio(path, None, None, out), pixels, 0)
    for size in SIZES:
        wh = (size[1], size[0])
        for name, how in (("pil-bilinear", Image.BILINEAR), ("pil-bicubic", Image.BICUBIC)):
            check(name, path, waio(path, size, name, out), np.array(image.resize(wh, how)), 0)
            side = max(size) + 32
            check(f"{name}/crop", path, waio(path, size, f"{name}/crop{side}", out),
                  crop_like_torchvision(image, side, size, how), 0)
            check(f"{name}/letterbox", path, waio(path, size, f"{name}/letterbox", out),
                  letterbox(image, size, how), 0)
        batch = pixels[None].astype(np.float32)
        legacy = tf.compat.v1.image.resize_bilinear(batch, size).numpy()[0]
        check("tf-bilinear", path, waio(path, size, "tf-bilinear", out), np.rint(legacy), 1)
        half = tf.image.resize(batch, size, "bilinear", antialias=False).numpy()[0]
        check("tf2-bilinear", path, waio(path, size, "tf2-bilinear", out), np.rint(half), 1)
        check("tf2-bilinear/cover", path, waio(path, size, "tf2-bilinear/cover", out),
              np.rint(np.asarray(smart_resize(pixels.astype(np.float32), size))), 1)
        upright = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1] if exif else pixels
        check("cv-linear", path, waio(path, size, "cv-linear", out),
              cv2.resize(np.ascontiguousarray(upright), wh, interpolation=cv2.INTER_LINEAR), 1)


def check_tf_decode(path, folder):
    theirs = tf.io.decode_jpeg(path.read_bytes(), channels=3, dct_method="INTEGER_ACCURATE").numpy()
    check("decode as TensorFlow", path, waio(path, None, None, folder / "ours.rgb"), theirs, 0)


# ---- files ----

def generated(folder):
    """One file of each kind: (path, whether OpenCV's own reading is compared)."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:150, 0:201]
    smooth = np.stack([127 + 120 * np.sin(x / 9 + c) * np.cos(y / 13 - c) for c in range(3)], -1)
    pixels = (smooth + rng.normal(0, 12, smooth.shape)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    files = []

    def save(name, what, read_by_cv=False, **options):
        what.save(folder / name, **options)
        files.append((folder / name, read_by_cv))

    for sampling in range(3):
        save(f"sampling{sampling}.jpg", image, quality=80, subsampling=sampling)
    save("progressive.jpg", image, quality=60, progressive=True)
    save("grey.jpg", image.convert("L"), quality=90)
    save("cmyk.jpg", image.convert("CMYK"), quality=95)
    save("narrow.jpg", image.crop((0, 0, 3, 140)), quality=90)
    save("dot.png", image.crop((0, 0, 1, 1)))
    save("rgb.png", image)
    save("grey.png", image.convert("L"))
    save("bits.png", image.convert("1"))
    save("palette.png", image.quantize(50))
    save("few.png", image.quantize(3), bits=2)
    save("rgba.png", Image.merge("RGBA", (*image.split(), image.convert("L"))))
    save("la.png", Image.merge("LA", (image.convert("L"), image.convert("L"))))
    Image.fromarray((pixels[:, :, 0].astype(np.uint16) * 257 + 3)).save(folder / "grey16.png")
    files.append((folder / "grey16.png", False))
    cv2.imwrite(str(folder / "rgb16.png"), pixels.astype(np.uint16) * 257 - 1)
    files.append((folder / "rgb16.png", False))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        save(f"turned{orientation}.jpg", image, True, quality=90, exif=exif)
    return files


def photographs():
    base = os.environ.get("WAIO_DATA")
    if not base:
        print("WAIO_DATA is not set: no real photographs")
        return []
    paths = [p for pattern in ("oxford-iiit-pet/images/*.jpg", "VOCdevkit/*/JPEGImages/*.jpg")
             for p in sorted(Path(base).glob(pattern)) if p.read_bytes()[:4] != b"GIF8"]
    return paths[::max(1, len(paths) // MOST_PHOTOGRAPHS)]


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, exif in generated(folder):
            check_file(path, folder, exif)
        real = photographs()
        for path in real:
            check_file(path, folder, True)
            if path.read_bytes()[:2] == b"\xff\xd8":
                check_tf_decode(path, folder)
        for name in ("sampling2.jpg", "grey.jpg", "progressive.jpg"):
            check_tf_decode(folder / name, folder)
        animated = folder / "animated.jpg"
        Image.new("P", (4, 4)).save(animated, format="GIF")
        message = waio(animated, None, None, folder / "ours.rgb")
        if not (isinstance(message, str) and "a GIF" in message):
            print(f"a GIF is not refused: {message}")
            sys.exit(1)
    for name, (most, equal, count) in sorted(largest.items()):
        print(f"{name:24} {100 * equal / count:8.4f} % of {count} bytes equal, at most {most} apart")
    print(f"{len(real)} photographs, {failed} failed")
    sys.exit(1 if failed else 0)


main()
