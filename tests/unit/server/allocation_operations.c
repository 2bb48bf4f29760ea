/* An allocation that fails while an operation is asked for, in each form of request and answer. */
#include <stdio.h>
#include <string.h>

#include "codec/json_write.h"
#include "codec/safetensors_write.h"
#include "unit/calls.h"
#include "unit/server/starving.h"

/* {"x":...,"bn_param":{...},"dtype":"float32","cache":"<handle>"} of a call's tensors. */
static char *write_member(char *out, const char *name) {
    return out + sprintf(out, "%s\"%s\":", out[-1] == '{' ? "" : ",", name);
}

static char *write_inputs(char *out, const layers_call *call, bool flat) {
    for (int i = 0; call->operation->inputs[i].name; i++) {
        layers_tensor number = tensor_as(LAYERS_F64, &call->inputs[i]);
        out = json_write_tensor(write_member(out, call->operation->inputs[i].name), &number, flat,
                                NULL);
        layers_tensor_clear(&number);
    }
    return out;
}

static char *write_params(char *out, const layers_call *call, bool flat) {
    *out++ = '{';
    for (int i = 0; call->operation->params[i].name; i++) {
        const layers_param *param = &call->operation->params[i];
        const layers_value *value = &call->params[i];
        if (!value->given)
            continue;
        out = write_member(out, param->name);
        if (value->tensor.data)
            out = json_write_tensor(out, &value->tensor, flat, NULL);
        else if (param->kind == LAYERS_CHOICE)
            out += sprintf(out, "\"%s\"", param->choices[value->choice]);
        else
            out += sprintf(out, "%.17g", value->number);
    }
    *out++ = '}';
    return out;
}

typedef struct {
    const layers_operation *operation;
    layers_dtype dtype;
    int choice;
    style style;
} variant;

enum { BODY_MOST = 1 << 16 };

static size_t json_body(const variant *v, const layers_call *call, char *body) {
    bool flat = v->style == FLAT;
    char *out = body;
    *out++ = '{';
    out = write_inputs(out, call, flat);
    if (v->operation->params_name)
        out = write_params(write_member(out, v->operation->params_name), call, flat);
    out = write_member(out, "dtype");
    out += sprintf(out, "\"%s\"", layers_dtype_name(v->dtype));
    if (v->operation->cache == LAYERS_CACHE_TAKEN)
        out += sprintf(out, ",\"cache\":\"%s\"", no_handle);
    *out++ = '}';
    return (size_t)(out - body);
}

static void put_text(safetensors_contents *contents, const char *owner, const char *name,
                     const char *text) {
    safetensors_text_named *place = &contents->texts[contents->text_count++];
    *place = (safetensors_text_named){.owner = owner, .name = name};
    snprintf(place->text, sizeof place->text, "%s", text);
}

static void put_tensor(safetensors_contents *contents, const char *owner, const char *name,
                       const layers_tensor *tensor) {
    contents->tensors[contents->tensor_count++] = (safetensors_tensor_named){owner, name, tensor};
}

static size_t bytes_body(const variant *v, const layers_call *call, char *body) {
    enum { MOST = LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS + 1 };
    const char *owner = v->operation->params_name;
    safetensors_tensor_named tensors[MOST];
    safetensors_text_named texts[MOST];
    safetensors_contents contents = {.tensors = tensors, .texts = texts};
    for (int i = 0; v->operation->inputs[i].name; i++)
        put_tensor(&contents, NULL, v->operation->inputs[i].name, &call->inputs[i]);
    for (int i = 0; v->operation->params && v->operation->params[i].name; i++) {
        const layers_param *param = &v->operation->params[i];
        const layers_value *value = &call->params[i];
        char number[32];
        snprintf(number, sizeof number, "%.17g", value->number);
        if (value->tensor.data)
            put_tensor(&contents, owner, param->name, &value->tensor);
        else if (value->given)
            put_text(&contents, owner, param->name,
                     param->kind == LAYERS_CHOICE ? param->choices[value->choice] : number);
    }
    if (v->operation->cache == LAYERS_CACHE_TAKEN)
        put_text(&contents, NULL, "cache", no_handle);
    return (size_t)(safetensors_write(body, &contents) - body);
}

static sent request_of(variant v, char path[64], char *body) {
    layers_call call = valid_call(v.operation, v.dtype, v.choice, 3);
    sent sent = {.head = {.method = "POST", .path = path}, .body = body};
    bool bytes = v.style == FROM_BYTES;
    sent.length = bytes ? bytes_body(&v, &call, body) : json_body(&v, &call, body);
    cr_assert(sent.length < BODY_MOST);
    layers_call_clear(&call);
    snprintf(path, 64, "/%s/%s", v.operation->layer, v.operation->name);
    starving_style(&sent, v.style);
    return sent;
}

static void run_variant(service *service, variant v, const char *cache_query) {
    static char body[BODY_MOST], giver_body[BODY_MOST];
    char path[64], giver_path[64];
    starving s = {
        .service = service, .about = v.operation->layer, .sent = request_of(v, path, body)};
    if (cache_query)
        s.sent.head.query[s.sent.head.query_count++] = (query_pair){"cache", cache_query};
    sent giver;
    if (v.operation->cache == LAYERS_CACHE_TAKEN) {
        variant of_giver = v;
        of_giver.operation = giver_of(v.operation);
        giver = request_of(of_giver, giver_path, giver_body);
        s.giver = &giver;
        s.handle = memmem(body, s.sent.length, no_handle, HANDLE_TEXT - 1);
    }
    starve(&s, 200);
}

static void run_operation(service *service, const layers_operation *operation) {
    const char *query = operation->cache == LAYERS_CACHE_GIVEN   ? "none"
                        : operation->cache == LAYERS_CACHE_TAKEN ? "release"
                                                                 : NULL;
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        for (int choice = 0; choice < choices_of(operation); choice++)
            for (style style = NESTED; style < STYLES; style++) {
                variant v = {operation, dtype, choice, style};
                run_variant(service, v, NULL);
                if (query)
                    run_variant(service, v, query);
            }
}

Test(allocation, of_every_operation) {
    service service;
    starving_start(&service, STARVING_BUDGET);
    for (const layers_operation *const *row = layers_operations; *row; row++)
        run_operation(&service, *row);
    serving_stop(&service);
}
