/* A session: one model on one data set, prepared once for all its configurations: imported graph,
 * program, workspaces, decoded images, calibrated ranges, quantized weights, the float network's
 * predictions. Its passes run the whole test set through the network; configurations that differ
 * only in the head (O) share a pass, and those that share the first layer (I) share its outputs. */
#ifndef WAIO_SWEEP_SESSION_H
#define WAIO_SWEEP_SESSION_H

#include <stdbool.h>

#include "dataset/dataset.h"
#include "dataset/preprocess.h"
#include "models/models.h"
#include "quant/lower.h"
#include "quant/quantizer.h"

typedef enum waio_feed {
    WAIO_FEED_QUANTIZED, /* by scale and zero point */
    WAIO_FEED_RAW        /* bytes taken as codes: int8 reinterpretation up to 8 bits */
} waio_feed;

typedef struct waio_session_options {
    const waio_backend *backend;
    const char *data_dir; /* NULL: WAIO_DATA, then the folder of the build */
    waio_model_paths model_paths;
    const char *split;
    int64_t images; /* 0: all */
    const char *preprocess;
    const char *resize;          /* pipeline of dataset/resize.h; NULL: the data set's own */
    bool skip_bad;               /* bad images are left out and counted */
    const char *cache;           /* folder of decoded images; NULL: WAIO_CACHE, then none */
    const waio_reading *reading; /* told while images are decoded; NULL: nobody is */
    waio_scheme scheme;
    waio_feed feed;
    const char *calibration_split;
    int64_t calibration_images;
    int64_t calibration_seed;
    int threads;           /* workers; at least 1 */
    int64_t batch;         /* 0: chosen from the network */
    int64_t memory;        /* budget in bytes for everything that the session holds */
    const char *metric;    /* of a detection set: see sweep/detecting.h; NULL: "map_coco" */
    bool ignore_difficult; /* objects marked as difficult are ignored */
    int64_t seed;          /* of what is drawn for the standard error */
    bool from_file;        /* the model has codes already: nothing is quantized here */
    bool keep_answers;     /* outcomes come with what the network said, image by image */
    /* A session of the same model and data whose float predictions are taken over; NULL: evaluate.
     */
    const struct waio_session *float_of;
} waio_session_options;

typedef struct waio_session waio_session;

/* Called about five times a second while a pass runs. */
typedef struct waio_pass_progress {
    /* `correct` is negative where nothing is known before the end: detectors. */
    void (*update)(void *payload, int64_t done, int64_t total, int64_t correct);
    void *payload;
} waio_pass_progress;

/* Loads, brings the images to the network's size, checks that model and data set fit (WAIO_EINPUT
 * with both shapes if not), compiles, evaluates the float network. Without a data set (NULL) no
 * data is opened at all: such a session lowers, by schemes that take no images (WAIO_EUSAGE for
 * others), and runs no pass. Options are copied, the texts in them must outlive the session. */
waio_status waio_session_open(waio_session **out, const char *model, const char *dataset,
                              const waio_session_options *options,
                              const waio_pass_progress *progress);
void waio_session_close(waio_session *session);

/* What a pass found for one configuration. */
typedef struct waio_outcome {
    int64_t images, correct; /* correct: 0 of a detector */
    double value, deviation; /* the metric and its standard error, in percent; NaN: there is none */
    int64_t agree;        /* images with the float network's prediction; of a detector: on which it
                           * sees the same (waio_found_same) */
    int64_t lost, gained; /* images that only the float network, only this one has right; -1: of a
                           * detector */
    int64_t nan_images;   /* images with a NaN among their scores */
    bool constant;  /* every image got the same class; of a detector: nothing was found at all */
    double seconds; /* of the whole pass */
    int64_t size_bytes; /* as accounted; of a file with codes: its own */
    int fallbacks;      /* nodes that ran on the reference */
    /* Of a configuration in both engines; -1: one ran. */
    int64_t simulate_correct, engines_agree;
    double simulate_value;             /* NaN: one ran */
    struct waio_kept_answers *answers; /* with keep_answers; see waio_outcome_free */
} waio_outcome;

/* Releases the answers of an outcome, unless they are those of the session's float network. */
void waio_outcome_free(waio_outcome *outcome, const waio_session *session);

/* One pass for `count` configurations that are equal but for O. `keep_first` asks to keep the first
 * layer's outputs for later passes with the same I, if the memory budget allows. WAIO_EINTERRUPTED
 * when waio_interrupt was called. */
waio_status waio_session_pass(waio_session *session, const waio_quant_request *request, int count,
                              bool keep_first, waio_outcome *outcome,
                              const waio_pass_progress *progress);

/* One configuration in the engine `integer`, requantized by `requant`; `simulate_too` runs it in
 * the other one as well and compares. WAIO_EUNSUPPORTED as waio_lower says. */
waio_status waio_session_integer(waio_session *session, const waio_quant_request *request,
                                 waio_requant requant, bool simulate_too, waio_outcome *outcome,
                                 const waio_pass_progress *progress);

/* Bytes of the .tflite that a configuration is exported as; -1 if there is no such export. */
waio_status waio_session_file_bytes(waio_session *session, const waio_quant_request *request,
                                    int64_t *bytes);

/* Finds ranges, and means for bias correction, if that has not been done; waio_session_pass calls
 * it when it needs them. A scheme that takes none from images opens no data set here. */
waio_status waio_session_calibrate(waio_session *session);

/* Runs one configuration and counts the levels of every quantized tensor. WAIO_EINTERNAL names the
 * first tensor that has more than its bits allow; else `tensors` receives how many were checked. */
waio_status waio_session_verify(waio_session *session, const waio_quant_request *request,
                                int *tensors);

/* The quantized network of one configuration (quant/lower.h), calibrated first if it must be. */
waio_status waio_session_lower(waio_session *session, waio_graph **out,
                               const waio_quant_request *request, waio_requant requant);

const waio_model *waio_session_model(const waio_session *session);
/* Whether it is a detector on a detection set; else a classifier. */
bool waio_session_detects(const waio_session *session);
const waio_dataset *waio_session_dataset(const waio_session *session);
/* Of a model that has codes already: no images. */
const waio_outcome *waio_session_float(const waio_session *session);

/* Lets every running pass end soon with WAIO_EINTERRUPTED. Safe in a signal handler. */
void waio_interrupt(void);
bool waio_interrupted(void);

#endif
