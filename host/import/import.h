/* Importers: a foreign file becomes a graph (NHWC, constants in OHWI or (out,in)), or an error
 * that names the file and what is wrong with it. They never trust a length in the file. */
#ifndef WAIO_IMPORT_IMPORT_H
#define WAIO_IMPORT_IMPORT_H

#include "graph/graph.h"
#include "util/status.h"

/* Reads a network from `path`, by its content: Keras HDF5, TensorFlow Lite or ONNX. The graph is as
 * in the file (not optimized), validated, and belongs to the caller (waio_graph_free). WAIO_EINPUT:
 * missing, broken, not a model; WAIO_EUNSUPPORTED: an op or option that waio lacks, with its name
 * and the supported list, or a format that was not built in. */
waio_status waio_import_model(waio_graph **out, const char *path);

/* Whether the file is HDF5, by its first bytes. */
waio_status waio_import_is_hdf5(bool *out, const char *path);

/* Keras HDF5: the architecture from the attribute `model_config` (Sequential or Functional, as
 * Keras 2 and Keras 3 write it), the weights from the group `model_weights`. */
waio_status waio_import_keras_h5(waio_graph **out, const char *path);

/* ONNX, opset 7 to 21, float32 weights, inline or external data (paths inside the model's folder
 * only). NCHW becomes NHWC. */
waio_status waio_import_onnx(waio_graph **out, const char *path);

/* TensorFlow Lite: float networks, float16 weights, and fully quantized ones (int8, older uint8,
 * and int16 activations with int8 weights), with every scale and zero point; a quantized network's
 * values are integers in the graph. uint8 codes and zero points become int8 ones, 128 lower. Codes
 * for the weights of float layers ("dynamic range") become the floats that they stand for, and the
 * graph's note says so. TFLite_Detection_PostProcess at the end becomes the graph's detector, its
 * box codes and scores the outputs. Several subgraphs or inputs and other custom operators are
 * unsupported. */
waio_status waio_import_tflite(waio_graph **out, const char *path);

#endif
