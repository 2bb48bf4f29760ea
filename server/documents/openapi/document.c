/* GET /openapi.json: the document, made at the first request for it and kept. Its parts follow from
 * the tables of operations, of problems and of routes. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"
#include "calls/form.h"
#include "documents/openapi/examples.h"
#include "documents/openapi/fields.h"
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
static json_t *content(openapi *o, json_t *schema, json_t *examples) {
    json_t *content = json_object();
    for (const form *const *form = forms; *form; form++)
        openapi_put(o, content, (*form)->media_type,
                    *form == &form_json
                        ? json_pack("{s:O, s:O}", "schema", schema, "examples", examples)
                        : json_pack("{s:{s:O, s:s}}", "schema", "$ref",
                                    json_object_get(schema, "$ref"), "description",
                                    "Bytes: tensors by the names of the JSON form; scalars and "
                                    "texts are metadata. Inside an object, names are dotted."));
    json_decref(schema);
    json_decref(examples);
    return content;
}

static json_t *request_examples(openapi *o, const layers_operation *operation) {
    char cache[OPENAPI_NAME];
    example_cache(operation, cache);
    return json_pack("{s:{s:s, s:o}, s:{s:s, s:o}}", "nested", "summary", "nested lists", "value",
                     example_request(o, operation, cache, false), "flat", "summary",
                     "shapes and lists", "value", example_request(o, operation, cache, true));
}

static json_t *answer_examples(openapi *o, const layers_operation *operation) {
    json_t *answer = example_answer(o, operation);
    if (!answer)
        return json_object();
    return json_pack("{s:{s:s, s:o}}", "nested", "summary", "what the nested request is answered",
                     "value", answer);
}

/* From a cache that is given to each operation that takes it. */
static json_t *links(openapi *o, const layers_operation *giver) {
    json_t *links = json_object();
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        char id[OPENAPI_NAME];
        if (strcmp((*row)->layer, giver->layer) != 0 || (*row)->cache != LAYERS_CACHE_TAKEN)
            continue;
        openapi_put(o, links, (*row)->name,
                    json_pack("{s:s, s:s, s:o}", "operationId",
                              operation_id(id, (*row)->layer, (*row)->name), "description",
                              "The cache is the handle that this needs.", "requestBody",
                              example_request(o, *row, "$response.body#/cache", false)));
    }
    return links;
}

static json_t *success(openapi *o, const layers_operation *operation) {
    json_t *response = json_pack(
        "{s:s, s:o, s:o}", "description", "The result.", "headers", response_headers(200),
        "content", content(o, schema_of_answer(o, operation), answer_examples(o, operation)));
    if (operation->cache == LAYERS_CACHE_GIVEN)
        openapi_put(o, response, "links", links(o, operation));
    return response;
}

static json_t *parameters(openapi *o, const layers_operation *operation) {
    json_t *parameters = json_array();
    for (const query_option *option = query_options; option->key; option++)
        if (query_applies(option, operation))
            openapi_add(o, parameters,
                        json_pack("{s:s, s:s, s:s, s:{s:s, s:[s]}}", "name", option->key, "in",
                                  "query", "description", option->summary, "schema", "type",
                                  "string", "enum", option->value));
    return parameters;
}

static void put_operation(openapi *o, json_t *paths, const layers_operation *operation) {
    char id[OPENAPI_NAME], path[OPENAPI_NAME];
    json_t *responses = json_object();
    openapi_put(o, responses, "200", success(o, operation));
    problems_put(o, responses, problems_of_operation(operation));
    json_t *body =
        json_pack("{s:b, s:o}", "required", 1, "content",
                  content(o, schema_of_request(o, operation), request_examples(o, operation)));
    json_t *post = json_pack("{s:s, s:[s], s:s, s:o, s:o, s:o, s:o}", "operationId",
                             operation_id(id, operation->layer, operation->name), "tags",
                             operation->layer, "summary", operation->summary, "parameters",
                             parameters(o, operation), "requestBody", body, "responses", responses,
                             "x-layerd", operation_row(o, operation));
    snprintf(path, sizeof path, "/%s/%s", operation->layer, operation->name);
    openapi_put(o, paths, path, json_pack("{s:o}", "post", post));
}

static json_t *members_schema(openapi *o, const document_member *members) {
    json_t *properties = json_object(), *required = json_array();
    for (const document_member *member = members; member->name; member++) {
        json_t *schema = json_pack("{s:s}", "type", member->type);
        if (member->format)
            openapi_put(o, schema, "format", json_string(member->format));
        openapi_put(o, properties, member->name, schema);
        openapi_add(o, required, json_string(member->name));
    }
    return schema_of_object(properties, required);
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
    openapi_put(o, item, get ? "get" : "delete",
                json_pack("{s:s, s:[s], s:s, s:o}", "operationId",
                          operation_id(id, get ? "get" : "delete", document->name), "tags",
                          "daemon", "summary", get ? document->summary : document->remove_summary,
                          "responses", responses));
}

static void put_document(openapi *o, json_t *paths, const document *document) {
    char path[OPENAPI_NAME];
    json_t *item = json_object();
    bool prefix = document_is_prefix(document);
    if (prefix)
        openapi_put(o, item, "parameters",
                    json_pack("[{s:s, s:s, s:b, s:s, s:{s:s}}]", "name", "handle", "in", "path",
                              "required", 1, "description", "a cache that forward gave", "schema",
                              "type", "string"));
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
        put_document(o, paths, row);
    return paths;
}

/* A tag for each layer, whose operations stand together in the table and whose first tells what it
 * is, and one for the rest. */
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
