/* Credentials, scopes and rates of requests. */
#include "access/admit.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/decimal.h"

enum { TOKEN_MOST = 512 /* longer is none: nobody has to hash it */ };

static const int64_t second = 1000000000;
static const char authenticate[] = "WWW-Authenticate";

#define BEARER "Bearer realm=\"layerd\""

/* Fills the problem, with what the caller's HTTP library reads, and counts. */
static bool refuse(tokens *tokens, refusal why, const char *detail, problem *problem) {
    static const struct {
        problem_kind kind;
        const char *header;
    } rows[] = {
        [REFUSED_NO_TOKEN] = {PROBLEM_UNAUTHORIZED, BEARER},
        [REFUSED_BAD_REQUEST] = {PROBLEM_INVALID_REQUEST, BEARER ", error=\"invalid_request\""},
        [REFUSED_BAD_TOKEN] = {PROBLEM_UNAUTHORIZED, BEARER ", error=\"invalid_token\""},
    };
    problem_set(problem, rows[why].kind, NULL, "%s", detail);
    problem->header = authenticate;
    problem->value = rows[why].header;
    atomic_fetch_add_explicit(&tokens_refusals(tokens)->count[why], 1, memory_order_relaxed);
    return false;
}

/* The token of "Bearer <token>". NULL with a problem. A second header was joined by a comma in
 * front of everything (http/head.c). */
static const char *read_token(tokens *tokens, const admission *a, problem *problem) {
    static const char bearer[] = "Bearer";
    const size_t length = sizeof bearer - 1;
    const char *header = a->authorization;
    if (a->in_query)
        refuse(tokens, REFUSED_BAD_REQUEST,
               "a token in the query ends up in logs and histories: send it as Authorization: "
               "Bearer <token>, and get a new one",
               problem);
    else if (!header)
        refuse(tokens, REFUSED_NO_TOKEN,
               "this asks for a token: send Authorization: Bearer <token>", problem);
    else if (*header == ',' || !*header)
        refuse(tokens, REFUSED_BAD_REQUEST,
               "Authorization is empty or stands there twice, but must be Bearer <token>, once",
               problem);
    else if (strncasecmp(header, bearer, length) != 0 || !strchr(" \t", header[length]))
        refuse(tokens, REFUSED_NO_TOKEN,
               "Authorization has another scheme, but must be Bearer <token>", problem);
    else if (!header[length + strspn(header + length, " \t")])
        refuse(tokens, REFUSED_BAD_REQUEST, "there is no token behind Bearer in Authorization",
               problem);
    else
        return header + length + strspn(header + length, " \t");
    return NULL;
}

static caller *find_caller(tokens *tokens, const char *token, problem *problem) {
    size_t length = strlen(token);
    caller *caller = length <= TOKEN_MOST ? tokens_find(tokens, token, length) : NULL;
    if (!caller) {
        refuse(tokens, REFUSED_BAD_TOKEN,
               strncmp(token, "layerd_", 7) != 0 || token_is_whole(token)
                   ? "the token is not known, or is known no more"
                   : "the token was changed or cut on the way: its checksum is wrong",
               problem);
        return NULL;
    }
    if (caller->until == INT64_MAX || (int64_t)time(NULL) < caller->until)
        return caller;
    caller_release(caller);
    refuse(tokens, REFUSED_BAD_TOKEN, "the token has expired", problem);
    return NULL;
}

static uint64_t seconds(int64_t nanoseconds) {
    return (uint64_t)((nanoseconds + second - 1) / second);
}

/* "requests";r=42;t=17 */
static void put_pair(char *out, const char *a, uint64_t first, const char *b, uint64_t second) {
    out = decimal_put(stpcpy(stpcpy(out, "\"requests\""), a), first);
    *decimal_put(stpcpy(out, b), second) = '\0';
}

/* What is left, and for how long that has to do: until all is there again, or where nothing is
 * left, until the first is. */
static void tell_quota(const caller *caller, int64_t now, quota_headers *headers) {
    const caller_limits *limits = &caller->limits;
    int64_t cost = quota_cost(limits->rate), room = (int64_t)limits->burst * cost;
    int64_t lacks = bucket_lacks(&caller->usage->requests, now);
    int64_t left = lacks < room ? (room - lacks) / cost : 0;
    uint64_t window = (limits->burst + limits->rate - 1) / limits->rate;
    put_pair(headers->policy, ";q=", limits->burst, ";w=", window);
    put_pair(headers->left, ";r=", (uint64_t)left,
             ";t=", seconds(left > 0 ? lacks : lacks + cost - room));
}

static bool count_request(tokens *tokens, caller *caller, quota_headers *headers,
                          problem *problem) {
    const caller_limits *limits = &caller->limits;
    usage *usage = caller->usage;
    if (limits->rate) {
        int64_t cost = quota_cost(limits->rate), now = quota_now();
        int64_t wait = bucket_take(&usage->requests, now, cost, (int64_t)limits->burst * cost);
        tell_quota(caller, now, headers);
        if (wait > 0) {
            atomic_fetch_add_explicit(&usage->refused, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&tokens_refusals(tokens)->count[REFUSED_RATE], 1,
                                      memory_order_relaxed);
            problem_set(problem, PROBLEM_RATE_LIMITED, NULL,
                        "this token may ask %" PRIu64 " times a second (rate), %" PRIu64
                        " times at once (burst); try again later",
                        limits->rate, limits->burst);
            problem->retry_after = (int)seconds(wait);
            return false;
        }
    }
    atomic_fetch_add_explicit(&usage->passed, 1, memory_order_relaxed);
    int64_t now = (int64_t)time(NULL); /* written once a second: others read what is beside it */
    if (atomic_load_explicit(&usage->last, memory_order_relaxed) != now)
        atomic_store_explicit(&usage->last, now, memory_order_relaxed);
    return true;
}

static bool has_scope(tokens *tokens, const caller *caller, scope scope, problem *problem) {
    static const char *const headers[SCOPES] = {
        BEARER ", error=\"insufficient_scope\", scope=\"compute\"",
        BEARER ", error=\"insufficient_scope\", scope=\"check\"",
        BEARER ", error=\"insufficient_scope\", scope=\"admin\""};
    if (scope == SCOPE_NONE || caller->scopes & scope)
        return true;
    int which = __builtin_ctz(scope);
    problem_set(problem, PROBLEM_FORBIDDEN, NULL, "this token has not the scope %s that this needs",
                scope_names[which]);
    problem->header = authenticate;
    problem->value = headers[which];
    atomic_fetch_add_explicit(&caller->usage->refused, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tokens_refusals(tokens)->count[REFUSED_SCOPE], 1,
                              memory_order_relaxed);
    return false;
}

/* Who is told verdicts alone may ask for what he is not told. */
static bool has_scopes(tokens *tokens, const caller *caller, const admission *a, problem *problem) {
    if (!has_scope(tokens, caller, a->scope, problem) ||
        !(caller->verdict_only || has_scope(tokens, caller, a->also, problem)))
        return false;
    if (!a->chooses || !caller->challenge_only)
        return true;
    problem_set(problem, PROBLEM_FORBIDDEN, NULL,
                "this token may answer challenges (POST /challenge) and check nothing else "
                "(only=challenge)");
    atomic_fetch_add_explicit(&caller->usage->refused, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tokens_refusals(tokens)->count[REFUSED_SCOPE], 1,
                              memory_order_relaxed);
    return false;
}

bool admit(tokens *tokens, const admission *admission, caller **caller, quota_headers *headers,
           problem *problem) {
    const char *token = read_token(tokens, admission, problem);
    *caller = token ? find_caller(tokens, token, problem) : NULL;
    return *caller && count_request(tokens, *caller, headers, problem) &&
           has_scopes(tokens, *caller, admission, problem);
}
