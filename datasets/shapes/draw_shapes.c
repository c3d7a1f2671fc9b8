/* Draws the shapes set: labelled 32x32 RGB pictures of ten shapes, written in the binary format
 * of CIFAR-10 (one label byte, then 1024 red, 1024 green and 1024 blue bytes, row by row).
 *
 * Every picture is drawn from the seed, its stream (training or test) and its number alone, so a
 * longer set begins with the shorter one, and the test pictures never depend on the training
 * ones. All arithmetic is on integers: the bytes are the same on every machine. */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SIDE = 32,
    PIXELS = SIDE * SIDE,
    RECORD = 1 + 3 * PIXELS,
    CLASSES = 10,
    PER_FILE = 10000,
    MAX_PICTURES = 1000000,
    PX = 256,   /* one pixel, in the units that places on the picture are held in */
    ONE = 4096, /* 1.0, in the units that shapes and directions are held in */
    SUB = 4     /* each pixel is sampled SUB x SUB times */
};

enum { STREAM_TRAIN = 1, STREAM_TEST = 2 };

enum shape { DISC, RING, SQUARE, TRIANGLE, HEXAGON, STAR, CROSS, CRESCENT, ARROW, HEART };

static const char *const class_names[CLASSES] = {"disc", "ring",  "square",   "triangle", "hexagon",
                                                 "star", "cross", "crescent", "arrow",    "heart"};

/* ---- random numbers (splitmix64) ---- */

struct rng {
    uint64_t state;
};

static uint64_t mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct rng rng_for(uint64_t seed, int stream, uint64_t number)
{
    uint64_t s = mix64(seed + UINT64_C(0x9e3779b97f4a7c15));
    s = mix64(s ^ (uint64_t)stream * UINT64_C(0xd1342543de82ef95));
    return (struct rng){mix64(s ^ number * UINT64_C(0xaf251af3b0f025b5))};
}

static uint32_t rng_next(struct rng *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mix64(r->state) >> 32);
}

/* A number from lo to hi, both included. Never called twice in one expression's operands or one
 * call's arguments: C leaves their order open, and the pictures hang on it. */
static int between(struct rng *r, int lo, int hi)
{
    uint64_t span = (uint64_t)(hi - lo + 1);
    return lo + (int)((rng_next(r) * span) >> 32);
}

static bool chance(struct rng *r, int percent)
{
    return between(r, 0, 99) < percent;
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static int isqrt(int n)
{
    int root = 0;
    for (int bit = 1 << 14; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= n)
            root += bit;
    }
    return root;
}

/* ---- shapes, each in its own frame, where it fills about the disc of radius ONE ---- */

struct point {
    int x, y;
};

/* A unit vector in a random direction: no sine needed. */
static struct point direction(struct rng *r)
{
    for (;;) {
        int x = between(r, -ONE, ONE);
        int y = between(r, -ONE, ONE);
        int length = isqrt(x * x + y * y);
        if (length > ONE / 4 && length <= ONE)
            return (struct point){x * ONE / length, y * ONE / length};
    }
}

static const struct point square_points[] = {
    {-3270, -3270}, {3270, -3270}, {3270, 3270}, {-3270, 3270}};
static const struct point triangle_points[] = {{0, -4300}, {3730, 2150}, {-3730, 2150}};
static const struct point hexagon_points[] = {{4000, 0},  {2000, 3464},   {-2000, 3464},
                                              {-4000, 0}, {-2000, -3464}, {2000, -3464}};
static const struct point star_points[] = {
    {0, -4300}, {1140, -1570}, {4090, -1330}, {1846, 600},    {2530, 3480},
    {0, 1940},  {-2530, 3480}, {-1846, 600},  {-4090, -1330}, {-1140, -1570}};
static const struct point cross_points[] = {
    {-1350, -4000}, {1350, -4000}, {1350, -1350}, {4000, -1350}, {4000, 1350},   {1350, 1350},
    {1350, 4000},   {-1350, 4000}, {-1350, 1350}, {-4000, 1350}, {-4000, -1350}, {-1350, -1350}};
static const struct point arrow_points[] = {{0, -4200},   {3400, -400},  {1250, -400},
                                            {1250, 3900}, {-1250, 3900}, {-1250, -400},
                                            {-3400, -400}};
static const struct point heart_points[] = {{-3168, 14}, {0, -1434}, {3168, 14}, {0, 3182}};

/* Even-odd rule, by cross products. */
static bool in_polygon(const struct point *p, size_t count, int u, int v)
{
    bool in = false;
    for (size_t i = 0, j = count - 1; i < count; j = i++) {
        if ((p[i].y > v) == (p[j].y > v))
            continue;
        int left = (u - p[i].x) * (p[j].y - p[i].y);
        int right = (v - p[i].y) * (p[j].x - p[i].x);
        if (p[j].y > p[i].y ? left < right : left > right)
            in = !in;
    }
    return in;
}

static bool in_circle(int cx, int cy, int radius, int u, int v)
{
    return (u - cx) * (u - cx) + (v - cy) * (v - cy) <= radius * radius;
}

#define IN_POLYGON(points, u, v) in_polygon(points, sizeof points / sizeof points[0], u, v)

/* `vary`, from 0 to 255, sets how wide the hole of a ring or a crescent is. */
static bool in_shape(enum shape shape, int vary, int u, int v)
{
    switch (shape) {
    case DISC:
        return in_circle(0, 0, 3750, u, v);
    case RING:
        return in_circle(0, 0, 4000, u, v) && !in_circle(0, 0, 1700 + 4 * vary, u, v);
    case SQUARE:
        return IN_POLYGON(square_points, u, v);
    case TRIANGLE:
        return IN_POLYGON(triangle_points, u, v);
    case HEXAGON:
        return IN_POLYGON(hexagon_points, u, v);
    case STAR:
        return IN_POLYGON(star_points, u, v);
    case CROSS:
        return IN_POLYGON(cross_points, u, v);
    case CRESCENT:
        return in_circle(0, 0, 4000, u, v) && !in_circle(2300 - 3 * vary, 0, 3100, u, v);
    case ARROW:
        return IN_POLYGON(arrow_points, u, v);
    case HEART:
        return in_circle(1720, -1434, 2048, u, v) || in_circle(-1720, -1434, 2048, u, v) ||
               IN_POLYGON(heart_points, u, v);
    }
    return false;
}

/* ---- paint: two colours mixed by a field that varies over the picture ---- */

enum field_kind { GRADIENT, CLOUDS, STRIPES, CHECKS, FIELD_KINDS };

enum { LATTICE = 12 };

struct field {
    enum field_kind kind;
    struct point along;
    int period; /* in PX */
    int phase;
    int lattice[LATTICE][LATTICE];
};

struct colour {
    int c[3];
};

struct paint {
    struct colour a, b;
    struct field field;
};

static void field_draw(struct rng *r, struct field *f)
{
    f->kind = (enum field_kind)between(r, 0, FIELD_KINDS - 1);
    f->along = direction(r);
    f->period = between(r, 4 * PX, 12 * PX);
    f->phase = between(r, 0, 64 * PX);
    for (int i = 0; i < LATTICE; i++) {
        for (int j = 0; j < LATTICE; j++)
            f->lattice[i][j] = between(r, 0, 256);
    }
}

static int clouds_at(const struct field *f, int x, int y)
{
    int i = y * PX / f->period;
    int j = x * PX / f->period;
    int fy = (y * PX % f->period) * 256 / f->period;
    int fx = (x * PX % f->period) * 256 / f->period;
    int top = f->lattice[i][j] * (256 - fx) + f->lattice[i][j + 1] * fx;
    int bottom = f->lattice[i + 1][j] * (256 - fx) + f->lattice[i + 1][j + 1] * fx;
    return (top * (256 - fy) + bottom * fy) / (256 * 256);
}

/* The field at a pixel, from 0 to 256. */
static int field_at(const struct field *f, int x, int y)
{
    if (f->kind == CLOUDS)
        return clouds_at(f, x, y);
    int dx = x - SIDE / 2;
    int dy = y - SIDE / 2;
    int p = (dx * f->along.x + dy * f->along.y) / (ONE / PX);
    if (f->kind == GRADIENT)
        return clamp(128 + p / 40, 0, 256);
    int q = (dx * f->along.y - dy * f->along.x) / (ONE / PX);
    int wave = (p + f->phase + 64 * PX) % f->period * 512 / f->period;
    if (f->kind == STRIPES)
        return wave < 256 ? wave : 512 - wave;
    int other = (q + f->phase + 64 * PX) % f->period * 512 / f->period;
    return (wave < 256) == (other < 256) ? 256 : 0;
}

static struct colour colour_draw(struct rng *r)
{
    struct colour k;
    for (int i = 0; i < 3; i++)
        k.c[i] = between(r, 20, 235);
    return k;
}

static struct colour colour_near(struct rng *r, const struct colour *k, int reach)
{
    struct colour n;
    for (int i = 0; i < 3; i++)
        n.c[i] = clamp(k->c[i] + between(r, -reach, reach), 0, 255);
    return n;
}

static int colour_distance(const struct colour *a, const struct colour *b)
{
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += abs(a->c[i] - b->c[i]);
    return sum;
}

static void paint_at(const struct paint *p, int x, int y, int out[3])
{
    int t = field_at(&p->field, x, y);
    for (int i = 0; i < 3; i++)
        out[i] = (p->a.c[i] * (256 - t) + p->b.c[i] * t + 128) / 256;
}

/* A paint that stands off the ground's two colours by at least `contrast`, where tries suffice. */
static void paint_against(struct rng *r, const struct paint *ground, int contrast, int reach,
                          struct paint *out)
{
    field_draw(r, &out->field);
    int best = -1;
    for (int tries = 0; tries < 12 && best < contrast; tries++) {
        struct colour a = colour_draw(r);
        struct colour b = colour_near(r, &a, reach);
        int da = colour_distance(&a, &ground->a);
        int db = colour_distance(&a, &ground->b);
        int d = da < db ? da : db;
        if (d > best) {
            best = d;
            out->a = a;
            out->b = b;
        }
    }
}

/* ---- the picture ---- */

struct picture {
    int at[SIDE][SIDE][3];
};

/* Where a shape stands: centre and half sizes in PX, turned so that its u axis lies along `turn`
 * and leaned by `shear` of ONE. */
struct place {
    struct point centre, turn;
    int half_u, half_v, shear;
};

static void draw_ground(struct picture *pic, const struct paint *p)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++)
            paint_at(p, x, y, pic->at[y][x]);
    }
}

static int coverage(enum shape shape, int vary, const struct place *at, int x, int y)
{
    int count = 0;
    for (int s = 0; s < SUB * SUB; s++) {
        int dx = x * PX + (2 * (s % SUB) + 1) * PX / (2 * SUB) - at->centre.x;
        int dy = y * PX + (2 * (s / SUB) + 1) * PX / (2 * SUB) - at->centre.y;
        int u = (dx * at->turn.x + dy * at->turn.y) / at->half_u;
        int v = (dy * at->turn.x - dx * at->turn.y) / at->half_v;
        u += v * at->shear / ONE;
        if (abs(u) < 2 * ONE && abs(v) < 2 * ONE)
            count += in_shape(shape, vary, u, v);
    }
    return count;
}

/* `opacity` is out of 256. */
static void draw_shape(struct picture *pic, enum shape shape, int vary, const struct place *at,
                       const struct paint *p, int opacity)
{
    int reach = (at->half_u > at->half_v ? at->half_u : at->half_v) * 3 / 2;
    int x0 = clamp((at->centre.x - reach) / PX, 0, SIDE);
    int x1 = clamp((at->centre.x + reach) / PX + 1, 0, SIDE);
    int y0 = clamp((at->centre.y - reach) / PX, 0, SIDE);
    int y1 = clamp((at->centre.y + reach) / PX + 1, 0, SIDE);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            int cover = coverage(shape, vary, at, x, y) * opacity / (SUB * SUB);
            int over[3];
            paint_at(p, x, y, over);
            for (int i = 0; i < 3; i++)
                pic->at[y][x][i] = (pic->at[y][x][i] * (256 - cover) + over[i] * cover + 128) / 256;
        }
    }
}

static struct place place_draw(struct rng *r, int smallest, int largest)
{
    struct place at;
    int half = between(r, smallest, largest);
    at.half_u = half * between(r, 80, 115) / 100;
    at.half_v = half * between(r, 80, 115) / 100;
    at.shear = between(r, -ONE / 6, ONE / 6);
    at.turn = direction(r);
    at.centre.x = 0;
    at.centre.y = 0;
    return at;
}

/* Small shapes of any class beside the main one: only size and place tell which one counts. */
static void draw_distractors(struct rng *r, struct picture *pic, const struct paint *ground)
{
    int count = between(r, 0, 3);
    for (int i = 0; i < count; i++) {
        struct place at = place_draw(r, 3 * PX / 2, 7 * PX / 2);
        at.centre.x = between(r, 0, SIDE * PX);
        at.centre.y = between(r, 0, SIDE * PX);
        struct paint p;
        paint_against(r, ground, 80, 30, &p);
        enum shape shape = (enum shape)between(r, 0, CLASSES - 1);
        draw_shape(pic, shape, between(r, 0, 255), &at, &p, 256);
    }
}

static struct place draw_main(struct rng *r, struct picture *pic, enum shape shape,
                              const struct paint *ground)
{
    struct place at = place_draw(r, 7 * PX, 13 * PX);
    int half = at.half_u > at.half_v ? at.half_u : at.half_v;
    int slack = SIDE * PX / 2 - half * 9 / 10;
    slack = slack < PX ? PX : slack;
    at.centre.x = SIDE * PX / 2 + between(r, -slack, slack);
    at.centre.y = SIDE * PX / 2 + between(r, -slack, slack);
    int reach = between(r, 5, 50);
    int contrast = between(r, 100, 290);
    struct paint p;
    paint_against(r, ground, contrast, reach, &p);
    int opacity = between(r, 200, 256);
    int vary = between(r, 0, 255);
    draw_shape(pic, shape, vary, &at, &p, opacity);
    return at;
}

/* A bar or a small block laid over part of the main shape. */
static void draw_occluder(struct rng *r, struct picture *pic, const struct paint *ground,
                          const struct place *main_at)
{
    struct place at = place_draw(r, PX, 2 * PX);
    int half = (main_at->half_u + main_at->half_v) / 2;
    int off = between(r, half / 3, half);
    if (chance(r, 50))
        at.half_u = 40 * PX;
    else
        at.half_u = at.half_v = between(r, half / 4, half / 2);
    struct point way = direction(r);
    at.centre.x = main_at->centre.x + way.x * off / ONE;
    at.centre.y = main_at->centre.y + way.y * off / ONE;
    struct paint p;
    paint_against(r, ground, 40, 40, &p);
    draw_shape(pic, SQUARE, 0, &at, &p, 256);
}

/* `weight`, out of 256, is how much of the blurred picture is mixed in. */
static void blur(struct picture *pic, int weight)
{
    static const int kernel[3] = {1, 2, 1};
    const struct picture from = *pic;
    for (int k = 0; k < PIXELS * 3; k++) {
        int y = k / (3 * SIDE), x = k / 3 % SIDE, i = k % 3;
        int sum = 8;
        for (int t = 0; t < 9; t++) {
            int yy = clamp(y + t / 3 - 1, 0, SIDE - 1);
            int xx = clamp(x + t % 3 - 1, 0, SIDE - 1);
            sum += kernel[t / 3] * kernel[t % 3] * from.at[yy][xx][i];
        }
        pic->at[y][x][i] = (from.at[y][x][i] * (256 - weight) + sum / 16 * weight) / 256;
    }
}

/* Fades contrast, leans the light and adds grain. The sum of four even draws is near enough to a
 * normal one. */
static void finish(struct rng *r, struct picture *pic)
{
    int contrast = between(r, 110, 256);
    int level = between(r, 70, 185);
    struct point light = direction(r);
    int lean = between(r, 0, 40);
    int grain = between(r, 1, 15);
    for (int k = 0; k < PIXELS; k++) {
        int y = k / SIDE, x = k % SIDE;
        int side = (x - SIDE / 2) * light.x + (y - SIDE / 2) * light.y;
        int shade = side / (SIDE / 2) * lean / ONE;
        for (int i = 0; i < 3; i++) {
            int noise = 0;
            for (int n = 0; n < 4; n++)
                noise += between(r, -grain, grain);
            int v = level + (pic->at[y][x][i] - level) * contrast / 256 + shade + noise;
            pic->at[y][x][i] = clamp(v, 0, 255);
        }
    }
}

/* Each run of ten pictures holds every class once, in an order of its own. */
static enum shape label_of(uint64_t seed, int stream, uint64_t number)
{
    struct rng r = rng_for(~seed, stream, number / CLASSES);
    int order[CLASSES];
    for (int i = 0; i < CLASSES; i++) {
        int j = between(&r, 0, i);
        order[i] = order[j];
        order[j] = i;
    }
    return (enum shape)order[number % CLASSES];
}

static void draw_record(uint64_t seed, int stream, uint64_t number, uint8_t record[RECORD])
{
    struct rng r = rng_for(seed, stream, number);
    enum shape label = label_of(seed, stream, number);
    struct picture pic;
    struct paint ground;
    field_draw(&r, &ground.field);
    ground.a = colour_draw(&r);
    ground.b = colour_near(&r, &ground.a, between(&r, 10, 80));
    draw_ground(&pic, &ground);
    draw_distractors(&r, &pic, &ground);
    struct place at = draw_main(&r, &pic, label, &ground);
    if (chance(&r, 50))
        draw_occluder(&r, &pic, &ground, &at);
    blur(&pic, between(&r, 0, 256));
    finish(&r, &pic);

    record[0] = (uint8_t)label;
    for (int k = 0; k < PIXELS; k++) {
        for (int i = 0; i < 3; i++)
            record[1 + i * PIXELS + k] = (uint8_t)pic.at[k / SIDE][k % SIDE][i];
    }
}

/* ---- files ---- */

struct options {
    const char *dir;
    int train, test;
    uint64_t seed;
};

/* A file under a name of its own until it is whole. */
struct output {
    FILE *file;
    char path[PATH_MAX];
    char part[PATH_MAX];
};

static bool complain(const char *what, const char *path)
{
    fprintf(stderr, "draw_shapes: cannot %s %s: %s\n", what, path, strerror(errno));
    return false;
}

static bool join(char out[PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n > 0 && n < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return complain("write in", dir);
}

static bool output_open(struct output *o, const char *dir, const char *name)
{
    char part[64];
    snprintf(part, sizeof part, "%s.%ld.part", name, (long)getpid());
    if (!join(o->path, dir, name) || !join(o->part, dir, part))
        return false;
    o->file = fopen(o->part, "wb");
    return o->file != NULL || complain("write", o->part);
}

/* Closes the file and gives it its final name; where anything failed, takes it away instead. */
static bool output_close(struct output *o, bool ok)
{
    if (!ok)
        complain("write", o->part);
    if (fclose(o->file) != 0 && ok)
        ok = complain("write", o->part);
    if (ok && rename(o->part, o->path) != 0)
        ok = complain("rename to", o->path);
    if (!ok)
        remove(o->part);
    return ok;
}

static bool write_pictures(const struct options *opt, const char *name, int stream, int first,
                           int count)
{
    struct output o;
    if (!output_open(&o, opt->dir, name))
        return false;
    bool ok = true;
    for (int i = 0; i < count && ok; i++) {
        uint8_t record[RECORD];
        draw_record(opt->seed, stream, (uint64_t)(first + i), record);
        ok = fwrite(record, 1, RECORD, o.file) == RECORD;
    }
    return output_close(&o, ok);
}

static bool write_names(const struct options *opt)
{
    struct output o;
    if (!output_open(&o, opt->dir, "batches.meta.txt"))
        return false;
    bool ok = true;
    for (int i = 0; i < CLASSES && ok; i++)
        ok = fprintf(o.file, "%s\n", class_names[i]) > 0;
    return output_close(&o, ok);
}

static bool write_all(const struct options *opt)
{
    if (mkdir(opt->dir, 0777) != 0 && errno != EEXIST)
        return complain("make the folder", opt->dir);
    char name[32];
    int files = 0;
    for (int first = 0; first < opt->train; first += PER_FILE) {
        int left = opt->train - first;
        snprintf(name, sizeof name, "data_batch_%d.bin", ++files);
        if (!write_pictures(opt, name, STREAM_TRAIN, first, left < PER_FILE ? left : PER_FILE))
            return false;
    }
    if (!write_pictures(opt, "test_batch.bin", STREAM_TEST, 0, opt->test) || !write_names(opt))
        return false;

    char stale[PATH_MAX];
    snprintf(name, sizeof name, "data_batch_%d.bin", files + 1);
    if (join(stale, opt->dir, name) && access(stale, F_OK) == 0)
        fprintf(stderr, "draw_shapes: note: %s stands from an earlier run\n", stale);
    return true;
}

/* ---- command line ---- */

static const char usage[] =
    "usage: draw_shapes OUT_DIR [--train N] [--test N] [--seed S]\n"
    "\n"
    "Draws labelled 32x32 RGB pictures of ten shapes and writes them in the binary\n"
    "format of CIFAR-10: OUT_DIR/data_batch_1.bin and on (10,000 pictures a file),\n"
    "OUT_DIR/test_batch.bin, and the class names in OUT_DIR/batches.meta.txt.\n"
    "OUT_DIR is made where it does not exist.\n"
    "\n"
    "  --train N   training pictures, 0 to 1000000 (default 20000)\n"
    "  --test N    test pictures, 1 to 1000000 (default 2000)\n"
    "  --seed S    seed, 0 to 18446744073709551615 (default 1)\n"
    "  --help      this text\n"
    "\n"
    "Exit status: 0 when all is written, 2 on a wrong command line or a failed write.\n";

static bool parse_number(const char *name, const char *text, uint64_t low, uint64_t high,
                         uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    bool digit = text != NULL && *text >= '0' && *text <= '9';
    unsigned long long value = digit ? strtoull(text, &end, 10) : 0;
    if (!digit || *end != '\0' || errno != 0 || value < low || value > high) {
        fprintf(stderr, "draw_shapes: %s needs a whole number from %llu to %llu, not '%s'\n", name,
                (unsigned long long)low, (unsigned long long)high, text != NULL ? text : "");
        return false;
    }
    *out = value;
    return true;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        uint64_t n = 0;
        if (strcmp(arg, "--train") == 0) {
            if (!parse_number(arg, argv[++i], 0, MAX_PICTURES, &n))
                return false;
            opt->train = (int)n;
        } else if (strcmp(arg, "--test") == 0) {
            if (!parse_number(arg, argv[++i], 1, MAX_PICTURES, &n))
                return false;
            opt->test = (int)n;
        } else if (strcmp(arg, "--seed") == 0) {
            if (!parse_number(arg, argv[++i], 0, UINT64_MAX, &opt->seed))
                return false;
        } else if (arg[0] == '-' || arg[0] == '\0' || opt->dir != NULL) {
            fprintf(stderr, "draw_shapes: unexpected argument '%s'\n%s", arg, usage);
            return false;
        } else {
            opt->dir = arg;
        }
    }
    if (opt->dir == NULL)
        fprintf(stderr, "draw_shapes: no OUT_DIR given\n%s", usage);
    return opt->dir != NULL;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? 2 : 0;
    }
    struct options opt = {.dir = NULL, .train = 20000, .test = 2000, .seed = 1};
    if (!parse_options(argc, argv, &opt) || !write_all(&opt))
        return 2;
    return 0;
}
