/* The cache store in memory: handles are honoured until they expire or are removed. */
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit/calls.h"

TestSuite(store);

enum { BRIEF = 50, LONG = 600000 }; /* lifetimes, in milliseconds */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void pause_briefly(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static store *open_store(size_t budget, int64_t lifetime) {
    store *s = store_open_memory(budget, lifetime);
    cr_assert(s);
    cr_assert(s->ready(s));
    return s;
}

static bool put(store *s, layers_cache *cache, size_t reserved, char handle[HANDLE_TEXT]) {
    const store_value value = {.cache = cache};
    return s->put(s, &value, 1, reserved, (char(*)[HANDLE_TEXT])handle);
}

/* NULL for a handle that is not known. */
static layers_cache *get(store *s, const char *handle) {
    store_value value;
    bool known = s->get(s, handle, &value);
    cr_assert(known == (value.cache != NULL));
    return value.cache;
}

/* A cache of relu/forward for `size` elements. */
static layers_cache *make_cache(size_t size) {
    uint64_t seed = 1;
    layers_call call = call_of("relu", "forward", LAYERS_F32);
    call.inputs[0] = tensor_random(LAYERS_F32, SHAPE(size), &seed, -1, 1);
    run(&call);
    layers_cache *cache = layers_cache_ref(call.cache);
    layers_call_clear(&call);
    return cache;
}

static size_t cost(const layers_cache *cache) {
    return layers_cache_bytes(cache) + store_overhead;
}

/* Reserves for a new cache and puts it; false where there is no room. */
static bool keep(store *s, size_t size, char handle[HANDLE_TEXT], int *retry_after) {
    layers_cache *cache = make_cache(size);
    size_t bytes = cost(cache);
    if (!s->reserve(s, bytes, retry_after)) {
        layers_cache_unref(cache);
        return false;
    }
    cr_assert(put(s, cache, bytes, handle));
    return true;
}

static bool is_live(store *s, const char *handle) {
    layers_cache *cache = get(s, handle);
    layers_cache_unref(cache);
    return cache != NULL;
}

Test(store, gives_back_what_was_put) {
    store *s = open_store(1 << 20, LONG);
    layers_cache *cache = make_cache(100);
    char handle[HANDLE_TEXT];
    int retry;
    cr_assert(s->reserve(s, cost(cache), &retry));
    cr_assert(put(s, cache, cost(cache), handle));
    cr_assert(strlen(handle) == HANDLE_TEXT - 1, "%s", handle);
    cr_assert(strspn(handle, "0123456789abcdef") == HANDLE_TEXT - 1, "%s", handle);
    for (int i = 0; i < 3; i++) {
        layers_cache *got = get(s, handle);
        cr_assert(got == cache);
        layers_cache_unref(got);
    }
    s->close(s);
}

Test(store, tells_what_a_handle_is) {
    store *s = open_store(1 << 20, LONG);
    char handle[HANDLE_TEXT];
    int retry;
    int64_t before = (int64_t)time(NULL) * 1000;
    cr_assert(keep(s, 100, handle, &retry));
    store_info info;
    cr_assert(s->info(s, handle, &info));
    cr_assert_str_eq(info.layer, "relu");
    cr_assert(info.dtype == LAYERS_F32);
    layers_cache *cache = get(s, handle);
    cr_assert(info.bytes == cost(cache), "%zu bytes", info.bytes);
    layers_cache_unref(cache);
    cr_assert(info.created >= before && info.created <= before + 60000);
    int64_t left = info.expires - info.created;
    cr_assert(left > LONG - 10000 && left < LONG + 10000, "%lld ms", (long long)left);
    s->close(s);
}

Test(store, a_removed_handle_is_gone) {
    store *s = open_store(1 << 20, LONG);
    char handle[HANDLE_TEXT], other[HANDLE_TEXT];
    int retry;
    store_info info;
    cr_assert(keep(s, 10, handle, &retry) && keep(s, 10, other, &retry));
    cr_assert(s->remove(s, handle));
    cr_assert(!s->remove(s, handle));
    cr_assert(!is_live(s, handle));
    cr_assert(!s->info(s, handle, &info));
    cr_assert(is_live(s, other));
    s->close(s);
}

Test(store, a_cache_in_use_outlives_its_removal) {
    store *s = open_store(1 << 20, LONG);
    char handle[HANDLE_TEXT];
    int retry;
    cr_assert(keep(s, 10, handle, &retry));
    layers_cache *cache = get(s, handle);
    cr_assert(s->remove(s, handle));
    s->close(s);
    cr_assert_str_eq(layers_cache_layer(cache), "relu");
    layers_cache_unref(cache);
}

Test(store, text_that_is_no_handle_is_unknown) {
    store *s = open_store(1 << 20, LONG);
    char handle[HANDLE_TEXT], text[3 * HANDLE_TEXT];
    int retry;
    store_info info;
    cr_assert(keep(s, 10, handle, &retry));
    static const char *const never[] = {"",
                                        "x",
                                        "../etc/passwd",
                                        "\xff\xfe",
                                        "%s%n",
                                        "00000000000000000000000000000000",
                                        "ffffffffffffffffffffffffffffffff"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        cr_assert(!is_live(s, never[i]) && !s->info(s, never[i], &info) && !s->remove(s, never[i]),
                  "%s", never[i]);
    for (size_t cut = 0; cut < HANDLE_TEXT - 1; cut++) {
        snprintf(text, sizeof text, "%.*s", (int)cut, handle);
        cr_assert(!is_live(s, text), "%s", text);
        snprintf(text, sizeof text, "%s", handle);
        text[cut] = text[cut] == '0' ? '1' : '0';
        cr_assert(!is_live(s, text), "%s for %s", text, handle);
        text[cut] = 'G';
        cr_assert(!s->remove(s, text), "%s", text);
    }
    snprintf(text, sizeof text, "%s0", handle);
    cr_assert(!is_live(s, text), "longer");
    snprintf(text, sizeof text, " %s", handle);
    cr_assert(!is_live(s, text), "a space before");
    cr_assert(is_live(s, handle));
    s->close(s);
}

/* Waits for `done`, at most 10 seconds. */
static bool within_deadline(bool (*done)(store *s, const char *handle), store *s,
                            const char *handle) {
    double deadline = seconds() + 10;
    while (!done(s, handle)) {
        if (seconds() > deadline)
            return false;
        pause_briefly();
    }
    return true;
}

static bool has_expired(store *s, const char *handle) {
    store_info info; /* which, unlike get, does not start the lifetime anew */
    return !s->info(s, handle, &info);
}

static bool whole_budget_is_free(store *s, const char *handle) {
    (void)handle;
    int retry;
    if (!s->reserve(s, 1 << 20, &retry))
        return false;
    s->release(s, 1 << 20);
    return true;
}

Test(store, a_handle_expires_and_its_memory_comes_back) {
    store *s = open_store(1 << 20, BRIEF);
    char handle[HANDLE_TEXT];
    int retry;
    double start = seconds();
    cr_assert(keep(s, 100000, handle, &retry));
    cr_assert(within_deadline(has_expired, s, handle));
    cr_assert(seconds() - start >= BRIEF / 1000. - 0.002, "after %g s", seconds() - start);
    cr_assert(!is_live(s, handle) && !s->remove(s, handle));
    cr_assert(within_deadline(whole_budget_is_free, s, handle));
    s->close(s);
}

/* With a lifetime of 1 s and a use every 2 ms, no load of the machine makes it expire; but 1.5 s
 * after the first use it would have. */
Test(store, use_starts_the_lifetime_anew) {
    store *s = open_store(1 << 20, 1000);
    char used[HANDLE_TEXT], unused[HANDLE_TEXT];
    int retry;
    cr_assert(keep(s, 10, used, &retry) && keep(s, 10, unused, &retry));
    double start = seconds();
    while (seconds() < start + 1.5) {
        cr_assert(is_live(s, used), "after %g s", seconds() - start);
        pause_briefly();
    }
    cr_assert(has_expired(s, unused));
    cr_assert(is_live(s, used));
    s->close(s);
}

Test(store, refuses_when_full_and_loses_nothing) {
    enum { MOST = 64 };
    layers_cache *sample = make_cache(1000);
    size_t each = cost(sample);
    layers_cache_unref(sample);
    store *s = open_store(10 * each + each / 2, 5000);
    char handle[MOST][HANDLE_TEXT];
    int count = 0, retry = 0;
    while (count < MOST && keep(s, 1000, handle[count], &retry))
        count++;
    cr_assert(count == 10, "%d fit", count);
    cr_assert(retry >= 1 && retry <= 5, "retry after %d", retry);
    for (int i = 0; i < count; i++)
        cr_assert(is_live(s, handle[i]), "%d of %d", i, count);
    cr_assert(!s->reserve(s, each, &retry));
    cr_assert(s->remove(s, handle[3]));
    cr_assert(keep(s, 1000, handle[3], &retry), "room for one again");
    cr_assert(!keep(s, 1000, handle[10], &retry));
    s->close(s);
}

Test(store, a_reservation_holds_room_until_it_is_released) {
    store *s = open_store(1000, LONG);
    int retry = 0;
    cr_assert(s->reserve(s, 600, &retry));
    cr_assert(!s->reserve(s, 401, &retry) && retry >= 1);
    cr_assert(s->reserve(s, 400, &retry));
    s->release(s, 600);
    cr_assert(!s->reserve(s, 601, &retry));
    cr_assert(s->reserve(s, 600, &retry));
    s->release(s, 1000);
    cr_assert(!s->reserve(s, 1001, &retry));
    cr_assert(!s->reserve(s, SIZE_MAX, &retry));
    cr_assert(s->reserve(s, 1000, &retry));
    s->close(s);
}

Test(store, a_generous_reservation_is_settled_by_put) {
    layers_cache *cache = make_cache(100);
    size_t each = cost(cache);
    store *s = open_store(3 * each, LONG);
    char handle[HANDLE_TEXT];
    int retry;
    cr_assert(s->reserve(s, 3 * each, &retry));
    cr_assert(put(s, cache, 3 * each, handle));
    cr_assert(s->reserve(s, 2 * each, &retry));
    cr_assert(!s->reserve(s, 1, &retry));
    s->close(s);
}

Test(store, tells_what_it_holds_and_what_became_of_it) {
    store *s = open_store(4096, LONG);
    store_stats stats;
    char handle[HANDLE_TEXT];
    int retry;
    for (int i = 0; i < 3; i++)
        cr_assert(keep(s, 10, handle, &retry));
    s->stats(s, &stats);
    cr_expect(stats.entries == 3 && stats.given == 3 && stats.budget == 4096);
    size_t three = stats.bytes;
    cr_expect(three > 3 * store_overhead);
    cr_assert(s->remove(s, handle));
    cr_assert(!s->remove(s, handle));
    cr_assert(!s->reserve(s, 4096, &retry));
    cr_assert(s->reserve(s, 100, &retry));
    s->stats(s, &stats);
    cr_expect(stats.entries == 2 && stats.given == 3 && stats.removed == 1 && stats.refused == 1);
    cr_expect(stats.bytes == three / 3 * 2 + 100 && stats.expired == 0);
    s->close(s);
}

Test(store, tells_what_has_expired) {
    store *s = open_store(4096, BRIEF);
    store_stats stats;
    char handle[HANDLE_TEXT];
    int retry;
    cr_assert(keep(s, 10, handle, &retry));
    double end = seconds() + 10;
    do {
        pause_briefly();
        s->stats(s, &stats);
    } while (stats.expired == 0 && seconds() < end);
    cr_expect(stats.expired == 1 && stats.entries == 0 && stats.given == 1 && stats.removed == 0);
    s->close(s);
}

Test(store, many_handles_are_all_different_and_all_found) {
    enum { MANY = 10000 };
    static char handle[MANY][HANDLE_TEXT];
    static layers_cache *cache[MANY];
    store *s = open_store((size_t)1 << 30, LONG);
    int retry;
    for (int i = 0; i < MANY; i++) {
        cache[i] = make_cache(1);
        cr_assert(s->reserve(s, cost(cache[i]), &retry));
        cr_assert(put(s, cache[i], cost(cache[i]), handle[i]));
    }
    for (int i = 0; i < MANY; i++) {
        layers_cache *got = get(s, handle[i]);
        cr_assert(got == cache[i], "handle %d", i);
        layers_cache_unref(got);
    }
    for (int i = 0; i < MANY; i += 2)
        cr_assert(s->remove(s, handle[i]), "handle %d", i);
    for (int i = 0; i < MANY; i++)
        cr_assert(is_live(s, handle[i]) == (i % 2 == 1), "handle %d", i);
    s->close(s);
}

Test(store, keeps_tensors_beside_caches_all_or_none) {
    enum { COUNT = 3 };
    store *s = open_store(1 << 20, LONG);
    layers_tensor w = tensor_of(LAYERS_F32, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    layers_tensor y = tensor_of(LAYERS_I64, SHAPE(2), VALUES(7, 8));
    store_value values[COUNT] = {{.tensor = layers_tensor_share(&w)},
                                 {.cache = make_cache(8)},
                                 {.tensor = y}},
                got;
    size_t bytes = 24 + 16 + 2 * store_overhead + cost(values[1].cache);
    char handles[COUNT][HANDLE_TEXT];
    store_info info;
    store_stats stats;
    int retry;
    cr_assert(s->reserve(s, bytes, &retry));
    cr_assert(s->put(s, values, COUNT, bytes, handles));
    cr_assert(s->get(s, handles[0], &got) && !got.cache);
    cr_assert(got.tensor.data == w.data, "shared, not copied");
    assert_values(&got.tensor, VALUES(1, 2, 3, 4, 5, 6), 6, 0, 0, "w");
    store_value_clear(&got);
    cr_assert(s->get(s, handles[1], &got) && got.cache == values[1].cache);
    store_value_clear(&got);
    cr_assert(s->info(s, handles[0], &info) && !info.layer && info.dtype == LAYERS_F32);
    cr_assert(info.rank == 2 && info.shape[0] == 2 && info.shape[1] == 3);
    cr_assert(info.bytes == 24 + store_overhead, "%zu", info.bytes);
    cr_assert(s->info(s, handles[2], &info) && info.dtype == LAYERS_I64 && info.rank == 1);
    s->stats(s, &stats);
    cr_assert(stats.entries == COUNT && stats.given == COUNT && stats.bytes == bytes, "%zu of %zu",
              stats.bytes, bytes);
    for (int i = 0; i < COUNT; i++)
        cr_assert(s->remove(s, handles[i]));
    s->stats(s, &stats);
    cr_assert(stats.bytes == 0 && stats.entries == 0);
    layers_tensor_clear(&w);
    s->close(s);
}

Test(store, what_is_anothers_is_not_there) {
    store *all = open_store(1 << 20, LONG);
    owner a = {.name = "a", .limit = SIZE_MAX}, b = {.name = "b", .limit = SIZE_MAX};
    store of[] = {store_for(all, &a), store_for(all, &b), *all};
    char handle[3][HANDLE_TEXT];
    store_info info;
    int retry;
    for (int i = 0; i < 3; i++)
        cr_assert(keep(&of[i], 10, handle[i], &retry));
    for (int who = 0; who < 3; who++)
        for (int whose = 0; whose < 3; whose++) {
            cr_assert(is_live(&of[who], handle[whose]) == (who == whose), "%d %d", who, whose);
            cr_assert(of[who].info(&of[who], handle[whose], &info) == (who == whose));
        }
    cr_assert(!of[0].remove(&of[0], handle[1]) && !all->remove(all, handle[1]));
    cr_assert(is_live(&of[1], handle[1]));
    cr_assert(a.kept == b.kept && a.kept > store_overhead, "%zu", (size_t)a.kept);
    cr_assert(of[1].remove(&of[1], handle[1]));
    cr_assert(b.kept == 0 && a.kept > 0);
    all->close(all);
}

Test(store, an_owner_keeps_no_more_than_it_may) {
    layers_cache *sample = make_cache(1000);
    size_t each = cost(sample);
    layers_cache_unref(sample);
    store *all = open_store(5 * each, LONG);
    owner a = {.name = "a", .limit = 2 * each}, b = {.name = "b", .limit = SIZE_MAX};
    store of_a = store_for(all, &a), of_b = store_for(all, &b);
    char handle[8][HANDLE_TEXT];
    int retry = 0;
    cr_assert(keep(&of_a, 1000, handle[0], &retry) && keep(&of_a, 1000, handle[1], &retry));
    cr_assert(!keep(&of_a, 1000, handle[2], &retry) && retry >= 1);
    cr_assert(keep(&of_b, 1000, handle[2], &retry));
    cr_assert(of_a.remove(&of_a, handle[0]));
    cr_assert(of_a.reserve(&of_a, each, &retry) && !of_a.reserve(&of_a, 1, &retry));
    of_a.release(&of_a, each);
    a.limit = each / 2; /* what it has it keeps */
    cr_assert(is_live(&of_a, handle[1]) && !of_a.reserve(&of_a, 1, &retry));
    for (int i = 3; i < 6; i++)
        cr_assert(keep(&of_b, 1000, handle[i], &retry));
    size_t had = b.kept;
    cr_assert(!keep(&of_b, 1000, handle[6], &retry), "the whole budget");
    cr_assert(b.kept == had, "what was not to be had is not counted");
    all->close(all);
}

Test(store, what_expires_is_given_back_to_its_owner) {
    store *all = open_store(1 << 20, BRIEF);
    owner a = {.name = "a", .limit = 10000};
    store of_a = store_for(all, &a);
    char handle[HANDLE_TEXT];
    int retry;
    cr_assert(keep(&of_a, 100, handle, &retry) && a.kept > 0);
    for (double end = seconds() + 10; a.kept > 0 && seconds() < end;)
        pause_briefly();
    cr_assert(a.kept == 0);
    all->close(all);
}

enum { THREADS = 8, ROUNDS = 1000 };

typedef struct {
    store *store;
    layers_cache *cache;
    atomic_int wrong;
} traffic;

static void *put_get_remove(void *argument) {
    traffic *t = argument;
    store *s = t->store;
    size_t bytes = cost(t->cache);
    for (int round = 0; round < ROUNDS; round++) {
        char handle[HANDLE_TEXT];
        store_info info;
        int retry;
        if (!s->reserve(s, bytes, &retry) || !put(s, layers_cache_ref(t->cache), bytes, handle)) {
            t->wrong++;
            continue;
        }
        layers_cache *got = get(s, handle);
        t->wrong += got != t->cache;
        layers_cache_unref(got);
        t->wrong += !s->info(s, handle, &info) || info.bytes != bytes;
        t->wrong += !s->remove(s, handle);
        t->wrong += s->remove(s, handle);
    }
    return argument;
}

Test(store, many_threads_at_once) {
    traffic t = {.cache = make_cache(100)};
    size_t budget = THREADS * cost(t.cache);
    t.store = open_store(budget, LONG);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, put_get_remove, &t) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert(t.wrong == 0, "%d failures", t.wrong);
    int retry;
    cr_assert(t.store->reserve(t.store, budget, &retry), "the whole budget is free again");
    t.store->close(t.store);
    cr_assert(layers_cache_bytes(t.cache) > 0);
    layers_cache_unref(t.cache);
}
