/* GET /openapi.json: the document, made at the first request for it and kept. Its parts follow from
 * the tables of operations, of problems and of routes. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"
#include "calls/form.h"
#include "documents/openapi/challenges.h"
#include "documents/openapi/examples.h"
#include "documents/openapi/fields.h"
#include "documents/openapi/graphs.h"
#include "documents/openapi/problems.h"
#include "documents/openapi/schemas.h"
#include "handlers.h"
#include "layers/layers.h"

/* "affineForward" */
static char *operation_id(char name[OPENAPI_NAME], const char *verb, const char *noun) {
    openapi_name(name, verb, noun, "");
    *name = (char)tolower((unsigned char)*name);
    return name;
}

/* Messages in each form that there is. The schema, a reference, tells what is in a message whatever
 * its form; were it another for bytes, generators would make each answer one or the other. */
static json_t *content(openapi *o, json_t *schema, json_t *examples, const char *bytes) {
    json_t *content = json_object();
    for (const form *const *form = forms; *form; form++)
        openapi_put(o, content, (*form)->media_type,
                    *form == &form_json
                        ? json_pack("{s:O, s:O}", "schema", schema, "examples", examples)
                        : json_pack("{s:{s:O, s:s}}", "schema", "$ref",
                                    json_object_get(schema, "$ref"), "description", bytes));
    json_decref(schema);
    json_decref(examples);
    return content;
}

static json_t *request_examples(json_t *nested, json_t *flat) {
    return json_pack("{s:{s:s, s:o}, s:{s:s, s:o}}", "nested", "summary", "nested lists", "value",
                     nested, "flat", "summary", "shapes and lists", "value", flat);
}

static json_t *answer_examples(json_t *answer) {
    return json_pack("{s:{s:s, s:o}}", "nested", "summary", "what the nested request is answered",
                     "value", answer);
}

static json_t *link_to(const char *id, const char *description, json_t *body) {
    return json_pack("{s:s, s:s, s:o}", "operationId", id, "description", description,
                     "requestBody", body);
}

/* From a cache that is given to each operation that takes it. */
static json_t *links(openapi *o, const layers_operation *giver) {
    json_t *links = json_object();
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        char id[OPENAPI_NAME];
        if (strcmp((*row)->layer, giver->layer) != 0 || (*row)->cache != LAYERS_CACHE_TAKEN)
            continue;
        openapi_put(o, links, (*row)->name,
                    link_to(operation_id(id, (*row)->layer, (*row)->name),
                            "The cache is the handle that this needs.",
                            example_request(o, *row, "$response.body#/cache", false)));
    }
    return links;
}

/* A key of the query with all values that it may have from this option on, each with its summary.
 */
static json_t *parameter(openapi *o, const query_option *first, unsigned queries,
                         const layers_operation *operation) {
    char description[512] = "";
    size_t used = 0;
    json_t *values = json_array();
    for (const query_option *option = first; option->key && used < sizeof description; option++)
        if (option->query == first->query && query_applies(option, queries, operation)) {
            used += (size_t)snprintf(description + used, sizeof description - used, "%s%s",
                                     used ? " " : "", option->summary);
            openapi_add(o, values, json_string(option->value));
        }
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:o}}", "name", first->key, "in", "query",
                     "description", description, "schema", "type", "string", "enum", values);
}

/* The query of an operation, or of something else (NULL). */
static json_t *parameters(openapi *o, unsigned queries, const layers_operation *operation) {
    json_t *parameters = json_array();
    unsigned seen = 0;
    for (const query_option *option = query_options; option->key; option++)
        if (query_applies(option, queries, operation) && !(seen & option->query)) {
            seen |= option->query;
            openapi_add(o, parameters, parameter(o, option, queries, operation));
        }
    return parameters;
}

/* What has a body: an operation, or something else (NULL). */
typedef struct {
    const layers_operation *operation;
    const char *id, *tag, *summary;
    unsigned queries;
    uint64_t problems;
    scope scope;
    json_t *taken, *given;
} posting;

/* The token that is asked for, where tokens are. */
static void put_security(openapi *o, json_t *item, scope scope) {
    json_t *scopes = json_array();
    if (scope != SCOPE_NONE)
        openapi_add(o, scopes, json_string(scope_names[__builtin_ctz(scope)]));
    if (o->service->tokens)
        openapi_put(o, item, "security", json_pack("[{s:O}]", "token", scopes));
    json_decref(scopes);
}

/* Takes over what it holds. */
static json_t *post(openapi *o, const posting *p) {
    json_t *responses = json_object();
    openapi_put(o, responses, "200",
                json_pack("{s:s, s:o, s:o}", "description", "The result.", "headers",
                          response_headers(200), "content", p->given));
    problems_put(o, responses, p->problems);
    json_t *item =
        json_pack("{s:s, s:[s], s:s, s:o, s:{s:b, s:o}, s:o}", "operationId", p->id, "tags", p->tag,
                  "summary", p->summary, "parameters", parameters(o, p->queries, p->operation),
                  "requestBody", "required", 1, "content", p->taken, "responses", responses);
    put_security(o, item, p->scope);
    return item;
}

static void put_links(openapi *o, json_t *post, json_t *links) {
    openapi_put(o, json_object_get(json_object_get(post, "responses"), "200"), "links", links);
}

static void put_operation(openapi *o, json_t *paths, const layers_operation *operation) {
    static const char bytes[] =
        "Bytes: tensors by the names of the JSON form; scalars, texts and the handles of kept "
        "tensors are metadata. Inside an object, names are dotted.";
    char id[OPENAPI_NAME], path[OPENAPI_NAME], cache[OPENAPI_NAME];
    example_cache(operation, cache);
    json_t *examples = request_examples(example_request(o, operation, cache, false),
                                        example_request(o, operation, cache, true));
    json_t *answer = answer_examples(example_answer(o, operation));
    posting p = {.operation = operation,
                 .id = operation_id(id, operation->layer, operation->name),
                 .tag = operation->layer,
                 .summary = operation->summary,
                 .queries = QUERY_OPERATION,
                 .problems = problems_of_post(operation),
                 .scope = SCOPE_COMPUTE,
                 .taken = content(o, schema_of_request(o, operation), examples, bytes),
                 .given = content(o, schema_of_answer(o, operation), answer, bytes)};
    json_t *item = post(o, &p);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        put_links(o, item, links(o, operation));
    openapi_put(o, item, "x-layerd", operation_row(o, operation));
    snprintf(path, sizeof path, "/%s/%s", operation->layer, operation->name);
    openapi_put(o, paths, path, json_pack("{s:o}", "post", item));
}

static json_t *post_graph(openapi *o, const document *row) {
    char id[OPENAPI_NAME];
    json_t *examples = request_examples(example_graph(o, false), example_graph(o, true));
    posting p = {.id = operation_id(id, "run", row->name),
                 .tag = row->name,
                 .summary = row->summary,
                 .queries = row->queries,
                 .problems = problems_of_post(NULL),
                 .scope = row->scope,
                 .taken = content(o, schema_of_graph(o), examples,
                                  "Bytes: tensors are inputs by their names; the metadata `graph` "
                                  "is the text of the document, whose inputs hold what is no "
                                  "tensor of the file."),
                 .given = content(o, schema_of_results(o), answer_examples(example_results(o)),
                                  "Bytes: tensors by the names of results; scalars are metadata, "
                                  "and so are handles, as `kept.` and the name.")};
    json_t *item = post(o, &p);
    put_links(o, item,
              json_pack("{s:o}", "next",
                        link_to(id, "What was kept is what the next step takes.",
                                example_next_graph(o))));
    return item;
}

static json_t *one_example(json_t *value) {
    return json_pack("{s:{s:o}}", "nested", "value", value);
}

static json_t *post_challenge(openapi *o, const document *row) {
    char id[OPENAPI_NAME];
    posting p = {.id = operation_id(id, "draw", "challenge"),
                 .tag = row->name,
                 .summary = row->post_summary,
                 .queries = row->queries,
                 .problems = problems_of_challenge(),
                 .scope = row->scope,
                 .taken = content(o, schema_of_asked(o), one_example(example_asked()),
                                  "Bytes: a file without tensors, whose metadata has the names of "
                                  "the JSON form."),
                 .given = content(o, schema_of_challenge(o), one_example(example_challenge()),
                                  "Bytes: inputs are tensors by their names; parameters, and what "
                                  "stands beside the inputs, are metadata, the claims by commas.")};
    return post(o, &p);
}

static json_t *post_answer(openapi *o, const document *row) {
    char id[OPENAPI_NAME];
    json_t *verdict = json_pack("{s:{s:o, s:o}}", form_json.media_type, "schema",
                                schema_of_verdict(o), "examples", one_example(example_verdict()));
    posting p = {.id = operation_id(id, "answer", "challenge"),
                 .tag = row->name,
                 .summary = row->summary,
                 .queries = row->queries,
                 .problems = problems_of_answer(),
                 .scope = row->scope,
                 .taken = content(o, schema_of_challenge_answer(o),
                                  one_example(example_challenge_answer()),
                                  "Bytes: what is claimed are tensors by dotted names, "
                                  "`claim.out`; scalars, and the challenge, are metadata."),
                 .given = verdict};
    return post(o, &p);
}

/* What POST is, by what answers it. */
static json_t *post_document(openapi *o, const document *row) {
    return row->post == handle_challenge ? post_challenge(o, row)
           : row->post == handle_answer  ? post_answer(o, row)
                                         : post_graph(o, row);
}

static json_t *member_schema(openapi *o, const document_member *member) {
    json_t *schema = json_pack("{s:o}", "type",
                               member->nullable ? json_pack("[s, s]", member->type, "null")
                                                : json_string(member->type));
    if (member->format)
        openapi_put(o, schema, "format", json_string(member->format));
    if (member->items)
        openapi_put(o, schema, "items", json_pack("{s:s}", "type", member->items));
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
    json_t *method = json_pack(
        "{s:s, s:[s], s:s, s:o}", "operationId",
        operation_id(id, get ? "get" : "delete", document->name), "tags", "daemon", "summary",
        get ? document->summary : document->remove_summary, "responses", responses);
    if (o->service->tokens && !document_is_public(document, o->service->options->public_paths))
        put_security(o, method, document->scope);
    openapi_put(o, item, get ? "get" : "delete", method);
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
        openapi_put(o, item, "post", post_document(o, document));
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
        if (o->service->tokens || !row->with_tokens)
            put_document(o, paths, row);
    return paths;
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
        if (row->post)
            openapi_add(o, tags,
                        json_pack("{s:s, s:s}", "name", row->name, "description", row->summary));
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
