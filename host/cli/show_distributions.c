#include "cli/show_distributions.h"

#include <stdlib.h>

#include "cli/run_options.h"
#include "sweep/distributions.h"
#include "util/file.h"

/* The rule that a word names; only those that images decide. */
static waio_status read_rule(waio_range_rule *rule, const char *word, waio_arena *arena)
{
    waio_config config = waio_config_default();
    waio_session_options options;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_config_set(&config, waio_arena_printf(arena, "range=%s", word), arena));
    WAIO_TRY(st, waio_config_session_options(&options, &config));
    *rule = options.scheme.activation_range;
    if (*rule == WAIO_RANGE_BATCH_NORM || *rule == WAIO_RANGE_NOISE)
        WAIO_FAIL(st, WAIO_EUSAGE,
                  "--range %s looks at no image; there are: minmax mse p99 p99.9 p99.99 kl", word);
done:
    return st;
}

/* A session that takes histograms and evaluates next to nothing. */
static waio_status open_session(waio_session **out, const waio_show_distributions *a,
                                const char *name, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_cli_run cli;
    waio_config config = waio_config_default();

    waio_cli_run_init(&cli);
    cli.data = a->data_dir;
    cli.models = a->models_dir;
    cli.quiet = true;
    WAIO_TRY(st,
             waio_config_set(&config, waio_arena_printf(arena, "pre=%s", a->preprocess), arena));
    config.model = name;
    config.dataset = a->dataset;
    config.range = "mse";
    config.images = 1;
    config.calibration_images = a->images;
    WAIO_TRY(st, waio_cli_open_session(out, &cli, &config));
done:
    return st;
}

static waio_status write_all(FILE *out, const waio_show_distributions *a, const char *name,
                             const waio_model *model, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_session *session = NULL;
    waio_range_rule rule = WAIO_RANGE_MINMAX;

    WAIO_TRY(st, read_rule(&rule, a->range, arena));
    waio_distributions_header(out);
    WAIO_TRY(st, waio_distributions_weights(out, model->graph));
    if (!a->dataset)
        goto done;
    WAIO_TRY(st, open_session(&session, a, name, arena));
    WAIO_TRY(st, waio_distributions_activations(out, session, rule, (int)a->bits));
done:
    waio_session_close(session);
    return st;
}

waio_status waio_show_distributions_write(const waio_show_distributions *a, const char *name,
                                          const waio_model *model)
{
    waio_status st = WAIO_OK;
    char *text = NULL;
    size_t bytes = 0;
    waio_arena *arena = waio_arena_new();
    FILE *out = arena ? open_memstream(&text, &bytes) : NULL;

    if (!out) {
        st = waio_error(WAIO_ENOMEM, "out of memory");
        goto done;
    }
    st = write_all(out, a, name, model, arena);
    bool bad = ferror(out) != 0;
    if ((fclose(out) != 0 || bad) && st == WAIO_OK)
        st = waio_error(WAIO_ENOMEM, "out of memory");
    if (st == WAIO_OK)
        st = waio_file_replace(a->path, text, bytes);
done:
    free(text);
    waio_arena_free(arena);
    return st;
}
