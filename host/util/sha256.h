/* SHA-256 (FIPS 180-4), for the identity of models and data in a row. */
#ifndef WAIO_UTIL_SHA256_H
#define WAIO_UTIL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct waio_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} waio_sha256;

void waio_sha256_init(waio_sha256 *sha);
void waio_sha256_add(waio_sha256 *sha, const void *data, size_t bytes);
/* Writes 64 hexadecimal digits and a zero byte. */
void waio_sha256_hex(waio_sha256 *sha, char hex[65]);
/* Digest of a file's bytes. */
waio_status waio_sha256_file(char hex[65], const char *path);

#endif
