/* What a row sums up, as CSV files beside the results: per class, per image, and which class was
 * taken for which. */
#ifndef WAIO_SWEEP_DETAILS_H
#define WAIO_SWEEP_DETAILS_H

#include "sweep/config.h"

/* Files in `dir` (made if it is not there), named DIGEST.*: the first 16 digits of the SHA-256 of
 * the configuration's canonical text, which DIGEST.config.txt holds. Each replaces an older one of
 * the same configuration, and is whole or not there.
 *   DIGEST.classes.csv    class, name, images, correct, accuracy, float_accuracy; of a detector
 *                         class, name, objects, found, value (the row's metric), float_value
 *   DIGEST.confusion.csv  of a classifier: a row a label, its images by predicted class, in the
 *                         last column those whose scores held a NaN
 *   DIGEST.images.csv     index, name, label, prediction, margin, float_prediction: classes by
 *                         number, empty where the scores held a NaN; margin is by how much the best
 *                         score leads. Of a detector: index, name, objects, found, agrees
 * The session must have been opened with keep_answers. WAIO_EINPUT: DIGEST.config.txt is there with
 * another configuration (nothing is written then). WAIO_EIO: not writable. */
waio_status waio_details_write(const char *dir, const waio_config *config,
                               const waio_session *session, const waio_outcome *outcome);

#endif
