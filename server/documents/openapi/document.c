/* GET /openapi.json: the document, made at the first request for it and kept. Its parts follow from
 * the tables of operations, of problems and of routes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"
#include "documents/openapi/checks.h"
#include "documents/openapi/examples.h"
#include "documents/openapi/fields.h"
#include "documents/openapi/graphs.h"
#include "documents/openapi/posting.h"
#include "documents/openapi/problems.h"
#include "documents/openapi/schemas.h"
#include "forms/form.h"
#include "handlers.h"
#include "layers/layers.h"

static json_t *request_examples(openapi *o, json_t *nested, json_t *flat) {
    json_t *examples = json_object();
    posting_example(o, examples, "nested", "nested lists", nested);
    posting_example(o, examples, "flat", "shapes and lists", flat);
    return examples;
}

static json_t *answer_examples(openapi *o, json_t *answer) {
    json_t *examples = json_object();
    posting_example(o, examples, "nested", "what the nested request is answered", answer);
    return examples;
}

/* From a cache that is given to each operation that takes it. */
static json_t *links(openapi *o, const layers_operation *giver) {
    json_t *links = json_object();
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        char id[OPENAPI_NAME];
        if (strcmp((*row)->layer, giver->layer) != 0 || (*row)->cache != LAYERS_CACHE_TAKEN)
            continue;
        openapi_put(o, links, (*row)->name,
                    posting_link_to(operation_id(id, (*row)->layer, (*row)->name),
                                    "The cache is the handle that this needs.",
                                    example_request(o, *row, "$response.body#/cache", false)));
    }
    return links;
}

static void put_operation(openapi *o, json_t *paths, const layers_operation *operation) {
    static const char bytes[] =
        "Bytes: tensors by the names of the JSON form; scalars, texts and the handles of kept "
        "tensors are metadata. Inside an object, names are dotted.";
    char id[OPENAPI_NAME], path[OPENAPI_NAME], cache[OPENAPI_NAME];
    example_cache(operation, cache);
    json_t *examples = request_examples(o, example_request(o, operation, cache, false),
                                        example_request(o, operation, cache, true));
    json_t *answer = answer_examples(o, example_answer(o, operation));
    posting p = {.operation = operation,
                 .id = operation_id(id, operation->layer, operation->name),
                 .tag = operation->layer,
                 .summary = operation->summary,
                 .scope = SCOPE_COMPUTE,
                 .queries = QUERY_OPERATION,
                 .problems = problems_of_tensors(operation),
                 .taken = posting_content(o, schema_of_request(o, operation), examples, bytes),
                 .given = posting_content(o, schema_of_answer(o, operation), answer, bytes)};
    json_t *item = posting_item(o, &p);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        posting_link(o, item, links(o, operation));
    openapi_put(o, item, "x-layerd", operation_row(o, operation));
    snprintf(path, sizeof path, "/%s/%s", operation->layer, operation->name);
    openapi_put(o, paths, path, json_pack("{s:o}", "post", item));
}

static json_t *post_graph(openapi *o, const document *row) {
    char id[OPENAPI_NAME];
    json_t *examples = request_examples(o, example_graph(o, false), example_graph(o, true));
    posting p = {
        .id = operation_id(id, "run", row->name),
        .tag = row->name,
        .summary = row->post_summary,
        .scope = row->scope,
        .queries = row->queries,
        .problems = row->post_problems | problems_of_tensors(NULL),
        .taken = posting_content(o, schema_of_graph(o), examples,
                                 "Bytes: tensors are inputs by their names; the metadata `graph` "
                                 "is the text of the document, whose inputs hold what is no "
                                 "tensor of the file."),
        .given = posting_content(o, schema_of_results(o), answer_examples(o, example_results(o)),
                                 "Bytes: tensors by the names of results; scalars are metadata, "
                                 "and so are handles, as `kept.` and the name.")};
    json_t *item = posting_item(o, &p);
    posting_link(o, item,
                 json_pack("{s:o}", "next",
                           posting_link_to(id, "What was kept is what the next step takes.",
                                           example_next_graph(o))));
    return item;
}

static json_t *member_schema(openapi *o, const document_member *member) {
    json_t *schema = json_pack("{s:o}", "type",
                               member->nullable ? json_pack("[s, s]", member->type, "null")
                                                : json_string(member->type));
    if (member->format)
        openapi_put(o, schema, "format", json_string(member->format));
    if (member->items)
        openapi_put(o, schema, "items", json_pack("{s:s}", "type", member->items));
    if (!strcmp(member->type, "object"))
        openapi_put(o, schema, "additionalProperties", json_true());
    return schema;
}

static json_t *members_schema(openapi *o, const document_member *members) {
    json_t *properties = json_object(), *required = json_array();
    for (const document_member *member = members; member->name; member++) {
        openapi_put(o, properties, member->name, member_schema(o, member));
        if (!member->optional)
            openapi_add(o, required, json_string(member->name));
    }
    return openapi_object(properties, required);
}

/* What GET answers. */
static json_t *document_success(openapi *o, const document *document) {
    bool json = !strcmp(document->content_type, "application/json");
    json_t *schema = json_pack("{s:s}", "type", json ? "object" : "string");
    if (document->members) {
        char name[OPENAPI_NAME];
        json_decref(schema);
        openapi_name(name, document->name, "", "Answer");
        openapi_put(o, o->schemas, name, members_schema(o, document->members));
        schema = openapi_ref("schemas", name);
    }
    json_t *content = json_object();
    if (document->other_type)
        openapi_put(o, content, document->other_type, json_pack("{s:O}", "schema", schema));
    openapi_put(o, content, document->content_type, json_pack("{s:o}", "schema", schema));
    return json_pack("{s:s, s:o, s:o}", "description", "The document.", "headers",
                     response_headers(200), "content", content);
}

static void put_method(openapi *o, json_t *item, const document *document, bool get) {
    char id[OPENAPI_NAME];
    json_t *responses = json_object();
    if (get)
        openapi_put(o, responses, "200", document_success(o, document));
    else
        openapi_put(
            o, responses, "204",
            json_pack("{s:s, s:o}", "description", "Done.", "headers", response_headers(204)));
    problems_put(o, responses, problems_of_document(document));
    json_t *method =
        json_pack("{s:s, s:[s], s:s, s:o}", "operationId",
                  operation_id(id, get ? "get" : "delete", document->name), "tags",
                  document->post ? document->name : "daemon", "summary",
                  get ? document->summary : document->remove_summary, "responses", responses);
    if (o->service->tokens && !document_is_public(document, o->service->options->public_paths))
        put_security(o, method, document->scope);
    openapi_put(o, item, get ? "get" : "delete", method);
}

/* What stands under "post" where the path is one. */
static json_t *post(openapi *o, const document *row) {
    static const struct {
        handler *handle;
        json_t *(*post)(openapi *o, const document *row);
    } posts[] = {
        {handle_graph, post_graph},
        {handle_challenge, post_challenge},
        {handle_answer, post_answer},
    };
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++)
        if (row->post == posts[i].handle)
            return posts[i].post(o, row);
    return NULL;
}

/* What is checked follows the path. */
static void put_checks(openapi *o, json_t *paths, const document *document) {
    char path[OPENAPI_NAME], taker[FORM_TAKER];
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        snprintf(path, sizeof path, "%s%s", document->path, form_taker(*row, taker));
        openapi_put(o, paths, path, json_pack("{s:o}", "post", post_check(o, document, *row)));
    }
}

static void put_document(openapi *o, json_t *paths, const document *document) {
    char path[OPENAPI_NAME];
    json_t *item = json_object();
    bool prefix = document_is_prefix(document);
    if (prefix)
        openapi_put(o, item, "parameters",
                    json_pack("[{s:s, s:s, s:b, s:s, s:{s:s}}]", "name", "handle", "in", "path",
                              "required", 1, "description", "one that forward or a graph gave",
                              "schema", "type", "string"));
    if (document->post)
        openapi_put(o, item, "post", post(o, document));
    if (document->get)
        put_method(o, item, document, true);
    if (document->remove)
        put_method(o, item, document, false);
    snprintf(path, sizeof path, "%s%s", document->path, prefix ? "{handle}" : "");
    openapi_put(o, paths, path, item);
}

static json_t *paths(openapi *o) {
    json_t *paths = json_object();
    for (const layers_operation *const *row = layers_operations; *row; row++)
        put_operation(o, paths, *row);
    for (const document *row = documents; row->path; row++)
        if (row->of_operation)
            put_checks(o, paths, row);
        else if (o->service->tokens || !row->with_tokens)
            put_document(o, paths, row);
    return paths;
}

/* Whether its path goes on behind another's. */
static bool document_is_inside(const document *document) {
    const char *slash = strchr(document->path + 1, '/');
    return slash && slash[1];
}

/* A tag for each layer, whose operations stand together in the table and whose first tells what it
 * is, one for what else computes, and one for the rest. */
static json_t *tags(openapi *o) {
    json_t *tags = json_array();
    const char *last = "";
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        if (strcmp((*row)->layer, last) != 0)
            openapi_add(
                o, tags,
                json_pack("{s:s, s:s}", "name", (*row)->layer, "description", (*row)->summary));
        last = (*row)->layer;
    }
    for (const document *row = documents; row->path; row++)
        if (row->post && !document_is_inside(row))
            openapi_add(
                o, tags,
                json_pack("{s:s, s:s}", "name", row->name, "description", row->post_summary));
    openapi_add(o, tags,
                json_pack("{s:s, s:s}", "name", "daemon", "description",
                          "How the process is, what it is, and what it keeps."));
    return tags;
}

static json_t *headers(openapi *o) {
    static const struct {
        const char *name, *type, *description;
    } rows[] = {
        {"X-Request-Id", "string",
         "The caller's own, where it has at most 64 letters, digits or -_.: of them; else a new "
         "one."},
        {"Server-Timing", "string", "read, compute and write in milliseconds."},
        {"Retry-After", "integer", "Seconds after which to try again."},
        {"Allow", "string", "The methods that the path has."},
        {"WWW-Authenticate", "string", "What a caller must send (RFC 6750)."},
    };
    json_t *headers = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        openapi_put(o, headers, rows[i].name,
                    json_pack("{s:s, s:{s:s}}", "description", rows[i].description, "schema",
                              "type", rows[i].type));
    return headers;
}

static json_t *info(void) {
    return json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s}}", "title", "layerd", "version", layers_version(),
        "description",
        "Neural-network layers over HTTP. Shapes are row-major; one letter is one length "
        "throughout "
        "a call, and *D is any number of trailing dimensions whose product is D. HEAD works "
        "wherever GET does. Errors are application/problem+json; `code` tells them apart.",
        "license", "name", "MIT", "identifier", "MIT");
}

/* NULL where there is no memory. */
static char *make(service *service, size_t *length) {
    openapi o = {.service = service, .schemas = json_object(), .responses = json_object()};
    schemas_begin(&o);
    problems_begin(&o);
    checks_begin(&o);
    json_t *all = paths(&o); /* fills the components */
    json_t *components = json_pack("{s:o, s:o, s:o}", "schemas", o.schemas, "headers", headers(&o),
                                   "responses", o.responses);
    if (service->tokens)
        openapi_put(&o, components, "securitySchemes",
                    json_pack("{s:{s:s, s:s, s:s}}", "token", "type", "http", "scheme", "bearer",
                              "description",
                              "What layerd --new-token prints. The scopes of a token are compute, "
                              "check and admin, and none holds another."));
    json_t *root = json_pack("{s:s, s:o, s:[{s:s}], s:[], s:o, s:o, s:o}", "openapi", "3.1.0",
                             "info", info(), "servers", "url", ".", "security", "tags", tags(&o),
                             "paths", all, "components", components);
    /* 15 digits: decimals look as they were written in the table */
    char *text = o.failed ? NULL : json_document_text(root, JSON_REAL_PRECISION(15), length);
    json_decref(root);
    return text;
}

bool handle_openapi(service *service, const route *route, const request *request, reply *reply,
                    problem *problem) {
    (void)route, (void)request;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *text; /* never freed: the daemon's, as long as it lives */
    static size_t length;
    pthread_mutex_lock(&lock);
    if (!text)
        text = make(service, &length);
    pthread_mutex_unlock(&lock);
    reply->body = text ? malloc(length) : NULL;
    if (!reply->body)
        return problem_set_memory(problem, "the answer");
    memcpy(reply->body, text, length);
    reply->status = 200;
    reply->content_type = "application/json";
    reply->body_length = length;
    return true;
}
