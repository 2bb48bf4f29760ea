/* The store in a Redis: what one daemon has put, every daemon of the same store gives back. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "redis_server.h"
#include "store/redis/talk.h"
#include "unit/calls.h"

TestSuite(store_redis, .timeout = 60);

enum { LONG = 600000, BUDGET = 64 << 20 };

static store *open_with(const redis_server *server, size_t budget, int64_t lifetime) {
    const store_redis_setup setup = {.address = server->address,
                                     .password = "",
                                     .budget = budget,
                                     .lifetime = lifetime,
                                     .timeout = 500,
                                     .grace = 300,
                                     .largest = 1 << 30};
    store *s = store_open_redis(&setup);
    cr_assert(s && s->waits && s->ready(s));
    return s;
}

static store *open_store(const redis_server *server) {
    return open_with(server, BUDGET, LONG);
}

static void pause_ms(long milliseconds) {
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

/* The affine forward of fixed numbers, N rows of 100 features. */
static layers_call affine(size_t N) {
    uint64_t seed = 5;
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, 100), &seed, -1, 1);
    call.inputs[1] = tensor_random(LAYERS_F64, SHAPE(100, 2), &seed, -1, 1);
    call.inputs[2] = tensor_random(LAYERS_F64, SHAPE(2), &seed, -1, 1);
    run(&call);
    return call;
}

/* Whether a backward with the cache gives what one with the call's own does. */
static bool is_same(const layers_call *forward, layers_cache *cache) {
    size_t N = forward->inputs[0].shape[0], bytes;
    uint64_t seed = 6;
    layers_call a = call_of("affine", "backward", LAYERS_F64), b = a;
    a.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, 2), &seed, -1, 1);
    b.inputs[0] = layers_tensor_share(&a.inputs[0]);
    a.cache = layers_cache_ref(forward->cache);
    b.cache = layers_cache_ref(cache);
    run(&a);
    run(&b);
    bool same = true;
    for (int i = 0; i < 3; i++) {
        layers_dtype_bytes(LAYERS_F64, a.outputs[i].size, &bytes);
        same = same && !memcmp(a.outputs[i].data, b.outputs[i].data, bytes);
    }
    layers_call_clear(&a);
    layers_call_clear(&b);
    return same;
}

/* Puts the cache of a call under a new handle. */
static bool put(store *s, const layers_call *call, char handle[HANDLE_TEXT]) {
    store_value value = {.cache = layers_cache_ref(call->cache)};
    size_t bytes = layers_cache_bytes(call->cache) + store_overhead;
    int retry;
    bool good =
        s->reserve(s, bytes, &retry) && s->put(s, &value, 1, bytes, (char(*)[HANDLE_TEXT])handle);
    if (!good)
        store_value_clear(&value);
    return good;
}

static bool is_live(store *s, const char *handle) {
    store_value value;
    bool live = s->get(s, handle, &value);
    store_value_clear(&value);
    return live;
}

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

Test(store_redis, one_that_is_full_refuses_and_loses_nothing) {
    enum { MOST = 400 };
    redis_server server = redis_start((const char *const[]){"--maxmemory", "8mb", NULL});
    store *s = open_store(&server);
    layers_call call = affine(100); /* 80 KB */
    static char handle[MOST][HANDLE_TEXT];
    int count = 0;
    while (count < MOST && put(s, &call, handle[count]))
        count++;
    cr_assert(count > 20 && count < MOST, "%d", count);
    cr_assert(s->fault == STORE_AS_SAID || s->fault == STORE_FULL);
    for (int i = 0; i < count; i++)
        cr_assert(is_live(s, handle[i]), "%d of %d", i, count);
    store_stats stats;
    s->stats(s, &stats);
    cr_assert(stats.refused > 0 && stats.given == (uint64_t)count && stats.is_elsewhere);
    layers_call_clear(&call);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, what_no_daemon_has_put_is_broken_or_unknown) {
    redis_server server = redis_start(NULL);
    store *s = open_store(&server);
    store_value value;
    store_info info;
    static const char handle[] = "00112233445566778899aabbccddeeff";
    static const char key[] = "layerd:{00112233445566778899aabbccddeeff}";
    static const char *const values[] = {"", "x", "12345678{}", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f"};
    cr_assert(!s->get(s, handle, &value) && s->fault == STORE_AS_SAID);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        REDIS_SAY(&server, "SET", key, values[i]);
        cr_assert(!s->get(s, handle, &value) && s->fault == STORE_BROKEN, "%s", values[i]);
        cr_assert(!value.cache && !value.tensor.data);
        if (*values[i])
            cr_assert(!s->info(s, handle, &info) && s->fault == STORE_BROKEN, "%s", values[i]);
    }
    REDIS_SAY(&server, "DEL", key);
    REDIS_SAY(&server, "RPUSH", key, "1");
    cr_assert(!s->get(s, handle, &value) && s->fault == STORE_BROKEN);
    cr_assert(s->ready(s));
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, a_missing_piece_is_no_value) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_with(&server, 0, LONG);
    layers_call call = affine(3000);
    char handle[HANDLE_TEXT], piece[96];
    store_value value;
    cr_assert(put(a, &call, handle));
    snprintf(piece, sizeof piece, "layerd:{%s}:2", handle);
    cr_assert(is_live(b, handle));
    REDIS_SAY(&server, "SET", piece, "short");
    cr_assert(!b->get(b, handle, &value) && b->fault == STORE_BROKEN);
    REDIS_SAY(&server, "DEL", piece);
    cr_assert(!b->get(b, handle, &value) && b->fault != STORE_AWAY);
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

static bool is_up(store *s) {
    store_stats stats;
    s->stats(s, &stats);
    return stats.link.up;
}

static void await_up(store *s, bool up) {
    for (int i = 0; i < 500 && is_up(s) != up; i++)
        pause_ms(10);
    cr_assert(is_up(s) == up);
}

Test(store_redis, one_that_hangs_is_away_in_time_and_copies_go_on) {
    redis_server server = redis_start(NULL);
    store *a = open_store(&server), *b = open_with(&server, 0, LONG);
    layers_call call = affine(1);
    char handle[HANDLE_TEXT], other[HANDLE_TEXT];
    cr_assert(put(a, &call, handle));
    kill(server.pid, SIGSTOP);
    int64_t start = link_now();
    cr_assert(!is_live(b, handle) && b->fault == STORE_AWAY);
    cr_assert(is_live(a, handle), "its copy");
    cr_assert(link_now() - start < 1500, "%lld ms", (long long)(link_now() - start));
    start = link_now();
    for (int i = 0; i < 100; i++)
        cr_assert(!put(a, &call, other) && a->fault == STORE_AWAY);
    cr_assert(link_now() - start < 100, "at once, once it is known");
    pause_ms(400);
    cr_assert(!a->ready(a) && !b->ready(b));
    kill(server.pid, SIGCONT);
    await_up(a, true);
    await_up(b, true);
    cr_assert(a->ready(a) && is_live(b, handle) && put(a, &call, other));
    layers_call_clear(&call);
    a->close(a);
    b->close(b);
    redis_remove(&server);
}

Test(store_redis, one_that_starts_again_without_its_data_has_no_handles) {
    redis_server server = redis_start(NULL);
    store *s = open_store(&server);
    layers_call call = affine(1);
    char handle[HANDLE_TEXT];
    cr_assert(put(s, &call, handle));
    redis_kill(&server);
    await_up(s, false);
    cr_assert(is_live(s, handle), "a copy, of which nobody can say that it is gone");
    redis_start_again(&server, NULL);
    await_up(s, true);
    cr_assert(!is_live(s, handle) && s->fault == STORE_AS_SAID);
    cr_assert(put(s, &call, handle) && is_live(s, handle));
    layers_call_clear(&call);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, one_that_is_not_there_may_come) {
    redis_server server = redis_start(NULL);
    redis_kill(&server);
    const store_redis_setup setup = {.address = server.address,
                                     .password = "",
                                     .lifetime = LONG,
                                     .timeout = 500,
                                     .grace = 10000};
    store *s = store_open_redis(&setup);
    char handle[HANDLE_TEXT] = "00112233445566778899aabbccddeeff";
    cr_assert(s && s->ready(s), "within its grace");
    cr_assert(!is_live(s, handle) && s->fault == STORE_AWAY);
    redis_start_again(&server, NULL);
    await_up(s, true);
    cr_assert(!is_live(s, handle) && s->fault == STORE_AS_SAID);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, one_that_drops_handles_or_wants_a_password_is_none) {
    redis_server server = redis_start(
        (const char *const[]){"--maxmemory", "9mb", "--maxmemory-policy", "allkeys-lru", NULL});
    store_redis_setup setup = {
        .address = server.address, .password = "", .lifetime = LONG, .timeout = 500};
    cr_assert(!store_open_redis(&setup));
    redis_kill(&server);
    redis_start_again(&server, (const char *const[]){"--enable-debug-command", "no", NULL});
    REDIS_SAY(&server, "CONFIG", "SET", "requirepass", "open sesame");
    cr_assert(!store_open_redis(&setup));
    setup.password = "wrong";
    cr_assert(!store_open_redis(&setup));
    setup.password = "open sesame";
    store *s = store_open_redis(&setup);
    cr_assert(s);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, too_few_replicas_are_no_promise) {
    redis_server server = redis_start(NULL);
    const store_redis_setup setup = {.address = server.address,
                                     .password = "",
                                     .lifetime = LONG,
                                     .timeout = 1000,
                                     .copies = 1,
                                     .largest = 1 << 20};
    store *s = store_open_redis(&setup);
    layers_call call = affine(1);
    char handle[HANDLE_TEXT];
    store_value value = {.cache = layers_cache_ref(call.cache)};
    cr_assert(!put(s, &call, handle) && s->fault == STORE_AWAY, "at once");
    cr_assert(!s->put(s, &value, 1, 0, &handle) && s->fault == STORE_AWAY, "and once asked");
    cr_assert(REDIS_SAY(&server, "DBSIZE") == 0, "what was not promised is taken back");
    cr_assert(s->ready(s));
    store_value_clear(&value);
    layers_call_clear(&call);
    s->close(s);
    redis_remove(&server);
}

Test(store_redis, who_is_in_a_hurry_is_told_to_come_later) {
    redis_server server = redis_start(NULL);
    store *s = open_store(&server), hurried = store_for(s, NULL);
    store_value value;
    store_info info;
    char handle[HANDLE_TEXT] = "00112233445566778899aabbccddeeff";
    int retry;
    hurried.hurried = true;
    cr_assert(!hurried.get(&hurried, handle, &value) && hurried.fault == STORE_LATER);
    cr_assert(!hurried.info(&hurried, handle, &info) && hurried.fault == STORE_LATER);
    cr_assert(!hurried.remove(&hurried, handle) && hurried.fault == STORE_LATER);
    cr_assert(!hurried.reserve(&hurried, 1, &retry) && hurried.fault == STORE_LATER);
    cr_assert(!hurried.get(&hurried, "no handle", &value) && hurried.fault == STORE_AS_SAID);
    s->close(s);
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
