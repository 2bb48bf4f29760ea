/* What comes in on a connection: two bytes that choose how it is cut, then the bytes that are sent.
 * What passes does not depend on how they come, and passes as it is when it comes itself. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "http/head.h"
#include "http/inflow.h"

enum { LIMIT = 1000, INSTEAD_MOST = 64, ROOM_MOST = 40 << 10 };

typedef struct {
    char *bytes;
    size_t length, requests;
    bool refused;
} passed;

/* Takes all that passes now, in pieces of at most `room`. */
static void take(inflow *in, int fd, passed *p, size_t most, size_t room) {
    for (;;) {
        char *exact = malloc(room);
        HOLDS(exact);
        ssize_t got = inflow_read(in, fd, exact, room);
        HOLDS(got > 0 || (got < 0 && errno == EAGAIN));
        HOLDS(got <= (ssize_t)room);
        if (got > 0) {
            HOLDS(p->length + (size_t)got <= most);
            memcpy(p->bytes + p->length, exact, (size_t)got);
            p->length += (size_t)got;
        }
        free(exact);
        if (got < (ssize_t)room)
            return;
    }
}

/* Sends in pieces and takes after each. */
static passed pass(const void *data, size_t size, size_t piece, size_t room) {
    int fd[2];
    inflow in;
    size_t most = size + INSTEAD_MOST;
    passed p = {.bytes = malloc(most)};
    HOLDS(p.bytes && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    inflow_begin(&in, LIMIT);
    for (size_t sent = 0; sent < size && !in.refused;) {
        size_t now = size - sent < piece ? size - sent : piece;
        HOLDS(send(fd[0], (const char *)data + sent, now, 0) == (ssize_t)now);
        sent += now;
        take(&in, fd[1], &p, most, room);
    }
    p.requests = in.requests;
    p.refused = in.refused;
    if (in.refused)
        problem_holds(&in.problem);
    inflow_end(&in);
    close(fd[0]);
    close(fd[1]);
    return p;
}

static void same(const passed *a, const passed *b) {
    HOLDS(a->length == b->length && !memcmp(a->bytes, b->bytes, a->length));
    HOLDS(a->requests == b->requests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || size > HEAD_MOST)
        return 0;
    passed whole = pass(data + 2, size - 2, size - 2, ROOM_MOST);
    passed cut = pass(data + 2, size - 2, 1 + data[0] % 64U, 1 + data[1]);
    same(&whole, &cut);
    HOLDS(whole.refused == cut.refused);
    passed again = pass(whole.bytes, whole.length, whole.length, ROOM_MOST);
    same(&whole, &again);
    HOLDS(!again.refused);
    free(whole.bytes);
    free(cut.bytes);
    free(again.bytes);
    return 0;
}
