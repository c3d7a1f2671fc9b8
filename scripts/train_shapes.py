#!/usr/bin/env python3
"""Trains the two networks that come with the shapes set.

Makes, in the folder given by --out:
  shapes_resnet8.h5      ResNet-8 as in MLPerf Tiny, Keras HDF5 without optimizer state
  shapes_mobilenet.onnx  small MobileNetV1 with ReLU6, ONNX opset 13, float32, free batch size

Both take 32x32x3 pictures (NHWC) as floats from 0 to 255; the scaling is inside the network.
To run it again, with TensorFlow, tf2onnx and h5py installed:

  cc -std=c17 -O2 -o draw_shapes datasets/shapes/draw_shapes.c
  ./draw_shapes shapes-data
  python3 scripts/train_shapes.py --data shapes-data --out models

The committed networks were made with TensorFlow 2.21.0, Keras 3.15.1, tf2onnx 1.17.0, onnx 1.23.2
and NumPy 1.26.4 on Python 3.11, with the default options. Other versions, thread counts or
processors sum floats in another order and give slightly different weights.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

RECORD = 3073
CLASSES = 10


def read_records(path):
    """Pictures (N, 32, 32, 3) uint8 and labels (N,) of one file in CIFAR-10's binary format."""
    raw = np.fromfile(path, dtype=np.uint8)
    if raw.size == 0 or raw.size % RECORD != 0:
        sys.exit(f"train_shapes: {path} is not a whole number of {RECORD}-byte records")
    raw = raw.reshape(-1, RECORD)
    pictures = raw[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pictures), raw[:, 0].astype(np.int64)


def read_training_set(folder):
    parts = []
    while os.path.exists(path := os.path.join(folder, f"data_batch_{len(parts) + 1}.bin")):
        parts.append(read_records(path))
    if not parts:
        sys.exit(f"train_shapes: no data_batch_1.bin in {folder}")
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def augment(x, y):
    """Every class may be mirrored and turned; the shift is shared by a batch, which is cheap."""

    def some_of(t, changed):
        pick = tf.random.uniform([tf.shape(t)[0], 1, 1, 1]) < 0.5
        return tf.where(pick, changed, t)

    x = tf.cast(x, tf.float32)
    x = some_of(x, tf.reverse(x, [2]))
    x = some_of(x, tf.reverse(x, [1]))
    x = some_of(x, tf.transpose(x, [0, 2, 1, 3]))
    x = tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]], mode="REFLECT")
    at = tf.random.uniform([2], 0, 7, dtype=tf.int32)
    return x[:, at[0] : at[0] + 32, at[1] : at[1] + 32, :], y


def training_data(x, y, batch, seed):
    data = tf.data.Dataset.from_tensor_slices((x, y))
    data = data.shuffle(len(x), seed=seed).batch(batch, drop_remainder=True)
    return data.map(augment).prefetch(2)


def conv(x, filters, size, strides=1, use_bias=True):
    return layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.l2(1e-4),
    )(x)


def resnet8():
    """The CIFAR-10 network of MLPerf Tiny: three stacks of 16, 32 and 64 channels."""
    x = inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1.0 / 255.0)(x)
    x = layers.ReLU()(layers.BatchNormalization()(conv(x, 16, 3)))
    for filters in (16, 32, 64):
        strides = 1 if filters == 16 else 2
        y = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, 3, strides)))
        y = layers.BatchNormalization()(conv(y, filters, 3))
        if strides != 1:
            x = conv(x, filters, 1, strides)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(8)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(CLASSES, activation="softmax", kernel_initializer="he_normal")(x)
    return keras.Model(inputs, x, name="shapes_resnet8")


def mobilenet():
    """MobileNetV1's blocks, depthwise then pointwise, each with batch norm and ReLU6."""

    def norm(x):
        return layers.ReLU(6.0)(layers.BatchNormalization()(x))

    x = inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = norm(conv(x, 16, 3, use_bias=False))
    for filters, strides in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1)):
        x = norm(layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x))
        x = norm(conv(x, filters, 1, use_bias=False))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(CLASSES, activation="softmax")(x)
    return keras.Model(inputs, x, name="shapes_mobilenet")


def start_afresh(seed):
    """So that a network comes out the same whether or not another was trained before it."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


def train(model, train_set, test_set, args):
    steps = len(train_set[0]) // args.batch * args.epochs
    warmup = steps // 8
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, steps - warmup, alpha=1e-3, warmup_target=4e-3, warmup_steps=warmup
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    data = training_data(*train_set, args.batch, args.seed)
    started = time.monotonic()
    model.fit(data, epochs=args.epochs, verbose=2)
    seconds = time.monotonic() - started
    _, accuracy = model.evaluate(test_set[0].astype(np.float32), test_set[1], 250, verbose=0)
    print(
        f"{model.name}: {model.count_params()} parameters, {args.epochs} epochs in "
        f"{seconds:.0f} s, float test accuracy {100 * accuracy:.2f} % of {len(test_set[1])}",
        flush=True,
    )


def save_onnx(model, path):
    # Through a function: tf2onnx's own Keras entry point does not know Keras 3.
    import tf2onnx

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32, name="image")])
    def infer(image):
        return model(image, training=False)

    tf2onnx.convert.from_function(
        infer, input_signature=infer.input_signature, opset=13, output_path=path
    )


def main():
    parser = argparse.ArgumentParser(description="Trains the networks of the shapes set.")
    parser.add_argument("--data", required=True, metavar="DIR", help="what draw_shapes wrote")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the networks go")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=["resnet8", "mobilenet"], help="train just this one")
    args = parser.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, NumPy {np.__version__}")

    train_set = read_training_set(args.data)
    test_set = read_records(os.path.join(args.data, "test_batch.bin"))
    os.makedirs(args.out, exist_ok=True)
    if args.only != "mobilenet":
        start_afresh(args.seed)
        model = resnet8()
        train(model, train_set, test_set, args)
        model.save(os.path.join(args.out, "shapes_resnet8.h5"), include_optimizer=False)
    if args.only != "resnet8":
        start_afresh(args.seed)
        model = mobilenet()
        train(model, train_set, test_set, args)
        save_onnx(model, os.path.join(args.out, "shapes_mobilenet.onnx"))


if __name__ == "__main__":
    main()
