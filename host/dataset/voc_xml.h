/* An annotation of Pascal VOC: the image's size and the objects in it, from XML through expat. */
#ifndef WAIO_DATASET_VOC_XML_H
#define WAIO_DATASET_VOC_XML_H

#include "dataset/dataset.h"

/* What a file may have at the most. */
enum {
    WAIO_XML_MAX_BYTES = 4 << 20,
    WAIO_XML_MAX_DEPTH = 16,
    WAIO_XML_MAX_TEXT = 256, /* of an element that is read */
    WAIO_XML_MAX_OBJECTS = 4096
};

typedef struct waio_voc_annotation {
    const char *path;
    int width, height; /* as stated; 0: not stated */
    waio_object *object;
    int *line; /* where each begins */
    int count;
    int no_truncated, no_difficult, no_pose;
    char sha256[65]; /* of the file */
} waio_voc_annotation;

/* Reads `path`; the texts and objects live in `arena`. `class_name` are the `classes` names that an
 * object may have. Elements are known by their whole path, so a <part>'s box is not the object's.
 * An object needs <name> and <bndbox>; without <truncated> or <difficult> it counts as neither.
 * WAIO_EINPUT, with file and line: no XML, a DOCTYPE (so no entities), a class that is not known, a
 * box that ends before it begins, a limit passed. */
waio_status waio_voc_annotation_read(waio_voc_annotation *out, const char *path,
                                     const char *const *class_name, int classes, waio_arena *arena);
/* The same of `size` bytes; `path` is for messages. */
waio_status waio_voc_annotation_parse(waio_voc_annotation *out, const unsigned char *data,
                                      size_t size, const char *path, const char *const *class_name,
                                      int classes, waio_arena *arena);

/* Whether all boxes lie in an image of this size, corners 0 to width and 0 to height. */
waio_status waio_voc_annotation_check(const waio_voc_annotation *annotation, waio_image_size size);

#endif
