/* The tokens that there are. Whoever looks for one locks a door of his own, so that no two threads
 * wait for each other; who replaces the table locks them all. */
#include "access/tokens.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/file.h"
#include "access/name_list.h"

enum {
    DOORS = 16,
    CACHE_LINE = 64,
    RECENT = 32, /* tokens that a thread remembers */
    FILE_MOST = 256 << 20,
};

typedef struct {
    caller **list; /* in the order of the file; each has a reference of the table's */
    size_t count;
    name_list names; /* of the list, in its order */
    uint32_t *slot;  /* places in the list from 1, by digests; as many as a power of two, 0 free */
    size_t slots;
} table;

typedef struct {
    owner owner;
    size_t said; /* line of the file that tells its limit, 0 for none; and which: */
    size_t limit;
    char name[];
} tenant;

typedef struct {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
} door;

struct tokens {
    door doors[DOORS];
    table table;
    const char *path;
    name_list tenant_names; /* all that there ever were: handles may be theirs still */
    tenant **tenants;
    size_t tenants_room;
    refusal_counts refusals;
};

/* ---- making a table ----------------------------------------------------------------------------
 */

/* A table on its way. */
typedef struct {
    tokens *tokens;
    table table;
    size_t *lines; /* of the list: where each stands */
    size_t room;   /* of the list */
    char *fault;
} making;

static bool no_memory(const making *m) {
    snprintf(m->fault, TOKENS_FAULT, "there is no memory for it");
    return false;
}

static void clear_table(table *table) {
    for (size_t i = 0; i < table->count; i++)
        caller_release(table->list[i]);
    free(table->list);
    free(table->slot);
    name_list_clear(&table->names);
}

/* The slot of a digest, or the free one in which it would be. Digests are of secrets that were
 * drawn by chance: their own bits are a good hash. */
static size_t slot_of(const table *table, const unsigned char digest[SHA256_BYTES]) {
    size_t at;
    memcpy(&at, digest, sizeof at);
    at &= table->slots - 1;
    while (table->slot[at] &&
           !secret_equal(table->list[table->slot[at] - 1]->digest, digest, SHA256_BYTES))
        at = (at + 1) & (table->slots - 1);
    return at;
}

/* The tenant of that name, new where there was none. NULL where there is no memory. */
static tenant *find_tenant(tokens *tokens, const char *name) {
    size_t place = name_list_find(&tokens->tenant_names, name);
    if (place != NAME_LIST_NONE)
        return tokens->tenants[place];
    if (tokens->tenant_names.count == tokens->tenants_room) {
        size_t room = tokens->tenants_room ? 2 * tokens->tenants_room : 16;
        tenant **tenants = realloc(tokens->tenants, room * sizeof(tenant *));
        if (!tenants)
            return NULL;
        tokens->tenants = tenants;
        tokens->tenants_room = room;
    }
    tenant *tenant = calloc(1, sizeof *tenant + strlen(name) + 1);
    if (!tenant)
        return NULL;
    strcpy(tenant->name, name);
    tenant->owner.name = tenant->name;
    atomic_store(&tenant->owner.limit, SIZE_MAX);
    tokens->tenants[tokens->tenant_names.count] = tenant;
    if (name_list_add(&tokens->tenant_names, tenant->name))
        return tenant;
    free(tenant);
    return NULL;
}

/* Tokens of one tenant have one limit. */
static bool set_limit(const making *m, tenant *tenant, size_t limit, size_t line) {
    if (limit == SIZE_MAX)
        return true;
    if (tenant->said && tenant->limit != limit) {
        snprintf(m->fault, TOKENS_FAULT,
                 "line %zu: the tenant %s has another cache in line %zu, but there can be one only",
                 line, tenant->name, tenant->said);
        return false;
    }
    tenant->said = line;
    tenant->limit = limit;
    return true;
}

/* What the token of that name has used so far; new where there was none. */
static usage *find_usage(const making *m, const char *name) {
    size_t place = name_list_find(&m->tokens->table.names, name);
    usage *usage =
        place == NAME_LIST_NONE ? calloc(1, sizeof *usage) : m->tokens->table.list[place]->usage;
    if (usage)
        atomic_fetch_add(&usage->references, 1);
    return usage;
}

static caller *make_caller(const making *m, const token_line *line, tenant *tenant) {
    caller *caller = calloc(1, sizeof *caller + strlen(line->name) + 1);
    if (!caller)
        return NULL;
    strcpy(caller->name, line->name);
    memcpy(caller->digest, line->digest, sizeof caller->digest);
    caller->references = 1;
    caller->tenant = tenant ? &tenant->owner : NULL;
    caller->scopes = line->scopes;
    caller->verdict_only = line->verdict_only;
    caller->challenge_only = line->challenge_only;
    caller->limits = line->limits;
    caller->until = line->until;
    caller->refusals = &m->tokens->refusals;
    caller->usage = find_usage(m, line->name);
    if (caller->usage)
        return caller;
    free(caller);
    return NULL;
}

/* Enters a caller into the list and both its indices. */
static bool enter(making *m, caller *caller, size_t slot, size_t line) {
    if (!name_list_add(&m->table.names, caller->name)) {
        caller_release(caller);
        return no_memory(m);
    }
    m->lines[m->table.count] = line;
    m->table.list[m->table.count++] = caller;
    m->table.slot[slot] = (uint32_t)m->table.count;
    return true;
}

static bool add_line(making *m, const token_line *line, size_t number) {
    size_t same = name_list_find(&m->table.names, line->name);
    if (same != NAME_LIST_NONE) {
        snprintf(m->fault, TOKENS_FAULT, "line %zu: the name %s stands in line %zu as well", number,
                 line->name, m->lines[same]);
        return false;
    }
    size_t slot = slot_of(&m->table, line->digest);
    if (m->table.slot[slot]) {
        snprintf(m->fault, TOKENS_FAULT, "line %zu: the same token stands in line %zu as well",
                 number, m->lines[m->table.slot[slot] - 1]);
        return false;
    }
    tenant *tenant = *line->tenant ? find_tenant(m->tokens, line->tenant) : NULL;
    if (*line->tenant && !tenant)
        return no_memory(m);
    if (tenant && !set_limit(m, tenant, line->cache, number))
        return false;
    caller *caller = make_caller(m, line, tenant);
    return caller ? enter(m, caller, slot, number) : no_memory(m);
}

/* Room for as many as there are lines. */
static bool make_room(making *m, const char *text, size_t length) {
    size_t lines = 1;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    for (m->table.slots = 16; m->table.slots < 2 * lines;)
        m->table.slots *= 2;
    m->table.list = malloc(lines * sizeof(caller *));
    m->table.slot = calloc(m->table.slots, sizeof *m->table.slot);
    m->lines = malloc(lines * sizeof *m->lines);
    return (m->table.list && m->table.slot && m->lines) || no_memory(m);
}

static bool add_lines(making *m, const char *text, size_t length) {
    const char *end = text + length;
    size_t number = 1;
    for (const char *next; text < end; text = next + 1, number++) {
        token_line line;
        char fault[TOKENS_FAULT];
        next = memchr(text, '\n', (size_t)(end - text));
        if (!next) {
            snprintf(m->fault, TOKENS_FAULT,
                     "line %zu, the last, does not end in a line feed: it may be cut off", number);
            return false;
        }
        line_kind kind = line_read(text, (size_t)(next - text), &line, fault);
        if (kind == LINE_WRONG) {
            snprintf(m->fault, TOKENS_FAULT, "line %zu: %.*s", number, TOKENS_FAULT - 32, fault);
            return false;
        }
        if (kind == LINE_TOKEN && !add_line(m, &line, number))
            return false;
    }
    if (m->table.count == 0)
        snprintf(m->fault, TOKENS_FAULT, "it has no token");
    return m->table.count > 0;
}

/* ---- the table that counts ---------------------------------------------------------------------
 */

static void lock_all(tokens *tokens) {
    for (door *door = tokens->doors; door < tokens->doors + DOORS; door++)
        pthread_mutex_lock(&door->lock);
}

static void unlock_all(tokens *tokens) {
    for (door *door = tokens->doors; door < tokens->doors + DOORS; door++)
        pthread_mutex_unlock(&door->lock);
}

static pthread_mutex_t *own_door(tokens *tokens) {
    static atomic_uint threads;
    static _Thread_local unsigned number; /* from 1 */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) + 1;
    return &tokens->doors[number % DOORS].lock;
}

static void take_limits(tokens *tokens) {
    for (size_t i = 0; i < tokens->tenant_names.count; i++) {
        tenant *tenant = tokens->tenants[i];
        atomic_store(&tenant->owner.limit, tenant->said ? tenant->limit : SIZE_MAX);
    }
}

bool tokens_reload(tokens *tokens, char fault[TOKENS_FAULT]) {
    making m = {.tokens = tokens, .fault = fault};
    access_file file = {0};
    bool good = access_file_read(&file, tokens->path, FILE_MOST, fault);
    for (size_t i = 0; i < tokens->tenant_names.count; i++)
        tokens->tenants[i]->said = 0;
    good = good && make_room(&m, file.bytes, file.length) && add_lines(&m, file.bytes, file.length);
    table old = m.table;
    if (good) {
        take_limits(tokens);
        lock_all(tokens);
        old = tokens->table;
        tokens->table = m.table;
        unlock_all(tokens);
    }
    clear_table(&old);
    free(m.lines);
    access_file_free(&file);
    return good;
}

tokens *tokens_open(const char *path, char fault[TOKENS_FAULT]) {
    tokens *tokens = aligned_alloc(CACHE_LINE, sizeof *tokens);
    if (!tokens) {
        snprintf(fault, TOKENS_FAULT, "there is no memory for it");
        return NULL;
    }
    memset(tokens, 0, sizeof *tokens);
    tokens->path = path;
    for (door *door = tokens->doors; door < tokens->doors + DOORS; door++)
        pthread_mutex_init(&door->lock, NULL);
    if (tokens_reload(tokens, fault))
        return tokens;
    tokens_close(tokens);
    return NULL;
}

void tokens_close(tokens *tokens) {
    if (!tokens)
        return;
    clear_table(&tokens->table);
    for (size_t i = 0; i < tokens->tenant_names.count; i++)
        free(tokens->tenants[i]);
    free(tokens->tenants);
    name_list_clear(&tokens->tenant_names);
    free(tokens);
}

/* Hashing costs more than all else of this, and who calls once calls again: each thread remembers
 * what it has hashed. */
static void hash_token(const char *token, size_t length, unsigned char digest[SHA256_BYTES]) {
    static _Thread_local struct {
        char token[TOKEN_LENGTH];
        unsigned char digest[SHA256_BYTES];
    } recent[RECENT];
    if (length != TOKEN_LENGTH) {
        sha256_of(token, length, digest);
        return;
    }
    unsigned place = ((unsigned char)token[7] * 5U + (unsigned char)token[8]) % RECENT;
    if (!secret_equal(recent[place].token, token, TOKEN_LENGTH)) {
        memcpy(recent[place].token, token, TOKEN_LENGTH);
        sha256_of(token, length, recent[place].digest);
    }
    memcpy(digest, recent[place].digest, SHA256_BYTES);
}

caller *tokens_find(tokens *tokens, const char *token, size_t length) {
    unsigned char digest[SHA256_BYTES];
    hash_token(token, length, digest);
    pthread_mutex_t *lock = own_door(tokens);
    pthread_mutex_lock(lock);
    const table *table = &tokens->table;
    uint32_t place = table->slot[slot_of(table, digest)];
    caller *caller = place ? table->list[place - 1] : NULL;
    if (caller)
        atomic_fetch_add_explicit(&caller->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(lock);
    return caller;
}

refusal_counts *tokens_refusals(tokens *tokens) {
    return &tokens->refusals;
}

caller **tokens_all(tokens *tokens, size_t *count) {
    pthread_mutex_t *lock = own_door(tokens);
    pthread_mutex_lock(lock);
    *count = tokens->table.count;
    caller **all = malloc(*count * sizeof(caller *));
    for (size_t i = 0; all && i < *count; i++) {
        all[i] = tokens->table.list[i];
        atomic_fetch_add(&all[i]->references, 1);
    }
    pthread_mutex_unlock(lock);
    return all;
}

size_t tokens_count(tokens *tokens) {
    pthread_mutex_t *lock = own_door(tokens);
    pthread_mutex_lock(lock);
    size_t count = tokens->table.count;
    pthread_mutex_unlock(lock);
    return count;
}
