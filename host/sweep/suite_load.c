/* All values are loaded as text: libcyaml's own numbers know no "f16", and its messages no list of
 * what is allowed. A group is a mapping that stands at offset 0 of the same struct, so that the
 * offsets of its keys need no struct of their own. */
#include "sweep/suite_load.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <cyaml/cyaml.h>

enum { GROUPS = 4 };

typedef struct schema {
    cyaml_schema_value_t root, item;
    cyaml_schema_field_t top[WAIO_SUITE_KEYS + 1];
    cyaml_schema_field_t group[GROUPS][WAIO_SUITE_KEYS + 1];
} schema;

/* What libcyaml logs first; the later lines are its way back up. */
typedef struct first_message {
    char text[400];
} first_message;

static void keep_first_message(cyaml_log_t level, void *context, const char *format, va_list args)
{
    first_message *message = context;
    if (level >= CYAML_LOG_ERROR && message->text[0] == '\0') {
        int n = vsnprintf(message->text, sizeof message->text, format, args);
        if (n > 0 && n < (int)sizeof message->text && message->text[n - 1] == '\n')
            message->text[n - 1] = '\0';
    }
}

static cyaml_config_t config_of(first_message *message)
{
    return (cyaml_config_t){.log_fn = keep_first_message,
                            .log_ctx = message,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
}

static cyaml_schema_field_t field_of(const schema *s, int index)
{
    const waio_suite_key *key = &waio_suite_key_table[index];
    size_t at = offsetof(waio_suite_values, of) + (size_t)index * sizeof(waio_suite_value);
    cyaml_schema_field_t field = {.key = waio_suite_key_name(key)};

    field.value.flags = CYAML_FLAG_POINTER;
    switch (key->kind) {
    case WAIO_KEY_TEXTS:
    case WAIO_KEY_SUSPECTS:
    case WAIO_KEY_BITS:
    case WAIO_KEY_NUMBERS:
        field.data_offset = (uint32_t)(at + offsetof(waio_suite_value, items));
        field.count_offset = (uint32_t)(at + offsetof(waio_suite_value, count));
        field.count_size = sizeof(uint32_t);
        field.value.type = CYAML_SEQUENCE;
        field.value.data_size = sizeof(char *);
        field.value.sequence.entry = &s->item;
        field.value.sequence.max = CYAML_UNLIMITED;
        break;
    default:
        field.data_offset = (uint32_t)(at + offsetof(waio_suite_value, text));
        field.value.type = CYAML_STRING;
        field.value.data_size = sizeof(char);
        field.value.string.max = CYAML_UNLIMITED;
    }
    if (!key->required)
        field.value.flags |= CYAML_FLAG_OPTIONAL;
    return field;
}

static void fill_group(schema *s, cyaml_schema_field_t *fields, const char *group)
{
    int n = 0;
    for (int i = 0; i < WAIO_SUITE_KEYS; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (key->kind != WAIO_KEY_GROUP && waio_suite_key_in(key, group))
            fields[n++] = field_of(s, i);
    }
}

static void schema_make(schema *s)
{
    int n = 0, groups = 0;

    *s = (schema){.item = {.type = CYAML_STRING, .flags = CYAML_FLAG_POINTER, .data_size = 1}};
    s->item.string.max = CYAML_UNLIMITED;
    fill_group(s, s->top, "");
    while (s->top[n].key)
        n++;
    for (int i = 0; i < WAIO_SUITE_KEYS; i++) {
        const waio_suite_key *key = &waio_suite_key_table[i];
        if (key->kind != WAIO_KEY_GROUP)
            continue;
        assert(groups < GROUPS);
        fill_group(s, s->group[groups], key->path);
        s->top[n].key = key->path;
        s->top[n].value.type = CYAML_MAPPING;
        s->top[n].value.flags = CYAML_FLAG_OPTIONAL; /* the outline was checked already */
        s->top[n].value.data_size = sizeof(waio_suite_values);
        s->top[n++].value.mapping.fields = s->group[groups++];
    }
    s->root.type = CYAML_MAPPING;
    s->root.flags = CYAML_FLAG_POINTER;
    s->root.data_size = sizeof(waio_suite_values);
    s->root.mapping.fields = s->top;
}

waio_status waio_suite_load(waio_suite_values **out, const waio_yaml *yaml)
{
    schema s;
    first_message message = {""};
    cyaml_config_t config = config_of(&message);
    cyaml_data_t *data = NULL;

    schema_make(&s);
    cyaml_err_t error = cyaml_load_data(yaml->data, yaml->size, &config, &s.root, &data, NULL);
    if (error == CYAML_ERR_OOM)
        return waio_error(WAIO_ENOMEM, "%s: out of memory", yaml->path);
    if (error != CYAML_OK)
        return waio_error(WAIO_EINPUT, "%s: cannot be loaded: %s (%s)", yaml->path,
                          cyaml_strerror(error), message.text);
    *out = data;
    return WAIO_OK;
}

void waio_suite_values_free(waio_suite_values *values)
{
    schema s;
    first_message message = {""};
    cyaml_config_t config = config_of(&message);

    schema_make(&s);
    cyaml_free(&config, &s.root, values, 0);
}
