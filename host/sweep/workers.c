/* The worker threads of a pass. Chunks are handed out one by one; what a chunk computes does not
 * depend on who computes it, so results do not depend on the number of workers. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sweep/session_internal.h"

static volatile sig_atomic_t interrupted;

void waio_interrupt(void)
{
    interrupted = 1;
}

bool waio_interrupted(void)
{
    return interrupted != 0;
}

typedef struct crew {
    waio_chunk_work *work;
    void *payload;
    int64_t chunks;
    atomic_llong next;
    atomic_bool stop;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int running;
    waio_status status; /* the first error, and its message */
    char message[1024];
} crew;

typedef struct worker {
    crew *crew;
    int index;
    pthread_t thread;
} worker;

static void report(crew *c, waio_status st)
{
    pthread_mutex_lock(&c->lock);
    if (st != WAIO_OK && c->status == WAIO_OK) {
        c->status = st;
        snprintf(c->message, sizeof c->message, "%.1000s", waio_error_message());
        atomic_store(&c->stop, true);
    }
    pthread_mutex_unlock(&c->lock);
}

static void *work_chunks(void *argument)
{
    worker *w = argument;
    crew *c = w->crew;

    for (;;) {
        int64_t chunk = atomic_fetch_add(&c->next, 1);
        if (chunk >= c->chunks || atomic_load(&c->stop))
            break;
        if (waio_interrupted()) {
            report(c, waio_error(WAIO_EINTERRUPTED, "interrupted"));
            break;
        }
        report(c, c->work(c->payload, w->index, chunk));
    }
    pthread_mutex_lock(&c->lock);
    c->running--;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void wait_and_tick(crew *c, void (*tick)(void *payload))
{
    pthread_mutex_lock(&c->lock);
    while (c->running) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
        if (c->running && tick)
            tick(c->payload);
    }
    pthread_mutex_unlock(&c->lock);
}

waio_status waio_run_chunks(const waio_session *session, int64_t chunks, waio_chunk_work *work,
                            void *payload, void (*tick)(void *payload))
{
    int threads = session->options.threads, started = 0;
    worker *workers = calloc((size_t)threads, sizeof *workers);
    crew c = {.work = work, .payload = payload, .chunks = chunks};

    if (!workers)
        return waio_error(WAIO_ENOMEM, "out of memory");
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    c.running = threads;
    for (; started < threads; started++) {
        workers[started] = (worker){&c, started, 0};
        if (pthread_create(&workers[started].thread, NULL, work_chunks, &workers[started]) != 0)
            break;
    }
    if (started < threads) {
        pthread_mutex_lock(&c.lock);
        c.running -= threads - started;
        pthread_mutex_unlock(&c.lock);
        if (started == 0)
            report(&c, waio_error(WAIO_EINTERNAL, "no worker thread could be started"));
    }
    wait_and_tick(&c, tick);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_cond_destroy(&c.changed);
    pthread_mutex_destroy(&c.lock);
    free(workers);
    if (c.status != WAIO_OK)
        waio_error(c.status, "%s", c.message);
    return c.status;
}
