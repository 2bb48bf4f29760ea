/* Values on their way into the document. */
#include "documents/openapi/part.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void openapi_put(openapi *o, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        o->failed = true;
}

void openapi_add(openapi *o, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        o->failed = true;
}

char *openapi_name(char name[OPENAPI_NAME], const char *layer, const char *operation,
                   const char *suffix) {
    const char *const parts[] = {layer, operation};
    size_t used = 0;
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
        bool start = true;
        for (const char *c = parts[part]; *c && used + 1 < OPENAPI_NAME; c++) {
            if (isalnum((unsigned char)*c))
                name[used++] = start ? (char)toupper((unsigned char)*c) : *c;
            start = !isalnum((unsigned char)*c);
        }
    }
    snprintf(name + used, OPENAPI_NAME - used, "%s", suffix);
    return name;
}

const layers_operation *openapi_deriver(const layers_operation *operation) {
    if (operation->cache != LAYERS_CACHE_TAKEN)
        return operation;
    for (const layers_operation *const *row = layers_operations; *row; row++)
        if (!strcmp((*row)->layer, operation->layer) && (*row)->cache == LAYERS_CACHE_GIVEN)
            return *row;
    return operation;
}

json_t *openapi_number(const layers_param *param, double number) {
    return param->kind == LAYERS_INTEGER ? json_integer((json_int_t)number) : json_real(number);
}

json_t *openapi_ref(const char *kind, const char *name) {
    return json_pack("{s:s+++}", "$ref", "#/components/", kind, "/", name);
}

json_t *openapi_object(json_t *properties, json_t *required) {
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}
