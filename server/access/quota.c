/* Buckets of tokens. */
#include "access/quota.h"

#include <time.h>

#include "base/clock.h"

static const int64_t second = 1000000000;
static const double most = 1e17; /* that is owed at once: three years, and no overflow */

int64_t quota_now(void) {
    return clock_coarse_ms() * 1000000;
}

int64_t quota_cost(uint64_t rate) {
    return (int64_t)(((uint64_t)second + rate - 1) / rate);
}

int64_t bucket_lacks(const bucket *full, int64_t now) {
    int64_t at = atomic_load_explicit(full, memory_order_relaxed);
    return at > now ? at - now : 0;
}

/* Takes where the bucket lacks at most `lacking`. */
static int64_t take(bucket *full, int64_t now, int64_t cost, int64_t lacking) {
    int64_t at = atomic_load_explicit(full, memory_order_relaxed), from;
    do {
        from = at > now ? at : now;
        if (from - now > lacking)
            return from - now - lacking;
    } while (!atomic_compare_exchange_weak_explicit(full, &at, from + cost, memory_order_relaxed,
                                                    memory_order_relaxed));
    return 0;
}

int64_t bucket_take(bucket *full, int64_t now, int64_t cost, int64_t room) {
    return take(full, now, cost, room - cost);
}

int64_t bucket_draw(bucket *full, int64_t now, double cost, int64_t room) {
    return take(full, now, (int64_t)(cost < most ? cost : most), room - 1);
}
