#include "refusal.h"

void expect_refusals(const refusal *refusals, size_t count) {
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < count; i++) {
        const refusal *r = &refusals[i];
        const answer *a = post(p->caller, r->path, "%s", r->body);
        expect_problem(a, r->code, r->pointer);
        for (int w = 0; w < 3 && r->words[w]; w++)
            expect_detail(a, r->words[w]);
    }
    daemon_stop(p);
}
