/* Connections: accepted, counted, and each given a time for what it is at. */
#include "http/connections.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tally.h"
#include "http/linger.h"
#include "http/refusals.h"

enum {
    TICK_MS = 100,
    HANG_UP_MS = 500,        /* until one that the caller has closed is shut down */
    LINGER_BYTES = 64 << 20, /* thrown away of what a caller still sends; or twice the limit */
};

static const int64_t never = INT64_MAX;

/* Whose sockets are read by recv; see gate.c, which knows no more than a descriptor. */
static connections *_Atomic serving;

struct connection {
    int fd;
    bool open;                /* under the lock */
    struct in6_addr address;  /* IPv4 mapped; of IPv6 the first 64 bits */
    atomic_bool caller_sends; /* it is the caller's turn */
    atomic_int_fast64_t deadline;
    /* of the thread that serves it: */
    inflow in;
    size_t begun; /* requests of those that came in */
    bool lingers;
};

struct connections {
    connections_setup setup;
    int listener, wake; /* wake is written to at the end */
    pthread_t thread;
    linger linger;            /* the thread's */
    pthread_mutex_t lock;     /* held while a socket is shut down, so that it is still the same */
    size_t count;             /* under the lock, as all below */
    int leaving[LINGER_MOST]; /* sockets on their way to the thread's */
    size_t leaving_count;
    int highest; /* descriptor that has been one */
    size_t size;
    connection at[]; /* by descriptor */
};

/* Of IPv6 the network: whoever has one address of it has them all. */
static struct in6_addr address_of(const struct sockaddr *from) {
    if (from->sa_family == AF_INET6) {
        struct in6_addr address = ((const struct sockaddr_in6 *)from)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&address))
            memset(address.s6_addr + 8, 0, 8);
        return address;
    }
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(mapped.s6_addr + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    return mapped;
}

/* One look at each: 4096 take some ten microseconds. */
static size_t count_from(const connections *c, const struct in6_addr *address) {
    size_t count = 0;
    for (int fd = 0; fd <= c->highest; fd++)
        count += c->at[fd].open && !memcmp(&c->at[fd].address, address, sizeof *address);
    return count;
}

/* Enters a socket, or says why it is one too many. */
static bool enter(connections *c, int fd, const struct sockaddr *from, problem *problem) {
    struct in6_addr address = address_of(from);
    bool entered = false;
    pthread_mutex_lock(&c->lock);
    if (c->count >= c->setup.most || (size_t)fd >= c->size) {
        problem_set(problem, PROBLEM_OVERLOADED, NULL,
                    "%zu connections are open, as many as there may be (--connections)", c->count);
    } else if (from->sa_family != AF_UNIX && /* which has none */
               count_from(c, &address) >= c->setup.most_per_address) {
        problem_set(problem, PROBLEM_RATE_LIMITED, NULL,
                    "%zu connections from your address are open, as many as there may be "
                    "(--address-connections)",
                    c->setup.most_per_address);
    } else {
        connection *one = &c->at[fd];
        one->fd = fd;
        /* one that libmicrohttpd had no memory for is closed without a word */
        c->count += !one->open;
        one->open = entered = true;
        one->address = address;
        one->begun = 0;
        one->lingers = false;
        inflow_begin(&one->in, c->setup.body_limit);
        connection_rest(one);
        c->highest = fd > c->highest ? fd : c->highest;
    }
    pthread_mutex_unlock(&c->lock);
    return entered;
}

/* Takes what waits at the door. */
static void accept_all(connections *c) {
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof from;
    int fd;
    while ((fd = accept4(c->listener, (struct sockaddr *)&from, &length,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        problem problem;
        if (!enter(c, fd, (struct sockaddr *)&from, &problem)) {
            tally_refused(&problem);
            refusals_answer(c->setup.ids, fd, &problem);
            linger_add(&c->linger, fd);
        } else if (!c->setup.serve(c->setup.context, fd, (struct sockaddr *)&from, length)) {
            connections_leave(c, &c->at[fd]);
        }
        length = sizeof from;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        log_line(LOG_WARN, "cannot accept connections: %s", strerror(errno));
        poll(NULL, 0, TICK_MS); /* the cause may pass; to ask again at once would not help it */
    }
}

bool connection_has_hung_up(const connection *one) {
    char byte;
    ssize_t got = recvfrom(one->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* libmicrohttpd, whose epoll is edge-triggered, does not see a caller's end that arrives together
 * with data: so it is looked for here. A request that came before the end may have been read and
 * not yet begun: it has a while, and a deadline of its own once it has. */
static void look_for_end(connection *one, int64_t now) {
    int64_t deadline = atomic_load(&one->deadline);
    if (deadline > now + HANG_UP_MS && atomic_load(&one->caller_sends) &&
        connection_has_hung_up(one))
        atomic_compare_exchange_strong(&one->deadline, &deadline, now + HANG_UP_MS);
}

static void shut_down_overdue(connections *c) {
    int64_t now = clock_coarse_ms();
    pthread_mutex_lock(&c->lock);
    for (int fd = 0; fd <= c->highest; fd++) {
        connection *one = &c->at[fd];
        if (one->open && atomic_load(&one->deadline) < now) {
            shutdown(fd, SHUT_RDWR);
            connection_rest(one);
        } else if (one->open) {
            look_for_end(one, now);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* Takes over those that were left. Returns whether there is nothing to look after. */
static bool take_leaving(connections *c) {
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->leaving_count; i++)
        linger_add(&c->linger, c->leaving[i]);
    c->leaving_count = 0;
    bool idle = c->count == 0 && c->linger.count == 0;
    pthread_mutex_unlock(&c->lock);
    return idle;
}

static void *run(void *argument) {
    connections *c = argument;
    struct pollfd on[2 + LINGER_MOST] = {{.fd = c->listener, .events = POLLIN},
                                         {.fd = c->wake, .events = POLLIN}};
    int64_t last = clock_coarse_ms();
    for (bool wanted = false;;) {
        bool idle = take_leaving(c) && !wanted;
        size_t lingering = linger_poll(&c->linger, on + 2);
        if (poll(on, 2 + lingering, idle ? -1 : TICK_MS) < 0 && errno != EINTR)
            break;
        if (on[1].revents)
            break;
        if (on[0].revents)
            accept_all(c);
        linger_tend(&c->linger);
        if (clock_coarse_ms() - last >= TICK_MS) {
            last = clock_coarse_ms();
            shut_down_overdue(c);
            wanted = c->setup.tick(c->setup.context);
        }
    }
    linger_end(&c->linger);
    return NULL;
}

/* As many as were asked for, or as there are descriptors for. */
static size_t affordable(size_t most, size_t others) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= most + others)
        return most;
    size_t fewer = limit.rlim_cur > others ? limit.rlim_cur - others : 1;
    log_line(LOG_WARN,
             "the system lets this process have %zu descriptors: %zu connections, not %zu",
             (size_t)limit.rlim_cur, fewer, most);
    return fewer;
}

connections *connections_make(const connections_setup *setup) {
    size_t others = setup->other_descriptors + LINGER_MOST;
    size_t most = affordable(setup->most, others), size = most + others;
    connections *c = calloc(1, sizeof *c + size * sizeof *c->at);
    if (!c)
        return NULL;
    c->setup = *setup;
    c->setup.most = most;
    c->linger.bytes =
        setup->body_limit > LINGER_BYTES / 2 ? 2 * (uint64_t)setup->body_limit : LINGER_BYTES;
    c->size = size;
    pthread_mutex_init(&c->lock, NULL);
    serving = c;
    return c;
}

bool connections_start(connections *c, int listener) {
    c->listener = listener;
    c->wake = eventfd(0, EFD_CLOEXEC);
    if (c->wake >= 0 && pthread_create(&c->thread, NULL, run, c) == 0)
        return true;
    if (c->wake >= 0)
        close(c->wake);
    return false;
}

void connections_stop_accepting(connections *c) {
    eventfd_write(c->wake, 1);
    pthread_join(c->thread, NULL);
    close(c->listener);
    close(c->wake);
}

void connections_free(connections *c) {
    if (!c)
        return;
    serving = NULL;
    for (size_t i = 0; i < c->leaving_count; i++)
        close(c->leaving[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

size_t connections_count(connections *c) {
    pthread_mutex_lock(&c->lock);
    size_t count = c->count;
    pthread_mutex_unlock(&c->lock);
    return count;
}

connection *connections_find(connections *c, int fd) {
    return &c->at[fd];
}

void connections_leave(connections *c, connection *one) {
    int again = one->lingers ? fcntl(one->fd, F_DUPFD_CLOEXEC, 0) : -1;
    inflow_end(&one->in);
    pthread_mutex_lock(&c->lock);
    one->open = false;
    c->count--;
    if (again >= 0 && c->leaving_count < LINGER_MOST) {
        c->leaving[c->leaving_count++] = again;
        again = -1;
    }
    pthread_mutex_unlock(&c->lock);
    if (again >= 0)
        close(again);
}

void connection_aim(connection *connection, void *memory, uint64_t whole) {
    inflow_aim(&connection->in, memory, whole);
}

uint64_t connection_straight_from(const connection *connection) {
    return connection->in.aim ? connection->in.direct : UINT64_MAX;
}

void connection_unaim(connection *connection) {
    inflow_unaim(&connection->in);
}

inflow *connections_inflow(int fd) {
    connections *c = atomic_load_explicit(&serving, memory_order_acquire);
    return c && fd >= 0 && (size_t)fd < c->size && c->at[fd].open ? &c->at[fd].in : NULL;
}

bool connection_takes_request(connection *one) {
    return ++one->begun <= one->in.requests;
}

const problem *connection_refusal(const connection *one) {
    return one->in.refused && one->begun == one->in.requests ? &one->in.problem : NULL;
}

void connection_linger(connection *one) {
    one->lingers = true;
}

static void set_turn(connection *one, bool caller_sends, int64_t deadline) {
    atomic_store_explicit(&one->caller_sends, caller_sends, memory_order_relaxed);
    atomic_store_explicit(&one->deadline, deadline, memory_order_relaxed);
}

void connection_wait_for_caller(connection *one, int64_t milliseconds) {
    set_turn(one, true, clock_coarse_ms() + milliseconds);
}

void connection_send_to_caller(connection *one, int64_t milliseconds) {
    set_turn(one, false, clock_coarse_ms() + milliseconds);
}

void connection_rest(connection *one) {
    set_turn(one, false, never);
}
