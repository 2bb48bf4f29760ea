/* The document of GET /openapi.json has a path for each row of the tables, and no other. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

#include "../common/check.h"

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

Test(openapi, each_row_of_the_tables_is_a_path) {
    json_t *root = get_document();
    const json_t *paths = json_object_get(root, "paths");
    size_t rows = 0;
    char path[128];
    for (const layers_operation *const *row = layers_operations; *row; row++, rows++) {
        snprintf(path, sizeof path, "/%s/%s", (*row)->layer, (*row)->name);
        expect_method(paths, path, "post", true);
        expect_method(paths, path, "get", false);
    }
    for (const document *row = documents; row->path; row++, rows++) {
        snprintf(path, sizeof path, "%s%s", row->path, document_is_prefix(row) ? "{handle}" : "");
        expect_method(paths, path, "get", row->get != NULL);
        expect_method(paths, path, "delete", row->remove != NULL);
        expect_method(paths, path, "post", false);
    }
    CHECK_EQUAL(json_object_size(paths), rows);
    json_decref(root);
}
