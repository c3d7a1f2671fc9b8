#include "sweep/suspects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/sensitivity.h"
#include "util/csv.h"

static const double default_threshold = 0.7;

/* ---- names ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The name at `text`, `length` characters, with its %XX decoded. */
static waio_status decode(char **out, const char *text, size_t length, waio_arena *arena)
{
    char *name = waio_arena_alloc(arena, length + 1), *at = name;

    if (!name)
        return WAIO_ENOMEM;
    for (size_t i = 0; i < length; i++) {
        bool escaped = text[i] == '%';
        if (escaped && (length - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0 ||
                        (text[i + 1] == '0' && text[i + 2] == '0')))
            return waio_error(WAIO_EUSAGE,
                              "suspects: %%XX with two hexadecimal digits is expected at \"%.20s\"",
                              text + i);
        *at++ = escaped ? (char)(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i];
        i += escaped ? 2 : 0;
    }
    if (at == name)
        return waio_error(
            WAIO_EUSAGE, "suspects: an empty name; expected none, auto, auto:X, or names of layers "
                         "with + between them");
    *out = name;
    return WAIO_OK;
}

static bool is_word(const char *name)
{
    return strcmp(name, "none") == 0 || strcmp(name, "0") == 0 || strncmp(name, "auto", 4) == 0;
}

/* `name` as it stands in a canonical text. */
static char *encode(const char *name, waio_arena *arena)
{
    char *text = waio_arena_alloc(arena, 3 * strlen(name) + 1), *at = text;

    for (size_t i = 0; text && name[i]; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = c > ' ' && c != 127 && c != '+' && c != '%' && !(i == 0 && is_word(name));
        at += plain ? (*at = name[i], 1) : sprintf(at, "%%%02X", c);
    }
    return text;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in `text`, sorted. */
static waio_status split(char ***out, int *count, const char *text, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char **name = NULL;
    size_t most = 1;

    for (const char *c = text; *c; c++)
        most += *c == '+';
    WAIO_NEW(st, name, arena, most);
    *count = 0;
    for (size_t i = 0; i < most; i++) {
        size_t length = strcspn(text, "+");
        WAIO_TRY(st, decode(&name[(*count)++], text, length, arena));
        text += length + 1;
    }
    qsort(name, most, sizeof *name, by_name);
    for (int i = 1; i < *count; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            WAIO_FAIL(st, WAIO_EUSAGE, "suspects: \"%s\" is there twice", name[i]);
    *out = name;
done:
    return st;
}

static waio_status join(const char **out, char *const *name, int count, waio_arena *arena)
{
    const char *text = "";

    for (int i = 0; i < count && text; i++) {
        const char *one = encode(name[i], arena);
        text = one ? waio_arena_printf(arena, "%s%s%s", text, i ? "+" : "", one) : NULL;
    }
    *out = text;
    return text ? WAIO_OK : WAIO_ENOMEM;
}

/* ---- words ---- */

bool waio_suspects_auto(const char *text)
{
    return strcmp(text, "auto") == 0 || strncmp(text, "auto:", 5) == 0;
}

static waio_status parse_auto(const char **canonical, const char *text, waio_arena *arena)
{
    double threshold = default_threshold;
    char number[32];

    if (text[4] == ':' &&
        (!waio_real_parse(&threshold, text + 5) || !(threshold > 0) || !(threshold < 1e30)))
        return waio_error(WAIO_EUSAGE, "suspects: %s; expected auto:X with a number above 0", text);
    waio_real_text(number, threshold);
    *canonical =
        threshold == default_threshold ? "auto" : waio_arena_printf(arena, "auto:%s", number);
    return *canonical ? WAIO_OK : WAIO_ENOMEM;
}

waio_status waio_suspects_parse(const char **canonical, const char *text, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char **name = NULL;
    int count = 0;

    if (strcmp(text, "none") == 0 || strcmp(text, "0") == 0)
        *canonical = "0";
    else if (waio_suspects_auto(text))
        WAIO_TRY(st, parse_auto(canonical, text, arena));
    else {
        WAIO_TRY(st, split(&name, &count, text, arena));
        WAIO_TRY(st, join(canonical, name, count, arena));
    }
done:
    return st;
}

/* ---- layers ---- */

static waio_status take_names(bool *real, const waio_graph *graph, const char *text,
                              waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char **name = NULL;
    int count = 0;

    WAIO_TRY(st, split(&name, &count, text, arena));
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (int n = 0; n < graph->node_count; n++)
            if (strcmp(graph->node[n].name, name[i]) == 0)
                found = real[n] = true;
        if (!found)
            WAIO_FAIL(st, WAIO_EUSAGE,
                      "suspects: model %s has no layer \"%s\" (`waio show` prints their names)",
                      graph->name, name[i]);
    }
done:
    return st;
}

waio_status waio_suspects_resolve(waio_quant_request *request, const char *text,
                                  waio_session *session, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_session_model(session)->graph;
    const waio_layer_error *error = NULL;
    double threshold = default_threshold;
    bool *real = NULL;

    request->real = NULL;
    if (strcmp(text, "0") == 0)
        return WAIO_OK;
    WAIO_NEW(st, real, arena, (size_t)graph->node_count);
    if (waio_suspects_auto(text)) {
        if (text[4] == ':')
            waio_real_parse(&threshold, text + 5);
        WAIO_TRY(st, waio_session_layer_errors(session, &request->bits, &error));
        for (int n = 0; n < graph->node_count; n++)
            real[n] = waio_layer_suspect(&error[n], threshold);
    } else {
        WAIO_TRY(st, take_names(real, graph, text, arena));
    }
    for (int n = 0; n < graph->node_count; n++)
        if (real[n])
            request->real = real;
done:
    return st;
}

waio_status waio_suspects_names(int64_t *count, const char **names,
                                const waio_quant_request *request, const waio_session *session,
                                waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_session_model(session)->graph;
    char **name = NULL;
    int found = 0;

    WAIO_NEW(st, name, arena, (size_t)graph->node_count);
    for (int n = 0; request->real && n < graph->node_count; n++)
        if (request->real[n])
            name[found++] = (char *)graph->node[n].name;
    *count = found;
    WAIO_TRY(st, join(names, name, found, arena));
done:
    return st;
}
