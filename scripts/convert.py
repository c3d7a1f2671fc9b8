#!/usr/bin/env python3
"""Turns what waio cannot read into ONNX, which it can:

    convert.py model.keras              -o model.onnx    Keras 3
    convert.py saved_model_folder       -o model.onnx    TensorFlow SavedModel
    convert.py resnet50.pth --torchvision resnet50 -o model.onnx      a state_dict of torchvision
    convert.py scripted.pt              -o model.onnx    TorchScript

--input SIZE sets the side of the image where the file leaves it open, and is needed for PyTorch
(224 unless given; 299 for inception_v3). The batch is 1. Then `waio show model.onnx`, or the weights
in a network of waio: `waio show resnet50_torch:classes=37,weights=model.onnx`.

TF2 detection checkpoints hold numbers without a network: export them first with the Object
Detection API (exporter_main_v2.py) and convert the SavedModel.

Needs, and was tried with: .keras and SavedModel tensorflow 2.21 (keras 3.15), tf2onnx 1.17, onnx 1.20;
.pth and TorchScript torch 1.13 (1.13 or later: only tensors are unpickled), torchvision 0.14.
"""
import argparse
import os
import sys

OPSET = 13


def fail(message):
    sys.exit(f"convert.py: {message}")


def need(module, where):
    try:
        return __import__(module)
    except ImportError as e:
        fail(f"{where} needs the Python package {module}: {e}")


def fixed(shape, side):
    """An image's shape with a batch of one, `side` where the file says nothing."""
    dims = [1 if i == 0 else d for i, d in enumerate(shape)]
    if any(d is None for d in dims) and not side:
        fail(f"the input is {tuple(shape)}: say --input SIZE")
    return [side if d is None else int(d) for d in dims]


def convert_function(function, shape, dtype, output):
    tf, tf2onnx = need("tensorflow", "this file"), need("tf2onnx", "this file")
    signature = [tf.TensorSpec(shape, dtype, name="image")]
    tf2onnx.convert.from_function(tf.function(function, input_signature=signature),
                                  input_signature=signature, opset=OPSET, output_path=output)


def from_keras(args):
    need("tensorflow", "a .keras file")
    keras = need("keras", "a .keras file")
    model = keras.saving.load_model(args.file, compile=False, safe_mode=True)
    if len(model.inputs) != 1:
        fail(f"{args.file} has {len(model.inputs)} inputs, expected one image")
    convert_function(lambda x: model(x, training=False), fixed(model.inputs[0].shape, args.input),
                     "float32", args.output)


def from_saved_model(args):
    tf = need("tensorflow", "a SavedModel")
    model = tf.saved_model.load(args.file)
    signatures = list(model.signatures)
    if not signatures:
        fail(f"{args.file} has no signature: save it with one (serving_default)")
    name = "serving_default" if "serving_default" in signatures else signatures[0]
    function = model.signatures[name]
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        fail(f"signature {name} takes {len(inputs)} inputs, expected one image")
    key, spec = next(iter(inputs.items()))
    convert_function(lambda x: function(**{key: x}), fixed(spec.shape, args.input), spec.dtype,
                     args.output)


def export_torch(torch, model, side, output):
    image = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        torch.onnx.export(model.eval(), image, output, opset_version=OPSET,
                          input_names=["image"], output_names=["scores"])


def from_state_dict(args):
    torch, torchvision = need("torch", "a .pth file"), need("torchvision", "--torchvision")
    build = getattr(torchvision.models, args.torchvision, None)
    if not callable(build):
        fail(f"torchvision.models has no {args.torchvision}")
    state = torch.load(args.file, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model"):
        state = state.get(key, state)
    state = {name.removeprefix("module."): value for name, value in state.items()}
    last = [value for value in state.values() if value.dim() == 2]
    if not last:
        fail(f"{args.file} holds no linear layer: what is it?")
    options = {"num_classes": last[-1].shape[0]}
    if args.torchvision == "inception_v3":  # the auxiliary classifier is for training alone
        state = {name: value for name, value in state.items() if not name.startswith("AuxLogits")}
        options.update(aux_logits=False, init_weights=False)
    model = build(**options)
    model.load_state_dict(state)
    side = args.input or (299 if args.torchvision == "inception_v3" else 224)
    export_torch(torch, model, side, args.output)


def from_torchscript(args):
    torch = need("torch", "a TorchScript file")
    try:
        model = torch.jit.load(args.file, map_location="cpu")
    except RuntimeError as e:
        fail(f"{args.file} is no TorchScript file ({str(e).splitlines()[0]}); "
             "for a state_dict say --torchvision NAME")
    export_torch(torch, model, args.input or 224, args.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("-o", "--output", required=True, help="the .onnx file")
    parser.add_argument("--input", type=int, help="side of the image")
    parser.add_argument("--torchvision", metavar="NAME", help="the network of a state_dict")
    args = parser.parse_args()
    if not os.path.exists(args.file):
        fail(f"{args.file}: no such file")
    if args.torchvision:
        from_state_dict(args)
    elif os.path.isdir(args.file):
        from_saved_model(args)
    elif args.file.endswith(".keras"):
        from_keras(args)
    elif args.file.endswith((".pt", ".pth", ".th")):
        from_torchscript(args)
    else:
        fail(f"{args.file}: not a .keras file, a SavedModel's folder, or a PyTorch file; "
             "waio reads .h5, .onnx and .tflite itself")
    print(args.output)


if __name__ == "__main__":
    main()
