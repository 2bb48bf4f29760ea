/* A route, as handlers see it, and the table of what there is beside the operations, for whoever
 * describes or counts it. routes.c holds the table; routes.h finds a request's row. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "request.h"

struct form;
typedef struct route route;

/* How much a verdict tells: ?detail=verdict, words, values. */
typedef enum { DETAIL_WORDS, DETAIL_VERDICT, DETAIL_VALUES } detail;

/* Answers a request whose body is there. False with a problem. */
typedef bool handler(service *service, const route *route, const request *request, reply *reply,
                     problem *problem);

struct route {
    handler *handle;
    size_t row;                                    /* among all routes */
    const layers_operation *operation;             /* of POST /<layer>/<operation> */
    const struct form *request_form, *answer_form; /* forms/form.h */
    const char *rest;  /* what the path has behind a prefix: the handle */
    const char *allow; /* the path's methods, where OPTIONS asks for them; else NULL */
    bool negotiated;   /* Accept chooses the answer's form */
    detail detail;     /* of a verdict, as the query asks */
    scope scope, also; /* that it asks for, where tokens are; and that the detail does */
    bool chooses;      /* the caller chooses what is checked, as in a challenge he does not */
};

/* How a route is told in the metrics. */
typedef struct {
    const char *layer; /* "" where it is not of an operation */
    const char
        *name; /* so many characters: an operation's, a path's without slashes, "page", "other" */
    int length;
    bool computes; /* an operation or a graph */
} route_label;

/* Rows of routes: 0 is for every path at which there is nothing. */
size_t route_count(void);
route_label route_label_of(size_t row);

/* A member of a JSON answer, as JSON Schema has it. */
typedef struct {
    const char *name;          /* NULL ends a list */
    const char *type, *format; /* the format may be NULL */
    const char *items;         /* the type of an array's */
    bool nullable, optional;
} document_member;

/* A path beside the operations. */
typedef struct {
    const char *path; /* "/cache/" is a prefix: a handle follows. NULL ends the list */
    const char *allow;
    handler *get, *remove, *post; /* a POST has a body and an answer in one of the forms */
    const char *name;             /* of the thing that is there: getVersion, deleteCache */
    const char *summary, *post_summary, *remove_summary; /* of GET, POST, DELETE */
    const char *content_type;                            /* of what GET answers */
    const char *other_type;           /* and where Accept prefers it; NULL for none */
    const document_member *members;   /* of that, where it is a JSON object of fixed members */
    uint64_t problems, post_problems; /* a bit each, beside those of all paths, or of all
                                         bodies, and of a call of the operation */
    scope scope;                      /* that it asks for */
    bool with_tokens;                 /* there is such a thing only where tokens are */
    bool of_operation;                /* what follows the path is an operation's name */
    unsigned queries;                 /* a bit each: see query_option */
} document;

extern const document documents[];

/* Whether a path stands in a list of them, by commas: those for which no token is needed. */
bool document_is_public(const document *document, const char *paths);

/* Whether each path of such a list is of a document that no tenant has for itself. */
bool documents_are_public(const char *paths);

/* Whether its path ends in '/', and more has to follow. */
bool document_is_prefix(const document *document);

/* The keys of queries, in sets. */
enum { QUERY_TENSORS = 1, QUERY_CACHE = 2, QUERY_DETAIL = 4 };

/* A key and value in a query. */
typedef struct {
    const char *key, *value; /* NULL ends the list */
    unsigned query;          /* which key that is */
    layers_cache_use cache;  /* of the operations that take it; LAYERS_CACHE_NONE: all do */
    int number;              /* what it stands for, where a key has several values */
    const char *summary;
} query_option;

extern const query_option query_options[];

/* Whether it may stand in a query of these keys, of an operation or of something else (NULL). */
bool query_applies(const query_option *option, unsigned queries, const layers_operation *operation);

/* The keys that operations take. */
enum { QUERY_OPERATION = QUERY_TENSORS | QUERY_CACHE };

#endif
