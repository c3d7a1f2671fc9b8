/* What the lanes of a warp do together, and single instructions with checks of their own: shuffles,
 * ballots, matrix multiply, ldmatrix, async copies, wide loads and stores. */
#include "cuda_emulation/emulator_internal.h"

const char *const warp_operation_name[] = {"__syncwarp", "a vote", "a shuffle", "mma", "ldmatrix"};

typedef struct ballot {
    int predicate;
    unsigned result;
} ballot;

typedef struct ldmatrix {
    unsigned *registers;
    int count;
    unsigned char row[16];
} ldmatrix;

static bool inside_shared(const void *p, size_t bytes)
{
    const char *start = static_cast<const char *>(p);
    return start >= emulated_shared && start + bytes <= emulated_shared + arena_shared_bytes();
}

/* ---- entries ---- */

void emulated_syncwarp(unsigned mask, int line)
{
    warp_meet(WARP_SYNC, mask, NULL, line);
}

unsigned emulated_ballot(unsigned mask, int predicate, int line)
{
    ballot operands = {predicate, 0};
    warp_meet(WARP_BALLOT, mask, &operands, line);
    return operands.result;
}

void emulated_shuffle_lanes(unsigned mask, emulated_shuffle *operands, int line)
{
    int width = operands->width;
    if (width < 1 || width > 32 || (width & (width - 1)))
        emulator_stop("a shuffle, line %d: width %d is no power of two up to 32", line, width);
    warp_meet(WARP_SHUFFLE, mask, operands, line);
}

void emulated_mma_sync(emulated_mma *operands, int line)
{
    warp_meet(WARP_MMA, ~0u, operands, line);
}

/* Each lane reads its row when it comes, before the others have: the hardware may. */
void emulated_ldmatrix(unsigned *registers, int count, const void *row, int line)
{
    ldmatrix operands = {registers, count, {0}};

    if (thread_now()->lane < 8 * count) {
        if ((uintptr_t)row % 16 || !inside_shared(row, 16))
            emulator_stop("ldmatrix, line %d: the row at byte %td of %zu of shared memory is "
                          "outside or not a multiple of 16",
                          line, static_cast<const char *>(row) - emulated_shared,
                          arena_shared_bytes());
        checker_access(row, 16, ACCESS_READ, EMULATED_PLACE);
        memcpy(operands.row, row, 16);
    }
    warp_meet(WARP_LDMATRIX, ~0u, &operands, line);
}

/* ---- what the last lane does for all ---- */

/* The lane that `lane` reads. Past the end of its segment it is itself. */
static int shuffle_source(const emulated_shuffle *s, int lane)
{
    int segment = lane & ~(s->width - 1), inside = lane - segment, source;

    switch (s->kind) {
    case EMULATED_UP:
        return s->arg <= inside ? lane - s->arg : lane;
    case EMULATED_DOWN:
        return inside + s->arg < s->width ? lane + s->arg : lane;
    case EMULATED_XOR:
        source = lane ^ s->arg;
        return source < segment + s->width ? source : lane;
    default:
        return segment + (s->arg & (s->width - 1));
    }
}

static void perform_shuffle(unsigned mask, thread *lane)
{
    const emulated_shuffle *first =
        static_cast<emulated_shuffle *>(lane[__builtin_ctz(mask)].operands);

    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int l = __builtin_ctz(rest);
        emulated_shuffle *s = static_cast<emulated_shuffle *>(lane[l].operands);
        int source = shuffle_source(s, l);
        if (s->kind != first->kind || s->bytes != first->bytes || s->width != first->width)
            emulator_stop("a shuffle, line %d: lane %d does another one", lane[l].line, l);
        if (source < 0 || source > 31 || !(mask >> source & 1))
            emulator_stop("a shuffle, line %d: lane %d reads lane %d, outside mask %08x",
                          lane[l].line, l, source, mask);
        memcpy(s->result, static_cast<emulated_shuffle *>(lane[source].operands)->value, s->bytes);
    }
}

static void perform_ballot(unsigned mask, thread *lane)
{
    unsigned votes = 0;

    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int l = __builtin_ctz(rest);
        votes |= (unsigned)(static_cast<ballot *>(lane[l].operands)->predicate != 0) << l;
    }
    for (unsigned rest = mask; rest; rest &= rest - 1)
        static_cast<ballot *>(lane[__builtin_ctz(rest)].operands)->result = votes;
}

static void perform_ldmatrix(thread *lane)
{
    int count = static_cast<ldmatrix *>(lane[0].operands)->count;

    for (int l = 0; l < EMULATOR_LANES; l++) {
        ldmatrix *own = static_cast<ldmatrix *>(lane[l].operands);
        for (int j = 0; j < count; j++) {
            const ldmatrix *source = static_cast<ldmatrix *>(lane[8 * j + l / 4].operands);
            memcpy(&own->registers[j], source->row + 4 * (l % 4), 4);
        }
    }
}

/* The four numbers of a register, lowest byte first. */
static void unpack(int16_t *number, unsigned value, int is_signed)
{
    for (int i = 0; i < 4; i++) {
        unsigned bits = value >> 8 * i & 0xff;
        number[i] = (int16_t)(is_signed ? (int8_t)bits : (int)bits);
    }
}

/* Row `m` of A and column `n` of B as numbers k = 0.., gathered from the lanes that hold them. */
static void gather_a(int16_t *row, thread *lane, const emulated_mma *shape, int m)
{
    for (int k = 0; k < shape->k; k += 4) {
        const emulated_mma *o = static_cast<emulated_mma *>(lane[m % 8 * 4 + k % 16 / 4].operands);
        unpack(row + k, o->a[(m >= 8) + 2 * (k / 16)], shape->a_signed);
    }
}

static void gather_b(int16_t *column, thread *lane, const emulated_mma *shape, int n)
{
    for (int k = 0; k < shape->k; k += 4) {
        const emulated_mma *o = static_cast<emulated_mma *>(lane[n * 4 + k % 16 / 4].operands);
        unpack(column + k, o->b[k / 16], shape->b_signed);
    }
}

/* Of 32 numbers; those past the shape's k are 0. */
static int dot(const int16_t *a, const int16_t *b)
{
    int sum = 0;
    for (int k = 0; k < 32; k++)
        sum += a[k] * b[k];
    return sum;
}

static void perform_mma(thread *lane)
{
    const emulated_mma *shape = static_cast<emulated_mma *>(lane[0].operands);
    int16_t a[16][32] = {}, b[8][32] = {};

    for (int l = 1; l < EMULATOR_LANES; l++) {
        const emulated_mma *o = static_cast<emulated_mma *>(lane[l].operands);
        if (o->m != shape->m || o->k != shape->k || o->a_signed != shape->a_signed ||
            o->b_signed != shape->b_signed)
            emulator_stop("mma, line %d: lane %d does another one", lane[l].line, l);
    }
    for (int m = 0; m < shape->m; m++)
        gather_a(a[m], lane, shape, m);
    for (int n = 0; n < 8; n++)
        gather_b(b[n], lane, shape, n);
    for (int m = 0; m < shape->m; m++)
        for (int n = 0; n < 8; n++) {
            emulated_mma *o = static_cast<emulated_mma *>(lane[m % 8 * 4 + n / 2].operands);
            int *d = &o->d[n % 2 + (m >= 8 ? 2 : 0)];
            *d = (int)((unsigned)*d + (unsigned)dot(a[m], b[n]));
        }
}

void warp_perform(enum warp_operation operation, unsigned mask, thread *lane)
{
    switch (operation) {
    case WARP_SHUFFLE:
        perform_shuffle(mask, lane);
        break;
    case WARP_BALLOT:
        perform_ballot(mask, lane);
        break;
    case WARP_MMA:
        perform_mma(lane);
        break;
    case WARP_LDMATRIX: {
        int count = static_cast<ldmatrix *>(lane[0].operands)->count;
        for (int l = 1; l < EMULATOR_LANES; l++)
            if (static_cast<ldmatrix *>(lane[l].operands)->count != count)
                emulator_stop("ldmatrix, line %d: lane %d loads another number", lane[l].line, l);
        perform_ldmatrix(lane);
        break;
    }
    case WARP_SYNC:
        break;
    }
}

/* ---- single instructions ---- */

void emulated_load(void *dst, const void *src, unsigned bytes, int line)
{
    if ((uintptr_t)src % bytes)
        emulator_stop("line %d: a load of %u bytes from %p, which is no multiple of it", line,
                      bytes, src);
    checker_access(src, bytes, ACCESS_READ, EMULATED_PLACE);
    memcpy(dst, src, bytes);
}

void emulated_store(void *dst, const void *src, unsigned bytes, int line)
{
    if ((uintptr_t)dst % bytes)
        emulator_stop("line %d: a store of %u bytes to %p, which is no multiple of it", line, bytes,
                      dst);
    checker_access(dst, bytes, ACCESS_WRITE, EMULATED_PLACE);
    memcpy(dst, src, bytes);
}

void emulated_atomic(const void *address, unsigned bytes)
{
    checker_access(address, bytes, ACCESS_ATOMIC, EMULATED_PLACE);
}

/* ---- async copies, at their worst: the bytes come with the wait and not before ---- */

static void check_copy(const pending_copy *c, int line)
{
    if ((uintptr_t)c->dst % c->bytes || (uintptr_t)c->src % c->bytes)
        emulator_stop("async copy, line %d: %u bytes from %p to %p, not both multiples of it", line,
                      c->bytes, (const void *)c->src, (void *)c->dst);
    if (!inside_shared(c->dst, c->bytes))
        emulator_stop("async copy, line %d: byte %td of %zu of shared memory is outside", line,
                      c->dst - emulated_shared, arena_shared_bytes());
    if (c->valid > c->bytes)
        emulator_stop("async copy, line %d: %u valid bytes of %u", line, c->valid, c->bytes);
    if (c->valid && (!arena_holds(c->src) || arena_is_shared(c->src)))
        emulator_stop("async copy, line %d: its source %p is not global memory", line,
                      (const void *)c->src);
    if (thread_now()->copies == EMULATOR_MAX_COPIES)
        emulator_stop("async copy, line %d: more than %d on their way", line, EMULATOR_MAX_COPIES);
}

void emulated_copy_async(void *shared_dst, const void *global_src, unsigned bytes, unsigned valid,
                         int line)
{
    thread *t = thread_now();
    pending_copy c = {static_cast<char *>(shared_dst), static_cast<const char *>(global_src), bytes,
                      valid, t->groups};

    check_copy(&c, line);
    if (valid)
        checker_access(c.src, valid, ACCESS_READ, EMULATED_PLACE);
    checker_access(c.dst, bytes, ACCESS_WRITE, EMULATED_PLACE);
    memset(c.dst, 0xCD, bytes);
    for (unsigned i = 0; i < bytes; i++)
        arena_state[arena_offset(c.dst) + i] |= EMULATOR_PENDING;
    t->copy[t->copies++] = c;
}

void emulated_copy_commit(void)
{
    thread_now()->groups++;
}

void emulated_copy_wait(int groups_left)
{
    thread *t = thread_now();
    int done = 0;

    for (; done < t->copies && t->copy[done].group < t->groups - groups_left; done++) {
        const pending_copy *c = &t->copy[done];
        for (unsigned i = 0; i < c->bytes; i++)
            arena_state[arena_offset(c->dst) + i] &= (uint8_t)~EMULATOR_PENDING;
        memset(c->dst, 0, c->bytes);
        if (c->valid && (!checker_on || arena_inside(c->src, c->valid)))
            memcpy(c->dst, c->src, c->valid);
    }
    t->copies -= done;
    memmove(t->copy, t->copy + done, (size_t)t->copies * sizeof *t->copy);
}
