/* The store in a Redis or Valkey, which any number of daemons may share. The promise of a handle
 * lies there: what is kept here beside it is a copy, that spares the way of its bytes, and each use
 * asks first whether it still may.
 *
 * Keys live a twentieth longer than promised, and a copy's lifetime is started anew only where that
 * was not done for so long: so a handle lives no shorter than promised, and one that is used all
 * the time is written to twenty times in its lifetime. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/redis/store.h"

enum { SHARE_OF_LIFETIME = 20 };

static bool is_handle(const char *text) {
    return strlen(text) == HANDLE_DIGITS && strspn(text, "0123456789abcdef") == HANDLE_DIGITS;
}

static talk_handle handle_of(const store *view, const char *handle) {
    const redis_store *s = view->self;
    const char *name = view->owner ? view->owner->name : NULL;
    talk_handle talk = {.terms = &s->terms, .handle = handle};
    share_handle_key(talk.key, name, handle);
    if (share_is_counted(view->owner))
        talk.owner_name = name;
    return talk;
}

/* ---- get ---------------------------------------------------------------------------------------
 */

/* Asks whether a copy may still be used. Where the store cannot be asked, it may for as long as was
 * promised when it last could. */
static talk_outcome ask_for_copy(redis_store *s, talk_handle *talk, copy_state *state) {
    int64_t now = link_now();
    talk->pieces = state->pieces;
    talk->starts_anew = now - state->touched >= s->setup.lifetime / SHARE_OF_LIFETIME;
    talk_outcome outcome = redis_exchange(s, TOUCH, 0, talk_touch, talk);
    if (outcome == TALK_OK) {
        state->confirmed = now;
        if (talk->starts_anew)
            state->touched = now;
        copies_note(s->copies, talk->key, state);
    }
    if (outcome == TALK_AWAY && now - state->confirmed < s->setup.lifetime)
        return TALK_OK;
    return outcome;
}

static void count_copy(redis_store *s, bool hit, bool unconfirmed) {
    pthread_mutex_lock(&s->lock);
    s->told.hits += hit;
    s->told.misses += !hit;
    s->told.unconfirmed += unconfirmed;
    pthread_mutex_unlock(&s->lock);
}

static void complain_of_value(const talk_handle *talk) {
    log_line(LOG_ERROR, "the store holds no value that can be read under %.80s: %s", talk->key,
             *talk->text ? talk->text : "it is of another type");
}

static talk_outcome fetch(redis_store *s, talk_handle *talk, store_value *value) {
    talk_outcome outcome = redis_exchange(s, FETCH, 0, talk_fetch, talk);
    if (outcome == TALK_OK && !value_read(value, &talk->file, talk->text))
        outcome = TALK_BROKEN;
    if (outcome == TALK_BROKEN)
        complain_of_value(talk);
    if (outcome == TALK_OK) {
        int64_t now = link_now();
        copy_state state = {.confirmed = now, .touched = now, .pieces = talk->pieces};
        copies_put(s->copies, talk->key, value, talk->file.size + store_overhead, &state);
    }
    layers_tensor_clear(&talk->file);
    return outcome;
}

static bool redis_get(store *view, const char *handle, store_value *value) {
    redis_store *s = view->self;
    copy_state state;
    *value = (store_value){0};
    view->fault = STORE_AS_SAID;
    if (!is_handle(handle) || !redis_may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    bool hit = copies_get(s->copies, talk.key, value, &state);
    talk_outcome outcome = hit ? ask_for_copy(s, &talk, &state) : fetch(s, &talk, value);
    if (outcome != TALK_OK)
        store_value_clear(value);
    if (outcome == TALK_UNKNOWN)
        copies_drop(s->copies, talk.key);
    count_copy(s, hit, talk.unconfirmed);
    return redis_tell(view, outcome);
}

/* ---- info and remove ---------------------------------------------------------------------------
 */

static bool redis_info(store *view, const char *handle, store_info *info) {
    redis_store *s = view->self;
    view->fault = STORE_AS_SAID;
    if (!is_handle(handle) || !redis_may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    talk_outcome outcome = redis_exchange(s, INFO, 0, talk_info, &talk);
    if (outcome == TALK_BROKEN)
        complain_of_value(&talk);
    *info = talk.info;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = talk.info.expires - s->setup.lifetime / SHARE_OF_LIFETIME;
    left = left < 0                   ? 0
           : left > s->setup.lifetime ? s->setup.lifetime
                                      : left; /* its clock was set */
    info->expires = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + left;
    return redis_tell(view, outcome);
}

static bool remove_handle(store *view, const char *handle, bool in_passing) {
    redis_store *s = view->self;
    store_value copy;
    copy_state state = {0};
    view->fault = STORE_AS_SAID;
    if (!is_handle(handle) || !redis_may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    talk.in_passing = in_passing;
    talk.knows_pieces = copies_get(s->copies, talk.key, &copy, &state);
    talk.pieces = state.pieces;
    store_value_clear(&copy);
    talk_outcome outcome = redis_exchange(s, REMOVE, 0, talk_remove, &talk);
    if (outcome == TALK_OK || outcome == TALK_UNKNOWN || talk.unconfirmed)
        copies_drop(s->copies, talk.key);
    if (outcome == TALK_OK)
        atomic_fetch_add(&s->removed, 1);
    return redis_tell(view, outcome);
}

static bool redis_remove(store *view, const char *handle) {
    return remove_handle(view, handle, false);
}

static void redis_let_go(store *view, const char *handle) {
    remove_handle(view, handle, true);
}

static bool redis_note_once(store *view, const char *name, char note[STORE_NOTE],
                            int64_t lifetime) {
    redis_store *s = view->self;
    view->fault = STORE_AS_SAID;
    if (!redis_may_wait(view))
        return false;
    talk_note talk = {.terms = &s->terms, .note = note, .lifetime = lifetime};
    snprintf(talk.key, sizeof talk.key, "layerd:note:{%s%s%.128s}",
             view->owner ? view->owner->name : "", view->owner ? "/" : "", name);
    return redis_tell(view, redis_exchange(s, NOTE, 0, talk_note_once, &talk));
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static void redis_stats(store *view, store_stats *stats) {
    redis_store *s = view->self;
    redis_health health;
    *stats = (store_stats){
        .budget = s->setup.budget,
        .given = atomic_load(&s->given),
        .removed = atomic_load(&s->removed),
        .refused = atomic_load(&s->refused),
        .is_elsewhere = true,
    };
    copies_count(s->copies, &stats->entries, &stats->bytes);
    pool_health(s->pool, &health);
    pthread_mutex_lock(&s->lock);
    stats->link = s->told;
    pthread_mutex_unlock(&s->lock);
    stats->link.up = health.up;
    stats->link.away = health.away;
    stats->link.connects = health.connects;
    stats->link.losses = health.losses;
    stats->link.moves = health.moves;
    stats->link.swept = health.swept;
    stats->link.used = health.used;
    stats->link.maximum = health.maximum;
}

static bool redis_ready(store *view) {
    redis_store *s = view->self;
    redis_health health;
    pool_health(s->pool, &health);
    return health.up || link_now() - health.since < s->setup.grace;
}

static void redis_close(store *view) {
    redis_store *s = view->self;
    ahead_free(s->ahead);
    pool_stop(s->pool);
    tls_free(s->tls);
    copies_free(s->copies);
    share_free(s->share);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool start(redis_store *s) {
    redis_setup setup = {.timeout = s->setup.timeout, .chore = share_chore, .context = s->share};
    char fault[LINK_TEXT] = "";
    if (!redis_address_read(s->setup.address, &setup.address))
        return false;
    if (*s->setup.password)
        snprintf(setup.address.password, sizeof setup.address.password, "%s", s->setup.password);
    if (setup.address.by_tls)
        setup.address.tls = s->tls = tls_make(setup.address.ca, setup.address.certificate, fault);
    s->setup.address = s->setup.password = NULL; /* the caller's */
    bool good = !setup.address.by_tls || s->tls;
    good = good && pool_start(&s->pool, &setup, fault) == POOL_STARTED;
    if (*fault && !good)
        log_line(LOG_ERROR, "the store cannot be used: %s", fault);
    return good && (s->ahead = ahead_make(s->pool));
}

store *store_open_redis(const store_redis_setup *setup) {
    redis_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->interface = (store){
        .self = s,
        .waits = true,
        .reserve = redis_reserve,
        .begin = redis_begin,
        .release = redis_release,
        .put = redis_put,
        .get = redis_get,
        .info = redis_info,
        .remove = redis_remove,
        .let_go = redis_let_go,
        .note_once = redis_note_once,
        .stats = redis_stats,
        .ready = redis_ready,
        .close = redis_close,
    };
    s->setup = *setup;
    s->terms = (talk_terms){.lifetime = setup->lifetime + setup->lifetime / SHARE_OF_LIFETIME,
                            .copies = setup->copies,
                            .largest = setup->largest};
    pthread_mutex_init(&s->lock, NULL);
    s->copies = copies_make(setup->budget);
    s->share = share_make();
    if (s->copies && s->share && start(s))
        return &s->interface;
    redis_close(&s->interface);
    return NULL;
}
