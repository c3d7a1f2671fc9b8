#include "util/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char block[64])
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    /* The eight words move on by one place a round; eight rounds at a time they move by name. */
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i += 8)
        for (int k = 0; k < 8; k++) {
            uint32_t *v[8];
            for (int j = 0; j < 8; j++)
                v[j] = &s[(j - k) & 7];
            uint32_t e = *v[4], a = *v[0];
            uint32_t t1 = *v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
                          ((e & *v[5]) ^ (~e & *v[6])) + round_constant[i + k] + w[i + k];
            uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
                          ((a & *v[1]) ^ (a & *v[2]) ^ (*v[1] & *v[2]));
            *v[3] += t1;
            *v[7] = t1 + t2;
        }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void waio_sha256_init(waio_sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, start, sizeof start);
    sha->bytes = 0;
}

void waio_sha256_add(waio_sha256 *sha, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    size_t have = sha->bytes % 64;

    sha->bytes += bytes;
    while (bytes) {
        if (have == 0 && bytes >= 64) {
            compress(sha->state, p);
            p += 64;
            bytes -= 64;
            continue;
        }
        size_t take = 64 - have < bytes ? 64 - have : bytes;
        memcpy(sha->block + have, p, take);
        p += take;
        bytes -= take;
        have += take;
        if (have == 64) {
            compress(sha->state, sha->block);
            have = 0;
        }
    }
}

void waio_sha256_hex(waio_sha256 *sha, char hex[65])
{
    uint64_t bits = sha->bytes * 8;
    unsigned char tail[8];
    static const unsigned char pad[64] = {0x80};
    size_t have = sha->bytes % 64;

    for (int i = 0; i < 8; i++)
        tail[i] = (unsigned char)(bits >> (56 - 8 * i));
    waio_sha256_add(sha, pad, have < 56 ? 56 - have : 120 - have);
    waio_sha256_add(sha, tail, 8);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", sha->state[i]);
}

waio_status waio_sha256_file(char hex[65], const char *path)
{
    waio_sha256 sha;
    unsigned char buffer[65536];
    size_t got;
    FILE *file = fopen(path, "rb");

    if (!file)
        return waio_error(WAIO_EINPUT, "%s: %s", path, strerror(errno));
    waio_sha256_init(&sha);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        waio_sha256_add(&sha, buffer, got);
    int bad = ferror(file);
    fclose(file);
    if (bad)
        return waio_error(WAIO_EIO, "%s: reading failed", path);
    waio_sha256_hex(&sha, hex);
    return WAIO_OK;
}
