/* Both sides of the talk with the child, over a pair of sockets: a request is a head and two texts,
 * the answer a head and its payload (the message, if it is an error). The first answer comes
 * unasked: whether the file could be opened. */
#include "import/h5_read.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import/hdf5_file.h"
#include "util/file.h"

enum {
    MOST_TEXT = 1 << 30,        /* bytes of text in an answer */
    SECONDS = 5,                /* of processor time for the child, and one more ... */
    BYTES_PER_SECOND = 10000000 /* ... for so many bytes of the file */
};

typedef enum op { HAS_GROUP, HAS_ATTRIBUTE, STRING, STRINGS, DATASETS, SHAPE, FLOATS } op;

typedef struct request {
    op op;
    size_t group_bytes, name_bytes; /* with the zero at the end */
    int64_t count;                  /* FLOATS: numbers asked for */
} request;

typedef struct answer {
    waio_status status;
    int items; /* yes or no, or the number of strings */
    size_t bytes;
} answer;

struct waio_h5 {
    int socket;
    pid_t child;
};

static bool send_all(int socket, const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        ssize_t n = send(socket, at, bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool receive_all(int socket, void *data, size_t bytes)
{
    for (char *at = data; bytes > 0;) {
        ssize_t n = recv(socket, at, bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* ---- the child ---- */

/* Sends `items` strings, or the error that `status` stands for. */
static bool answer_strings(int socket, waio_status status, char **text, int items)
{
    answer head = {.status = status, .items = items};
    bool sent;

    for (int i = 0; status == WAIO_OK && i < items; i++)
        head.bytes += strlen(text[i]) + 1;
    if (status != WAIO_OK)
        head.bytes = strlen(waio_error_message()) + 1;
    sent = send_all(socket, &head, sizeof head);
    if (status != WAIO_OK)
        return sent && send_all(socket, waio_error_message(), head.bytes);
    for (int i = 0; sent && i < items; i++)
        sent = send_all(socket, text[i], strlen(text[i]) + 1);
    return sent;
}

static bool answer_bytes(int socket, waio_status status, const void *data, size_t bytes)
{
    answer head = {.bytes = bytes};

    if (status != WAIO_OK)
        return answer_strings(socket, status, NULL, 0);
    return send_all(socket, &head, sizeof head) && send_all(socket, data, bytes);
}

static bool answer_floats(int socket, const waio_hdf5 *file, const request *r, const char *group,
                          const char *name)
{
    float *data = waio_aligned_calloc((size_t)r->count * sizeof *data);
    waio_status st = WAIO_ENOMEM;

    if (data)
        st = waio_hdf5_floats(data, r->count, file, group, name);
    bool sent = answer_bytes(socket, st, data, (size_t)r->count * sizeof *data);
    free(data);
    return sent;
}

static bool serve(int socket, const waio_hdf5 *file, const request *r, const char *group,
                  const char *name, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_shape shape = {0};
    char *text = NULL, **list = NULL;
    int items = 0;

    switch (r->op) {
    case HAS_GROUP:
    case HAS_ATTRIBUTE: {
        answer head = {0};
        head.items = r->op == HAS_GROUP ? waio_hdf5_has_group(file, group)
                                        : waio_hdf5_has_attribute(file, group, name);
        return send_all(socket, &head, sizeof head);
    }
    case STRING:
        st = waio_hdf5_string(&text, file, group, name, arena);
        return answer_strings(socket, st, &text, 1);
    case STRINGS:
        st = waio_hdf5_strings(&list, &items, file, group, name, arena);
        return answer_strings(socket, st, list, items);
    case DATASETS:
        st = waio_hdf5_datasets(&list, &items, file, arena);
        return answer_strings(socket, st, list, items);
    case SHAPE:
        st = waio_hdf5_shape(&shape, file, group, name);
        return answer_bytes(socket, st, &shape, sizeof shape);
    case FLOATS:
        return answer_floats(socket, file, r, group, name);
    }
    return false;
}

static void run_child(int socket, const char *path, size_t file_bytes)
{
    struct rlimit limit = {SECONDS + file_bytes / BYTES_PER_SECOND, RLIM_INFINITY};
    waio_hdf5 *file = NULL;
    request r;

    /* What HDF5 or a sanitizer says about its crash is of no use to the user. */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL);
    signal(SIGINT, SIG_IGN); /* ends with the parent: its end of the socket closes */
    setrlimit(RLIMIT_CPU, &limit);

    waio_error_clear();
    waio_status st = waio_hdf5_open(&file, path, file_bytes);
    bool going = answer_bytes(socket, st, "", 0) && st == WAIO_OK;
    while (going && receive_all(socket, &r, sizeof r)) {
        waio_arena *arena = waio_arena_new();
        char *group = arena ? waio_arena_alloc(arena, r.group_bytes) : NULL;
        char *name = arena ? waio_arena_alloc(arena, r.name_bytes) : NULL;
        going = group && name && receive_all(socket, group, r.group_bytes) &&
                receive_all(socket, name, r.name_bytes) &&
                serve(socket, file, &r, group, name, arena);
        if (arena)
            waio_arena_free(arena);
    }
    _exit(0);
}

/* ---- the parent ---- */

static waio_status lost(void)
{
    return waio_error(WAIO_EINPUT, "the file is damaged: the HDF5 library crashed on it or did not "
                                   "come to an end");
}

/* The head of the answer; an error that the child reports becomes ours. */
static waio_status receive_answer(const waio_h5 *h5, answer *head)
{
    char message[2048] = "";

    if (!receive_all(h5->socket, head, sizeof *head))
        return lost();
    if (head->status == WAIO_OK)
        return WAIO_OK;
    if (head->bytes > sizeof message || !receive_all(h5->socket, message, head->bytes))
        return lost();
    message[sizeof message - 1] = '\0';
    return waio_error(head->status, "%s", message);
}

static waio_status ask(answer *head, const waio_h5 *h5, request r, const char *group,
                       const char *name)
{
    r.group_bytes = strlen(group) + 1;
    r.name_bytes = strlen(name) + 1;
    if (!send_all(h5->socket, &r, sizeof r) || !send_all(h5->socket, group, r.group_bytes) ||
        !send_all(h5->socket, name, r.name_bytes))
        return lost();
    return receive_answer(h5, head);
}

waio_status waio_h5_open(waio_h5 **out, const char *path)
{
    int pair[2] = {-1, -1};
    waio_h5 *h5 = NULL;
    waio_status st = WAIO_OK;
    size_t bytes = 0;
    answer head;

    *out = NULL;
    WAIO_TRY(st, waio_file_size(&bytes, path));
    h5 = malloc(sizeof *h5);
    if (!h5)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    *h5 = (waio_h5){-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || (h5->child = fork()) < 0)
        WAIO_FAIL(st, WAIO_EINTERNAL, "%s: cannot start a process to read it: %s", path,
                  strerror(errno));
    if (h5->child == 0) {
        close(pair[0]);
        run_child(pair[1], path, bytes);
    }
    h5->socket = pair[0];
    close(pair[1]);
    pair[0] = pair[1] = -1;
    st = receive_answer(h5, &head);
    if (st != WAIO_OK) {
        waio_error_context(st, "%s", path);
        goto done;
    }
    *out = h5;
    h5 = NULL;
done:
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
    waio_h5_close(h5);
    return st;
}

void waio_h5_close(waio_h5 *h5)
{
    if (!h5)
        return;
    if (h5->socket >= 0)
        close(h5->socket);
    while (h5->child > 0 && waitpid(h5->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(h5);
}

waio_status waio_h5_has_group(bool *out, const waio_h5 *h5, const char *group)
{
    answer head = {0};
    waio_status st = ask(&head, h5, (request){.op = HAS_GROUP}, group, "");

    *out = head.items;
    return st;
}

waio_status waio_h5_has_attribute(bool *out, const waio_h5 *h5, const char *group, const char *name)
{
    answer head = {0};
    waio_status st = ask(&head, h5, (request){.op = HAS_ATTRIBUTE}, group, name);

    *out = head.items;
    return st;
}

static waio_status ask_strings(char ***out, int *count, const waio_h5 *h5, const request *r,
                               const char *group, const char *name, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    answer head;
    char *text, **list;

    WAIO_TRY(st, ask(&head, h5, *r, group, name));
    if (head.items < 0 || head.bytes > MOST_TEXT || (size_t)head.items > head.bytes) {
        st = lost();
        goto done;
    }
    WAIO_NEW(st, text, arena, head.bytes + 1);
    WAIO_NEW(st, list, arena, (size_t)head.items);
    if (!receive_all(h5->socket, text, head.bytes)) {
        st = lost();
        goto done;
    }
    for (int i = 0; i < head.items; i++) {
        list[i] = text;
        text += strlen(text) + 1;
    }
    *out = list;
    *count = head.items;
done:
    return st;
}

waio_status waio_h5_string(char **out, const waio_h5 *h5, const char *group, const char *name,
                           waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char **list = NULL;
    int count = 0;

    WAIO_TRY(st, ask_strings(&list, &count, h5, &(request){.op = STRING}, group, name, arena));
    if (count == 1)
        *out = list[0];
    else
        st = lost();
done:
    return st;
}

waio_status waio_h5_strings(char ***out, int *count, const waio_h5 *h5, const char *group,
                            const char *name, waio_arena *arena)
{
    return ask_strings(out, count, h5, &(request){.op = STRINGS}, group, name, arena);
}

waio_status waio_h5_datasets(char ***out, int *count, const waio_h5 *h5, waio_arena *arena)
{
    return ask_strings(out, count, h5, &(request){.op = DATASETS}, "", "", arena);
}

waio_status waio_h5_shape(waio_shape *out, const waio_h5 *h5, const char *group, const char *name)
{
    waio_status st = WAIO_OK;
    answer head;

    WAIO_TRY(st, ask(&head, h5, (request){.op = SHAPE}, group, name));
    if (head.bytes != sizeof *out || !receive_all(h5->socket, out, sizeof *out))
        st = lost();
done:
    return st;
}

waio_status waio_h5_floats(float *out, int64_t count, const waio_h5 *h5, const char *group,
                           const char *name)
{
    size_t bytes = (size_t)count * sizeof *out;
    waio_status st = WAIO_OK;
    answer head;

    WAIO_TRY(st, ask(&head, h5, (request){.op = FLOATS, .count = count}, group, name));
    if (head.bytes != bytes || !receive_all(h5->socket, out, bytes))
        st = lost();
done:
    return st;
}
