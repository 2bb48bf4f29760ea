/* Exchanges with the store: over which link, what came of them, and how that is counted and told.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/redis/store.h"

enum { COMPLAIN_EVERY = 60000 }; /* milliseconds */

static void count(redis_store *s, redis_command command, talk_outcome outcome, int64_t began_us,
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

/* Nothing is said again where something is counted: it would be twice. */
talk_outcome redis_exchange_over(redis_store *s, redis_link *link, redis_command command,
                                 size_t bytes, redis_talk *talk, void *context) {
    bool is_counted =
        command == PUT && share_is_counted(((talk_putting *)context)->values[0]->owner);
    bool confirms = command != FETCH && command != TOUCH && command != INFO && s->terms.copies > 0;
    int64_t began = now_us();
    for (bool reused = true;; link = NULL) {
        if (!link)
            link = pool_take(s->pool, bytes, &reused);
        if (!link) {
            count(s, command, TALK_AWAY, began, NULL, 0, 0);
            return TALK_AWAY;
        }
        uint64_t sent = link->sent, taken = link->taken;
        talk_outcome outcome = outcome_of(s, link, talk(link, context));
        if (confirms && outcome == TALK_OK && !pool_believes(s->pool, link, began / 1000, bytes))
            outcome = TALK_AWAY;
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

talk_outcome redis_exchange(redis_store *s, redis_command command, size_t bytes, redis_talk *talk,
                            void *context) {
    return redis_exchange_over(s, NULL, command, bytes, talk, context);
}

bool redis_say_no(store *view, store_fault fault) {
    view->fault = fault;
    return false;
}

bool redis_may_wait(store *view) {
    return !view->hurried || redis_say_no(view, STORE_LATER);
}

bool redis_tell(store *view, talk_outcome outcome) {
    static const store_fault faults[] = {[TALK_UNKNOWN] = STORE_AS_SAID,
                                         [TALK_FULL] = STORE_FULL,
                                         [TALK_AWAY] = STORE_AWAY,
                                         [TALK_BROKEN] = STORE_BROKEN};
    return outcome == TALK_OK || redis_say_no(view, faults[outcome]);
}
