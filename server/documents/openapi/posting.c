/* POST: what is taken and given, with examples, queries, problems and scopes. */
#include "documents/openapi/posting.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "documents/openapi/problems.h"
#include "forms/form.h"

char *operation_id(char name[OPENAPI_NAME], const char *verb, const char *noun) {
    openapi_name(name, verb, noun, "");
    *name = (char)tolower((unsigned char)*name);
    return name;
}

/* The schema, a reference, tells what is in a message whatever its form; were it another for bytes,
 * generators would make each answer one or the other. */
json_t *posting_content(openapi *o, json_t *schema, json_t *examples, const char *bytes) {
    json_t *content = json_object();
    for (const form *const *form = forms; *form; form++)
        if (*form == &form_json)
            openapi_put(o, content, (*form)->media_type,
                        json_pack("{s:O, s:O}", "schema", schema, "examples", examples));
        else if (bytes)
            openapi_put(o, content, (*form)->media_type,
                        json_pack("{s:{s:O, s:s}}", "schema", "$ref",
                                  json_object_get(schema, "$ref"), "description", bytes));
    json_decref(schema);
    json_decref(examples);
    return content;
}

void posting_example(openapi *o, json_t *examples, const char *name, const char *summary,
                     json_t *value) {
    openapi_put(o, examples, name, json_pack("{s:s, s:o}", "summary", summary, "value", value));
}

json_t *posting_link_to(const char *id, const char *description, json_t *body) {
    return json_pack("{s:s, s:s, s:o}", "operationId", id, "description", description,
                     "requestBody", body);
}

void posting_link(openapi *o, json_t *item, json_t *links) {
    openapi_put(o, json_object_get(json_object_get(item, "responses"), "200"), "links", links);
}

void put_security(openapi *o, json_t *item, scope scope) {
    json_t *scopes = json_array();
    if (scope != SCOPE_NONE)
        openapi_add(o, scopes, json_string(scope_names[__builtin_ctz(scope)]));
    if (o->service->tokens)
        openapi_put(o, item, "security", json_pack("[{s:O}]", "token", scopes));
    json_decref(scopes);
}

static const query_option *applicable(const posting *p, const query_option *option) {
    while (option->key && !query_applies(option, p->queries, p->operation))
        option++;
    return option;
}

/* A key, and its values from `first` on: of several, each says what it is for. Returns what comes
 * behind them. */
static const query_option *add_parameter(openapi *o, const posting *p, const query_option *first,
                                         json_t *parameters) {
    const query_option *option = first;
    json_t *values = json_array();
    char text[512] = "";
    size_t used = 0;
    for (; option->key && !strcmp(option->key, first->key); option = applicable(p, option + 1)) {
        openapi_add(o, values, json_string(option->value));
        if (used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s: %s", used ? " " : "",
                                     option->value, option->summary);
    }
    bool several = json_array_size(values) > 1;
    openapi_add(o, parameters,
                json_pack("{s:s, s:s, s:s, s:{s:s, s:o}}", "name", first->key, "in", "query",
                          "description", several ? text : first->summary, "schema", "type",
                          "string", "enum", values));
    return option;
}

static json_t *parameters(openapi *o, const posting *p) {
    json_t *parameters = json_array();
    const query_option *option = applicable(p, query_options);
    while (option->key)
        option = add_parameter(o, p, option, parameters);
    return parameters;
}

json_t *posting_item(openapi *o, const posting *p) {
    json_t *responses = json_object();
    openapi_put(o, responses, "200",
                json_pack("{s:s, s:o, s:o}", "description", "The result.", "headers",
                          response_headers(200), "content", p->given));
    problems_put(o, responses, problems_of_post(p->problems));
    json_t *item =
        json_pack("{s:s, s:[s], s:s, s:o, s:{s:b, s:o}, s:o}", "operationId", p->id, "tags", p->tag,
                  "summary", p->summary, "parameters", parameters(o, p), "requestBody", "required",
                  1, "content", p->taken, "responses", responses);
    put_security(o, item, p->scope);
    return item;
}
