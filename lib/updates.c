/* The elements of an update in pieces, over the call's threads. */
#include "updates.h"

#include "blocks.h"

typedef struct {
    size_t size;
    update_step *step;
    const void *pass;
} update;

static void update_piece(void *argument, size_t i) {
    const update *u = argument;
    size_t first = i * PIECE;
    u->step(u->pass, first, first + at_most(PIECE, u->size - first));
}

void update_elements(const layers_call *call, double nanoseconds, update_step *step,
                     const void *pass) {
    update u = {call->inputs[UPDATE_W].size, step, pass};
    layers_pool_run(call_pool(call, u.size, nanoseconds), pieces(u.size), update_piece, &u);
}
