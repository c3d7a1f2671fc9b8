/* Three steps: the outline is checked against the table of keys (which keys, what kind, how many),
 * libcyaml loads the values as text, and each text is checked and stored as the table says. The
 * first fault ends it, with its line. */
#include "sweep/suite.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/resize.h"
#include "quant/precision.h"
#include "sweep/suite_keys.h"
#include "sweep/suite_load.h"
#include "sweep/suspects.h"
#include "sweep/yaml_outline.h"

enum { MAX_NAME = 100, MAX_ROWS = 1000000 };

typedef struct reader {
    waio_suite *suite;
    waio_arena *arena; /* of the caller: what the suite keeps */
    waio_yaml yaml;
} reader;

static bool is_list(const waio_suite_key *key)
{
    return key->kind == WAIO_KEY_TEXTS || key->kind == WAIO_KEY_SUSPECTS ||
           key->kind == WAIO_KEY_BITS || key->kind == WAIO_KEY_NUMBERS;
}

/* ---- which keys, what kind ------------------------------------------------------------------ */

/* "name, task, models": the keys of a group, the required ones only if asked for. */
static const char *key_list(char *out, size_t bytes, const char *group, bool required)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < WAIO_SUITE_KEYS; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (waio_suite_key_in(key, group) && (key->required || !required) && n < bytes)
            n += (size_t)snprintf(out + n, bytes - n, "%s%s", n ? ", " : "",
                                  waio_suite_key_name(key));
    }
    return out;
}

static waio_status check_kind(const reader *r, const waio_suite_key *key,
                              const waio_yaml_node *node)
{
    static const char *const found[] = {"a single value", "a list", "a mapping"};
    const waio_yaml *yaml = &r->yaml;

    if (key->kind == WAIO_KEY_GROUP && node->kind != WAIO_YAML_MAPPING)
        return waio_yaml_error(yaml, node->at, WAIO_EUSAGE,
                               "%s: %s where a mapping is expected, as in {%s: ...}", key->path,
                               found[node->kind], node->kind == WAIO_YAML_LIST ? "key" : "name");
    if (is_list(key) && node->kind != WAIO_YAML_LIST)
        return waio_yaml_error(yaml, node->at, WAIO_EUSAGE,
                               "%s: %s where a list is expected, as in [%s]", key->path,
                               found[node->kind],
                               key->kind == WAIO_KEY_TEXTS      ? "one, another"
                               : key->kind == WAIO_KEY_SUSPECTS ? "none, auto"
                               : key->kind == WAIO_KEY_BITS     ? "8, 32"
                                                                : "0, 1");
    if (key->kind != WAIO_KEY_GROUP && !is_list(key) && node->kind != WAIO_YAML_SCALAR)
        return waio_yaml_error(yaml, node->at, WAIO_EUSAGE,
                               "%s: %s where a single value is expected", key->path,
                               found[node->kind]);
    return WAIO_OK;
}

static waio_status check_list(const reader *r, const waio_suite_key *key,
                              const waio_yaml_node *node)
{
    if (node->count == 0)
        return waio_yaml_error(&r->yaml, node->at, WAIO_EUSAGE,
                               "%s: the list is empty, so the suite has no rows", key->path);
    if (node->count > WAIO_SUITE_MAX_LIST)
        return waio_yaml_error(&r->yaml, node->at, WAIO_EUSAGE,
                               "%s: %d values; a list has at most %d", key->path, node->count,
                               WAIO_SUITE_MAX_LIST);
    for (const waio_yaml_node *item = node->child; item; item = item->next)
        if (item->kind != WAIO_YAML_SCALAR)
            return waio_yaml_error(&r->yaml, item->at, WAIO_EUSAGE,
                                   "%s: %s inside the list; its items are single values", key->path,
                                   item->kind == WAIO_YAML_LIST ? "a list" : "a mapping");
    return WAIO_OK;
}

static waio_status missing(const reader *r, const waio_yaml_node *node, const char *group,
                           const char *path)
{
    char keys[400];
    return waio_yaml_error(&r->yaml, group[0] ? node->key_at : node->at, WAIO_EUSAGE,
                           "the key \"%s\" is missing; %s needs %s", path,
                           group[0] ? group : "a suite", key_list(keys, sizeof keys, group, true));
}

/* The precision waits for check_precision, since it depends on the method. */
static waio_status check_required(const reader *r, const waio_yaml_node *node, const char *group)
{
    for (int i = 0; i < WAIO_SUITE_KEYS; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (key->required && waio_suite_key_in(key, group) && strcmp(key->path, "precision") != 0 &&
            !waio_yaml_entry(node, waio_suite_key_name(key)))
            return missing(r, node, group, key->path);
    }
    return WAIO_OK;
}

/* `group` is "" for the whole file; groups stand one inside another once at most. */
static waio_status check_group(const reader *r, const waio_yaml_node *node, const char *group)
{
    waio_status st = WAIO_OK;
    char keys[400];

    for (const waio_yaml_node *entry = node->child; entry; entry = entry->next) {
        const waio_suite_key *key = waio_suite_key_find(group, entry->key);
        if (!key)
            return waio_yaml_error(
                &r->yaml, entry->key_at, WAIO_EUSAGE, "unknown key \"%s%s%.100s\"; known here: %s",
                group, group[0] ? "." : "", entry->key, key_list(keys, sizeof keys, group, false));
        st = check_kind(r, key, entry);
        if (st == WAIO_OK && is_list(key))
            st = check_list(r, key, entry);
        if (st == WAIO_OK && key->kind == WAIO_KEY_GROUP)
            st = check_group(r, entry, key->path);
        if (st != WAIO_OK)
            return st;
    }
    return check_required(r, node, group);
}

static waio_status check_outline(const reader *r)
{
    char keys[400];
    const waio_yaml_node *root = r->yaml.root;

    if (!root)
        return waio_error(WAIO_EINPUT, "%s:1: the file is empty; a suite needs %s", r->yaml.path,
                          key_list(keys, sizeof keys, "", true));
    if (root->kind != WAIO_YAML_MAPPING)
        return waio_yaml_error(&r->yaml, root->at, WAIO_EUSAGE, "not a suite: it needs the keys %s",
                               key_list(keys, sizeof keys, "", true));
    return check_group(r, root, "");
}

/* ---- single values -------------------------------------------------------------------------- */

static waio_status check_text(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                              const char *text)
{
    if (text[0] == '\0')
        return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE, "%s: the value is empty", key->path);
    if (strlen(text) > WAIO_SUITE_MAX_TEXT)
        return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE,
                               "%s: the text is too long; at most %d characters", key->path,
                               WAIO_SUITE_MAX_TEXT);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE,
                                   "%s: a control character or line break inside the text",
                                   key->path);
    return WAIO_OK;
}

static waio_status check_name(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                              const char *text)
{
    size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    if (good < strlen(text) || good > MAX_NAME || strspn(text, "._-") > 0)
        return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE,
                               "%s: \"%.100s\" cannot name a results file; small letters, digits "
                               "and . _ - are allowed, a letter or digit first, at most %d of them",
                               key->path, text, MAX_NAME);
    return WAIO_OK;
}

static waio_status check_word(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                              const char *text)
{
    char words[200];
    size_t n = 0;

    for (int i = 0; i < WAIO_SUITE_MAX_ALLOWED && key->allowed[i]; i++) {
        if (strcmp(key->allowed[i], text) == 0)
            return WAIO_OK;
        if (n < sizeof words)
            n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", n ? ", " : "",
                                  key->allowed[i]);
    }
    return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE, "%s: \"%.100s\" is not allowed; allowed: %s",
                           key->path, text, words);
}

/* Digits only: no sign, no exponent, no leading zero (YAML 1.1 would take it for octal). */
static waio_status read_number(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                               const char *text, int *out)
{
    size_t digits = strspn(text, "0123456789");
    long long value = -1;

    if (digits > 0 && digits <= 10 && text[digits] == '\0' && (text[0] != '0' || digits == 1))
        value = strtoll(text, NULL, 10);
    if (value < key->least || value > key->most)
        return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE,
                               "%s: \"%.100s\" is not a whole number from %d to %d", key->path,
                               text, key->least, key->most);
    *out = (int)value;
    return WAIO_OK;
}

static waio_status read_bits(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                             const char *text, int *out)
{
    char message[300];
    if (waio_bits_parse(out, text) == WAIO_OK)
        return WAIO_OK;
    snprintf(message, sizeof message, "%s", waio_error_message());
    return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE, "%s: %s", key->path, message);
}

/* `canonical` receives the pipeline's canonical text. */
static waio_status check_resize(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                                const char *text, char canonical[WAIO_RESIZE_TEXT])
{
    waio_resize resize;
    char message[400];

    if (waio_resize_parse(&resize, text) == WAIO_OK) {
        waio_resize_text(canonical, &resize);
        return WAIO_OK;
    }
    snprintf(message, sizeof message, "%s", waio_error_message());
    return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE, "%s: %s", key->path, message);
}

static waio_status store_scalar(reader *r, const waio_suite_key *key, waio_yaml_mark at,
                                const char *text)
{
    char *field = (char *)r->suite + key->offset, canonical[WAIO_RESIZE_TEXT];
    waio_status st = check_text(r, key, at, text);

    if (st != WAIO_OK)
        return st;
    if (key->kind == WAIO_KEY_NUMBER)
        return read_number(r, key, at, text, (int *)field);
    st = key->kind == WAIO_KEY_NAME     ? check_name(r, key, at, text)
         : key->kind == WAIO_KEY_RESIZE ? check_resize(r, key, at, text, canonical)
                                        : check_word(r, key, at, text);
    if (st != WAIO_OK)
        return st;
    const char *copy = waio_arena_strdup(r->arena, key->kind == WAIO_KEY_RESIZE ? canonical : text);
    if (!copy)
        return WAIO_ENOMEM;
    *(const char **)field = copy;
    return WAIO_OK;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static waio_status repeated(const reader *r, const waio_suite_key *key, waio_yaml_mark at,
                            const char *text)
{
    return waio_yaml_error(&r->yaml, at, WAIO_EUSAGE, "%s: \"%.100s\" is in the list twice",
                           key->path, text);
}

static waio_yaml_mark item_mark(const waio_yaml_node *node, int index)
{
    const waio_yaml_node *item = waio_yaml_item(node, index);
    return item ? item->at : (waio_yaml_mark){1, 1};
}

static waio_status store_texts(reader *r, const waio_suite_key *key, const waio_yaml_node *node,
                               char *const *items, int count)
{
    waio_status st = WAIO_OK;
    waio_text_list *list = (waio_text_list *)((char *)r->suite + key->offset);

    WAIO_NEW(st, list->item, r->arena, (size_t)count);
    for (int i = 0; i < count; i++) {
        WAIO_TRY(st, check_text(r, key, item_mark(node, i), items[i]));
        for (int k = 0; k < i; k++)
            if (strcmp(items[k], items[i]) == 0)
                return repeated(r, key, item_mark(node, i), items[i]);
        list->item[i] = waio_arena_strdup(r->arena, items[i]);
        if (!list->item[i])
            return WAIO_ENOMEM;
    }
    list->count = count;
done:
    return st;
}

static waio_status store_suspects(reader *r, const waio_suite_key *key, const waio_yaml_node *node,
                                  char *const *items, int count)
{
    waio_status st = WAIO_OK;
    waio_text_list *list = (waio_text_list *)((char *)r->suite + key->offset);
    char message[300];

    WAIO_NEW(st, list->item, r->arena, (size_t)count);
    for (int i = 0; i < count; i++) {
        WAIO_TRY(st, check_text(r, key, item_mark(node, i), items[i]));
        st = waio_suspects_parse(&list->item[i], items[i], r->arena);
        if (st == WAIO_EUSAGE) {
            snprintf(message, sizeof message, "%s", waio_error_message());
            return waio_yaml_error(&r->yaml, item_mark(node, i), st, "%s", message);
        }
        WAIO_TRY(st, st);
        for (int k = 0; k < i; k++)
            if (strcmp(list->item[k], list->item[i]) == 0)
                return repeated(r, key, item_mark(node, i), items[i]);
    }
    list->count = count;
done:
    return st;
}

static waio_status store_numbers(reader *r, const waio_suite_key *key, const waio_yaml_node *node,
                                 char *const *items, int count)
{
    waio_status st = WAIO_OK;
    waio_int_list *list = (waio_int_list *)((char *)r->suite + key->offset);

    WAIO_NEW(st, list->item, r->arena, (size_t)count);
    for (int i = 0; i < count; i++) {
        waio_yaml_mark at = item_mark(node, i);
        int *out = &list->item[i];
        WAIO_TRY(st, check_text(r, key, at, items[i]));
        WAIO_TRY(st, key->kind == WAIO_KEY_BITS ? read_bits(r, key, at, items[i], out)
                                                : read_number(r, key, at, items[i], out));
        for (int k = 0; k < i && key->kind != WAIO_KEY_BITS; k++) /* bits: see check_repeats */
            if (list->item[k] == *out)
                return repeated(r, key, at, items[i]);
    }
    list->count = count;
done:
    return st;
}

/* ---- the whole suite ------------------------------------------------------------------------ */

static const waio_yaml_node *find_node(const reader *r, const waio_suite_key *key)
{
    char group[40];
    const char *name = waio_suite_key_name(key);
    int n = (int)(name - key->path);

    if (n == 0)
        return waio_yaml_entry(r->yaml.root, name);
    snprintf(group, sizeof group, "%.*s", n - 1, key->path);
    return waio_yaml_entry(waio_yaml_entry(r->yaml.root, group), name);
}

static waio_status store_key(reader *r, const waio_suite_key *key, const waio_suite_value *value)
{
    const waio_yaml_node *node = find_node(r, key);
    char fallback[40];
    char *items[1] = {fallback};
    waio_suite_value given = *value;

    if (!node && !key->fallback) /* precision, of method file */
        return WAIO_OK;
    if (!node) {
        snprintf(fallback, sizeof fallback, "%s", key->fallback);
        given = (waio_suite_value){.text = fallback, .items = items, .count = 1};
    }
    if (key->kind == WAIO_KEY_SUSPECTS)
        return store_suspects(r, key, node, given.items, (int)given.count);
    if (key->kind == WAIO_KEY_TEXTS)
        return store_texts(r, key, node, given.items, (int)given.count);
    if (is_list(key))
        return store_numbers(r, key, node, given.items, (int)given.count);
    return store_scalar(r, key, node ? node->at : (waio_yaml_mark){1, 1}, given.text);
}

/* A file that has codes already has its precision too; everything else says which it wants. */
static waio_status check_precision(const reader *r)
{
    const waio_yaml_node *root = r->yaml.root, *given = waio_yaml_entry(root, "precision");
    bool file = strcmp(r->suite->method.name, "file") == 0;

    if (!file && !given)
        return missing(r, root, "", "precision");
    if (file && given)
        return waio_yaml_error(&r->yaml, given->key_at, WAIO_EUSAGE,
                               "precision: method file takes networks that are quantized already; "
                               "they keep their own");
    return WAIO_OK;
}

const waio_int_list *waio_suite_bits(const waio_suite *s, const char *name)
{
    const waio_int_list *list[] = {&s->W, &s->A, &s->I, &s->O};
    static const char names[] = "WAIO";

    for (int i = 0; i < 4; i++)
        if (name[0] == names[i] && name[1] == '\0')
            return list[i];
    return NULL;
}

bool waio_suite_couples(const waio_suite *s, const char *name)
{
    for (int i = 0; i < s->couple.count; i++)
        if (strcmp(s->couple.item[i], name) == 0)
            return true;
    return false;
}

/* Coupled lists go hand in hand: two at least, as long as each other. */
static waio_status check_couple(const reader *r)
{
    const waio_suite *s = r->suite;
    const waio_yaml_node *given = waio_yaml_entry(r->yaml.root, "precision");

    given = given ? waio_yaml_entry(given, "couple") : NULL;
    if (!given)
        return WAIO_OK;
    for (int i = 0; i < s->couple.count; i++) {
        const waio_int_list *bits = waio_suite_bits(s, s->couple.item[i]);
        const waio_int_list *first = waio_suite_bits(s, s->couple.item[0]);
        if (!bits)
            return waio_yaml_error(
                &r->yaml, item_mark(given, i), WAIO_EUSAGE,
                "precision.couple: \"%.100s\" is not allowed; allowed: W, A, I, O",
                s->couple.item[i]);
        if (bits->count != first->count)
            return waio_yaml_error(
                &r->yaml, item_mark(given, i), WAIO_EUSAGE,
                "precision.couple: %s has %d values and %s has %d; lists that go "
                "together are of one length",
                s->couple.item[0], first->count, s->couple.item[i], bits->count);
    }
    if (s->couple.count < 2)
        return waio_yaml_error(&r->yaml, given->at, WAIO_EUSAGE,
                               "precision.couple: one list alone; name at least two of W, A, I, O");
    return WAIO_OK;
}

static bool same_place(const waio_suite *s, int a, int b)
{
    for (int i = 0; i < s->couple.count; i++) {
        const waio_int_list *bits = waio_suite_bits(s, s->couple.item[i]);
        if (bits->item[a] != bits->item[b])
            return false;
    }
    return true;
}

/* No precision twice: a list alone holds no bits twice, coupled lists no place whose bits are all
 * those of an earlier one. */
static waio_status check_repeats(const reader *r)
{
    static const char *const names[] = {"W", "A", "I", "O"};
    const waio_suite *s = r->suite;
    const waio_yaml_node *given = waio_yaml_entry(r->yaml.root, "precision");

    for (int n = 0; n < 4 && given; n++) {
        const waio_int_list *list = waio_suite_bits(s, names[n]);
        bool coupled = waio_suite_couples(s, names[n]);
        for (int i = 0; i < list->count; i++)
            for (int k = 0; k < i; k++) {
                if (coupled ? !same_place(s, i, k) : list->item[i] != list->item[k])
                    continue;
                return waio_yaml_error(&r->yaml, item_mark(waio_yaml_entry(given, names[n]), i),
                                       WAIO_EUSAGE,
                                       coupled ? "precision.%s: \"%s\" and what is coupled with it "
                                                 "is in the lists twice"
                                               : "precision.%s: \"%s\" is in the list twice",
                                       names[n], waio_bits_text(list->item[i]));
            }
    }
    return WAIO_OK;
}

/* So that a product of long lists is a message and not an overflow. */
static waio_status check_rows(const reader *r)
{
    const waio_suite *s = r->suite;
    const int count[] = {s->models.count, s->datasets.count, s->W.count,       s->A.count,
                         s->I.count,      s->O.count,        s->first_n.count, s->suspects.count};
    int64_t rows = 1;

    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        rows *= count[i];
        if (rows > MAX_ROWS)
            return waio_error(WAIO_EUSAGE,
                              "%s:%d: the lists multiply to more than %d rows; make them shorter",
                              r->yaml.path, r->yaml.root->at.line, MAX_ROWS);
    }
    return WAIO_OK;
}

waio_status waio_suite_read(waio_suite *suite, const char *path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_suite_values *values = NULL;
    reader r = {.suite = suite, .arena = arena};
    waio_arena *scratch = waio_arena_new();

    memset(suite, 0, sizeof *suite);
    if (!scratch)
        return WAIO_ENOMEM;
    suite->path = waio_arena_strdup(arena, path);
    if (!suite->path) {
        st = WAIO_ENOMEM;
        goto done;
    }
    WAIO_TRY(st, waio_yaml_read(&r.yaml, path, scratch));
    WAIO_TRY(st, check_outline(&r));
    WAIO_TRY(st, waio_suite_load(&values, &r.yaml));
    for (int i = 0; i < WAIO_SUITE_KEYS; i++)
        if (waio_suite_key_table[i].kind != WAIO_KEY_GROUP)
            WAIO_TRY(st, store_key(&r, &waio_suite_key_table[i], &values->of[i]));
    WAIO_TRY(st, check_precision(&r));
    WAIO_TRY(st, check_couple(&r));
    WAIO_TRY(st, check_repeats(&r));
    WAIO_TRY(st, check_rows(&r));
done:
    waio_suite_values_free(values);
    waio_arena_free(scratch);
    return st;
}
