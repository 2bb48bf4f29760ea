/* Stores in a Redis, and values for them. */
#include "unit/store/redis_values.h"

#include <string.h>
#include <time.h>

store *open_with(const redis_server *server, size_t budget, int64_t lifetime) {
    const store_redis_setup setup = {.address = server->address,
                                     .password = "",
                                     .budget = budget,
                                     .lifetime = lifetime,
                                     .timeout = 500,
                                     .grace = 300,
                                     .largest = 1 << 30};
    store *s = store_open_redis(&setup);
    cr_assert(s && s->waits && s->ready(s));
    return s;
}

store *open_store(const redis_server *server) {
    return open_with(server, BUDGET, LONG);
}

void pause_ms(long milliseconds) {
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

layers_call affine(size_t N) {
    uint64_t seed = 5;
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, 100), &seed, -1, 1);
    call.inputs[1] = tensor_random(LAYERS_F64, SHAPE(100, 2), &seed, -1, 1);
    call.inputs[2] = tensor_random(LAYERS_F64, SHAPE(2), &seed, -1, 1);
    run(&call);
    return call;
}

bool is_same(const layers_call *forward, layers_cache *cache) {
    size_t N = forward->inputs[0].shape[0], bytes;
    uint64_t seed = 6;
    layers_call a = call_of("affine", "backward", LAYERS_F64), b = a;
    a.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, 2), &seed, -1, 1);
    b.inputs[0] = layers_tensor_share(&a.inputs[0]);
    a.cache = layers_cache_ref(forward->cache);
    b.cache = layers_cache_ref(cache);
    run(&a);
    run(&b);
    bool same = true;
    for (int i = 0; i < 3; i++) {
        layers_dtype_bytes(LAYERS_F64, a.outputs[i].size, &bytes);
        same = same && !memcmp(a.outputs[i].data, b.outputs[i].data, bytes);
    }
    layers_call_clear(&a);
    layers_call_clear(&b);
    return same;
}

bool put(store *s, const layers_call *call, char handle[HANDLE_TEXT]) {
    store_value value = {.cache = layers_cache_ref(call->cache)};
    size_t bytes = layers_cache_bytes(call->cache) + store_overhead;
    int retry;
    bool good =
        s->reserve(s, bytes, &retry) && s->put(s, &value, 1, bytes, (char(*)[HANDLE_TEXT])handle);
    if (!good)
        store_value_clear(&value);
    return good;
}

bool is_live(store *s, const char *handle) {
    store_value value;
    bool live = s->get(s, handle, &value);
    store_value_clear(&value);
    return live;
}
