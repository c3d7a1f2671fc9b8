#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/clock.h"

enum { SPARSE_SECONDS = 10 };

void waio_progress_init(waio_progress *p, bool quiet)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    *p = (waio_progress){.quiet = quiet};
    p->terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    p->colour = p->terminal && !(no_color && no_color[0]);
    p->last_line = waio_clock();
}

static void duration_text(char text[32], double seconds)
{
    long s = (long)(seconds + 0.5);

    if (seconds < 0)
        snprintf(text, 32, "?");
    else if (s >= 3600)
        snprintf(text, 32, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 32, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, 32, "%lds", s);
}

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

/* The part of a canonical text that changes from row to row: "w=8 a=8 i=32 o=8". */
static void short_config(char *out, size_t size, const char *config)
{
    const char *bits = strstr(config, " w=");
    size_t n;

    if (!bits) {
        snprintf(out, size, "%s", config);
        return;
    }
    const char *end = strstr(bits, " engine=");
    const char *feed = strstr(bits, " suspects=");
    end = feed ? feed : end;
    n = end ? (size_t)(end - bits - 1) : strlen(bits + 1);
    snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), bits + 1);
}

static void show_line(waio_progress *p, const char *line)
{
    if (!p->terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    fprintf(stderr, "\r\033[K%s%.*s%s", p->colour ? "\033[2m" : "", (int)terminal_width() - 1, line,
            p->colour ? "\033[0m" : "");
    fflush(stderr);
    p->line_shown = true;
}

void waio_progress_show(waio_progress *p, const waio_run_state *s)
{
    char line[512], config[160], left[32], so_far[32] = "";
    double now = waio_clock();

    if (p->quiet || (!p->terminal && now - p->last_line < SPARSE_SECONDS))
        return;
    p->last_line = now;
    short_config(config, sizeof config, s->config ? s->config : "");
    duration_text(left, s->seconds_left);
    if (s->correct >= 0) /* known before the end: of classifiers */
        snprintf(so_far, sizeof so_far, "%.2f %% of ",
                 s->images_done ? 100.0 * (double)s->correct / (double)s->images_done : 0.0);
    snprintf(line, sizeof line, "%d/%d  %s  %s%lld  %.0f images/s  %s left", s->rows_done,
             s->rows_total, config, so_far, (long long)s->images_done,
             s->pass_seconds > 0 ? (double)s->images_done / s->pass_seconds : 0.0, left);
    show_line(p, line);
}

void waio_progress_clear(waio_progress *p)
{
    if (p->line_shown)
        fprintf(stderr, "\r\033[K");
    p->line_shown = false;
}

/* ---- decoding ---- */

static waio_status update_reading(void *payload, const char *set, const char *split, int64_t done,
                                  int64_t total)
{
    waio_cli_reading *r = payload;
    waio_progress *p = &r->progress;
    char line[200];
    double now = waio_clock();

    if (waio_interrupted())
        return waio_error(WAIO_EINTERRUPTED, "interrupted");
    if (done == total)
        waio_progress_clear(p);
    else if (!p->quiet && (p->terminal || now - p->last_line >= SPARSE_SECONDS)) {
        p->last_line = now;
        snprintf(line, sizeof line, "%.60s, %.20s: %lld of %lld images decoded", set, split,
                 (long long)done, (long long)total);
        show_line(p, line);
    }
    return WAIO_OK;
}

void waio_cli_reading_init(waio_cli_reading *r, bool quiet)
{
    waio_progress_init(&r->progress, quiet);
    r->reading = (waio_reading){update_reading, r};
}
