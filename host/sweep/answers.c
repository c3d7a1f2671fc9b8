/* What a network answered on the images of a session, and what that is worth. */
#include <math.h>
#include <string.h>

#include "sweep/session_internal.h"

static bool detects(const waio_session *s)
{
    return s->detecting.detector != NULL;
}

waio_status waio_answers_make(waio_answers *out, const waio_session *s, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    size_t count = (size_t)s->dataset->count;

    *out = (waio_answers){0};
    WAIO_NEW(st, out->prediction, arena, count);
    if (s->options.keep_answers && !detects(s))
        WAIO_NEW(st, out->margin, arena, count);
    WAIO_NEW(st, out->found, arena, detects(s) ? count : 0);
done:
    return st;
}

void waio_answers_free(waio_answers *answers, const waio_session *s)
{
    if (answers->found && detects(s))
        waio_found_lists_free(answers->found, s->dataset->count);
}

/* ---- taking ---- */

/* Bytes of one image's part of output `o`. */
static size_t output_bytes(const waio_graph *graph, int o)
{
    const waio_value *value = &graph->value[graph->output[o]];
    return (size_t)waio_shape_count(&value->shape) * waio_type_bytes(value->type);
}

static waio_status take_boxes(waio_answers *answers, const waio_session *s, int worker,
                              const waio_program *program, const waio_workspace *workspace,
                              int64_t first, int64_t images)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    const waio_detector *d = s->detecting.detector;
    int output[2] = {d->boxes, d->scores};
    const char *at[2];

    for (int i = 0; i < 2; i++) {
        WAIO_TRY(st, waio_workspace_fetch(workspace, program, graph->output[output[i]]));
        at[i] = (const char *)waio_workspace_value(workspace, program, graph->output[output[i]]);
    }
    for (int64_t i = 0; i < images; i++) {
        waio_found_list *list = &answers->found[first + i];
        waio_found_lists_free(list, 1);
        WAIO_TRY(st, waio_detecting_find(list, &s->detecting, worker, graph, at[0], at[1],
                                         s->dataset, first + i));
        at[0] += output_bytes(graph, output[0]);
        at[1] += output_bytes(graph, output[1]);
    }
done:
    return st;
}

/* By how much the largest score of each image leads; a NaN leads by NaN. */
static void take_margins(float *margin, const void *score, const waio_value *value, int classes,
                         int64_t images)
{
    float scale = value->type == WAIO_F32 ? 1 : value->params.scale[0];

    for (int64_t i = 0; i < images; i++) {
        float top = -INFINITY, second = -INFINITY;
        for (int64_t k = i * classes; k < (i + 1) * classes; k++) {
            float one = value->type == WAIO_F32  ? ((const float *)score)[k]
                        : value->type == WAIO_S8 ? ((const int8_t *)score)[k]
                                                 : ((const int16_t *)score)[k];
            second = isnan(one) || one > top ? top : fmaxf(second, one);
            top = isnan(one) || one > top ? one : top;
        }
        margin[i] = classes > 1 ? scale * (top - second) : 0;
    }
}

waio_status waio_answers_take(waio_answers *answers, int64_t *correct, const waio_session *s,
                              int worker, const waio_program *program,
                              const waio_workspace *workspace, int64_t first, int64_t images)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    int id = graph->output[0];

    *correct = -1;
    if (detects(s))
        return take_boxes(answers, s, worker, program, workspace, first, images);
    WAIO_TRY(st, waio_workspace_fetch(workspace, program, id));
    waio_predict(answers->prediction + first, waio_workspace_value(workspace, program, id),
                 graph->value[id].type, s->dataset->classes, images);
    if (answers->margin)
        take_margins(answers->margin + first, waio_workspace_value(workspace, program, id),
                     &graph->value[id], s->dataset->classes, images);
    *correct = 0;
    for (int64_t i = first; i < first + images; i++)
        *correct += answers->prediction[i] == s->dataset->label[i];
done:
    return st;
}

/* ---- keeping and comparing ---- */

waio_status waio_answers_keep(waio_session *s, const waio_answers *answers, bool as_float)
{
    if (detects(s))
        return waio_found_lists_copy(as_float ? s->float_found : s->last_found, answers->found,
                                     s->dataset->count);
    memcpy(as_float ? s->float_prediction : s->last_prediction, answers->prediction,
           (size_t)s->dataset->count * sizeof *answers->prediction);
    return WAIO_OK;
}

int64_t waio_answers_agree(const waio_session *s, const waio_answers *answers, bool with_float)
{
    const int32_t *prediction = with_float ? s->float_prediction : s->last_prediction;
    const waio_found_list *found = with_float ? s->float_found : s->last_found;
    int64_t count = 0;

    for (int64_t i = 0; i < s->dataset->count; i++)
        count += detects(s) ? waio_found_same(&answers->found[i], &found[i])
                            : answers->prediction[i] == prediction[i];
    return count;
}

/* Answers that outlive their pass. */
static waio_status keep_for_outcome(waio_kept_answers **out, const waio_session *s,
                                    const waio_answers *answers)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    waio_kept_answers *kept = NULL;
    size_t count = (size_t)s->dataset->count;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_NEW(st, kept, arena, 1);
    kept->arena = arena;
    kept->images = detects(s) ? s->dataset->count : 0;
    WAIO_TRY(st, waio_answers_make(&kept->answers, s, arena));
    memcpy(kept->answers.prediction, answers->prediction, count * sizeof *answers->prediction);
    if (answers->margin)
        memcpy(kept->answers.margin, answers->margin, count * sizeof *answers->margin);
    if (detects(s))
        WAIO_TRY(st, waio_found_lists_copy(kept->answers.found, answers->found, s->dataset->count));
    *out = kept;
    kept = NULL;
    arena = NULL;
done:
    if (kept && kept->answers.found)
        waio_found_lists_free(kept->answers.found, kept->images);
    waio_arena_free(arena);
    return st;
}

void waio_kept_answers_free(waio_kept_answers *kept)
{
    if (kept && kept->answers.found)
        waio_found_lists_free(kept->answers.found, kept->images);
    if (kept)
        waio_arena_free(kept->arena);
}

void waio_outcome_free(waio_outcome *outcome, const waio_session *s)
{
    if (outcome->answers != s->float_outcome.answers)
        waio_kept_answers_free(outcome->answers);
    outcome->answers = NULL;
}

/* ---- what they are worth ---- */

waio_detection_metric waio_session_detection_metric(const waio_session *s)
{
    return (waio_detection_metric){s->options.metric ? s->options.metric : "map_coco",
                                   s->options.ignore_difficult, (uint64_t)s->options.seed,
                                   s->options.threads};
}

static waio_status score_boxes(waio_outcome *out, const waio_session *s,
                               const waio_answers *answers)
{
    waio_detection_metric metric = waio_session_detection_metric(s);
    waio_detection_score score = {NAN, NAN};
    waio_status st =
        waio_detecting_score(&score, &s->detecting, s->dataset, answers->found, &metric);

    out->lost = out->gained = -1;
    out->constant = true;
    for (int64_t i = 0; i < s->dataset->count; i++) {
        out->nan_images += answers->found[i].nan;
        out->constant = out->constant && answers->found[i].count == 0;
    }
    out->value = score.value;
    out->deviation = score.deviation;
    return st;
}

static void score_classes(waio_outcome *out, const waio_session *s, const int32_t *prediction)
{
    out->constant = s->dataset->count > 1;
    for (int64_t i = 0; i < s->dataset->count; i++) {
        out->nan_images += prediction[i] < 0;
        bool right = prediction[i] == s->dataset->label[i];
        bool float_right = s->float_prediction[i] == s->dataset->label[i];
        out->correct += right;
        out->constant = out->constant && prediction[i] == prediction[0];
        out->lost += float_right && !right;
        out->gained += right && !float_right;
    }
    double p = (double)out->correct / (double)out->images;
    out->value = 100.0 * (double)out->correct / (double)out->images;
    out->deviation = 100.0 * sqrt(p * (1 - p) / (double)out->images);
}

waio_status waio_count_outcome(waio_outcome *out, const waio_session *s,
                               const waio_answers *answers, double seconds, int64_t size_bytes)
{
    waio_status st = WAIO_OK;

    *out = (waio_outcome){.images = s->dataset->count,
                          .simulate_correct = -1,
                          .simulate_value = NAN,
                          .engines_agree = -1,
                          .seconds = seconds,
                          .size_bytes = size_bytes};
    if (detects(s))
        st = score_boxes(out, s, answers);
    else
        score_classes(out, s, answers->prediction);
    out->agree = waio_answers_agree(s, answers, true);
    if (st == WAIO_OK && s->options.keep_answers)
        st = keep_for_outcome(&out->answers, s, answers);
    return st;
}
