/* What all stores share. */
#include "store/store.h"

#include <math.h>

const char *const store_command_names[STORE_COMMANDS] = {"put",  "fetch",  "touch",
                                                         "info", "remove", "note"};
const char *const store_outcome_names[STORE_OUTCOMES] = {"ok", "unknown", "full", "away", "broken"};
const double store_seconds[STORE_SECONDS] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1, INFINITY};

void store_value_clear(store_value *value) {
    layers_cache_unref(value->cache);
    value->cache = NULL;
    layers_tensor_clear(&value->tensor);
}

store store_for(const store *store, owner *owner) {
    struct store view = *store;
    view.owner = owner;
    return view;
}
