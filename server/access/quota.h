/* How much of something one may have in a time: a bucket of tokens that fills steadily, told by the
 * one time at which it is full. Everything is in nanoseconds of its filling, so that all of it is
 * one number, and taking is one exchange of it. Thread-safe: however many take at once, no more
 * goes out than is in it. */
#ifndef ACCESS_QUOTA_H
#define ACCESS_QUOTA_H

#include <stdatomic.h>
#include <stdint.h>

/* When it is full, or was; 0 is full at any time that is one. */
typedef atomic_int_fast64_t bucket;

/* Nanoseconds of a monotonic clock, of a tick's precision. */
int64_t quota_now(void);

/* What one of `rate` a second takes: never less, so that no more than the rate passes. */
int64_t quota_cost(uint64_t rate);

/* Takes `cost` where that is in a bucket of so much room. 0, or the time after which it may be. */
int64_t bucket_take(bucket *full, int64_t now, int64_t cost, int64_t room);

/* Takes `cost`, however much it is, where the bucket has anything in it at all; it owes the rest.
 * 0, or the time after which it may be. */
int64_t bucket_draw(bucket *full, int64_t now, double cost, int64_t room);

/* What it lacks, in the time until it is full. */
int64_t bucket_lacks(const bucket *full, int64_t now);

#endif
