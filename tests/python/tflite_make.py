"""Small .tflite files with chosen operators, types, scales and zero points: what a converter would
not make. Used by test_tflite_ops.py."""
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPE = {np.dtype(np.float32): schema.TensorType.FLOAT32,
        np.dtype(np.float16): schema.TensorType.FLOAT16,
        np.dtype(np.int8): schema.TensorType.INT8, np.dtype(np.uint8): schema.TensorType.UINT8,
        np.dtype(np.int16): schema.TensorType.INT16, np.dtype(np.int32): schema.TensorType.INT32,
        np.dtype(np.int64): schema.TensorType.INT64}


class Net:
    """One subgraph; tensors are numbers, as in the file."""

    def __init__(self):
        self.tensors, self.operators, self.codes = [], [], []
        self.buffers = [schema.BufferT()]

    def tensor(self, shape, dtype, quant=None, data=None, axis=0):
        """`quant` is (scale or scales, zero point); a constant if `data` is given."""
        made = schema.TensorT()
        made.name = f"t{len(self.tensors)}".encode()
        made.shape = list(shape)
        made.type = TYPE[np.dtype(dtype)]
        made.buffer = 0
        if data is not None:
            made.buffer = len(self.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            self.buffers.append(buffer)
        if quant is not None:
            q = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(np.float32(quant[0]))
            q.zeroPoint = np.full(q.scale.shape, quant[1], np.int64)
            q.quantizedDimension = axis
            made.quantization = q
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, data, quant=None, axis=0):
        data = np.asarray(data)
        return self.tensor(data.shape, data.dtype, quant, data, axis)

    def operator(self, name, inputs, outputs, options=None, **fields):
        """`options` is the name of the options' table without "Options"."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = fields.pop("version", 1)
        made = schema.OperatorT()
        made.opcodeIndex = len(self.codes)
        self.codes.append(code)
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options + "Options")
            made.builtinOptions = getattr(schema, options + "OptionsT")()
            for key, value in fields.items():
                assert hasattr(made.builtinOptions, key), key
                setattr(made.builtinOptions, key, value)
        self.operators.append(made)

    def pack(self, inputs, outputs):
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
