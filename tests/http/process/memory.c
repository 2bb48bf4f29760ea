/* A daemon whose allocations fail now and then: every answer is right or says that there is no
 * memory, and afterwards it serves as before. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "http/figures.h"
#include "http/kept.h"

DAEMON_SUITE(memory);

enum { ROUNDS = 200 };

/* Under a sanitizer, which has a malloc of its own, tests/unit/library/allocation.c has to do. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { CAN_STARVE = false };
#else
enum { CAN_STARVE = true };
#endif

/* The daemon `starved` (tests/starved/malloc.c), which stands beside the one that is tested. */
static process *start_starved(void) {
    char *daemon = strdup(getenv("LAYERD")), starved[512];
    char *slash = strrchr(daemon, '/');
    cr_assert(slash);
    snprintf(starved, sizeof starved, "%.*s/starved", (int)(slash - daemon), daemon);
    setenv("LAYERD", starved, 1);
    setenv("OMP_NUM_THREADS", "1", 1); /* libgomp, asked for another number, exits without memory */
    process *process = daemon_start(NULL);
    unsetenv("OMP_NUM_THREADS");
    setenv("LAYERD", daemon, 1);
    free(daemon);
    return process;
}

/* What one call got: right, without memory, or no answer. */
typedef struct {
    int right, refused, cut;
} tally;

/* Sends until the answer is the right one, which is everything before `,"cache"`. */
static void call(process *process, const char *path, const char *body, const char *want,
                 tally *tally) {
    layerd_error error;
    const layerd_message message = {.path = path, .body = body, .length = strlen(body)};
    for (int attempt = 0; attempt < 100; attempt++) {
        layerd_reply *reply = layerd_raw(process->caller->client, &message, &error);
        int status = reply ? reply->status : 0;
        bool overloaded = reply && status == 503 &&
                          (reply->length == 0 || strstr(reply->body, "\"code\":\"overloaded\""));
        bool right = reply && status == 200 && !strncmp(reply->body, want, strlen(want));
        CHECK(!reply || overloaded || right, "%s: %d %s", path, status, reply ? reply->body : "");
        layerd_reply_free(reply);
        tally->right += right;
        tally->refused += overloaded;
        tally->cut += !reply;
        if (right)
            return;
    }
    CHECK(false, "%s: no right answer in 100 attempts", path);
}

static void call_each(process *process, const char *cache, tally *tally) {
    char backward[128];
    snprintf(backward, sizeof backward, "{\"dout\":[[1],[2]],\"cache\":\"%s\"}", cache);
    call(process, "/relu/forward", "{\"x\":[-1,0,2.5]}", "{\"out\":[0.0,0.0,2.5]", tally);
    call(process, "/affine/forward", "{\"x\":[[1,2],[3,4]],\"w\":[[0.5],[-1]],\"b\":[10]}",
         "{\"out\":[[8.5],[7.5]]", tally);
    call(process, "/affine/backward", backward,
         "{\"dx\":[[0.5,-1.0],[1.0,-2.0]],\"dw\":[[7.0],[10.0]],\"db\":[3.0]}", tally);
    call(process, "/svm/loss", "{\"x\":[[1,2,3]],\"y\":[1]}",
         "{\"loss\":2.0,\"dx\":[[0.0,-1.0,1.0]]}", tally);
}

Test(memory, that_fails_now_and_then) {
    if (!CAN_STARVE)
        return;
    process *p = start_starved();
    tally tally = {0}, after = {0};
    const answer *forward =
        post(p->caller, "/affine/forward", "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10]}");
    const char *cache = cache_of(forward);
    kill(p->pid, SIGUSR1);
    for (int i = 0; i < ROUNDS; i++)
        call_each(p, cache, &tally);
    CHECK(tally.refused > ROUNDS / 10, "memory failed %d times only", tally.refused);
    kill(p->pid, SIGUSR1);
    call_each(p, cache, &after);
    call_each(p, cache, &after);
    CHECK(after.right == 8, "%d of 8 calls are right afterwards", after.right);
    printf("memory: %d right, %d refused, %d cut\n", tally.right, tally.refused, tally.cut);
    daemon_stop(p);
}

/* One request on a connection of its own: where one is used again and ends without an answer, the
 * request is sent once more. */
static layerd_reply *send_once(process *process, const char *path, const char *body) {
    layerd_error error;
    return layerd_raw(process->caller->client,
                      &(layerd_message){.path = path,
                                        .headers = HEADERS("Connection: close"),
                                        .body = body,
                                        .length = body ? strlen(body) : 0},
                      &error);
}

/* How many handles the daemon keeps, asked until there is memory to tell. */
static int count_handles(process *process) {
    double entries = NAN;
    for (int attempt = 0; attempt < 100 && isnan(entries); attempt++) {
        layerd_reply *reply = send_once(process, "/metrics", NULL);
        if (reply && reply->status == 200)
            entries = value_in(reply->body, "%s", "layerd_cache_entries");
        layerd_reply_free(reply);
    }
    CHECK(!isnan(entries), "no figures in 100 attempts");
    return (int)entries;
}

/* Who gets an answer has kept three, and who is refused nothing; who gets none is not told. */
static void keep_or_not(process *process, const char *body, const char *want, tally *tally) {
    int before = count_handles(process);
    layerd_reply *reply = send_once(process, "/graph", body);
    int status = reply ? reply->status : 0, more = count_handles(process) - before;
    bool good = status == 200   ? more == 3 && !strncmp(reply->body, want, strlen(want))
                : status == 503 ? more == 0
                                : !reply && (more == 0 || more == 3);
    CHECK(good, "%d handles more with %d %s", more, status, reply ? reply->body : "");
    tally->right += status == 200;
    tally->refused += status == 503;
    tally->cut += !reply;
    layerd_reply_free(reply);
}

Test(memory, that_fails_in_graphs_keeps_all_or_nothing) {
    if (!CAN_STARVE)
        return;
    process *p = start_starved();
    tally tally = {0};
    char w[128];
    keep_tensor(p->caller, "[[1,2],[3,4]]", w);
    char *body = json_text("{'inputs':{'x':[[1,2]],'b':[0,0],'w':{'tensor':'%s'}},"
                           "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'}],"
                           "'give':['a.out'],'keep':['a.out','a.cache','b']}",
                           w);
    kill(p->pid, SIGUSR1);
    for (int i = 0; i < ROUNDS; i++)
        keep_or_not(p, body, "{\"results\":{\"a.out\":[[7.0,10.0]]},\"kept\":{\"a.out\":", &tally);
    kill(p->pid, SIGUSR1);
    free(body);
    CHECK(tally.right > 0 && tally.refused > ROUNDS / 10, "%d right, %d refused", tally.right,
          tally.refused);
    printf("memory: graphs: %d right, %d refused, %d cut\n", tally.right, tally.refused, tally.cut);
    daemon_stop(p);
}
