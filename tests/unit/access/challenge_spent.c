/* Challenges that were answered: once, by one, until they expire. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "access/spent.h"

#include "common/check.h"

static spent_result use(spent *spent, unsigned id, unsigned answer, int64_t now, int64_t expires) {
    unsigned char bytes[CHALLENGE_ID] = {0}, digest[SHA256_BYTES] = {0};
    int64_t free_at = -1;
    memcpy(bytes + 2, &id, sizeof id); /* in the bits of slots, and beyond them */
    memcpy(digest, &answer, sizeof answer);
    spent_result result = spent_use(spent, bytes, digest, now, expires, &free_at);
    CHECK((free_at != -1) == (result == SPENT_FULL), "%u: %lld", id, (long long)free_at);
    if (result == SPENT_FULL)
        CHECK(free_at > now, "%lld", (long long)free_at);
    return result;
}

Test(challenge_spent, one_answer_counts_and_may_come_again) {
    spent *s = spent_make(3);
    CHECK_EQUAL(use(s, 1, 7, 0, 100), SPENT_NOW);
    CHECK_EQUAL(use(s, 1, 7, 50, 100), SPENT_BEFORE);
    CHECK_EQUAL(use(s, 1, 8, 50, 100), SPENT_OTHERWISE);
    CHECK_EQUAL(use(s, 1, 7, 99, 100), SPENT_BEFORE);
    CHECK_EQUAL(use(s, 2, 8, 99, 200), SPENT_NOW);
    CHECK_EQUAL(use(s, 1, 7, 100, 100), SPENT_EXPIRED);
    CHECK_EQUAL(use(s, 1, 8, 100, 100), SPENT_EXPIRED);
    CHECK_EQUAL(use(s, 2, 8, 100, 200), SPENT_BEFORE);
    spent_free(s);
    spent_free(NULL);
}

Test(challenge_spent, a_full_table_refuses_and_forgets_nobody) {
    enum { MOST = 1000 };
    spent *s = spent_make(MOST);
    for (unsigned i = 0; i < MOST; i++)
        CHECK_EQUAL(use(s, i * 37, i, 10, 1000 + (i * 7919) % MOST), SPENT_NOW);
    CHECK_EQUAL(use(s, 999999, 0, 999, 5000), SPENT_FULL);
    for (unsigned i = 0; i < MOST; i++) {
        CHECK_EQUAL(use(s, i * 37, i, 999, 1000 + (i * 7919) % MOST), SPENT_BEFORE);
        CHECK_EQUAL(use(s, i * 37, i + 1, 999, 1000 + (i * 7919) % MOST), SPENT_OTHERWISE);
    }
    /* each time one expires there is room for just one */
    for (unsigned i = 0; i < MOST; i++) {
        CHECK_EQUAL(use(s, 500000 + i, i, 1000 + i, 5000 + i), SPENT_NOW);
        CHECK_EQUAL(use(s, 999999, 0, 1000 + i, 5000), SPENT_FULL);
    }
    for (unsigned i = 0; i < MOST; i++)
        CHECK_EQUAL(use(s, 500000 + i, i, 1999, 5000 + i), SPENT_BEFORE);
    CHECK_EQUAL(use(s, 999999, 0, 100000, 200000), SPENT_NOW); /* all have gone at once */
    CHECK_EQUAL(use(s, 500000, 1, 100000, 200000), SPENT_NOW);
    spent_free(s);
}

Test(challenge_spent, it_tells_when_there_is_room) {
    spent *s = spent_make(2);
    unsigned char id[CHALLENGE_ID] = {9}, answer[SHA256_BYTES] = {0};
    int64_t free_at = 0;
    use(s, 1, 0, 0, 900);
    use(s, 2, 0, 0, 300);
    CHECK_EQUAL(spent_use(s, id, answer, 0, 1000, &free_at), SPENT_FULL);
    CHECK_EQUAL(free_at, 300);
    CHECK_EQUAL(spent_use(s, id, answer, 300, 1000, &free_at), SPENT_NOW);
    spent_free(s);
}

/* Who was told the time before another: nothing that was swept since is there for him again. */
Test(challenge_spent, time_does_not_go_back) {
    spent *s = spent_make(10);
    CHECK_EQUAL(use(s, 1, 1, 0, 100), SPENT_NOW);
    CHECK_EQUAL(use(s, 2, 1, 500, 1000), SPENT_NOW);
    CHECK_EQUAL(use(s, 1, 2, 50, 100), SPENT_EXPIRED);
    CHECK_EQUAL(use(s, 3, 2, 50, 500), SPENT_EXPIRED);
    CHECK_EQUAL(use(s, 3, 2, 50, 501), SPENT_NOW);
    CHECK_EQUAL(use(s, 2, 2, 0, 1000), SPENT_OTHERWISE);
    spent_free(s);
}

/* Compared with a list in which everything is looked at. */
Test(challenge_spent, random_use_is_as_a_list_says) {
    enum { MOST = 40, IDS = 90, STEPS = 60000 };
    struct {
        unsigned answer;
        int64_t expires;
    } list[IDS] = {{0}};
    spent *s = spent_make(MOST);
    uint32_t random = 1;
    int64_t now = 1;
    int seen[SPENT_FULL + 1] = {0};
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        unsigned id = random >> 8 & 127, answer = random >> 20 & 1, life = random >> 24 & 63;
        now += (random >> 16 & 7) == 0;
        if (id >= IDS)
            continue;
        int live = 0;
        for (int i = 0; i < IDS; i++)
            live += list[i].expires > now;
        bool is_there = list[id].expires > now;
        spent_result want = life == 0                   ? SPENT_EXPIRED
                            : !is_there && live == MOST ? SPENT_FULL
                            : !is_there                 ? SPENT_NOW
                            : list[id].answer == answer ? SPENT_BEFORE
                                                        : SPENT_OTHERWISE;
        spent_result got = use(s, id, answer, now, now + life);
        CHECK(got == want, "step %d: %d, not %d", step, got, want);
        seen[got]++;
        if (got == SPENT_NOW) {
            list[id].answer = answer;
            list[id].expires = now + life;
        }
    }
    for (int i = 0; i <= SPENT_FULL; i++)
        CHECK(seen[i] > 100, "%d: %d", i, seen[i]);
    spent_free(s);
}

/* ---- many at once ----------------------------------------------------------------------------
 */

enum { THREADS = 8, RACES = 4000, ROOM = 1000 };

typedef struct {
    spent *spent;
    atomic_uint next;
    atomic_int won[RACES], lost[RACES], full[RACES];
} crowd;

typedef struct {
    crowd *crowd;
    unsigned answer;
} rival;

static void *answer_all(void *argument) {
    rival *rival = argument;
    crowd *crowd = rival->crowd;
    for (unsigned race = 0; race < RACES; race++) {
        spent_result result = use(crowd->spent, race, rival->answer, 0, 1000);
        crowd->won[race] += result == SPENT_NOW;
        crowd->lost[race] += result == SPENT_OTHERWISE;
        crowd->full[race] += result == SPENT_FULL;
    }
    return NULL;
}

static void race_all(crowd *crowd) {
    pthread_t threads[THREADS];
    rival rivals[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        rivals[i] = (rival){crowd, i};
        cr_assert(pthread_create(&threads[i], NULL, answer_all, &rivals[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

Test(challenge_spent, of_many_at_once_one_wins) {
    static crowd crowd;
    crowd.spent = spent_make(RACES);
    race_all(&crowd);
    for (int race = 0; race < RACES; race++)
        CHECK(crowd.won[race] == 1 && crowd.lost[race] == THREADS - 1, "%d: %d won, %d lost", race,
              crowd.won[race], crowd.lost[race]);
    spent_free(crowd.spent);
}

Test(challenge_spent, many_at_once_get_the_room_there_is_and_no_more) {
    static crowd crowd;
    int won = 0;
    crowd.spent = spent_make(ROOM);
    race_all(&crowd);
    for (int race = 0; race < RACES; race++) {
        won += crowd.won[race];
        CHECK(crowd.won[race] + crowd.lost[race] + crowd.full[race] == THREADS, "%d", race);
        CHECK(crowd.won[race] == (crowd.full[race] != THREADS), "%d", race);
    }
    CHECK_EQUAL(won, ROOM);
    spent_free(crowd.spent);
}
