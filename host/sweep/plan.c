#include "sweep/plan.h"

#include <stdlib.h>
#include <string.h>

#include "sweep/suspects.h"

/* Values that the lists of a prefix (W, A, I), or of all four, have together. */
static int64_t precisions(const waio_suite *s, bool with_o)
{
    static const char *const names[] = {"W", "A", "I", "O"};
    int64_t product = 1, together = 1;

    for (int i = 0; i < (with_o ? 4 : 3); i++) {
        int count = waio_suite_bits(s, names[i])->count;
        if (waio_suite_couples(s, names[i]))
            together = count;
        else
            product *= count;
    }
    return product * together;
}

static waio_status count_rows(int64_t *rows, int64_t *passes, const waio_suite *s)
{
    int64_t pairs = (int64_t)s->models.count * s->datasets.count;
    int64_t layers = pairs * s->suspects.count * s->first_n.count;

    *rows = layers * precisions(s, true) + pairs; /* of method file: the pairs */
    *passes = *rows;
    if (layers * precisions(s, false) > WAIO_PLAN_MAX_ROWS || *rows > WAIO_PLAN_MAX_ROWS)
        return waio_error(WAIO_EUSAGE, "%s: the suite has more than %d rows", s->path,
                          WAIO_PLAN_MAX_ROWS);
    return WAIO_OK;
}

static waio_status add_row(waio_plan *plan, const waio_config *config, waio_arena *arena)
{
    waio_plan_row *row = &plan->row[plan->row_count++];

    row->config = *config;
    row->text = waio_config_text(config, arena);
    return row->text ? WAIO_OK : WAIO_ENOMEM;
}

/* All O of one prefix (item `only` alone, if that is not -1). The float configuration is the
 * baseline, which has its row already. */
static waio_status add_pass(waio_plan *plan, waio_config config, const waio_int_list *O, int only,
                            int pair, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_plan_pass *pass = &plan->pass[plan->pass_count];

    *pass = (waio_plan_pass){.first = plan->row_count, .pair = pair};
    for (int o = 0; o < O->count; o++) {
        config.bits.o = O->item[o];
        if ((only >= 0 && o != only) || waio_config_is_float(&config))
            continue;
        if (plan->row_count > pass->first && waio_suspects_auto(config.suspects)) {
            pass->count = 1; /* with O the suspects may change, and with them the prefix */
            pass = &plan->pass[++plan->pass_count];
            *pass = (waio_plan_pass){.first = plan->row_count, .pair = pair};
        }
        WAIO_TRY(st, add_row(plan, &config, arena));
    }
    pass->count = plan->row_count - pass->first;
    plan->pass_count += pass->count > 0;
done:
    return st;
}

/* Whether lists that are coupled stand at one place. `at`: the places of W, A and I; `together`
 * receives that of the coupled, -1 if none of the three is. */
static bool hand_in_hand(const waio_suite *s, const int at[3], int *together)
{
    static const char *const names[] = {"W", "A", "I"};

    *together = -1;
    for (int i = 0; i < 3; i++) {
        if (!waio_suite_couples(s, names[i]))
            continue;
        if (*together >= 0 && *together != at[i])
            return false;
        *together = at[i];
    }
    return true;
}

static waio_status add_baseline(waio_plan *plan, waio_config config, int pair, waio_arena *arena)
{
    plan->pass[plan->pass_count++] =
        (waio_plan_pass){.first = plan->row_count, .count = 1, .baseline = true, .pair = pair};
    config.bits = (waio_precision){WAIO_FLOAT, WAIO_FLOAT, WAIO_FLOAT, WAIO_FLOAT};
    return add_row(plan, &config, arena);
}

static waio_status add_pair(waio_plan *plan, const waio_suite *s, waio_config config, int pair,
                            waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int prefixes = s->suspects.count * s->first_n.count * s->I.count * s->W.count * s->A.count;

    if (waio_config_is_file(&config)) { /* no float network to compare with */
        plan->pass[plan->pass_count++] =
            (waio_plan_pass){.first = plan->row_count, .count = 1, .pair = pair};
        return add_row(plan, &config, arena);
    }
    WAIO_TRY(st, add_baseline(plan, config, pair, arena));
    for (int k = 0; k < prefixes; k++) {
        int rest = k, at[3], together = -1;
        at[1] = rest % s->A.count;
        rest /= s->A.count;
        at[0] = rest % s->W.count;
        rest /= s->W.count;
        at[2] = rest % s->I.count;
        rest /= s->I.count;
        if (!hand_in_hand(s, at, &together))
            continue;
        config.bits.w = s->W.item[at[0]];
        config.bits.a = s->A.item[at[1]];
        config.bits.i = s->I.item[at[2]];
        config.first_n = s->first_n.item[rest % s->first_n.count];
        config.suspects = s->suspects.item[rest / s->first_n.count];
        WAIO_TRY(st, add_pass(plan, config, &s->O, waio_suite_couples(s, "O") ? together : -1, pair,
                              arena));
    }
done:
    return st;
}

/* A task that the suite names must be that of its data sets. */
static waio_status check_task(const waio_suite *s)
{
    for (int d = 0; d < s->datasets.count && s->task; d++) {
        waio_config config = {.dataset = s->datasets.item[d]};
        bool detection = strcmp(s->task, "detection") == 0;
        if (detection != waio_config_detects(&config))
            return waio_error(WAIO_EUSAGE, "%s: task %s, but the data set %s is for %s", s->path,
                              s->task, config.dataset, detection ? "classification" : "detection");
    }
    return WAIO_OK;
}

waio_status waio_plan_make(waio_plan *plan, const waio_suite *s, int shard, int shards,
                           waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int64_t rows = 0, passes = 0;

    *plan = (waio_plan){0};
    WAIO_TRY(st, check_task(s));
    WAIO_TRY(st, count_rows(&rows, &passes, s));
    WAIO_NEW(st, plan->row, arena, (size_t)rows);
    WAIO_NEW(st, plan->pass, arena, (size_t)passes);
    for (int m = 0; m < s->models.count; m++)
        for (int d = 0; d < s->datasets.count; d++) {
            waio_config config = waio_config_of_suite(s);
            config.model = s->models.item[m];
            config.dataset = s->datasets.item[d];
            WAIO_TRY(st, add_pair(plan, s, config, plan->pair_count++, arena));
        }
    for (int p = 0; p < plan->pass_count; p++)
        for (int r = 0; r < plan->pass[p].count; r++)
            plan->row[plan->pass[p].first + r].in_shard = p % shards == shard - 1;
done:
    return st;
}

int waio_plan_find(const waio_plan *plan, const char *text)
{
    for (int r = 0; r < plan->row_count; r++)
        if (strcmp(plan->row[r].text, text) == 0)
            return r;
    return -1;
}
