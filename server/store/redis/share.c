/* What tenants keep in the store. Of several daemons that find the same handle gone, the one whose
 * HDEL took it out subtracts it. */
#include "store/redis/share.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sum_field[] = "sum";

/* A tenant of whom something was counted, and where the watcher is in its hash. */
typedef struct tenant {
    struct tenant *next;
    char cursor[24];
    char name[];
} tenant;

struct redis_share {
    pthread_mutex_t lock;
    tenant *tenants; /* under the lock; none goes */
    tenant *at;      /* the watcher's */
};

redis_share *share_make(void) {
    redis_share *share = calloc(1, sizeof *share);
    if (share)
        pthread_mutex_init(&share->lock, NULL);
    return share;
}

void share_free(redis_share *share) {
    if (!share)
        return;
    for (tenant *t = share->tenants, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    pthread_mutex_destroy(&share->lock);
    free(share);
}

bool share_is_counted(const owner *owner) {
    return owner && atomic_load(&owner->limit) != SIZE_MAX;
}

void share_handle_key(char key[REDIS_KEY], const char *owner_name, const char *handle) {
    snprintf(key, REDIS_KEY, "layerd:{%s%s%s}", owner_name ? owner_name : "", owner_name ? "/" : "",
             handle);
}

static void key_of(char key[SHARE_KEY], const char *name) {
    snprintf(key, SHARE_KEY, "layerd:kept:{%s}", name);
}

bool share_ask_sum(redis_link *link, const owner *owner) {
    char key[SHARE_KEY];
    key_of(key, owner->name);
    return link_ask(link, 3, (const char *const[]){"HGET", key, sum_field});
}

bool share_sum(redis_link *link, size_t *sum) {
    char text[24];
    size_t length;
    long long value = link_string(link, text, sizeof text, &length) ? atoll(text) : 0;
    *sum = value > 0 ? (size_t)value : 0;
    return link->state == LINK_GOOD;
}

/* Has the watcher look after a tenant. */
static void remember(redis_share *share, const char *name) {
    size_t length = strlen(name) + 1;
    pthread_mutex_lock(&share->lock);
    tenant *t = share->tenants;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    if (!t && (t = malloc(sizeof *t + length))) {
        *t = (tenant){.next = share->tenants, .cursor = "0"};
        memcpy(t->name, name, length);
        share->tenants = t;
    }
    pthread_mutex_unlock(&share->lock);
}

bool share_ask_add(redis_share *share, redis_link *link, const owner *owner, const char *handle,
                   size_t bytes) {
    char key[SHARE_KEY], text[24];
    key_of(key, owner->name);
    snprintf(text, sizeof text, "%zu", bytes);
    remember(share, owner->name);
    return link_ask(link, 4, (const char *const[]){"HSET", key, handle, text}) &&
           link_ask(link, 4, (const char *const[]){"HINCRBY", key, sum_field, text});
}

bool share_added(redis_link *link, int64_t *sum) {
    int64_t fields;
    return link_integer(link, &fields) && link_integer(link, sum);
}

bool share_subtract(redis_link *link, const char *owner_name, const char *handle) {
    char key[SHARE_KEY], bytes[24], less[26];
    size_t length;
    int64_t taken = 0, sum;
    key_of(key, owner_name);
    link_ask(link, 3, (const char *const[]){"HGET", key, handle});
    link_ask(link, 3, (const char *const[]){"HDEL", key, handle});
    link_flush(link);
    bool known = link_string(link, bytes, sizeof bytes, &length);
    if (!link_integer(link, &taken) || !known || !taken || strspn(bytes, "0123456789") != length)
        return link->state == LINK_GOOD; /* it is another's already, or no daemon wrote it */
    snprintf(less, sizeof less, "-%s", bytes);
    link_ask(link, 4, (const char *const[]){"HINCRBY", key, sum_field, less});
    return link_flush(link) && link_integer(link, &sum);
}

/* Subtracts those handles of a tenant, fields and values in turns, that are gone. */
static void look(redis_link *link, const char *name, const redisReply *fields) {
    size_t asked = 0;
    char key[REDIS_KEY];
    for (size_t i = 0; i + 1 < fields->elements; i += 2, asked++) {
        share_handle_key(key, name, fields->element[i]->str);
        link_ask(link, 2, (const char *const[]){"EXISTS", key});
    }
    if (!link_flush(link))
        return;
    int64_t *live = calloc(asked + 1, sizeof *live);
    for (size_t i = 0; live && i < asked; i++)
        link_integer(link, &live[i]);
    for (size_t i = 0; live && i < asked && link->state == LINK_GOOD; i++)
        if (!live[i] && strcmp(fields->element[2 * i]->str, sum_field) != 0)
            share_subtract(link, name, fields->element[2 * i]->str);
    if (!live)
        link_fail(link, LINK_LOST, "no memory");
    free(live);
}

static bool are_strings(const redisReply *list) {
    for (size_t i = 0; i < list->elements; i++)
        if (list->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

void share_chore(redis_link *link, void *context) {
    redis_share *share = context;
    pthread_mutex_lock(&share->lock);
    share->at = share->at && share->at->next ? share->at->next : share->tenants;
    tenant *t = share->at;
    pthread_mutex_unlock(&share->lock);
    if (!t)
        return;
    char key[SHARE_KEY];
    key_of(key, t->name);
    link_ask(link, 5, (const char *const[]){"HSCAN", key, t->cursor, "COUNT", "100"});
    link_flush(link);
    redisReply *answer = link_answer(link);
    if (!answer)
        return;
    if (answer->type == REDIS_REPLY_ARRAY && answer->elements == 2 &&
        answer->element[0]->type == REDIS_REPLY_STRING &&
        answer->element[1]->type == REDIS_REPLY_ARRAY && are_strings(answer->element[1])) {
        snprintf(t->cursor, sizeof t->cursor, "%s", answer->element[0]->str);
        look(link, t->name, answer->element[1]);
    }
    freeReplyObject(answer);
}
