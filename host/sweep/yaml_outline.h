/* Where things stand in a YAML file. libcyaml gives the values but not their lines, so its own
 * parser (libyaml) is run once before it: for the line and column of every key and value, and to
 * refuse what YAML has and suites do not: anchors, tags, a second document, keys given twice, deep
 * nesting. Only what this outline has accepted is handed to libcyaml. */
#ifndef WAIO_SWEEP_YAML_OUTLINE_H
#define WAIO_SWEEP_YAML_OUTLINE_H

#include <stddef.h>

#include "util/arena.h"
#include "util/status.h"

enum {
    WAIO_YAML_MAX_BYTES = 1 << 20,
    WAIO_YAML_MAX_DEPTH = 8,    /* lists and mappings inside each other */
    WAIO_YAML_MAX_NODES = 10000 /* values and keys in a file */
};

typedef enum waio_yaml_kind { WAIO_YAML_SCALAR, WAIO_YAML_LIST, WAIO_YAML_MAPPING } waio_yaml_kind;

typedef struct waio_yaml_mark {
    int line, column; /* from 1; the column counts characters */
} waio_yaml_mark;

typedef struct waio_yaml_node {
    waio_yaml_kind kind;
    waio_yaml_mark at;
    const char *key; /* of an entry of a mapping, else NULL */
    waio_yaml_mark key_at;
    struct waio_yaml_node *child; /* first item or entry */
    struct waio_yaml_node *next;  /* next item or entry of the same list or mapping */
    int count;                    /* children */
} waio_yaml_node;

typedef struct waio_yaml {
    const char *path; /* for messages */
    unsigned char *data;
    size_t size;
    waio_yaml_node *root; /* NULL: the file holds no value, only comments or nothing */
} waio_yaml;

/* Reads `path` and fills `yaml`; everything lives in `arena`. WAIO_EINPUT: missing, too large or no
 * YAML. WAIO_EUSAGE: YAML that suites do not use. */
waio_status waio_yaml_read(waio_yaml *yaml, const char *path, waio_arena *arena);

/* The entry `key` of a mapping, the item `index` of a list; NULL if there is none. */
const waio_yaml_node *waio_yaml_entry(const waio_yaml_node *node, const char *key);
const waio_yaml_node *waio_yaml_item(const waio_yaml_node *node, int index);

/* Sets the message to `path:line: ...`, the line of the file and a caret below the column, and
 * returns `code`. */
waio_status waio_yaml_error(const waio_yaml *yaml, waio_yaml_mark at, waio_status code,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
