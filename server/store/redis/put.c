/* Putting values into the store. What is known of a large one before it is computed goes ahead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/redis/store.h"

enum {
    FULL_RETRY = 10,    /* seconds */
    SHORT_PAUSE = 1000, /* milliseconds for which missing replicas are not asked for again */
    SLACK = 64 << 10,   /* bytes of the store's memory beside a value's */
};

static bool refuse(store *view, store_fault fault, int seconds, int *retry_after) {
    redis_store *s = view->self;
    *retry_after = seconds;
    if (fault != STORE_AWAY)
        atomic_fetch_add(&s->refused, 1);
    return redis_say_no(view, fault);
}

/* Whether the owner may keep so much more. */
static bool share_has(store *view, size_t bytes, int *retry_after) {
    talk_owner of = {.owner = view->owner};
    if (!share_is_counted(view->owner))
        return true;
    if (redis_exchange(view->self, INFO, 0, talk_sum, &of) != TALK_OK)
        return refuse(view, STORE_AWAY, 1, retry_after);
    size_t limit = atomic_load(&view->owner->limit);
    atomic_store(&view->owner->kept, of.sum);
    return (bytes <= limit && of.sum <= limit - bytes) ||
           refuse(view, STORE_AS_SAID, FULL_RETRY, retry_after);
}

bool redis_reserve(store *view, size_t bytes, int *retry_after) {
    redis_store *s = view->self;
    redis_health health;
    *retry_after = 1;
    if (!redis_may_wait(view))
        return false;
    pool_settle(s->pool);
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

/* A value that is to be put, under a handle that is drawn, its image yet to be made. */
static talk_value *draw_value(const store *view) {
    redis_store *s = view->self;
    talk_value *talk = malloc(sizeof *talk);
    if (!talk || !draw_handle(talk->handle)) {
        free(talk);
        return NULL;
    }
    talk->terms = &s->terms;
    talk->share = s->share;
    talk->owner = view->owner;
    talk_forget_ahead(talk);
    share_handle_key(talk->key, view->owner ? view->owner->name : NULL, talk->handle);
    return talk;
}

static void free_value(talk_value *talk) {
    value_image_clear(&talk->image);
    free(talk);
}

void redis_begin(store *view, const layers_call *call) {
    redis_store *s = view->self;
    ahead_sending *sending = call->cache_bytes > TALK_PIECE ? malloc(sizeof *sending) : NULL;
    talk_value *value = sending ? draw_value(view) : NULL;
    if (!value) {
        free(sending);
        return;
    }
    value_image_foresee(&value->image, call, TALK_PIECE);
    ahead_begin(s->ahead, sending, value);
    view->begun = sending;
}

/* Ends what was begun: the value, or NULL where nothing was; *link is that over which the rest of
 * it is to go, or NULL. */
static talk_value *end_begun(store *view, redis_link **link) {
    redis_store *s = view->self;
    ahead_sending *sending = view->begun;
    *link = NULL;
    if (!sending)
        return NULL;
    talk_value *value = sending->value;
    *link = ahead_end(s->ahead, sending);
    free(sending);
    view->begun = NULL;
    return value;
}

void redis_release(store *view, size_t bytes) {
    (void)bytes; /* nothing is set aside in the store */
    redis_store *s = view->self;
    redis_link *link;
    talk_value *value = end_begun(view, &link);
    talk_putting putting = {.terms = &s->terms, .values = &value, .count = 1};
    if (!value)
        return;
    if (link)
        redis_exchange_over(s, link, REMOVE, 0, talk_undo, &putting);
    free_value(value);
}

/* Keeps copies of what was put, and gives up the references. */
static void settle(redis_store *s, const store_value *values, const talk_putting *putting) {
    int64_t now = link_now();
    for (size_t i = 0; i < putting->count; i++) {
        const talk_value *put = putting->values[i];
        copy_state state = {.confirmed = now, .touched = now, .pieces = talk_pieces(&put->image)};
        copies_put(s->copies, put->key, &values[i], put->bytes, &state);
        store_value own = values[i];
        store_value_clear(&own);
    }
    atomic_fetch_add(&s->given, putting->count);
}

static bool put_all(store *view, redis_link *link, talk_putting *putting, size_t bytes) {
    redis_store *s = view->self;
    talk_outcome outcome = redis_exchange_over(s, link, PUT, bytes, talk_put, putting);
    if (outcome == TALK_OK) {
        pool_used(s->pool, (int64_t)bytes);
        return true;
    }
    if (putting->is_short)
        atomic_store(&s->short_until, link_now() + SHORT_PAUSE);
    if (outcome == TALK_FULL)
        atomic_fetch_add(&s->refused, 1);
    redis_exchange(s, REMOVE, 0, talk_undo, putting); /* what cannot be taken back expires */
    return redis_tell(view, outcome);
}

/* A value with its image: of what was begun, or a new one. NULL where there is no memory. */
static talk_value *make_value(store *view, const store_value *value, redis_link **link) {
    talk_value *talk = end_begun(view, link);
    if (talk)
        value_image_clear(&talk->image);
    else if (!(talk = draw_value(view)))
        return NULL;
    talk->bytes = bytes_of(value);
    value_image_make(&talk->image, value, talk->bytes, TALK_PIECE);
    return talk;
}

bool redis_put(store *view, const store_value *values, size_t count, size_t reserved,
               char (*handles)[HANDLE_TEXT]) {
    (void)reserved;
    redis_store *s = view->self;
    redis_link *link = NULL; /* of the first alone: where something was begun, there is one */
    talk_putting putting = {.terms = &s->terms, .values = calloc(count, sizeof *putting.values)};
    size_t bytes = 0;
    view->fault = STORE_AS_SAID;
    bool good = redis_may_wait(view) && putting.values;
    for (; good && putting.count < count; putting.count += good) {
        talk_value *value = make_value(view, &values[putting.count], &link);
        good = value;
        if (!good)
            break;
        memcpy(handles[putting.count], value->handle, HANDLE_TEXT);
        putting.values[putting.count] = value;
        bytes += value->image.header_length + value->image.data_bytes;
    }
    good = good && put_all(view, link, &putting, bytes);
    if (good)
        settle(s, values, &putting);
    for (size_t i = 0; i < putting.count; i++)
        free_value(putting.values[i]);
    free(putting.values);
    return good;
}
