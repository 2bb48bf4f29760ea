/* The store in a Redis or Valkey, which any number of daemons may share. The promise of a handle
 * lies there: what is kept here beside it is a copy, that spares the way of its bytes, and each use
 * asks first whether it still may.
 *
 * Keys live a twentieth longer than promised, and a copy's lifetime is started anew only where that
 * was not done for so long: so a handle lives no shorter than promised, and one that is used all
 * the time is written to twenty times in its lifetime. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "store/copies.h"
#include "store/redis_pool.h"
#include "store/redis_talk.h"

enum {
    HANDLE_DIGITS = HANDLE_TEXT - 1,
    SHARE_OF_LIFETIME = 20,
    FULL_RETRY = 10,    /* seconds */
    SHORT_PAUSE = 1000, /* milliseconds for which missing replicas are not asked for again */
    COMPLAIN_EVERY = 60000,
    SLACK = 64 << 10, /* bytes of the store's memory beside a value's */
};

typedef enum { PUT, FETCH, TOUCH, INFO, REMOVE, NOTE } command;

typedef struct {
    store interface;
    store_redis_setup setup;
    redis_pool *pool;
    copies *copies;
    redis_share *share;
    talk_terms terms;
    atomic_uint_fast64_t given, removed, refused;
    atomic_int_fast64_t short_until, complained; /* of link_now */
    pthread_mutex_t lock;
    store_link told; /* what was counted; under the lock */
} redis_store;

/* ---- exchanges ---------------------------------------------------------------------------------
 */

static void count(redis_store *s, command command, talk_outcome outcome, int64_t began_us,
                  const redis_link *link, uint64_t sent, uint64_t taken) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - (double)began_us * 1e-6;
    int bucket = 0;
    while (seconds > store_seconds[bucket])
        bucket++;
    pthread_mutex_lock(&s->lock);
    s->told.exchanges[command][outcome]++;
    s->told.seconds[command][bucket]++;
    s->told.sum[command] += seconds;
    s->told.sent += link ? link->sent - sent : 0;
    s->told.taken += link ? link->taken - taken : 0;
    pthread_mutex_unlock(&s->lock);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Says in the log, now and then, what the store refuses. */
static void complain(redis_store *s, const char *text) {
    int64_t now = link_now(), last = atomic_load(&s->complained);
    if ((last == 0 || now - last > COMPLAIN_EVERY) &&
        atomic_compare_exchange_strong(&s->complained, &last, now))
        log_line(LOG_WARN, "the store refuses: %s", text);
}

/* What came of a talk, by what became of its link. */
static talk_outcome outcome_of(redis_store *s, const redis_link *link, talk_outcome outcome) {
    switch (link->state) {
    case LINK_GOOD:
        return outcome;
    case LINK_REFUSED:
        if (!strncmp(link->text, "OOM", 3))
            return TALK_FULL;
        if (!strncmp(link->text, "WRONGTYPE", 9))
            return TALK_BROKEN;
        complain(s, link->text);
        return TALK_AWAY;
    case LINK_STRANGE:
        if (outcome == TALK_BROKEN || outcome == TALK_UNKNOWN)
            return outcome;
        complain(s, link->text);
        return TALK_AWAY;
    default:
        return TALK_AWAY;
    }
}

/* Talks to the store; again where a link that had waited turned out to have ended. Not where
 * something is counted: it would be twice. */
static talk_outcome exchange(redis_store *s, command command, size_t bytes,
                             talk_outcome (*talk)(redis_link *, void *), void *context) {
    bool is_counted =
        command == PUT && share_is_counted(((talk_putting *)context)->values[0]->owner);
    int64_t began = now_us();
    for (;;) {
        bool reused;
        redis_link *link = pool_take(s->pool, bytes, &reused);
        if (!link) {
            count(s, command, TALK_AWAY, began, NULL, 0, 0);
            return TALK_AWAY;
        }
        uint64_t sent = link->sent, taken = link->taken;
        talk_outcome outcome = outcome_of(s, link, talk(link, context));
        count(s, command, outcome, began, link, sent, taken);
        bool again = reused && link->state == LINK_LOST && !is_counted;
        if (again) {
            link_close(link);
            pool_forget(s->pool);
            continue;
        }
        pool_give(s->pool, link);
        return outcome;
    }
}

/* ---- views -------------------------------------------------------------------------------------
 */

static bool say_no(store *view, store_fault fault) {
    view->fault = fault;
    return false;
}

/* Whether the caller of a function may wait for it. */
static bool may_wait(store *view) {
    return !view->hurried || say_no(view, STORE_LATER);
}

static bool say_outcome(store *view, talk_outcome outcome) {
    static const store_fault faults[] = {[TALK_UNKNOWN] = STORE_AS_SAID,
                                         [TALK_FULL] = STORE_FULL,
                                         [TALK_AWAY] = STORE_AWAY,
                                         [TALK_BROKEN] = STORE_BROKEN};
    return outcome == TALK_OK || say_no(view, faults[outcome]);
}

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

/* ---- reserve and put ---------------------------------------------------------------------------
 */

static bool refuse(store *view, store_fault fault, int seconds, int *retry_after) {
    redis_store *s = view->self;
    *retry_after = seconds;
    if (fault != STORE_AWAY)
        atomic_fetch_add(&s->refused, 1);
    return say_no(view, fault);
}

/* Whether the owner may keep so much more. */
static bool share_has(store *view, size_t bytes, int *retry_after) {
    talk_owner of = {.owner = view->owner};
    if (!share_is_counted(view->owner))
        return true;
    if (exchange(view->self, INFO, 0, talk_sum, &of) != TALK_OK)
        return refuse(view, STORE_AWAY, 1, retry_after);
    size_t limit = atomic_load(&view->owner->limit);
    atomic_store(&view->owner->kept, of.sum);
    return (bytes <= limit && of.sum <= limit - bytes) ||
           refuse(view, STORE_AS_SAID, FULL_RETRY, retry_after);
}

static bool redis_reserve(store *view, size_t bytes, int *retry_after) {
    redis_store *s = view->self;
    redis_health health;
    *retry_after = 1;
    if (!may_wait(view))
        return false;
    pool_health(s->pool, &health);
    if (!health.up || health.replicas < s->terms.copies ||
        link_now() < atomic_load(&s->short_until))
        return refuse(view, STORE_AWAY, 1, retry_after);
    if (bytes > s->terms.largest)
        return refuse(view, STORE_AS_SAID, FULL_RETRY, retry_after);
    if (health.maximum && health.used + bytes + bytes / 4 + SLACK > health.maximum)
        return refuse(view, STORE_AS_SAID, FULL_RETRY, retry_after);
    return share_has(view, bytes, retry_after);
}

static void redis_release(store *view, size_t bytes) {
    (void)view, (void)bytes; /* nothing is set aside in the store */
}

static size_t bytes_of(const store_value *value) {
    return store_overhead +
           (value->cache ? layers_cache_bytes(value->cache) : layers_tensor_memory(&value->tensor));
}

static bool draw_handle(char text[HANDLE_TEXT]) {
    unsigned char bits[HANDLE_DIGITS / 2];
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        return false;
    for (size_t i = 0; i < sizeof bits; i++)
        sprintf(text + 2 * i, "%02x", bits[i]);
    return true;
}

static talk_value *make_value(store *view, const store_value *value, char handle[HANDLE_TEXT]) {
    redis_store *s = view->self;
    talk_value *talk = malloc(sizeof *talk);
    if (!talk || !draw_handle(handle)) {
        free(talk);
        return NULL;
    }
    talk->terms = &s->terms;
    talk->share = s->share;
    talk->owner = view->owner;
    talk->handle = handle;
    talk->bytes = bytes_of(value);
    share_handle_key(talk->key, view->owner ? view->owner->name : NULL, handle);
    value_image_make(&talk->image, value, talk->bytes, TALK_PIECE);
    return talk;
}

/* Keeps copies of what was put, and gives up the references. */
static void settle(redis_store *s, const store_value *values, const talk_putting *putting) {
    int64_t now = link_now();
    for (size_t i = 0; i < putting->count; i++) {
        const talk_value *put = putting->values[i];
        size_t data = put->image.data_bytes;
        copy_state state = {.confirmed = now,
                            .touched = now,
                            .pieces = data > TALK_PIECE ? (data + TALK_PIECE - 1) / TALK_PIECE : 0};
        copies_put(s->copies, put->key, &values[i], put->bytes, &state);
        store_value own = values[i];
        store_value_clear(&own);
    }
    atomic_fetch_add(&s->given, putting->count);
}

static bool put_all(store *view, talk_putting *putting, size_t bytes) {
    redis_store *s = view->self;
    talk_outcome outcome = exchange(s, PUT, bytes, talk_put, putting);
    if (outcome == TALK_OK) {
        pool_used(s->pool, (int64_t)bytes);
        return true;
    }
    if (putting->is_short)
        atomic_store(&s->short_until, link_now() + SHORT_PAUSE);
    if (outcome == TALK_FULL)
        atomic_fetch_add(&s->refused, 1);
    exchange(s, REMOVE, 0, talk_undo, putting); /* what cannot be taken back expires */
    return say_outcome(view, outcome);
}

static bool redis_put(store *view, const store_value *values, size_t count, size_t reserved,
                      char (*handles)[HANDLE_TEXT]) {
    (void)reserved;
    redis_store *s = view->self;
    talk_putting putting = {.terms = &s->terms, .values = calloc(count, sizeof *putting.values)};
    size_t bytes = 0;
    view->fault = STORE_AS_SAID;
    bool good = may_wait(view) && putting.values;
    for (; good && putting.count < count; putting.count += good) {
        talk_value *value = make_value(view, &values[putting.count], handles[putting.count]);
        putting.values[putting.count] = value;
        good = value;
        bytes += value ? value->image.header_length + value->image.data_bytes : 0;
    }
    good = good && put_all(view, &putting, bytes);
    if (good)
        settle(s, values, &putting);
    for (size_t i = 0; i < putting.count; i++) {
        value_image_clear(&putting.values[i]->image);
        free(putting.values[i]);
    }
    free(putting.values);
    return good;
}

/* ---- get ---------------------------------------------------------------------------------------
 */

/* Asks whether a copy may still be used. Where the store cannot be asked, it may for as long as was
 * promised when it last could. */
static talk_outcome ask_for_copy(redis_store *s, talk_handle *talk, copy_state *state) {
    int64_t now = link_now();
    talk->pieces = state->pieces;
    talk->starts_anew = now - state->touched >= s->setup.lifetime / SHARE_OF_LIFETIME;
    talk_outcome outcome = exchange(s, TOUCH, 0, talk_touch, talk);
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
    talk_outcome outcome = exchange(s, FETCH, 0, talk_fetch, talk);
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
    if (!is_handle(handle) || !may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    bool hit = copies_get(s->copies, talk.key, value, &state);
    talk_outcome outcome = hit ? ask_for_copy(s, &talk, &state) : fetch(s, &talk, value);
    if (outcome != TALK_OK)
        store_value_clear(value);
    if (outcome == TALK_UNKNOWN)
        copies_drop(s->copies, talk.key);
    count_copy(s, hit, talk.unconfirmed);
    return say_outcome(view, outcome);
}

/* ---- info and remove ---------------------------------------------------------------------------
 */

static bool redis_info(store *view, const char *handle, store_info *info) {
    redis_store *s = view->self;
    view->fault = STORE_AS_SAID;
    if (!is_handle(handle) || !may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    talk_outcome outcome = exchange(s, INFO, 0, talk_info, &talk);
    if (outcome == TALK_BROKEN)
        complain_of_value(&talk);
    *info = talk.info;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = talk.info.expires - s->setup.lifetime / SHARE_OF_LIFETIME;
    info->expires = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + (left > 0 ? left : 0);
    return say_outcome(view, outcome);
}

static bool redis_remove(store *view, const char *handle) {
    redis_store *s = view->self;
    view->fault = STORE_AS_SAID;
    if (!is_handle(handle) || !may_wait(view))
        return false;
    talk_handle talk = handle_of(view, handle);
    talk_outcome outcome = exchange(s, REMOVE, 0, talk_remove, &talk);
    if (outcome == TALK_OK || outcome == TALK_UNKNOWN || talk.unconfirmed)
        copies_drop(s->copies, talk.key);
    if (outcome == TALK_OK)
        atomic_fetch_add(&s->removed, 1);
    return say_outcome(view, outcome);
}

static bool redis_note_once(store *view, const char *name, char note[STORE_NOTE],
                            int64_t lifetime) {
    redis_store *s = view->self;
    view->fault = STORE_AS_SAID;
    if (!may_wait(view))
        return false;
    talk_note talk = {.terms = &s->terms, .note = note, .lifetime = lifetime};
    snprintf(talk.key, sizeof talk.key, "layerd:note:{%s%s%.128s}",
             view->owner ? view->owner->name : "", view->owner ? "/" : "", name);
    return say_outcome(view, exchange(s, NOTE, 0, talk_note_once, &talk));
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
    pool_stop(s->pool);
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
    s->setup.address = s->setup.password = NULL; /* the caller's */
    pool_start_result result = pool_start(&s->pool, &setup, fault);
    if (result == POOL_WRONG)
        log_line(LOG_ERROR, "the store cannot be used: %s", fault);
    return result == POOL_STARTED;
}

store *store_open_redis(const store_redis_setup *setup) {
    redis_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->interface = (store){
        .self = s,
        .waits = true,
        .reserve = redis_reserve,
        .release = redis_release,
        .put = redis_put,
        .get = redis_get,
        .info = redis_info,
        .remove = redis_remove,
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
