/* The conformance vectors (tests/vectors/README.md) against the library itself, without JSON text,
 * HTTP or handles between. What only the server can refuse is left to the tests over HTTP. */
#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(vectors);

enum { PATHS = 64 };

typedef struct {
    char where[512];     /* file, case and step, for messages */
    layers_cache *cache; /* of the case's most recent answer that had one */
    int steps, skipped;
    int called[PATHS]; /* how often each row of the table was */
} runner;

static double number_of(const json_t *json) {
    const char *word = json_string_value(json);
    if (!word)
        return json_number_value(json);
    return !strcmp(word, "NaN") ? NAN : !strcmp(word, "Infinity") ? INFINITY : -INFINITY;
}

static bool is_number(const json_t *json) {
    const char *word = json_string_value(json);
    return json_is_number(json) || (word && (!strcmp(word, "NaN") || !strcmp(word, "Infinity") ||
                                             !strcmp(word, "-Infinity")));
}

/* Fills in the elements of nested lists; false where they do not have the tensor's shape. */
static bool fill(const json_t *json, int axis, layers_tensor *tensor, size_t *next) {
    if (axis == tensor->rank) {
        if (is_number(json))
            set_element(tensor, (*next)++, number_of(json));
        return is_number(json);
    }
    if (json_array_size(json) != tensor->shape[axis])
        return false;
    for (size_t i = 0; i < tensor->shape[axis]; i++)
        if (!fill(json_array_get(json, i), axis + 1, tensor, next))
            return false;
    return true;
}

static bool fill_flat(const json_t *json, layers_tensor *tensor) {
    const json_t *data = json_object_get(json, "data");
    size_t next = 0;
    if (json_array_size(data) != tensor->size)
        return false;
    for (size_t i = 0; i < tensor->size; i++)
        if (!is_number(json_array_get(data, i)))
            return false;
        else
            set_element(tensor, next++, number_of(json_array_get(data, i)));
    return true;
}

/* Nested, flat, or a number; false where it is no tensor at all. */
static bool tensor_from(const json_t *json, layers_dtype dtype, layers_tensor *tensor) {
    size_t shape[LAYERS_MAX_RANK], next = 0;
    int rank = 0;
    const json_t *lengths = json_object_get(json, "shape");
    for (const json_t *list = json; !lengths && json_is_array(list) && rank < LAYERS_MAX_RANK;
         list = json_array_get(list, 0))
        shape[rank++] = json_array_size(list);
    for (size_t i = 0; i < json_array_size(lengths) && rank < LAYERS_MAX_RANK; i++)
        shape[rank++] = (size_t)json_number_value(json_array_get(lengths, i));
    *tensor = tensor_make(dtype, shape, rank);
    if (lengths ? fill_flat(json, tensor) : fill(json, 0, tensor, &next))
        return true;
    layers_tensor_clear(tensor);
    return false;
}

static bool param_from(const layers_param *param, const json_t *json, layers_dtype dtype,
                       layers_value *value) {
    value->given = true;
    if (param->kind == LAYERS_TENSOR)
        return tensor_from(json, dtype, &value->tensor);
    if (param->kind == LAYERS_MASK)
        return tensor_from(json, LAYERS_F64, &value->tensor);
    if (param->kind != LAYERS_CHOICE) {
        value->number = number_of(json);
        return is_number(json);
    }
    for (int i = 0; json_is_string(json) && param->choices[i]; i++)
        if (!strcmp(param->choices[i], json_string_value(json))) {
            value->choice = i;
            return true;
        }
    return false;
}

/* How many of an object's keys there are in the call; false where a value cannot be one. */
static bool inputs_from(layers_call *call, const json_t *request, size_t *known) {
    for (int i = 0; call->operation->inputs[i].name; i++) {
        const layers_field *field = &call->operation->inputs[i];
        const json_t *json = json_object_get(request, field->name);
        *known += json != NULL;
        if (json && !tensor_from(json, field->labels ? LAYERS_I64 : call->dtype, &call->inputs[i]))
            return false;
    }
    return true;
}

/* As an object may be that has no key that is required. */
static bool may_be_left_out(const layers_param *params) {
    for (; params->name; params++)
        if (params->required)
            return false;
    return true;
}

static bool params_from(layers_call *call, const json_t *request, size_t *known) {
    if (!call->operation->params_name)
        return true;
    const json_t *object = json_object_get(request, call->operation->params_name);
    size_t count = 0;
    if (!object)
        return may_be_left_out(call->operation->params);
    ++*known;
    for (int i = 0; call->operation->params[i].name; i++) {
        const json_t *json = json_object_get(object, call->operation->params[i].name);
        count += json != NULL;
        if (json && !param_from(&call->operation->params[i], json, call->dtype, &call->params[i]))
            return false;
    }
    return json_is_object(object) && count == json_object_size(object);
}

static bool dtype_from(layers_call *call, const json_t *request, size_t *known) {
    const json_t *dtype = json_object_get(request, "dtype");
    *known += dtype != NULL;
    call->dtype = call->cache ? layers_cache_dtype(call->cache) : LAYERS_F64;
    if (!dtype)
        return true;
    for (call->dtype = LAYERS_F64; call->dtype <= LAYERS_F32; call->dtype++)
        if (json_is_string(dtype) &&
            !strcmp(json_string_value(dtype), layers_dtype_name(call->dtype)))
            return true;
    return false;
}

/* False where the request is one that never becomes a call. */
static bool call_from(const runner *r, const json_t *request, layers_call *call) {
    const json_t *cache = json_object_get(request, "cache");
    size_t known = cache != NULL;
    if (cache && strcmp(json_is_string(cache) ? json_string_value(cache) : "", "$cache") != 0)
        return false;
    if (cache)
        call->cache = layers_cache_ref(r->cache);
    return dtype_from(call, request, &known) && inputs_from(call, request, &known) &&
           params_from(call, request, &known) && known == json_object_size(request);
}

/* Reads a request's own text, in which NaN and the infinities may be bare: quotes them. */
static json_t *loads_with_words(const char *text) {
    char *quoted = calloc(1, 3 * strlen(text) + 1), *out = quoted;
    bool string = false;
    while (*text) {
        size_t word = !string ? strspn(text, "-NaInfity") : 0;
        bool is_word = word >= 3 && strncmp(text, "nul", 3) != 0;
        out += is_word ? sprintf(out, "\"%.*s\"", (int)word, text) : sprintf(out, "%c", *text);
        string ^= *text == '"';
        text += is_word ? word : 1;
    }
    json_t *json = json_loads(quoted, JSON_DECODE_INT_AS_REAL, NULL);
    free(quoted);
    return json;
}

/* An empty list stands for every shape that has a 0 in that place. */
static void compare_tensor(const runner *r, const char *name, const layers_tensor *got,
                           const json_t *answer, double rtol, double atol) {
    layers_tensor want;
    cr_assert(answer && tensor_from(answer, LAYERS_F64, &want), "%s: no answer for %s", r->where,
              name);
    bool alike = want.size == got->size && (want.rank == got->rank || want.size == 0);
    for (int i = 0; alike && i < want.rank; i++)
        alike = want.shape[i] == got->shape[i];
    cr_assert(alike, "%s: the shape of %s", r->where, name);
    for (size_t i = 0; i < got->size; i++)
        cr_assert(is_close(element(got, i), element(&want, i), rtol, atol),
                  "%s: %s[%zu] is %.17g, not %.17g", r->where, name, i, element(got, i),
                  element(&want, i));
    layers_tensor_clear(&want);
}

static void compare_param(const runner *r, const layers_param *param, const layers_value *value,
                          const json_t *answer, double rtol, double atol) {
    if (param->kind == LAYERS_TENSOR)
        compare_tensor(r, param->name, &value->tensor, answer, rtol, atol);
    else if (param->kind == LAYERS_CHOICE)
        cr_assert_str_eq(json_string_value(answer), param->choices[value->choice]);
    else
        cr_assert(is_close(value->number, json_number_value(answer), rtol, atol), "%s: %s is %.17g",
                  r->where, param->name, value->number);
}

static void compare_answer(const runner *r, const layers_call *call, const json_t *step) {
    const json_t *answer = json_object_get(step, "answer");
    double rtol = json_number_value(json_object_get(step, "rtol")),
           atol = json_number_value(json_object_get(step, "atol"));
    if (call->dtype == LAYERS_F32 && json_object_get(step, "request_text"))
        rtol += 0x1p-23; /* its numbers came by way of double: rounded twice, here and only here */
    size_t count = 0, given = 0;
    for (; call->operation->outputs[count].name; count++) {
        const char *name = call->operation->outputs[count].name;
        compare_tensor(r, name, &call->outputs[count], json_object_get(answer, name), rtol, atol);
    }
    if (call->operation->params_back) {
        const json_t *params = json_object_get(answer, call->operation->params_name);
        count++;
        for (int i = 0; call->operation->params[i].name; i++) {
            const layers_param *param = &call->operation->params[i];
            const json_t *json = json_object_get(params, param->name);
            bool back = call->params[i].given && param->kind != LAYERS_MASK;
            cr_assert(back == (json != NULL), "%s: %s", r->where, param->name);
            given += json != NULL;
            if (json)
                compare_param(r, param, &call->params[i], json, rtol, atol);
        }
        cr_assert(given == json_object_size(params), "%s: too few parameters", r->where);
    }
    cr_assert(count == json_object_size(answer), "%s: too few outputs", r->where);
}

static layers_code code_of(const char *name) {
    for (layers_code code = LAYERS_OK; code <= LAYERS_BAD_BLAS; code++)
        if (!strcmp(layers_code_name(code), name))
            return code;
    return LAYERS_OK;
}

/* False where the fault is not the library's to find. */
static bool is_refused(const runner *r, layers_call *call, bool whole, const json_t *expected) {
    const char *name = json_string_value(json_object_get(expected, "code")),
               *pointer = json_string_value(json_object_get(expected, "pointer"));
    layers_error error = {0};
    if (!whole || code_of(name) == LAYERS_OK)
        return false;
    layers_code code = layers_prepare(call, &error);
    cr_assert(code == code_of(name), "%s: %s (%s) instead of %s", r->where, layers_code_name(code),
              error.message, name);
    cr_assert(!pointer || !strcmp(pointer + 1, error.field), "%s: %s is at fault, not %s", r->where,
              error.field, pointer);
    return true;
}

/* The row of "/<layer>/<operation>". */
static int row_of(const char *path) {
    char text[128];
    for (int row = 0; layers_operations[row]; row++) {
        snprintf(text, sizeof text, "/%s/%s", layers_operations[row]->layer,
                 layers_operations[row]->name);
        if (!strcmp(text, path))
            return row;
    }
    return -1;
}

static void keep_cache(runner *r, const layers_call *call, const json_t *step) {
    const char *query = json_string_value(json_object_get(step, "query"));
    if (call->operation->cache != LAYERS_CACHE_GIVEN || (query && strstr(query, "cache=none")))
        return;
    layers_cache_unref(r->cache);
    r->cache = layers_cache_ref(call->cache);
}

static void run_step(runner *r, const json_t *step) {
    int row = row_of(json_string_value(json_object_get(step, "path")));
    cr_assert(row >= 0 && row < PATHS, "%s: there is no such path", r->where);
    const json_t *text = json_object_get(step, "request_text"),
                 *expected = json_object_get(step, "error");
    json_t *request = text ? loads_with_words(json_string_value(text))
                           : json_incref(json_object_get(step, "request"));
    layers_call call = {.operation = layers_operations[row]};
    bool whole = request && call_from(r, request, &call), ran = true;
    if (expected) {
        ran = is_refused(r, &call, whole, expected);
    } else {
        cr_assert(whole, "%s: the request is not understood", r->where);
        run(&call);
        compare_answer(r, &call, step);
        keep_cache(r, &call, step);
        r->called[row]++;
    }
    r->steps += ran;
    r->skipped += !ran;
    layers_call_clear(&call);
    json_decref(request);
}

static void run_file(runner *r, const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, JSON_DECODE_INT_AS_REAL, &error), *one, *step;
    cr_assert(file, "%s: %s", path, error.text);
    size_t i, j;
    json_array_foreach(json_object_get(file, "cases"), i, one) {
        json_array_foreach(json_object_get(one, "steps"), j, step) {
            snprintf(r->where, sizeof r->where, "%s: %s, step %zu", path,
                     json_string_value(json_object_get(one, "name")), j + 1);
            run_step(r, step);
        }
        layers_cache_unref(r->cache);
        r->cache = NULL;
    }
    json_decref(file);
}

Test(vectors, the_library_gives_the_answers) {
    const char *folder = getenv("LAYERD_VECTORS");
    char pattern[4096];
    glob_t files;
    int total[PATHS] = {0};
    snprintf(pattern, sizeof pattern, "%s/*.json", folder ? folder : "tests/vectors");
    cr_assert(glob(pattern, 0, NULL, &files) == 0, "no vectors at %s", pattern);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        runner r = {0};
        run_file(&r, files.gl_pathv[i]);
        printf("%s: %d steps, %d left to the server\n", files.gl_pathv[i], r.steps, r.skipped);
        cr_assert(r.steps > 0, "%s: nothing ran", files.gl_pathv[i]);
        for (int row = 0; row < PATHS; row++)
            total[row] += r.called[row];
    }
    for (int row = 0; layers_operations[row]; row++)
        cr_assert(total[row] > 0, "no vector calls %s/%s", layers_operations[row]->layer,
                  layers_operations[row]->name);
    globfree(&files);
}
