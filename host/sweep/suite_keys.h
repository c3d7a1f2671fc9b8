/* Every key of a suite file, once: what it takes, what is allowed, what it is if it is not given.
 * The reader (suite.c) and its schema come from this table; suites/README.md is tested against it.
 * To add a key: a field in waio_suite and a row here. To allow one more value: a word in its row.
 */
#ifndef WAIO_SWEEP_SUITE_KEYS_H
#define WAIO_SWEEP_SUITE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum { WAIO_SUITE_MAX_ALLOWED = 10, WAIO_SUITE_MAX_TEXT = 1000 };

typedef enum waio_key_kind {
    WAIO_KEY_GROUP,    /* a mapping; its keys follow as "group.key" */
    WAIO_KEY_NAME,     /* [a-z0-9][a-z0-9._-]*, at most 100 characters */
    WAIO_KEY_WORD,     /* one of `allowed` */
    WAIO_KEY_RESIZE,   /* a pipeline of dataset/resize.h */
    WAIO_KEY_NUMBER,   /* a whole number from `least` to `most` */
    WAIO_KEY_TEXTS,    /* a list of texts */
    WAIO_KEY_SUSPECTS, /* a list of texts of sweep/suspects.h */
    WAIO_KEY_BITS,     /* a list of precisions */
    WAIO_KEY_NUMBERS   /* a list of whole numbers from `least` to `most` */
} waio_key_kind;

typedef struct waio_suite_key {
    const char *path; /* "method.range" */
    waio_key_kind kind;
    bool required;        /* within its group */
    size_t offset;        /* of the field in waio_suite */
    const char *fallback; /* the value if the key is not given; a list gets it as its one item.
                           * NULL: there is none, or the method's preset says it */
    const char *allowed[WAIO_SUITE_MAX_ALLOWED]; /* WAIO_KEY_WORD; ends in NULL */
    int least, most;                             /* numbers */
} waio_suite_key;

enum { WAIO_SUITE_KEYS = 38 };
extern const waio_suite_key waio_suite_key_table[WAIO_SUITE_KEYS];

/* The key within its group: "range" of "method.range". */
const char *waio_suite_key_name(const waio_suite_key *key);
/* The row of `name` in `group` ("" is the top level); NULL if there is none. */
const waio_suite_key *waio_suite_key_find(const char *group, const char *name);
/* True if the key stands directly in `group`. */
bool waio_suite_key_in(const waio_suite_key *key, const char *group);

#endif
