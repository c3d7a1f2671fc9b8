#include "util/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { MAX_THREADS = 256 };

typedef struct loop {
    waio_parallel_work *work;
    void *payload;
    int64_t count;
    atomic_llong next;
    pthread_mutex_t lock; /* of what follows */
    waio_status status;
    char message[1024];
} loop;

static void fail(loop *l, waio_status st)
{
    pthread_mutex_lock(&l->lock);
    if (l->status == WAIO_OK) {
        l->status = st;
        snprintf(l->message, sizeof l->message, "%.1000s", waio_error_message());
    }
    pthread_mutex_unlock(&l->lock);
    atomic_store(&l->next, l->count);
}

static void *run(void *argument)
{
    loop *l = argument;

    for (int64_t item; (item = atomic_fetch_add(&l->next, 1)) < l->count;) {
        waio_status st = l->work(l->payload, item);
        if (st != WAIO_OK)
            fail(l, st);
    }
    return NULL;
}

waio_status waio_parallel_for(int threads, int64_t count, waio_parallel_work *work, void *payload)
{
    loop l = {.work = work, .payload = payload, .count = count};
    pthread_t helper[MAX_THREADS];
    int helpers = 0;

    pthread_mutex_init(&l.lock, NULL);
    while (helpers < threads - 1 && helpers < count - 1 && helpers < MAX_THREADS &&
           pthread_create(&helper[helpers], NULL, run, &l) == 0)
        helpers++;
    run(&l);
    for (int i = 0; i < helpers; i++)
        pthread_join(helper[i], NULL);
    pthread_mutex_destroy(&l.lock);
    return l.status == WAIO_OK ? WAIO_OK : waio_error(l.status, "%s", l.message);
}
