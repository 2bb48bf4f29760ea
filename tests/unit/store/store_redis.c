/* The store in a Redis: what one daemon has put, every daemon of the same store gives back. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit/store/redis_values.h"

TestSuite(store_redis, .timeout = 60);

static void comes_back(size_t N, long long keys) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server);
    layers_call call = affine(N);
    char handle[HANDLE_TEXT];
    store_value value;
    cr_assert(put(a, &call, handle));
    cr_assert(REDIS_SAY(&server, "DBSIZE") == keys, "%lld", REDIS_SAY(&server, "DBSIZE"));
    for (int i = 0; i < 2; i++) { /* from the store, then with a copy of b's own */
        cr_assert(b->get(b, handle, &value) && value.cache);
        cr_assert(is_same(&call, value.cache));
        store_value_clear(&value);
        cr_assert(a->get(a, handle, &value) && value.cache == call.cache, "a has a copy");
        store_value_clear(&value);
    }
    store_info info;
    cr_assert(b->info(b, handle, &info));
    cr_assert_str_eq(info.layer, "affine");
    cr_assert(info.bytes == layers_cache_bytes(call.cache) + store_overhead);
    int64_t left = info.expires - info.created;
    cr_assert(left > LONG - 10000 && left < LONG + 10000, "%lld ms", (long long)left);
    cr_assert(b->remove(b, handle));
    cr_assert(REDIS_SAY(&server, "DBSIZE") == 0);
    cr_assert(!is_live(a, handle) && !is_live(b, handle) && !a->remove(a, handle));
    cr_assert(!a->info(a, handle, &info) && a->fault == STORE_AS_SAID);
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, every_daemon_gives_back_what_one_has_put) {
    comes_back(3, 1);
}

Test(store_redis, a_large_value_is_in_pieces) {
    comes_back(6000, 1 + 5); /* 4.8 MB */
}

/* Begins to put the cache of an affine forward that is prepared, and waits for what is known of it.
 */
static void begin(store *s, const redis_server *server, layers_call *call, long long pieces) {
    layers_error error;
    cr_assert(layers_prepare(call, &error) == LAYERS_OK);
    s->begin(s, call);
    for (int i = 0; i < 500 && REDIS_SAY(server, "DBSIZE") < pieces; i++)
        pause_ms(10);
    cr_assert(REDIS_SAY(server, "DBSIZE") == pieces, "%lld", REDIS_SAY(server, "DBSIZE"));
}

Test(store_redis, what_is_known_of_a_large_cache_goes_ahead) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server), view = store_for(a, NULL);
    layers_call call = affine(6000);
    char handle[HANDLE_TEXT], key[96];
    store_value value;
    begin(&view, &server, &call, 5);
    cr_assert(put(&view, &call, handle));
    snprintf(key, sizeof key, "layerd:{%s}", handle);
    cr_assert(REDIS_SAY(&server, "DBSIZE") == 1 + 5 && REDIS_SAY(&server, "EXISTS", key) == 1);
    cr_assert(b->get(b, handle, &value) && is_same(&call, value.cache));
    store_value_clear(&value);
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, what_went_ahead_of_a_call_that_fails_is_taken_back) {
    redis_server server = redis_start(NULL);
    store *s = open_store(&server), view = store_for(s, NULL);
    layers_call call = affine(6000);
    begin(&view, &server, &call, 5);
    view.release(&view, 1);
    cr_assert(REDIS_SAY(&server, "DBSIZE") == 0, "%lld", REDIS_SAY(&server, "DBSIZE"));
    view.begin(&view, &call);
    view.release(&view, 1); /* at once: it may have gone, or not */
    cr_assert(REDIS_SAY(&server, "DBSIZE") == 0, "%lld", REDIS_SAY(&server, "DBSIZE"));
    layers_call_clear(&call);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, a_connection_that_ends_meanwhile_is_no_loss) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server), view = store_for(a, NULL);
    layers_call call = affine(6000);
    char handle[HANDLE_TEXT];
    store_value value;
    begin(&view, &server, &call, 5);
    REDIS_SAY(&server, "FLUSHALL");
    REDIS_SAY(&server, "CLIENT", "KILL", "TYPE", "normal");
    cr_assert(put(&view, &call, handle));
    cr_assert(b->get(b, handle, &value) && is_same(&call, value.cache));
    store_value_clear(&value);
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, what_is_let_go_is_gone_for_all) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server);
    layers_call call = affine(6000);
    char handle[HANDLE_TEXT];
    for (int i = 0; i < 3; i++) {
        store *s = i % 2 ? b : a; /* with a copy, and without */
        cr_assert(put(a, &call, handle));
        s->let_go(s, handle);
        cr_assert(!is_live(b, handle) && !is_live(a, handle));
        cr_assert(REDIS_SAY(&server, "DBSIZE") == 0, "%lld", REDIS_SAY(&server, "DBSIZE"));
    }
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, an_empty_value_comes_back) {
    comes_back(0, 1);
}

Test(store_redis, tensors_come_back_and_many_are_put_at_once) {
    enum { COUNT = 20 };
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server);
    store_value values[COUNT], value;
    char handles[COUNT][HANDLE_TEXT];
    for (int i = 0; i < COUNT; i++)
        values[i] = (store_value){
            .tensor = tensor_of(i % 2 ? LAYERS_I64 : LAYERS_F32, SHAPE(1, 2), VALUES(i, -i))};
    cr_assert(a->put(a, values, COUNT, 0, handles));
    for (int i = 0; i < COUNT; i++) {
        store_info info;
        cr_assert(b->get(b, handles[i], &value) && !value.cache);
        assert_shape(&value.tensor, SHAPE(1, 2), "a tensor");
        assert_values(&value.tensor, VALUES(i, -i), 2, 0, 0, "a tensor");
        store_value_clear(&value);
        cr_assert(b->info(b, handles[i], &info) && !info.layer && info.rank == 2);
        cr_assert(info.dtype == (i % 2 ? LAYERS_I64 : LAYERS_F32) && info.shape[1] == 2);
    }
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, use_anywhere_starts_the_lifetime_anew) {
    redis_server server = redis_start(NULL);
    store *a = open_with(&server, BUDGET, 1000), *b = open_with(&server, 0, 1000);
    layers_call call = affine(1);
    char used[HANDLE_TEXT], unused[HANDLE_TEXT];
    cr_assert(put(a, &call, used) && put(a, &call, unused));
    for (int i = 0; i < 15; i++) {
        pause_ms(100);
        cr_assert(is_live(i % 2 ? a : b, used), "after %d00 ms", i + 1);
    }
    cr_assert(!is_live(a, unused) && !is_live(b, unused));
    pause_ms(1200);
    cr_assert(!is_live(a, used) && !is_live(b, used));
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, what_is_anothers_is_not_there) {
    redis_server server = redis_start(NULL);
    store *all = open_store(&server);
    owner x = {.name = "x", .limit = SIZE_MAX}, y = {.name = "y", .limit = SIZE_MAX};
    store of[] = {store_for(all, &x), store_for(all, &y), *all};
    layers_call call = affine(1);
    char handle[3][HANDLE_TEXT];
    for (int i = 0; i < 3; i++)
        cr_assert(put(&of[i], &call, handle[i]));
    for (int who = 0; who < 3; who++)
        for (int whose = 0; whose < 3; whose++)
            cr_assert(is_live(&of[who], handle[whose]) == (who == whose), "%d %d", who, whose);
    cr_assert(!of[0].remove(&of[0], handle[1]) && is_live(&of[1], handle[1]));
    layers_call_clear(&call);
    all->close(all);
    redis_remove(&server);
}

Test(store_redis, a_tenants_share_is_one_for_all_daemons) {
    redis_server server = redis_start(NULL);
    store *a = open_with(&server, BUDGET, 1500), *b = open_with(&server, BUDGET, 1500);
    layers_call call = affine(10);
    size_t each = layers_cache_bytes(call.cache) + store_overhead;
    owner of_a = {.name = "x", .limit = 3 * each}, of_b = {.name = "x", .limit = 3 * each};
    store view_a = store_for(a, &of_a), view_b = store_for(b, &of_b);
    char handle[4][HANDLE_TEXT];
    cr_assert(put(&view_a, &call, handle[0]) && put(&view_b, &call, handle[1]));
    cr_assert(put(&view_a, &call, handle[2]) && of_a.kept == 3 * each);
    cr_assert(!put(&view_b, &call, handle[3]) && view_b.fault == STORE_AS_SAID);
    store_value value = {.cache = layers_cache_ref(call.cache)};
    cr_assert(!view_b.put(&view_b, &value, 1, 0, &handle[3]), "without a reservation");
    cr_assert(view_b.fault == STORE_FULL);
    store_value_clear(&value);
    cr_assert(view_b.remove(&view_b, handle[0]), "which a gave");
    cr_assert(put(&view_b, &call, handle[0]));
    cr_assert(!put(&view_b, &call, handle[3]));
    int64_t until = (int64_t)time(NULL) + 20; /* what expires is the watchers' to find */
    while (!put(&view_b, &call, handle[3]) && time(NULL) < until)
        pause_ms(100);
    cr_assert(time(NULL) < until);
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, the_first_note_is_everyones) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_store(&server);
    owner x = {.name = "x", .limit = SIZE_MAX};
    store of_x = store_for(b, &x);
    char first[STORE_NOTE] = "first", second[STORE_NOTE] = "second", third[STORE_NOTE] = "third";
    cr_assert(a->note_once(a, "n", first, 300) && !strcmp(first, "first"));
    cr_assert(b->note_once(b, "n", second, 300) && !strcmp(second, "first"));
    cr_assert(of_x.note_once(&of_x, "n", third, 300) && !strcmp(third, "third"));
    strcpy(second, "second");
    pause_ms(400);
    cr_assert(b->note_once(b, "n", second, 300) && !strcmp(second, "second"));
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

/* What several threads of several daemons do at once with the same handles. */
typedef struct {
    store *s;
    const layers_call *call;
    char (*handles)[HANDLE_TEXT];
    size_t wrong, removed;
} racing;

enum { RACED = 200 };

static void *race(void *context) {
    racing *r = context;
    for (int i = 0; i < RACED; i++) {
        store_value value;
        store view = store_for(r->s, NULL);
        if (view.get(&view, r->handles[i], &value))
            r->wrong += !is_same(r->call, value.cache);
        store_value_clear(&value);
        r->removed += view.remove(&view, r->handles[i]);
    }
    return NULL;
}

Test(store_redis, of_several_who_remove_one_handle_one_does) {
    enum { THREADS = 4 };
    redis_server server = redis_start(NULL);
    store *s[2] = {open_store(&server), open_store(&server)};
    layers_call call = affine(2);
    static char handles[RACED][HANDLE_TEXT];
    pthread_t thread[THREADS];
    racing racers[THREADS];
    size_t removed = 0;
    for (int i = 0; i < RACED; i++)
        cr_assert(put(s[i % 2], &call, handles[i]));
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (racing){.s = s[i % 2], .call = &call, .handles = handles};
        cr_assert(pthread_create(&thread[i], NULL, race, &racers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert(racers[i].wrong == 0);
        removed += racers[i].removed;
    }
    cr_assert(removed == RACED, "%zu", removed);
    layers_call_clear(&call);
    s[0]->close(s[0]);
    s[1]->close(s[1]);
    redis_remove(&server);
}
