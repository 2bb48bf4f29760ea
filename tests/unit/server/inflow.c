/* Bodies that go straight to their place: whatever the pieces in which they come and are asked for,
 * the memory has them, and what is behind them passes as ever. */
#include "http/inflow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/calls.h"

TestSuite(inflow);

enum { BODY = 100000, ROOM = 1 << 20 };

static const char next[] = "GET /next HTTP/1.1\r\nHost:a\r\n\r\n";

static char byte_of(size_t i) {
    return (char)(i * 31 % 251);
}

/* Two requests: the first with a body. Returns the length. */
static size_t requests(char *text, size_t *head) {
    *head = (size_t)sprintf(text, "POST /a HTTP/1.1\r\nHost:a\r\nContent-Length:%d\r\n\r\n", BODY);
    for (size_t i = 0; i < BODY; i++)
        text[*head + i] = byte_of(i);
    strcpy(text + *head + BODY, next);
    return *head + BODY + sizeof next - 1;
}

/* Sends pieces of so many bytes and reads into so much room each time, until all has passed. */
static void pass_pieces(size_t piece, size_t room) {
    static char sent[BODY + 1000], memory[BODY], got[BODY + 2000];
    size_t head, length = requests(sent, &head), out = 0, in_count = 0;
    int fd[2];
    inflow in;
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
    cr_assert(fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0);
    inflow_begin(&in, ROOM);
    memset(memory, 0, sizeof memory);
    while (in_count < sizeof got) {
        size_t some = length - out < piece ? length - out : piece;
        if (some > 0)
            out += (size_t)write(fd[0], sent + out, some);
        ssize_t now = inflow_read(&in, fd[1], got + in_count, room);
        if (now < 0 && errno == EAGAIN && out == length)
            break;
        in_count += now > 0 ? (size_t)now : 0;
        if (in.requests == 1 && in.at == INFLOW_BODY && !in.aim)
            inflow_aim(&in, memory, BODY);
    }
    uint64_t direct = in.direct;
    cr_assert(in_count == length, "pieces of %zu, room %zu: %zu of %zu", piece, room, in_count,
              length);
    cr_assert(memcmp(got + head + BODY, next, sizeof next - 1) == 0, "the next request");
    for (size_t i = 0; i < BODY; i++)
        cr_assert((i < direct ? got[head + i] : memory[i]) == byte_of(i),
                  "pieces of %zu, room %zu: byte %zu, straight from %zu", piece, room, i,
                  (size_t)direct);
    cr_assert(direct < BODY, "nothing went straight");
    inflow_unaim(&in);
    inflow_end(&in);
    close(fd[0]);
    close(fd[1]);
}

Test(inflow, bodies_go_straight_to_their_place) {
    static const size_t pieces[] = {7, 500, 4096, 20000, 65536, BODY + 1000};
    static const size_t rooms[] = {100, 7600, 16384, 50000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t j = 0; j < sizeof rooms / sizeof *rooms; j++)
            pass_pieces(pieces[i], rooms[j]);
}
