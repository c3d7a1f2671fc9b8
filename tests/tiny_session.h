/* Sessions on the network of tiny_onnx.h and the shapes data set of the build. */
#ifndef WAIO_TESTS_TINY_SESSION_H
#define WAIO_TESTS_TINY_SESSION_H

#include <unistd.h>

#include "sweep/config.h"
#include "sweep/session_internal.h"
#include "tiny_onnx.h"
#include "util/file.h"

enum { IMAGES = 60, SAMPLE = 20, CLASSES = 10, PIXELS = 3072 };

static char tiny_folder[] = "/tmp/waio_test_XXXXXX";
static char tiny_model[64], tiny_other[64]; /* files */

/* False: there is no data set here. Call tiny_end at the end. */
static inline bool tiny_begin(void)
{
    if (!waio_file_exists(BUILD_DIR "/data/shapes-batches-bin/test_batch.bin")) {
        fprintf(stderr, "skipped: the build has not drawn the shapes data set\n");
        return false;
    }
    CHECK(mkdtemp(tiny_folder) != NULL, "no folder for tests");
    snprintf(tiny_model, sizeof tiny_model, "%s/tiny.onnx", tiny_folder);
    snprintf(tiny_other, sizeof tiny_other, "%s/other.onnx", tiny_folder);
    tiny_write(tiny_model, &(tiny_options){32, 10, 1, 5});
    return true;
}

static inline void tiny_end(void)
{
    unlink(tiny_model);
    unlink(tiny_other);
    CHECK(rmdir(tiny_folder) == 0, "%s is not empty", tiny_folder);
}

/* The file of another network than the usual one. */
static inline const char *tiny_written(tiny_options o)
{
    tiny_write(tiny_other, &o);
    return tiny_other;
}

static inline waio_session_options tiny_session_options(int64_t batch, int threads)
{
    waio_session_options options = {.backend = &waio_backend_ref,
                                    .data_dir = BUILD_DIR "/data",
                                    .batch = batch,
                                    .threads = threads,
                                    .memory = INT64_C(1) << 30};
    waio_config config = waio_config_default();

    config.images = IMAGES;
    config.calibration_images = SAMPLE;
    CHECK_OK(waio_config_session_options(&options, &config));
    return options;
}

static inline waio_session *open_model(const char *path, const waio_session_options *options)
{
    waio_session *session = NULL;
    CHECK_OK(waio_session_open(&session, path, "shapes", options, NULL));
    return session;
}

static inline waio_session *open_tiny(int64_t batch, int threads)
{
    waio_session_options options = tiny_session_options(batch, threads);
    return open_model(tiny_model, &options);
}

#endif
