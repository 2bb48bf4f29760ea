/* The pool: each piece runs once, and results do not depend on who computed them. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "unit/calls.h"

enum { PIECES = 1000, CALLERS = 6 };

typedef struct {
    layers_pool *pool;
    atomic_int runs[PIECES];
} work;

static void count_run(void *argument, size_t i) {
    atomic_fetch_add(&((work *)argument)->runs[i], 1);
}

static void expect_once_each(layers_pool *pool) {
    static _Thread_local work work;
    memset(&work, 0, sizeof work);
    layers_pool_run(pool, PIECES, count_run, &work);
    for (int i = 0; i < PIECES; i++)
        cr_assert_eq(atomic_load(&work.runs[i]), 1, "piece %d ran %d times", i,
                     atomic_load(&work.runs[i]));
}

Test(pool, runs_each_piece_once) {
    for (unsigned threads = 0; threads < 5; threads++) {
        layers_pool *pool = layers_pool_make(threads, NULL);
        cr_assert_not_null(pool);
        expect_once_each(pool);
        layers_pool_free(pool);
    }
    expect_once_each(NULL);
}

static void *call_often(void *pool) {
    for (int i = 0; i < 50; i++)
        expect_once_each(pool);
    return NULL;
}

Test(pool, serves_several_callers_at_once) {
    layers_pool *pool = layers_pool_make(3, NULL);
    pthread_t caller[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        cr_assert_eq(pthread_create(&caller[i], NULL, call_often, pool), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(caller[i], NULL);
    layers_pool_free(pool);
}

/* Threads at the work, and what the helpers among them have said. */
static atomic_int together, began, ended;
static _Thread_local bool is_busy;

static void note_busy(bool yes) {
    cr_assert_neq(is_busy, yes);
    is_busy = yes;
    atomic_fetch_add(yes ? &began : &ended, 1);
}

/* Goes on when all three threads are at it: two of them have said that they are busy. */
static void meet(void *argument, size_t i) {
    (void)argument, (void)i;
    atomic_fetch_add(&together, 1);
    while (atomic_load(&together) < 3)
        ;
}

Test(pool, helpers_say_when_they_are_busy) {
    layers_pool *pool = layers_pool_make(2, note_busy);
    layers_pool_run(pool, 3, meet, NULL);
    cr_assert_eq(atomic_load(&began), 2);
    layers_pool_free(pool);
    cr_assert_eq(atomic_load(&ended), 2);
    cr_assert_not(is_busy, "the caller is no helper");
}

/* Where the test's own thread computes, and what it may run on. */
static int callers;
static cpu_set_t everywhere;

static void go_to(int processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)processor, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

static void join_caller(bool yes) {
    if (!yes)
        return;
    go_to(callers);
    cr_assert_eq(sched_setaffinity(0, sizeof everywhere, &everywhere), 0);
}

typedef struct place {
    int processor;
    cpu_set_t may;
} place;

static void note_place(void *argument, size_t i) {
    place *place = (struct place *)argument + i;
    place->processor = sched_getcpu();
    sched_getaffinity(0, sizeof place->may, &place->may);
    atomic_fetch_add(&together, 1);
    while (atomic_load(&together) < 2)
        ;
}

Test(pool, a_helper_leaves_its_callers_processor) {
    cr_assert_eq(sched_getaffinity(0, sizeof everywhere, &everywhere), 0);
    if (CPU_COUNT(&everywhere) < 2)
        cr_skip("there is one processor");
    layers_pool *pool = layers_pool_make(1, join_caller);
    callers = sched_getcpu();
    go_to(callers);
    place place[2];
    layers_pool_run(pool, 2, note_place, place);
    cr_assert_neq(place[0].processor, place[1].processor);
    cr_assert_neq(CPU_EQUAL(&place[0].may, &everywhere), CPU_EQUAL(&place[1].may, &everywhere),
                  "the helper may run everywhere again, and the caller where it could");
    layers_pool_free(pool);
}

static void note_thread(void *argument, size_t i) {
    pthread_t *thread = argument;
    thread[i] = pthread_self();
}

/* Where all processors have a caller, each computes alone. */
Test(pool, callers_that_are_many_are_not_helped) {
    layers_pool *pool = layers_pool_make(2, NULL);
    pthread_t thread[PIECES];
    layers_pool_callers(pool, 3);
    layers_pool_run(pool, PIECES, note_thread, thread);
    for (int i = 0; i < PIECES; i++)
        cr_assert(pthread_equal(thread[i], pthread_self()), "piece %d", i);
    layers_pool_callers(pool, -1);
    expect_once_each(pool);
    layers_pool_callers(pool, -2);
    layers_pool_callers(NULL, 1);
    layers_pool_free(pool);
}

Test(pool, no_pieces_are_no_work) {
    layers_pool *pool = layers_pool_make(2, NULL);
    layers_pool_run(pool, 0, NULL, NULL);
    layers_pool_free(pool);
    layers_pool_free(NULL);
}

static void expect_same_outputs(const layers_call *a, const layers_call *b, unsigned threads) {
    for (int i = 0; a->operation->outputs[i].name; i++) {
        size_t bytes;
        cr_assert(layers_dtype_bytes(a->dtype, a->outputs[i].size, &bytes));
        cr_assert_eq(a->outputs[i].size, b->outputs[i].size);
        cr_assert_eq(memcmp(a->outputs[i].data, b->outputs[i].data, bytes), 0,
                     "%s/%s gives another %s with %u helpers", a->operation->layer,
                     a->operation->name, a->operation->outputs[i].name, threads);
    }
}

/* Backward of a forward that has been run, with the forward's output for its gradient. */
static layers_call backward_of(const layers_call *forward, layers_pool *pool) {
    layers_call call = call_of(forward->operation->layer, "backward", forward->dtype);
    call.inputs[0] = layers_tensor_share(&forward->outputs[0]);
    call.cache = layers_cache_ref(forward->cache);
    call.pool = pool;
    run(&call);
    return call;
}

static void expect_same(const layers_operation *operation, layers_dtype dtype) {
    layers_call alone = large_call(operation, dtype), alone_back;
    run(&alone);
    if (alone.cache)
        alone_back = backward_of(&alone, NULL);
    for (unsigned threads = 1; threads < 4; threads++) {
        layers_pool *pool = layers_pool_make(threads, NULL);
        layers_call helped = large_call(operation, dtype);
        helped.pool = pool;
        run(&helped);
        expect_same_outputs(&alone, &helped, threads);
        if (alone.cache) {
            layers_call back = backward_of(&helped, pool);
            expect_same_outputs(&alone_back, &back, threads);
            layers_call_clear(&back);
        }
        layers_call_clear(&helped);
        layers_pool_free(pool);
    }
    if (alone.cache)
        layers_call_clear(&alone_back);
    layers_call_clear(&alone);
}

Test(pool, does_not_change_a_byte) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
            if ((*row)->cache != LAYERS_CACHE_TAKEN)
                expect_same(*row, dtype);
}
