#include "kept.h"

#include <stdio.h>

#include "http/figures.h"

const char *kept_of(const answer *answer, const char *name) {
    const json_t *kept = json_object_get(answer->json, "kept");
    const char *handle = json_string_value(json_object_get(kept, name));
    cr_assert(handle, "%s: nothing kept as %s in %d %.300s", answer->about, name, answer->status,
              answer->body);
    return handle;
}

void keep_tensor(caller *caller, const char *tensor, char handle[128]) {
    const answer *a = post(caller, "/graph", "{'inputs':{'t':%s},'nodes':[],'keep':['t']}", tensor);
    snprintf(handle, 128, "%s", kept_of(a, "t"));
}

const answer *about_handle(caller *caller, const char *method, const char *handle) {
    char target[256];
    snprintf(target, sizeof target, "/cache/%.200s", handle);
    return fetch(caller, method, target, NULL);
}

holdings holdings_of(process *process) {
    const char *page = scrape(process);
    return (holdings){.entries = value_in(page, "%s", "layerd_cache_entries"),
                      .bytes = value_in(page, "%s", "layerd_cache_bytes"),
                      .given = value_in(page, "%s", "layerd_cache_given_total"),
                      .removed = value_in(page, "%s", "layerd_cache_removed_total"),
                      .expired = value_in(page, "%s", "layerd_cache_expired_total")};
}

void expect_holdings(process *process, const holdings *before, const char *after_what) {
    holdings now = holdings_of(process);
    CHECK(now.entries == before->entries && now.bytes == before->bytes &&
              now.given == before->given && now.removed == before->removed,
          "%s: %g entries of %g bytes, %g given, %g removed, not %g of %g, %g and %g", after_what,
          now.entries, now.bytes, now.given, now.removed, before->entries, before->bytes,
          before->given, before->removed);
}
