/* A recursive walk over libyaml's events. Depth and count are bounded while it walks, so a hostile
 * file costs no more than its bytes: libyaml reads at most 1024 characters ahead of an event. */
#include "sweep/yaml_outline.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "util/file.h"

enum { EXCERPT = 90 }; /* characters of a line that are shown above a caret */

typedef struct walk {
    waio_yaml *yaml;
    waio_arena *arena;
    yaml_parser_t parser;
    int nodes;
} walk;

static bool continuation_byte(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Writes the line and the caret; nothing if the mark lies behind the file or the line is empty. */
static void excerpt(char *out, size_t bytes, const waio_yaml *yaml, waio_yaml_mark at)
{
    const unsigned char *p = yaml->data, *end = yaml->data + yaml->size;
    char line[4 * EXCERPT + 1], caret[EXCERPT + 1];
    size_t n = 0;
    int column = 1, first = at.column > EXCERPT - 10 ? at.column - EXCERPT / 2 : 1;

    out[0] = '\0';
    for (int l = 1; l < at.line && p; l++)
        if ((p = memchr(p, '\n', (size_t)(end - p))))
            p++;
    if (!p || p == end || *p == '\n' || *p == '\r')
        return;
    for (; p < end && *p != '\n' && *p != '\r'; p++) {
        int shown = column - first;
        if (shown >= EXCERPT && !continuation_byte(*p))
            break;
        if (shown >= 0 && n < sizeof line - 1)
            line[n++] = *p < ' ' || *p == 0x7f ? ' ' : (char)*p;
        if (p + 1 == end || !continuation_byte(p[1]))
            column++;
    }
    line[n] = '\0';
    int indent = at.column - first < EXCERPT ? at.column - first : EXCERPT - 1;
    memset(caret, ' ', (size_t)indent);
    caret[indent] = '\0';
    snprintf(out, bytes, "\n    %s\n    %s^", line, caret);
}

waio_status waio_yaml_error(const waio_yaml *yaml, waio_yaml_mark at, waio_status code,
                            const char *format, ...)
{
    char text[1024], lines[5 * EXCERPT + 32];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    excerpt(lines, sizeof lines, yaml, at);
    return waio_error(code, "%.400s:%d: %s%s", yaml->path, at.line, text, lines);
}

static waio_yaml_mark mark_of(yaml_mark_t mark)
{
    return (waio_yaml_mark){(int)mark.line + 1, (int)mark.column + 1};
}

static waio_yaml_mark mark_of_byte(const waio_yaml *yaml, size_t offset)
{
    waio_yaml_mark at = {1, 1};
    for (size_t i = 0; i < offset && i < yaml->size; i++) {
        bool newline = yaml->data[i] == '\n';
        at.line += newline;
        at.column = newline ? 1 : at.column + !continuation_byte(yaml->data[i]);
    }
    return at;
}

static waio_status syntax_error(walk *w)
{
    const yaml_parser_t *p = &w->parser;

    switch (p->error) {
    case YAML_MEMORY_ERROR:
        return waio_error(WAIO_ENOMEM, "%s: out of memory", w->yaml->path);
    case YAML_READER_ERROR: /* a byte that is no UTF-8 or a control character */
        return waio_yaml_error(w->yaml, mark_of_byte(w->yaml, p->problem_offset), WAIO_EINPUT,
                               "not YAML: %s", p->problem ? p->problem : "cannot be read");
    default:
        return waio_yaml_error(w->yaml, mark_of(p->problem_mark), WAIO_EINPUT, "not YAML: %s%s%s",
                               p->context ? p->context : "", p->context ? ": " : "",
                               p->problem ? p->problem : "cannot be parsed");
    }
}

/* Refuses what suites do not use. */
static waio_status check_event(walk *w, const yaml_event_t *event)
{
    waio_yaml_mark at = mark_of(event->start_mark);
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return waio_yaml_error(w->yaml, at, WAIO_EUSAGE, "a zero byte inside a text");
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor || tag)
        return waio_yaml_error(w->yaml, at, WAIO_EUSAGE,
                               "%s cannot be used here; write the value out",
                               anchor ? "anchors (&) and aliases (*)" : "tags (!)");
    return WAIO_OK;
}

/* The caller deletes the event if this succeeds. */
static waio_status next_event(walk *w, yaml_event_t *event)
{
    if (!yaml_parser_parse(&w->parser, event))
        return syntax_error(w);
    waio_status st = check_event(w, event);
    if (st != WAIO_OK)
        yaml_event_delete(event);
    return st;
}

static waio_status new_node(walk *w, waio_yaml_node **out, const yaml_event_t *event)
{
    waio_yaml_mark at = mark_of(event->start_mark);

    if (++w->nodes > WAIO_YAML_MAX_NODES)
        return waio_yaml_error(w->yaml, at, WAIO_EUSAGE, "more than %d values in one file",
                               WAIO_YAML_MAX_NODES);
    waio_yaml_node *node = waio_arena_alloc(w->arena, sizeof *node);
    if (!node)
        return WAIO_ENOMEM;
    node->at = at;
    node->kind = event->type == YAML_SEQUENCE_START_EVENT  ? WAIO_YAML_LIST
                 : event->type == YAML_MAPPING_START_EVENT ? WAIO_YAML_MAPPING
                                                           : WAIO_YAML_SCALAR;
    *out = node;
    return WAIO_OK;
}

static waio_status walk_value(walk *w, waio_yaml_node **out, const yaml_event_t *first, int depth);

/* `event` is the key of an entry; reads the value behind it. */
static waio_status walk_entry(walk *w, waio_yaml_node **out, const waio_yaml_node *mapping,
                              const yaml_event_t *event, int depth)
{
    waio_status st = WAIO_OK;
    waio_yaml_mark at = mark_of(event->start_mark);
    yaml_event_t value;

    if (event->type != YAML_SCALAR_EVENT)
        return waio_yaml_error(w->yaml, at, WAIO_EUSAGE, "a key is a word, not a list or mapping");
    const char *key = (const char *)event->data.scalar.value;
    const waio_yaml_node *before = waio_yaml_entry(mapping, key);
    if (before)
        return waio_yaml_error(w->yaml, at, WAIO_EUSAGE,
                               "the key \"%.100s\" is given twice, first in line %d", key,
                               before->key_at.line);
    char *copy = waio_arena_strdup(w->arena, key);
    if (!copy)
        return WAIO_ENOMEM;
    st = next_event(w, &value);
    if (st != WAIO_OK)
        return st;
    st = walk_value(w, out, &value, depth);
    if (st == WAIO_OK) {
        (*out)->key = copy;
        (*out)->key_at = at;
    }
    yaml_event_delete(&value);
    return st;
}

static waio_status walk_children(walk *w, waio_yaml_node *parent, int depth)
{
    waio_status st = WAIO_OK;
    waio_yaml_node **link = &parent->child;
    bool mapping = parent->kind == WAIO_YAML_MAPPING, end = false;
    yaml_event_t event;

    while (!end) {
        st = next_event(w, &event);
        if (st != WAIO_OK)
            return st;
        end = event.type == (mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
        if (!end) {
            st = mapping ? walk_entry(w, link, parent, &event, depth)
                         : walk_value(w, link, &event, depth);
            if (st == WAIO_OK) {
                link = &(*link)->next;
                parent->count++;
            }
        }
        yaml_event_delete(&event);
        if (st != WAIO_OK)
            return st;
    }
    return WAIO_OK;
}

static waio_status walk_value(walk *w, waio_yaml_node **out, const yaml_event_t *first, int depth)
{
    waio_yaml_node *node = NULL;
    waio_status st = new_node(w, &node, first);

    if (st == WAIO_OK && node->kind != WAIO_YAML_SCALAR) {
        if (depth == WAIO_YAML_MAX_DEPTH)
            return waio_yaml_error(w->yaml, node->at, WAIO_EUSAGE,
                                   "lists and mappings are nested more than %d deep",
                                   WAIO_YAML_MAX_DEPTH);
        st = walk_children(w, node, depth + 1);
    }
    if (st == WAIO_OK)
        *out =
            node; /* not before its value is whole: a duplicate key is looked for in whole ones */
    return st;
}

/* The one document of the file. */
static waio_status walk_stream(walk *w)
{
    waio_status st = WAIO_OK;
    yaml_event_t event;
    int documents = 0;
    bool end = false;

    while (!end) {
        st = next_event(w, &event);
        if (st != WAIO_OK)
            return st;
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            st = waio_yaml_error(w->yaml, mark_of(event.start_mark), WAIO_EUSAGE,
                                 "a second document in the file; a suite is a file of its own");
        else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                 event.type == YAML_MAPPING_START_EVENT)
            st = walk_value(w, &w->yaml->root, &event, 0);
        yaml_event_delete(&event);
        if (st != WAIO_OK)
            return st;
    }
    return WAIO_OK;
}

waio_status waio_yaml_read(waio_yaml *yaml, const char *path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    size_t bytes = 0;
    walk w = {.yaml = yaml, .arena = arena};

    *yaml = (waio_yaml){.path = path};
    st = waio_file_size(&bytes, path);
    if (st != WAIO_OK)
        return st;
    if (bytes > WAIO_YAML_MAX_BYTES)
        return waio_error(WAIO_EINPUT, "%s:1: %zu bytes are too many; a suite has at most %d", path,
                          bytes, WAIO_YAML_MAX_BYTES);
    st = waio_file_read(&yaml->data, &yaml->size, path, arena);
    if (st != WAIO_OK)
        return st;
    const unsigned char *zero = memchr(yaml->data, '\0', yaml->size);
    if (zero) {
        waio_yaml_mark at = mark_of_byte(yaml, (size_t)(zero - yaml->data));
        return waio_yaml_error(yaml, at, WAIO_EINPUT, "not YAML: a zero byte");
    }
    if (!yaml_parser_initialize(&w.parser))
        return waio_error(WAIO_ENOMEM, "%s: out of memory", path);
    yaml_parser_set_input_string(&w.parser, yaml->data, yaml->size);
    st = walk_stream(&w);
    yaml_parser_delete(&w.parser);
    return st;
}

const waio_yaml_node *waio_yaml_entry(const waio_yaml_node *node, const char *key)
{
    if (!node || node->kind != WAIO_YAML_MAPPING)
        return NULL;
    for (const waio_yaml_node *entry = node->child; entry; entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return entry;
    return NULL;
}

const waio_yaml_node *waio_yaml_item(const waio_yaml_node *node, int index)
{
    if (!node || node->kind != WAIO_YAML_LIST)
        return NULL;
    for (const waio_yaml_node *item = node->child; item; item = item->next)
        if (index-- == 0)
            return item;
    return NULL;
}
