/* The file beside a model that says how boxes come of its outputs, where the model's own file does
 * not, or differently: MODEL.detector.json. datasets/README.md has the keys. */
#ifndef WAIO_MODELS_DETECTOR_FILE_H
#define WAIO_MODELS_DETECTOR_FILE_H

#include "graph/graph.h"

#define WAIO_DETECTOR_SUFFIX ".detector.json"

/* Gives `graph` the detector that `path` describes; what the file leaves out is as the graph has it
 * already, or as the Object Detection API has it. WAIO_EINPUT names the key and what is expected:
 * unknown or wrong keys, anchors that do not go with the outputs' shapes. */
waio_status waio_detector_file_apply(waio_graph *graph, const char *path);

#endif
