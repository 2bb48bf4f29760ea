/* One budget for the memory of all requests in flight. */
#include "base/budget.h"

bool charge_add(charge *charge, size_t bytes) {
    if (!charge)
        return true;
    budget *budget = charge->budget;
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (bytes > budget->limit || used > budget->limit - bytes) {
            atomic_fetch_add_explicit(&budget->refused, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    charge->bytes += bytes;
    return true;
}

void charge_reduce(charge *charge, size_t bytes) {
    if (charge->bytes <= bytes)
        return;
    atomic_fetch_sub_explicit(&charge->budget->used, charge->bytes - bytes, memory_order_relaxed);
    charge->bytes = bytes;
}
