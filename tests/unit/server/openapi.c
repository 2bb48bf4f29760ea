/* The document of GET /openapi.json has a path for each row of the tables, and no other; and for
 * each operation a node of graphs. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

#include "common/check.h"

TestSuite(openapi);

static json_t *get_document(void) {
    service service = {.workers = workers_start(1, 1, 1000)};
    reply reply = {0};
    problem problem;
    bool good = handle_openapi(&service, &(route){0}, &(request){0}, &reply, &problem);
    json_t *document = good ? json_loadb(reply.body, reply.body_length, 0, NULL) : NULL;
    free(reply.body);
    workers_free(service.workers);
    return document;
}

static void expect_method(const json_t *paths, const char *path, const char *method, bool there) {
    const json_t *operation = json_object_get(json_object_get(paths, path), method);
    CHECK((operation != NULL) == there, "%s %s: there is %s", method, path,
          there ? "none" : "one too many");
}

/* Of every operation, behind a path; how many there are. */
static size_t expect_operations(const json_t *paths, const char *before) {
    size_t rows = 0;
    char path[128];
    for (const layers_operation *const *row = layers_operations; *row; row++, rows++) {
        snprintf(path, sizeof path, "%s%s/%s", before, (*row)->layer, (*row)->name);
        expect_method(paths, path, "post", true);
        expect_method(paths, path, "get", false);
    }
    return rows;
}

Test(openapi, each_row_of_the_tables_is_a_path) {
    json_t *root = get_document();
    const json_t *paths = json_object_get(root, "paths");
    size_t rows = expect_operations(paths, "/");
    char path[128];
    for (const document *row = documents; row->path; row++) {
        if (row->with_tokens) /* there are none here */
            continue;
        rows += row->of_operation ? expect_operations(paths, row->path) : 1;
        if (row->of_operation)
            continue;
        snprintf(path, sizeof path, "%s%s", row->path, document_is_prefix(row) ? "{handle}" : "");
        expect_method(paths, path, "get", row->get != NULL);
        expect_method(paths, path, "delete", row->remove != NULL);
        expect_method(paths, path, "post", row->post != NULL);
    }
    CHECK_EQUAL(json_object_size(paths), rows);
    json_decref(root);
}

Test(openapi, each_operation_is_a_node_of_graphs) {
    json_t *root = get_document();
    const json_t *schemas = json_object_get(json_object_get(root, "components"), "schemas");
    const json_t *node = json_object_get(schemas, "GraphNode");
    const json_t *mapping = json_object_get(json_object_get(node, "discriminator"), "mapping");
    size_t rows = 0;
    char op[128];
    for (const layers_operation *const *row = layers_operations; *row; row++, rows++) {
        snprintf(op, sizeof op, "%s/%s", (*row)->layer, (*row)->name);
        const char *place = json_string_value(json_object_get(mapping, op));
        const json_t *schema =
            json_object_get(schemas, place ? place + strlen("#/components/schemas/") : "");
        const json_t *properties = json_object_get(schema, "properties");
        const json_t *its = json_object_get(json_object_get(properties, "op"), "const");
        CHECK(its && !strcmp(json_string_value(its), op), "%s is no node", op);
    }
    CHECK(json_object_get(mapping, "gradients"), "gradients are no node");
    CHECK_EQUAL(json_object_size(mapping), rows + 1);
    CHECK_EQUAL(json_array_size(json_object_get(node, "oneOf")), rows + 1);
    json_decref(root);
}
