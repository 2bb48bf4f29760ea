/* What Sentinels say unasked. */
#include "store/redis/news.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/find.h"

enum {
    PATIENCE = 500, /* milliseconds for connecting, and for the rest of what has begun to come */
    TICK = 100,     /* until it is seen that one should stop */
    PAUSE = 1000,   /* before a Sentinel is tried again */
    QUIET = 5000, /* after which it is asked for a sign of life: what lies between may forget us */
};

typedef struct {
    news *news;
    int sentinel; /* its number in the address */
    pthread_t thread;
} listener;

struct news {
    const redis_address *address;
    void (*told)(void *context);
    void *context;
    atomic_bool stopping;
    int listeners;
    listener listener[REDIS_HOSTS];
};

static redis_link *subscribe(const news *news, int sentinel) {
    static const char *const ask[] = {"SUBSCRIBE", "+odown", "+try-failover", "+switch-master"};
    char text[LINK_TEXT];
    redis_link *link = find_sentinel(news->address, sentinel, link_now() + PATIENCE, text);
    if (link) {
        link_ask(link, 4, ask);
        link_flush(link);
    }
    return link;
}

static bool begins_with(const char *text, const char *word) {
    size_t length = strlen(word);
    return !strncmp(text, word, length) && text[length] == ' ';
}

/* Whether a message is of a master by that name: its text begins with it, or with the kind "master"
 * before it. */
static bool is_of(const redisReply *message, const char *master) {
    if (message->type != REDIS_REPLY_ARRAY || message->elements != 3 ||
        message->element[2]->type != REDIS_REPLY_STRING)
        return false;
    const char *text = message->element[2]->str;
    return begins_with(text, master) ||
           (begins_with(text, "master") && begins_with(text + sizeof "master", master));
}

/* Takes a message, and all that came together with it. */
static void take(const news *news, redis_link *link) {
    link->deadline = link_now() + PATIENCE;
    void *message = link_answer(link);
    while (message) {
        if (is_of(message, news->address->master))
            news->told(news->context);
        freeReplyObject(message);
        message = NULL;
        redisGetReplyFromReader(link->context, &message);
    }
}

/* Hears what a Sentinel says until its connection ends. */
static void hear(const news *news, redis_link *link) {
    struct pollfd poller = {.fd = link->context->fd, .events = POLLIN};
    int64_t heard = link_now();
    bool asked = false;
    while (link->state == LINK_GOOD && !atomic_load(&news->stopping)) {
        if (poll(&poller, 1, TICK) > 0) {
            take(news, link);
            heard = link_now();
            asked = false;
        } else if (asked && link_now() - heard > 2 * QUIET) {
            return;
        } else if (!asked && link_now() - heard > QUIET) {
            link->deadline = link_now() + PATIENCE;
            link_ask(link, 1, (const char *const[]){"PING"});
            asked = link_flush(link);
        }
    }
}

static void *listen_to(void *argument) {
    const listener *own = argument;
    news *news = own->news;
    while (!atomic_load(&news->stopping)) {
        redis_link *link = subscribe(news, own->sentinel);
        if (link)
            hear(news, link);
        link_close(link);
        for (int waited = 0; waited < PAUSE && !atomic_load(&news->stopping); waited += TICK)
            poll(NULL, 0, TICK);
    }
    return NULL;
}

news *news_start(const redis_address *address, void (*told)(void *context), void *context) {
    news *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->address = address;
    made->told = told;
    made->context = context;
    for (int i = 0; i < address->hosts; i++) {
        made->listener[i] = (listener){.news = made, .sentinel = i};
        if (pthread_create(&made->listener[i].thread, NULL, listen_to, &made->listener[i]) != 0) {
            news_stop(made);
            return NULL;
        }
        made->listeners++;
    }
    return made;
}

void news_stop(news *news) {
    if (!news)
        return;
    atomic_store(&news->stopping, true);
    for (int i = 0; i < news->listeners; i++)
        pthread_join(news->listener[i].thread, NULL);
    free(news);
}
