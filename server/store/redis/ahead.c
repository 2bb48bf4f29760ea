/* The thread that sends values ahead. It takes one after the other; who finds his own still waiting
 * when it is computed sends it himself. */
#include "store/redis/ahead.h"

#include <pthread.h>
#include <stdlib.h>

enum { LONGEST = 30000 }; /* milliseconds: pieces live a minute longer than the value's key */

struct redis_ahead {
    redis_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ahead_sending *first, **last; /* that wait; under the lock, as all below */
    bool stopping;
    pthread_t thread;
};

/* Sends what is known of one value. */
static void send_one(redis_ahead *ahead, ahead_sending *sending) {
    bool reused;
    sending->link = pool_take(ahead->pool, sending->value->image.data_bytes, &reused);
    if (sending->link)
        talk_ahead(sending->link, sending->value, &sending->enough);
}

static void *send_all(void *argument) {
    redis_ahead *ahead = argument;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->stopping) {
        ahead_sending *sending = ahead->first;
        if (!sending) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        ahead->first = sending->next;
        if (!ahead->first)
            ahead->last = &ahead->first;
        sending->state = AHEAD_GOES;
        pthread_mutex_unlock(&ahead->lock);
        send_one(ahead, sending);
        pthread_mutex_lock(&ahead->lock);
        sending->state = AHEAD_DONE;
        pthread_cond_broadcast(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

redis_ahead *ahead_make(redis_pool *pool) {
    redis_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return NULL;
    ahead->pool = pool;
    ahead->last = &ahead->first;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (pthread_create(&ahead->thread, NULL, send_all, ahead) == 0)
        return ahead;
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
    return NULL;
}

void ahead_free(redis_ahead *ahead) {
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stopping = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

void ahead_begin(redis_ahead *ahead, ahead_sending *sending, talk_value *value) {
    *sending = (ahead_sending){.value = value, .since = link_now()};
    pthread_mutex_lock(&ahead->lock);
    *ahead->last = sending;
    ahead->last = &sending->next;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

/* Under the lock: takes one that still waits out of the queue. */
static void take_out(redis_ahead *ahead, const ahead_sending *sending) {
    ahead_sending **place = &ahead->first;
    while (*place != sending)
        place = &(*place)->next;
    *place = sending->next;
    if (!sending->next)
        ahead->last = place;
}

redis_link *ahead_end(redis_ahead *ahead, ahead_sending *sending) {
    atomic_store(&sending->enough, true);
    pthread_mutex_lock(&ahead->lock);
    if (sending->state == AHEAD_WAITS)
        take_out(ahead, sending);
    while (sending->state == AHEAD_GOES)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
    redis_link *link = sending->link;
    if (link && link->state == LINK_GOOD && link_now() - sending->since < LONGEST &&
        pool_keep(ahead->pool, link, sending->value->image.data_bytes))
        return link;
    link_close(link); /* the next exchange will see what is wrong */
    talk_forget_ahead(sending->value);
    return NULL;
}
