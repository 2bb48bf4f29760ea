/* The store in a Redis that refuses, hangs, is not there, or has what no daemon has put. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "store/redis/talk.h"
#include "unit/store/redis_values.h"

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
