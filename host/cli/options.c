#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_option(const waio_option *option, char letter)
{
    char left[48], before[] = {'-', letter, ',', ' ', '\0'};

    snprintf(left, sizeof left, "%s--%s%s%s", letter ? before : "", option->name,
             option->placeholder ? " " : "", option->placeholder ? option->placeholder : "");
    printf("  %-24s %s\n", left, option->help);
}

static void print_help(const waio_command *command)
{
    printf("waio %s: %s\n\nUsage: waio %s%s%s [OPTIONS]\n", command->name, command->summary,
           command->name, command->positional[0] ? " " : "", command->positional);
    if (command->details)
        printf("\n%s\n", command->details);
    printf("\nOptions:\n");
    for (int i = 0; i < command->option_count; i++)
        print_option(&command->option[i], i == 0 ? command->letter : 0);
    printf("  %-24s %s\n", "--help", "this text");
    printf("\nExample:\n  %s\n", command->example);
}

static const waio_option *find(const waio_command *command, const char *name, size_t length)
{
    for (int i = 0; i < command->option_count; i++)
        if (strlen(command->option[i].name) == length &&
            strncmp(command->option[i].name, name, length) == 0)
            return &command->option[i];
    return NULL;
}

/* Factor of a size suffix, 0 if it is none. */
static int64_t size_factor(const char *suffix)
{
    static const char *const letters = "KMG";
    if (suffix[0] == '\0')
        return 1;
    const char *at = strchr(letters, suffix[0] & ~0x20);
    if (!at || (suffix[1] && strcmp(suffix + 1, "iB") != 0 && strcmp(suffix + 1, "B") != 0))
        return 0;
    return INT64_C(1) << 10 * (at - letters + 1);
}

static waio_status set_number(const waio_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    int64_t factor = option->kind == WAIO_OPTION_BYTES ? size_factor(end) : *end == '\0';

    bool whole = end != text && factor && errno == 0;
    if (whole && (number > INT64_MAX / factor || number < 0))
        whole = number < 0 && factor == 1;
    if (!whole || number * factor < option->least || number * factor > option->most)
        return waio_error(WAIO_EUSAGE,
                          "--%s %s: expected a whole number from %" PRId64 " to %" PRId64 "%s",
                          option->name, text, option->least, option->most,
                          option->kind == WAIO_OPTION_BYTES ? ", K, M or G behind it" : "");
    *(int64_t *)option->value = number * factor;
    return WAIO_OK;
}

static waio_status set(const waio_option *option, const char *text)
{
    if (option->kind == WAIO_OPTION_TEXT) {
        *(const char **)option->value = text;
        return WAIO_OK;
    }
    return set_number(option, text);
}

static const waio_option *find_letter(const waio_command *command, const char *text)
{
    return text[0] == command->letter && text[1] == '\0' ? &command->option[0] : NULL;
}

static waio_status parse_option(const waio_command *command, int argc, char **argv, int *at)
{
    bool is_long = argv[*at][1] == '-';
    const char *name = argv[*at] + (is_long ? 2 : 1), *equals = is_long ? strchr(name, '=') : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const waio_option *option = is_long ? find(command, name, length) : find_letter(command, name);

    if (!option)
        return waio_error(WAIO_EUSAGE, "unknown option %s (waio %s --help lists them)", argv[*at],
                          command->name);
    if (option->kind == WAIO_OPTION_FLAG) {
        if (equals)
            return waio_error(WAIO_EUSAGE, "--%s takes no value", option->name);
        *(bool *)option->value = true;
        return WAIO_OK;
    }
    if (equals)
        return set(option, equals + 1);
    if (*at + 1 >= argc)
        return waio_error(WAIO_EUSAGE, "--%s needs a value (%s)", option->name,
                          option->placeholder);
    return set(option, argv[++*at]);
}

waio_status waio_options_parse(const waio_command *command, int argc, char **argv,
                               waio_arguments *arguments)
{
    waio_status st = WAIO_OK;
    bool only_positional = false;

    *arguments = (waio_arguments){0};
    for (int i = 1; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0) {
            only_positional = true;
        } else if (!only_positional &&
                   (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(command);
            arguments->help = true;
            return WAIO_OK;
        } else if (!only_positional && argv[i][0] == '-' && argv[i][1] != '\0') {
            WAIO_TRY(st, parse_option(command, argc, argv, &i));
        } else {
            if (arguments->count == command->most)
                WAIO_FAIL(st, WAIO_EUSAGE, "\"%s\" is one argument too many; expected: %s", argv[i],
                          command->most ? command->positional : "only options");
            arguments->item[arguments->count++] = argv[i];
        }
    }
    if (arguments->count < command->fewest)
        WAIO_FAIL(st, WAIO_EUSAGE, "an argument is missing; expected: %s", command->positional);
done:
    return st;
}

int waio_command_failed(const waio_command *command, waio_status code)
{
    fprintf(stderr, "waio %s: %s\n", command->name, waio_error_message());
    return waio_exit_code(code);
}
