#include "dataset/voc_xml.h"

#include <expat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/sha256.h"

enum { MAX_PATH = 512 };

/* The elements that are read; bit i of `seen` is element i. */
typedef enum element {
    IMAGE_WIDTH,
    IMAGE_HEIGHT,
    OBJECT,
    NAME,
    POSE,
    TRUNCATED,
    DIFFICULT,
    XMIN,
    YMIN,
    XMAX,
    YMAX,
    ELEMENTS
} element;

static const char *const element_path[ELEMENTS] = {
    "/annotation/size/width",
    "/annotation/size/height",
    "/annotation/object",
    "/annotation/object/name",
    "/annotation/object/pose",
    "/annotation/object/truncated",
    "/annotation/object/difficult",
    "/annotation/object/bndbox/xmin",
    "/annotation/object/bndbox/ymin",
    "/annotation/object/bndbox/xmax",
    "/annotation/object/bndbox/ymax",
};

typedef struct reader {
    XML_Parser parser;
    waio_voc_annotation *out;
    const char *const *class_name;
    int classes;
    waio_arena *arena;
    waio_status status;
    char at[MAX_PATH]; /* path of the open elements */
    int depth;
    char text[WAIO_XML_MAX_TEXT + 1];
    size_t text_bytes;
    int current; /* the open element's, if it is read; else -1 */
    bool root_seen;
    unsigned seen;
    int room;
    int object_line;
    waio_object object;
    double corner[4]; /* xmin, ymin, xmax, ymax */
} reader;

static int line_of(const reader *r)
{
    return (int)XML_GetCurrentLineNumber(r->parser);
}

/* Ends the parsing; a later fault does not replace the first. */
#define FAIL(r, line, ...)                                                                         \
    do {                                                                                           \
        if ((r)->status == WAIO_OK) {                                                              \
            (r)->status = waio_error(WAIO_EINPUT, __VA_ARGS__);                                    \
            waio_error_context(WAIO_EINPUT, "%s:%d", (r)->out->path, (line));                      \
            XML_StopParser((r)->parser, XML_FALSE);                                                \
        }                                                                                          \
    } while (0)

static void refuse_doctype(void *payload, const XML_Char *name, const XML_Char *system,
                           const XML_Char *public_id, int internal)
{
    reader *r = payload;

    (void)name, (void)system, (void)public_id, (void)internal;
    FAIL(r, line_of(r), "a DOCTYPE, which could declare entities; VOC's annotations have none");
}

static int find_element(const char *path)
{
    for (int i = 0; i < ELEMENTS; i++)
        if (strcmp(path, element_path[i]) == 0)
            return i;
    return -1;
}

static void begin(void *payload, const XML_Char *name, const XML_Char **attributes)
{
    reader *r = payload;
    size_t n = strlen(r->at), m = strlen(name);

    (void)attributes;
    if (r->status != WAIO_OK)
        return;
    if (r->depth >= WAIO_XML_MAX_DEPTH || n + m + 2 > sizeof r->at) {
        FAIL(r, line_of(r), "elements nested deeper than %d, or their names are too long",
             WAIO_XML_MAX_DEPTH);
        return;
    }
    if (r->depth == 0 && strcmp(name, "annotation") != 0)
        FAIL(r, line_of(r), "<%.60s>, expected <annotation>", name);
    r->at[n] = '/';
    memcpy(r->at + n + 1, name, m + 1);
    r->depth++;
    r->text_bytes = 0;
    r->current = find_element(r->at);
    if (r->current == OBJECT) {
        r->seen &= 1u << IMAGE_WIDTH | 1u << IMAGE_HEIGHT;
        r->object = (waio_object){0};
        r->object_line = line_of(r);
    } else if (r->current >= 0) {
        if (r->seen & 1u << r->current)
            FAIL(r, line_of(r), "a second <%.60s>", name);
        r->seen |= 1u << r->current;
    }
}

static void take_text(void *payload, const XML_Char *text, int bytes)
{
    reader *r = payload;

    if (r->status != WAIO_OK || r->current < 0 || r->current == OBJECT)
        return;
    if (r->text_bytes + (size_t)bytes > WAIO_XML_MAX_TEXT) {
        FAIL(r, line_of(r), "a text longer than %d bytes", WAIO_XML_MAX_TEXT);
        return;
    }
    memcpy(r->text + r->text_bytes, text, (size_t)bytes);
    r->text_bytes += (size_t)bytes;
}

/* Takes white space from both ends of the text. */
static char *trimmed(reader *r)
{
    static const char *const space = " \t\r\n";
    char *text = r->text;

    r->text[r->text_bytes] = '\0';
    text += strspn(text, space);
    size_t n = strlen(text);
    while (n && strchr(space, text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

static double read_number(reader *r, const char *text, const char *what)
{
    char *end = NULL;
    double number = strtod(text, &end);

    if (end == text || *end || !isfinite(number) || fabs(number) > 1e6)
        FAIL(r, line_of(r), "%s is \"%.60s\", expected a number", what, text);
    return r->status == WAIO_OK ? number : 0;
}

/* "0" or "1"; nothing or "Unspecified" is as if the element were not there. */
static bool read_flag(reader *r, const char *text, int *missing, const char *what)
{
    if (text[0] == '\0' || strcmp(text, "Unspecified") == 0) {
        ++*missing;
        return false;
    }
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        FAIL(r, line_of(r), "%s is \"%.60s\", expected 0 or 1", what, text);
    return text[0] == '1';
}

static void read_class(reader *r, const char *text)
{
    for (int c = 0; c < r->classes; c++)
        if (strcmp(r->class_name[c], text) == 0) {
            r->object.class_index = c;
            return;
        }
    FAIL(r, line_of(r), "class \"%.60s\" is unknown; there are %s, %s, ... %s", text,
         r->class_name[0], r->class_name[r->classes > 1], r->class_name[r->classes - 1]);
}

static bool grow(reader *r)
{
    waio_voc_annotation *a = r->out;
    int room = r->room ? 2 * r->room : 8;

    if (a->count < r->room)
        return true;
    waio_object *object = waio_arena_array(r->arena, (size_t)room, sizeof *object);
    int *line = waio_arena_array(r->arena, (size_t)room, sizeof *line);
    if (!object || !line) {
        r->status = WAIO_ENOMEM;
        XML_StopParser(r->parser, XML_FALSE);
        return false;
    }
    if (a->count) {
        memcpy(object, a->object, (size_t)a->count * sizeof *object);
        memcpy(line, a->line, (size_t)a->count * sizeof *line);
    }
    a->object = object;
    a->line = line;
    r->room = room;
    return true;
}

static void end_object(reader *r)
{
    waio_voc_annotation *a = r->out;
    unsigned box = 1u << XMIN | 1u << YMIN | 1u << XMAX | 1u << YMAX;

    if (!(r->seen & 1u << NAME))
        FAIL(r, r->object_line, "an object without <name>");
    if ((r->seen & box) != box)
        FAIL(r, r->object_line, "an object without a whole <bndbox>: xmin, ymin, xmax, ymax");
    if (r->corner[2] < r->corner[0] || r->corner[3] < r->corner[1])
        FAIL(r, r->object_line, "a box from (%g, %g) to (%g, %g): it ends before it begins",
             r->corner[0], r->corner[1], r->corner[2], r->corner[3]);
    if (a->count >= WAIO_XML_MAX_OBJECTS)
        FAIL(r, r->object_line, "more than %d objects", WAIO_XML_MAX_OBJECTS);
    if (r->status != WAIO_OK || !grow(r))
        return;
    a->no_pose += !(r->seen & 1u << POSE);
    a->no_truncated += !(r->seen & 1u << TRUNCATED);
    a->no_difficult += !(r->seen & 1u << DIFFICULT);
    r->object.x = r->corner[0];
    r->object.y = r->corner[1];
    r->object.width = r->corner[2] - r->corner[0];
    r->object.height = r->corner[3] - r->corner[1];
    a->line[a->count] = r->object_line;
    a->object[a->count++] = r->object;
}

static int read_side(reader *r, const char *text, const char *what)
{
    double side = read_number(r, text, what);

    if (side < 0 || side != floor(side))
        FAIL(r, line_of(r), "%s is \"%.60s\", expected a whole number", what, text);
    return (int)side;
}

static void take_value(reader *r)
{
    const char *text = trimmed(r);

    switch (r->current) {
    case IMAGE_WIDTH:
        r->out->width = read_side(r, text, "width");
        break;
    case IMAGE_HEIGHT:
        r->out->height = read_side(r, text, "height");
        break;
    case NAME:
        read_class(r, text);
        break;
    case POSE:
        r->out->no_pose += text[0] == '\0';
        break;
    case TRUNCATED:
        r->object.truncated = read_flag(r, text, &r->out->no_truncated, "truncated");
        break;
    case DIFFICULT:
        r->object.difficult = read_flag(r, text, &r->out->no_difficult, "difficult");
        break;
    default:
        r->corner[r->current - XMIN] =
            read_number(r, text, strrchr(element_path[r->current], '/') + 1);
    }
}

static void end(void *payload, const XML_Char *name)
{
    reader *r = payload;

    (void)name;
    if (r->status != WAIO_OK)
        return;
    if (strcmp(r->at, element_path[OBJECT]) == 0)
        end_object(r);
    else if (r->current >= 0 && r->current != OBJECT)
        take_value(r);
    *strrchr(r->at, '/') = '\0';
    r->depth--;
    r->current = -1;
}

waio_status waio_voc_annotation_parse(waio_voc_annotation *out, const unsigned char *data,
                                      size_t size, const char *path, const char *const *class_name,
                                      int classes, waio_arena *arena)
{
    reader r = {.out = out,
                .class_name = class_name,
                .classes = classes,
                .arena = arena,
                .current = -1,
                .parser = XML_ParserCreate(NULL)};
    waio_sha256 sha;

    if (!r.parser)
        return waio_error(WAIO_ENOMEM, "%s: out of memory", path);
    *out = (waio_voc_annotation){.path = path};
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, data, size);
    waio_sha256_hex(&sha, out->sha256);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin, end);
    XML_SetCharacterDataHandler(r.parser, take_text);
    XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
    if (size > WAIO_XML_MAX_BYTES)
        r.status = waio_error(WAIO_EINPUT, "%s: %zu bytes, at most %d are read", path, size,
                              WAIO_XML_MAX_BYTES);
    else if (XML_Parse(r.parser, (const char *)data, (int)size, 1) != XML_STATUS_OK)
        FAIL(&r, line_of(&r), "no whole XML: %s", XML_ErrorString(XML_GetErrorCode(r.parser)));
    XML_ParserFree(r.parser);
    return r.status;
}

waio_status waio_voc_annotation_read(waio_voc_annotation *out, const char *path,
                                     const char *const *class_name, int classes, waio_arena *arena)
{
    unsigned char *data = NULL;
    size_t size = 0;
    waio_status st = waio_file_size(&size, path);

    if (st == WAIO_OK && size > WAIO_XML_MAX_BYTES)
        st = waio_error(WAIO_EINPUT, "%s: %zu bytes, at most %d are read", path, size,
                        WAIO_XML_MAX_BYTES);
    if (st == WAIO_OK)
        st = waio_file_read(&data, &size, path, arena);
    return st == WAIO_OK
               ? waio_voc_annotation_parse(out, data, size, path, class_name, classes, arena)
               : st;
}

waio_status waio_voc_annotation_check(const waio_voc_annotation *a, waio_image_size size)
{
    for (int i = 0; i < a->count; i++) {
        const waio_object *o = &a->object[i];
        if (o->x < 0 || o->y < 0 || o->x + o->width > size.width || o->y + o->height > size.height)
            return waio_error(WAIO_EINPUT,
                              "%s:%d: a box from (%g, %g) to (%g, %g) lies outside the image of "
                              "%dx%d pixels",
                              a->path, a->line[i], o->x, o->y, o->x + o->width, o->y + o->height,
                              size.width, size.height);
    }
    return WAIO_OK;
}
