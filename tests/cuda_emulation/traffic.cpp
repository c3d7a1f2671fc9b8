/* The traffic counter: what the memory system makes of a warp's accesses. The k-th access of each
 * lane at one place in the code, since the warp last met, is taken for one instruction. */
#include "cuda_emulation/emulator_internal.h"

#include <stdlib.h>

enum { SECTOR_BYTES = 32, BANKS = 32, MAX_PLACES = 4096, GROUPS_OF_WARP = 1024 };

/* One place in the code and what was counted there. */
typedef struct place {
    const void *code;
    emulator_space space;
    bool write;
    unsigned bytes;
    double taken, fewest;
} place;

/* The k-th accesses of a warp's lanes at one place. */
typedef struct group {
    const void *code;
    int occurrence;
    bool write;
    unsigned bytes, lanes; /* lanes: a bit for each that has come */
    const char *address[EMULATOR_LANES];
} group;

static place places[MAX_PLACES];
static int place_count;
static group groups[EMULATOR_MAX_WARPS][GROUPS_OF_WARP];
static int group_count[EMULATOR_MAX_WARPS];

void traffic_reset(void)
{
    place_count = 0;
    memset(group_count, 0, sizeof group_count);
}

/* ---- counting one instruction ---- */

static int count_different(uintptr_t *list, int count)
{
    int different = 0;

    for (int i = 0; i < count; i++) {
        int j = 0;
        while (j < different && list[j] != list[i])
            j++;
        if (j == different)
            list[different++] = list[i];
    }
    return different;
}

/* Sectors touched, and the fewest that hold as many different bytes. */
static void count_global(const group *g, double *taken, double *fewest)
{
    uintptr_t sectors[2 * EMULATOR_LANES], addresses[EMULATOR_LANES];
    int n = 0, lanes = 0;

    for (unsigned rest = g->lanes; rest; rest &= rest - 1) {
        uintptr_t a = (uintptr_t)g->address[__builtin_ctz(rest)];
        addresses[lanes++] = a;
        sectors[n++] = a / SECTOR_BYTES;
        sectors[n++] = (a + g->bytes - 1) / SECTOR_BYTES;
    }
    unsigned bytes = (unsigned)count_different(addresses, lanes) * g->bytes;
    *taken = count_different(sectors, n);
    *fewest = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
}

/* Different words asked of the busiest bank by the lanes of one phase. */
static int busiest_bank(const group *g, unsigned lanes)
{
    uintptr_t words[4 * EMULATOR_LANES];
    int n = 0, in_bank[BANKS] = {0}, busiest = 0;

    for (unsigned rest = lanes; rest; rest &= rest - 1) {
        uintptr_t a = (uintptr_t)g->address[__builtin_ctz(rest)];
        for (uintptr_t w = a / 4; w <= (a + g->bytes - 1) / 4; w++)
            words[n++] = w;
    }
    n = count_different(words, n);
    for (int i = 0; i < n; i++) {
        int *count = &in_bank[words[i] % BANKS];
        ++*count;
        busiest = *count > busiest ? *count : busiest;
    }
    return busiest;
}

/* A phase serves 32 lanes of up to 4 bytes, 16 of 8, 8 of 16. */
static void count_shared(const group *g, double *taken, double *fewest)
{
    int lanes = g->bytes <= 4 ? 32 : g->bytes == 8 ? 16 : 8;

    for (int first = 0; first < EMULATOR_LANES; first += lanes) {
        unsigned phase = lanes == 32 ? ~0u : ((1u << lanes) - 1) << first;
        if (g->lanes & phase) {
            *taken += busiest_bank(g, g->lanes & phase);
            *fewest += 1;
        }
    }
}

static place *place_of(const group *g, emulator_space space)
{
    for (int i = 0; i < place_count; i++) {
        place *p = &places[i];
        if (p->code == g->code && p->space == space && p->write == g->write && p->bytes == g->bytes)
            return p;
    }
    if (place_count == MAX_PLACES)
        abort();
    places[place_count] = {g->code, space, g->write, g->bytes, 0, 0};
    return &places[place_count++];
}

static void count_group(const group *g)
{
    bool shared = arena_is_shared(g->address[__builtin_ctz(g->lanes)]);
    double taken = 0, fewest = 0;
    place *p = place_of(g, shared ? EMULATOR_SHARED : EMULATOR_GLOBAL);

    if (shared)
        count_shared(g, &taken, &fewest);
    else
        count_global(g, &taken, &fewest);
    p->taken += taken;
    p->fewest += fewest;
}

/* ---- collecting ---- */

static void flush_warp(int warp)
{
    for (int i = 0; i < group_count[warp]; i++)
        count_group(&groups[warp][i]);
    group_count[warp] = 0;
}

void traffic_flush(int warp)
{
    if (!checker_on)
        return;
    if (warp >= 0)
        flush_warp(warp);
    for (int w = 0; warp < 0 && w < EMULATOR_MAX_WARPS; w++)
        flush_warp(w);
}

/* The group that this lane's access belongs to: the first at this place that lacks the lane. */
static group *group_of(int warp, int lane, const void *code, bool write, size_t bytes)
{
    group *list = groups[warp];
    int occurrence = 0;

    for (int i = 0; i < group_count[warp]; i++) {
        group *g = &list[i];
        if (g->code != code || g->write != write || g->bytes != bytes)
            continue;
        if (!(g->lanes >> lane & 1))
            return g;
        occurrence++;
    }
    if (group_count[warp] == GROUPS_OF_WARP)
        flush_warp(warp); /* a long stretch without a meeting: what follows starts anew */
    group *g = &list[group_count[warp]++];
    *g = {code, occurrence, write, (unsigned)bytes, 0, {NULL}};
    return g;
}

void traffic_access(const void *p, size_t bytes, bool write, const void *code)
{
    const thread *t = thread_now();

    if (bytes > 16)
        return;
    group *g = group_of(t->warp, t->lane, code, write, bytes);
    g->lanes |= 1u << t->lane;
    g->address[t->lane] = static_cast<const char *>(p);
}

double emulator_traffic_ratio(emulator_traffic which)
{
    double taken = 0, fewest = 0, worst = 0;

    for (int i = 0; i < place_count; i++) {
        const place *p = &places[i];
        if (p->space != which.space || p->write != (which.write != 0) || p->bytes != which.bytes)
            continue;
        taken += p->taken;
        fewest += p->fewest;
        worst = p->taken / p->fewest > worst ? p->taken / p->fewest : worst;
    }
    return which.worst ? worst : fewest > 0 ? taken / fewest : 0;
}
