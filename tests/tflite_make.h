/* Writes small TensorFlow Lite files for tests: tensors and operators are listed, made_file() lays
 * them out as a flatbuffer, parents in front of their children. */
#ifndef WAIO_TESTS_TFLITE_MAKE_H
#define WAIO_TESTS_TFLITE_MAKE_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { MADE_BYTES = 1 << 16, MADE_MOST = 12 };
enum { F32 = 0, F16 = 1, S32 = 2, U8 = 3, S64 = 4, S16 = 7, S8 = 9, S4 = 17 };

typedef struct made_tensor {
    int type, rank, dim[7];
    int scales, axis;
    float scale[4];
    int64_t zero_point[4];
    const void *data; /* NULL: computed */
    uint32_t bytes;
} made_tensor;

/* One option of an operator: a byte, a number of 32 bits, or a float. */
typedef struct made_option {
    char kind; /* 'b', 'i', 'f'; 0: left out */
    double value;
} made_option;

typedef struct made_operator {
    int code;
    const char *custom;
    int input[4], inputs; /* -1: left out */
    int output;
    made_option option[8];
} made_operator;

typedef struct made_net {
    made_tensor tensor[MADE_MOST];
    made_operator op[MADE_MOST];
    int tensors, operators, subgraphs, inputs; /* tensors 0 .. inputs - 1 are the inputs */
    int output;
    unsigned char file[MADE_BYTES];
    size_t size;
} made_net;

static inline int made_add(made_net *net, made_tensor tensor)
{
    assert(net->tensors < MADE_MOST);
    net->tensor[net->tensors] = tensor;
    return net->tensors++;
}

static inline void made_put(made_net *net, size_t at, int64_t value, size_t bytes)
{
    assert(at + bytes <= MADE_BYTES);
    for (size_t i = 0; i < bytes; i++)
        net->file[at + i] = (unsigned char)((uint64_t)value >> (8 * i));
}

/* Room for `bytes` at a multiple of four. */
static inline size_t made_room(made_net *net, size_t bytes)
{
    size_t at = (net->size + 3) / 4 * 4;
    net->size = at + bytes;
    assert(net->size <= MADE_BYTES);
    return at;
}

/* The offset at `at` leads to `to`, which lies behind it. */
static inline void made_link(made_net *net, size_t at, size_t to)
{
    made_put(net, at, (int64_t)(to - at), 4);
}

/* A table with fields of these sizes (0: left out); `field` receives their places. */
static inline size_t made_table(made_net *net, const char *sizes, size_t *field)
{
    size_t count = strlen(sizes), vtable = made_room(net, 4 + 2 * count), bytes = 4;
    size_t at = made_room(net, 4 + 8 * count);

    for (size_t i = 0; i < count; i++) {
        size_t size = (size_t)(sizes[i] - '0');
        bytes = size == 8 ? (bytes + 7) / 8 * 8 : bytes;
        made_put(net, vtable + 4 + 2 * i, size ? (int64_t)bytes : 0, 2);
        field[i] = size ? at + bytes : 0;
        bytes += size ? (size + 3) / 4 * 4 : 0;
    }
    made_put(net, vtable, (int64_t)(4 + 2 * count), 2);
    made_put(net, vtable + 2, (int64_t)bytes, 2);
    made_put(net, at, (int64_t)(at - vtable), 4);
    return at;
}

/* A vector of `count` elements of `size` bytes, linked from `from`; returns element 0's place. */
static inline size_t made_vector(made_net *net, size_t from, uint32_t count, size_t size)
{
    size_t at = made_room(net, 4 + count * size);
    made_link(net, from, at);
    made_put(net, at, count, 4);
    return at + 4;
}

static inline void made_text(made_net *net, size_t from, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    size_t at = made_vector(net, from, length, 1);
    memcpy(net->file + at, text, length);
    net->size++; /* the zero behind it */
}

static inline void made_put_tensor(made_net *net, size_t from, int i)
{
    const made_tensor *t = &net->tensor[i];
    size_t f[8], q[8];
    char name[3] = {'t', (char)('0' + i % 10), 0};

    made_link(net, from, made_table(net, t->scales ? "41444" : "4144", f));
    made_put(net, f[1], t->type, 1);
    made_put(net, f[2], t->data ? i + 1 : 0, 4);
    size_t at = made_vector(net, f[0], (uint32_t)t->rank, 4);
    for (int d = 0; d < t->rank; d++)
        made_put(net, at + 4 * (size_t)d, t->dim[d], 4);
    made_text(net, f[3], name);
    if (!t->scales)
        return;
    made_link(net, f[4], made_table(net, "0044004", q));
    made_put(net, q[6], t->axis, 4);
    at = made_vector(net, q[2], (uint32_t)t->scales, 4);
    memcpy(net->file + at, t->scale, 4 * (size_t)t->scales);
    at = made_vector(net, q[3], (uint32_t)t->scales, 8);
    for (int c = 0; c < t->scales; c++)
        made_put(net, at + 8 * (size_t)c, t->zero_point[c], 8);
}

static inline void made_put_operator(made_net *net, size_t from, int i)
{
    const made_operator *op = &net->op[i];
    char sizes[9] = "";
    size_t f[8], o[8];

    made_link(net, from, made_table(net, "44404", f));
    made_put(net, f[0], i, 4);
    size_t at = made_vector(net, f[1], (uint32_t)op->inputs, 4);
    for (int k = 0; k < op->inputs; k++)
        made_put(net, at + 4 * (size_t)k, op->input[k], 4);
    made_put(net, made_vector(net, f[2], 1, 4), op->output, 4);
    for (int k = 0; k < 8; k++)
        sizes[k] = op->option[k].kind == 0 ? '0' : op->option[k].kind == 'b' ? '1' : '4';
    made_link(net, f[4], made_table(net, sizes, o));
    for (int k = 0; k < 8; k++) {
        float number = (float)op->option[k].value;
        if (op->option[k].kind == 'f')
            memcpy(net->file + o[k], &number, 4);
        else if (op->option[k].kind)
            made_put(net, o[k], (int64_t)op->option[k].value, op->option[k].kind == 'b' ? 1 : 4);
    }
}

static inline void made_put_subgraph(made_net *net, size_t from)
{
    size_t f[8];

    made_link(net, from, made_table(net, "4444", f));
    size_t at = made_vector(net, f[0], (uint32_t)net->tensors, 4);
    for (int i = 0; i < net->tensors; i++)
        made_put_tensor(net, at + 4 * (size_t)i, i);
    at = made_vector(net, f[1], (uint32_t)net->inputs, 4);
    for (int i = 0; i < net->inputs; i++)
        made_put(net, at + 4 * (size_t)i, i, 4);
    made_put(net, made_vector(net, f[2], 1, 4), net->output, 4);
    at = made_vector(net, f[3], (uint32_t)net->operators, 4);
    for (int i = 0; i < net->operators; i++)
        made_put_operator(net, at + 4 * (size_t)i, i);
}

/* The file of `net`, in net->file and net->size. One input and one subgraph if none are named. */
static inline void made_file(made_net *net)
{
    size_t f[8], g[8];

    memset(net->file, 0, sizeof net->file);
    net->inputs = net->inputs ? net->inputs : 1;
    net->subgraphs = net->subgraphs ? net->subgraphs : 1;
    net->size = 8;
    memcpy(net->file + 4, "TFL3", 4);
    made_link(net, 0, made_table(net, "44404", f));
    made_put(net, f[0], 3, 4);
    size_t at = made_vector(net, f[1], (uint32_t)net->operators, 4);
    for (int i = 0; i < net->operators; i++) {
        made_link(net, at + 4 * (size_t)i, made_table(net, "1444", g));
        made_put(net, g[0], net->op[i].code < 127 ? net->op[i].code : 127, 1);
        made_put(net, g[3], net->op[i].code, 4);
        made_text(net, g[1], net->op[i].custom ? net->op[i].custom : "");
    }
    at = made_vector(net, f[2], (uint32_t)net->subgraphs, 4);
    for (int i = 0; i < net->subgraphs; i++)
        made_put_subgraph(net, at + 4 * (size_t)i);
    at = made_vector(net, f[4], (uint32_t)net->tensors + 1, 4);
    for (int i = -1; i < net->tensors; i++) {
        made_link(net, at + 4 * (size_t)(i + 1), made_table(net, "4", g));
        uint32_t bytes = i >= 0 && net->tensor[i].data ? net->tensor[i].bytes : 0;
        size_t data = made_vector(net, g[0], bytes, 1);
        if (bytes)
            memcpy(net->file + data, net->tensor[i].data, bytes);
    }
}

#endif
