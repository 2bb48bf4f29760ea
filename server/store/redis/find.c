/* Finding the node to be asked. */
#include "store/redis/find.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SENTINEL_TIME = 500, /* milliseconds for its answer, which it has at hand */
    CONNECT_TIME = 500,
};

bool redis_node_is_same(const redis_node *a, const redis_node *b) {
    return !strcmp(a->host, b->host) && a->port == b->port;
}

static bool takes_connections(const char *host, int port) {
    redis_link *link = link_open(host, port, link_now() + CONNECT_TIME);
    bool good = link && link->state == LINK_GOOD;
    link_close(link);
    return good;
}

/* A name as a numeric address, of several the first that takes connections, or else the last:
 * asking for it may take long, and is for the watcher alone. */
static bool resolve(const char *name, int port, redis_node *node, char text[LINK_TEXT]) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fault = getaddrinfo(name, NULL, &hints, &list);
    for (const struct addrinfo *one = list; one && !fault; one = one->ai_next) {
        fault = getnameinfo(one->ai_addr, one->ai_addrlen, node->host, sizeof node->host, NULL, 0,
                            NI_NUMERICHOST);
        if (!fault && one->ai_next && takes_connections(node->host, port))
            break;
    }
    if (list)
        freeaddrinfo(list);
    node->port = port;
    snprintf(node->name, sizeof node->name, "%s", name);
    if (fault)
        snprintf(text, LINK_TEXT, "%.64s is not known: %s", name, gai_strerror(fault));
    return !fault;
}

static bool host_of(const redis_address *address, int i, redis_node *node, char text[LINK_TEXT]) {
    if (address->way != REDIS_UNIX)
        return resolve(address->host[i].name, address->host[i].port, node, text);
    snprintf(node->host, sizeof node->host, "%s", address->host[i].name);
    node->port = 0;
    return true;
}

/* A connection, by TLS where the address says so. */
static redis_link *connect_to(const redis_address *address, const redis_node *node,
                              int64_t deadline) {
    redis_link *link = link_open(node->host, node->port, deadline);
    if (link && address->by_tls)
        link_start_tls(link, address->tls, node->name);
    return link;
}

redis_link *find_sentinel(const redis_address *address, int i, int64_t deadline,
                          char text[LINK_TEXT]) {
    redis_node node;
    return host_of(address, i, &node, text) ? connect_to(address, &node, deadline) : NULL;
}

redis_link *find_open(const redis_address *address, const redis_node *node, int64_t deadline) {
    redis_link *link = connect_to(address, node, deadline);
    if (!link)
        return NULL;
    char database[16];
    bool has_password = *address->password, has_user = *address->user;
    snprintf(database, sizeof database, "%d", address->database);
    const char *const auth[] = {"AUTH", has_user ? address->user : address->password,
                                address->password};
    if (has_password)
        link_ask(link, has_user ? 3 : 2, auth);
    if (address->database)
        link_ask(link, 2, (const char *const[]){"SELECT", database});
    link_flush(link);
    if (has_password)
        link_ok(link);
    if (address->database)
        link_ok(link);
    return link;
}

/* ---- what a node says of itself ----------------------------------------------------------------
 */

/* The text behind "name:", to the end of its line. */
static bool field(const char *info, const char *name, char *value, size_t room) {
    char mark[48];
    snprintf(mark, sizeof mark, "\n%s:", name);
    const char *at = strstr(info, mark);
    if (!at)
        return false;
    at += strlen(mark);
    snprintf(value, room, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

static bool read_role(redis_link *link, redis_report *report) {
    redisReply *role = link_answer(link);
    if (!role)
        return false;
    bool good = role->type == REDIS_REPLY_ARRAY && role->elements >= 3 &&
                role->element[0]->type == REDIS_REPLY_STRING;
    if (good) {
        report->is_master = !strcmp(role->element[0]->str, "master");
        if (report->is_master && role->element[2]->type == REDIS_REPLY_ARRAY)
            report->replicas = (int)role->element[2]->elements;
    }
    freeReplyObject(role);
    return good || link_fail(link, LINK_STRANGE, "it did not tell its role");
}

static bool read_memory(redis_link *link, redis_report *report) {
    char info[4096], value[64];
    size_t length;
    if (!link_string(link, info, sizeof info, &length))
        return link_fail(link, LINK_STRANGE, "it did not tell its memory");
    if (field(info, "used_memory", value, sizeof value))
        report->used = strtoull(value, NULL, 10);
    if (field(info, "maxmemory", value, sizeof value))
        report->maximum = strtoull(value, NULL, 10);
    report->evicts =
        field(info, "maxmemory_policy", value, sizeof value) && strcmp(value, "noeviction") != 0;
    return true;
}

bool find_report(redis_link *link, redis_report *report) {
    *report = (redis_report){0};
    link_ask(link, 1, (const char *const[]){"PING"});
    link_ask(link, 1, (const char *const[]){"ROLE"});
    link_ask(link, 2, (const char *const[]){"INFO", "memory"});
    return link_flush(link) && link_ok(link) && read_role(link, report) &&
           read_memory(link, report);
}

/* ---- which one is the master -------------------------------------------------------------------
 */

/* The text of an element of an answer; "" where it has none. */
static const char *element(const redisReply *list, size_t i) {
    bool is_text = list->type == REDIS_REPLY_ARRAY && i < list->elements &&
                   list->element[i]->type == REDIS_REPLY_STRING;
    return is_text ? list->element[i]->str : "";
}

/* Of names and values in turns, the value of a name. */
static const char *value_of(const redisReply *list, const char *name) {
    for (size_t i = 0; list->type == REDIS_REPLY_ARRAY && i + 1 < list->elements; i += 2)
        if (!strcmp(element(list, i), name))
            return element(list, i + 1);
    return "";
}

/* What a Sentinel says of the master. */
typedef struct {
    redis_node node;          /* whom it names */
    unsigned long long epoch; /* of that; the Sentinels take over what has a later one */
    bool named, replaced;
    bool unseen; /* by it: it may begin to replace it */
} sentinel_word;

/* Reads its two answers. */
static sentinel_word take_word(const redisReply *named, const redisReply *state,
                               char text[LINK_TEXT]) {
    const char *host = element(named, 0), *port = element(named, 1);
    const char *flags = value_of(state, "flags");
    bool is_old = !strcmp(host, value_of(state, "ip")) && !strcmp(port, value_of(state, "port"));
    sentinel_word word = {.epoch = strtoull(value_of(state, "config-epoch"), NULL, 10)};
    word.replaced = is_old && (strstr(flags, "o_down") || strstr(flags, "failover"));
    word.unseen = is_old && strstr(flags, "s_down");
    word.named = *host && resolve(host, atoi(port), &word.node, text);
    if (!*host)
        snprintf(text, LINK_TEXT, "a Sentinel knows no master of that name");
    return word;
}

static sentinel_word ask_sentinel(const redis_address *address, int i, int64_t timeout,
                                  char text[LINK_TEXT]) {
    sentinel_word word = {.named = false};
    redis_link *link = find_sentinel(address, i, link_now() + timeout, text);
    if (!link)
        return word;
    link_ask(link, 3,
             (const char *const[]){"SENTINEL", "get-master-addr-by-name", address->master});
    link_ask(link, 3, (const char *const[]){"SENTINEL", "master", address->master});
    link_flush(link);
    redisReply *named = link_answer(link), *state = link_answer(link);
    if (named && state)
        word = take_word(named, state, text);
    else
        snprintf(text, LINK_TEXT, "the Sentinel at %.60s: %.60s", address->host[i].name,
                 link->text);
    freeReplyObject(named);
    freeReplyObject(state);
    link_close(link);
    return word;
}

/* The latest word, and what any of them says that has it. */
static bool ask_sentinels(const redis_address *address, redis_node *node, int64_t timeout,
                          bool *unseen, char text[LINK_TEXT]) {
    int64_t time = timeout < SENTINEL_TIME ? timeout : SENTINEL_TIME;
    sentinel_word last = {.named = false};
    for (int i = 0; i < address->hosts; i++) {
        sentinel_word word = ask_sentinel(address, i, time, text);
        if (word.named && (!last.named || word.epoch > last.epoch))
            last = word;
        last.replaced |= word.named && word.epoch == last.epoch && word.replaced;
        last.unseen |= word.named && word.epoch == last.epoch && word.unseen;
    }
    if (last.replaced)
        snprintf(text, LINK_TEXT, "the master at %.60s:%d is being replaced", last.node.host,
                 last.node.port);
    *node = last.node;
    *unseen = last.unseen;
    return last.named && !last.replaced;
}

/* Whether the node says that it is the master. */
static bool is_master(const redis_address *address, int i, redis_node *node, int64_t timeout,
                      char text[LINK_TEXT]) {
    redis_report report;
    if (!host_of(address, i, node, text))
        return false;
    redis_link *link = find_open(address, node, link_now() + timeout);
    bool good = link && find_report(link, &report);
    if (good && !report.is_master)
        snprintf(text, LINK_TEXT, "it is a replica of another");
    else if (!good)
        snprintf(text, LINK_TEXT, "%s", link ? link->text : "no memory");
    link_close(link);
    return good && report.is_master;
}

bool find_master(const redis_address *address, redis_node *node, int64_t timeout, bool *unseen,
                 char text[LINK_TEXT]) {
    *unseen = false;
    if (address->way == REDIS_SENTINEL)
        return ask_sentinels(address, node, timeout, unseen, text);
    if (address->hosts == 1)
        return host_of(address, 0, node, text);
    int masters = 0;
    for (int i = 0; i < address->hosts; i++) {
        redis_node one;
        if (is_master(address, i, &one, timeout, text)) {
            *node = one;
            masters++;
        }
    }
    if (masters > 1) /* one of the two may be about to forget what it takes */
        snprintf(text, LINK_TEXT, "%d of its nodes say that they are the master", masters);
    return masters == 1;
}
