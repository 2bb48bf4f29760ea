#include "threads.h"

#include <pthread.h>

typedef struct {
    pthread_t thread;
    pthread_barrier_t *start;
    thread_work *work;
    void *context;
    int number;
    char fault[FAULT_TEXT];
} worker;

static void *run(void *argument) {
    worker *w = argument;
    pthread_barrier_wait(w->start);
    w->work(w->context, w->number, w->fault);
    return NULL;
}

void threads_run(int count, thread_work *work, void *context) {
    static worker workers[THREADS_MOST];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        workers[i] = (worker){.start = &start, .work = work, .context = context, .number = i};
        cr_assert(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(!*workers[i].fault, "thread %d: %s", i, workers[i].fault);
    }
    pthread_barrier_destroy(&start);
}
