/* Operations called one by one, and the chain rule over them. */
#include "graph_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/safetensors_read.h"
#include "forms/form.h"
#include "fuzz.h"

/* ---- values ------------------------------------------------------------------------------------
 */

layers_tensor tensor_of(layers_dtype dtype, const size_t *shape, int rank) {
    layers_tensor tensor;
    layers_error error;
    HOLDS(layers_tensor_make(&tensor, dtype, shape, rank, &error) == LAYERS_OK);
    return tensor;
}

static double number_at(const layers_tensor *tensor, size_t i) {
    return tensor->dtype == LAYERS_F32 ? (double)((const float *)tensor->data)[i]
                                       : ((const double *)tensor->data)[i];
}

bool tensors_are_alike(const layers_tensor *a, const layers_tensor *b) {
    size_t bytes;
    if (a->dtype != b->dtype || a->rank != b->rank || a->size != b->size ||
        memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) != 0)
        return false;
    HOLDS(layers_dtype_bytes(a->dtype, 1, &bytes));
    for (size_t i = 0; i < a->size; i++)
        if (memcmp((const char *)a->data + i * bytes, (const char *)b->data + i * bytes, bytes) &&
            (a->dtype > LAYERS_F32 || !isnan(number_at(a, i)) || !isnan(number_at(b, i))))
            return false;
    return true;
}

model_value *model_add(model *m, const char *name, layers_result_kind kind) {
    HOLDS(m->value_count < MODEL_VALUES && strlen(name) < MODEL_NAME);
    model_value *v = &m->values[m->value_count];
    *v = (model_value){.kind = kind, .step = NONE, .self = m->value_count++};
    strcpy(v->name, name);
    return v;
}

void model_clear(model *m) {
    for (int i = 0; i < m->value_count; i++)
        layers_tensor_clear(&m->values[i].tensor);
    m->value_count = m->step_count = 0;
}

void model_forget(model *m) {
    for (; m->cache_count > 0; m->cache_count--)
        HOLDS(m->alone->store->remove(m->alone->store, m->caches[m->cache_count - 1]));
    store_is_empty(m->alone->store);
}

/* ---- a call ------------------------------------------------------------------------------------
 */

model_step model_empty_step(const layers_operation *operation) {
    model_step s = {.operation = operation, .cache = NONE};
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        s.inputs[i] = NONE;
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        s.params[i].tensor = NONE;
    return s;
}

/* Integers, which a file cannot have for a mask, as bytes. */
static void add_mask(file *file, const char *name, const layers_tensor *mask) {
    layers_tensor bytes = tensor_of(LAYERS_U8, mask->shape, mask->rank);
    for (size_t i = 0; i < mask->size; i++) {
        int64_t flag = ((const int64_t *)mask->data)[i];
        ((uint8_t *)bytes.data)[i] = (uint8_t)(flag == 0 || flag == 1 ? flag : 2);
    }
    file_add(file, name, &bytes);
    layers_tensor_clear(&bytes);
}

static void add_params(const model *m, const model_step *s, file *file) {
    const layers_operation *operation = s->operation;
    char name[96];
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        snprintf(name, sizeof name, "%s.%s", operation->params_name, operation->params[i].name);
        const layers_tensor *tensor =
            s->params[i].tensor == NONE ? NULL : &m->values[s->params[i].tensor].tensor;
        if (s->params[i].text)
            file_add_text(file, name, s->params[i].text);
        else if (tensor && operation->params[i].kind == LAYERS_MASK && tensor->dtype == LAYERS_I64)
            add_mask(file, name, tensor);
        else if (tensor)
            file_add(file, name, tensor);
    }
}

static served call_alone(const model *m, const model_step *s) {
    const layers_operation *operation = s->operation;
    char path[96];
    file file;
    file_start(&file);
    file_add_text(&file, "dtype", layers_dtype_name(m->dtype));
    for (int i = 0; operation->inputs[i].name; i++)
        if (s->inputs[i] != NONE)
            file_add(&file, operation->inputs[i].name, &m->values[s->inputs[i]].tensor);
    if (s->cache != NONE)
        file_add_text(&file, "cache", m->values[s->cache].text);
    add_params(m, s, &file);
    snprintf(path, sizeof path, "/%s/%s", operation->layer, operation->name);
    sent sent = {.head = {.method = "POST",
                          .path = path,
                          .content_type = form_safetensors.media_type,
                          .accept = form_safetensors.media_type}};
    char *body = file_end(&file, &sent.length);
    sent.body = body;
    served answer = exchange(m->alone, &sent);
    free(body);
    return answer;
}

/* ---- what it gives -----------------------------------------------------------------------------
 */

static layers_tensor tensor_named(const safetensors_file *file, const served *answer,
                                  const char *name) {
    for (size_t i = 0; i < file->count; i++) {
        const safetensors_entry *entry = &file->entries[i];
        if (strcmp(entry->name, name) != 0)
            continue;
        layers_tensor tensor = tensor_of(entry->dtype->as, entry->shape, entry->rank);
        if (tensor.size > 0)
            memcpy(tensor.data, answer->body + entry->begin, entry->end - entry->begin);
        return tensor;
    }
    HOLDS(!"the tensor is there");
    return (layers_tensor){0};
}

static layers_tensor scalar_of(layers_dtype dtype, double number) {
    layers_tensor tensor = tensor_of(dtype, NULL, 0);
    if (dtype == LAYERS_F32)
        *(float *)tensor.data = (float)number;
    else
        *(double *)tensor.data = number;
    return tensor;
}

/* A value of the step that is being added, under "node.field". */
static model_value *add_named(model *m, const char *node, const char *field,
                              layers_result_kind kind) {
    char name[MODEL_NAME] = "";
    if (node)
        HOLDS(snprintf(name, sizeof name, "%s.%s", node, field) < MODEL_NAME);
    model_value *v = model_add(m, name, kind);
    v->step = m->step_count;
    return v;
}

static const char *text_named(const safetensors_file *file, const char *name) {
    const char *text = json_string_value(json_object_get(file->metadata, name));
    HOLDS(!text || strlen(text) < SAFETENSORS_TEXT);
    return text ? text : "";
}

static void add_output(model *m, const char *node, const layers_field *field,
                       const safetensors_file *file, const served *answer) {
    model_value *v = add_named(m, node, field->name, LAYERS_RESULT_TENSOR);
    v->is_scalar = !*field->shape;
    v->tensor = v->is_scalar ? scalar_of(m->dtype, strtod(text_named(file, field->name), NULL))
                             : tensor_named(file, answer, field->name);
}

static void add_param(model *m, const char *node, const layers_operation *operation, int i,
                      const safetensors_file *file, const served *answer) {
    const layers_param *param = &operation->params[i];
    char field[96];
    if (param->kind == LAYERS_MASK)
        return;
    snprintf(field, sizeof field, "%s.%s", operation->params_name, param->name);
    model_value *v = add_named(
        m, node, field, param->kind == LAYERS_TENSOR ? LAYERS_RESULT_TENSOR : LAYERS_RESULT_PARAM);
    if (param->kind == LAYERS_TENSOR)
        v->tensor = tensor_named(file, answer, field);
    else
        strcpy(v->text, text_named(file, field));
}

static void add_results(model *m, const model_step *s, const char *node, const served *answer) {
    const layers_operation *operation = s->operation;
    safetensors_file file;
    problem problem;
    int first = m->value_count;
    HOLDS(safetensors_read(&file, answer->body, answer->length, SAFETENSORS_HEADER, &problem));
    for (int i = 0; operation->outputs[i].name; i++)
        add_output(m, node, &operation->outputs[i], &file, answer);
    for (int i = 0; operation->params_back && operation->params[i].name; i++)
        add_param(m, node, operation, i, &file, answer);
    if (operation->cache == LAYERS_CACHE_GIVEN) {
        model_value *v = add_named(m, node, "cache", LAYERS_RESULT_CACHE);
        v->tensor = layers_tensor_share(&m->values[first].tensor);
        v->layer = operation->layer;
        strcpy(v->text, text_named(&file, "cache"));
        HOLDS(strlen(v->text) == HANDLE_TEXT - 1 && m->cache_count < MODEL_CACHES);
        strcpy(m->caches[m->cache_count++], v->text);
    }
    safetensors_free(&file);
}

/* Adds a step, whose values are those from `first` on. */
static model_step *add_step(model *m, const model_step *step, int first) {
    HOLDS(m->step_count < MODEL_STEPS);
    model_step *s = &m->steps[m->step_count++];
    *s = *step;
    s->first = first;
    s->count = m->value_count - first;
    return s;
}

bool model_call(model *m, const model_step *step, const char *node, problem *problem) {
    int first = m->value_count;
    served answer = call_alone(m, step);
    if (answer.good) {
        add_results(m, step, node, &answer);
        add_step(m, step, first);
    } else {
        *problem = answer.problem;
    }
    free(answer.body);
    return answer.good;
}

/* ---- the chain rule ----------------------------------------------------------------------------
 */

typedef struct {
    model *m;
    bool depends[MODEL_VALUES]; /* on what is asked for */
    int gradient[MODEL_VALUES]; /* the value that it is, so far; NONE */
    int times[MODEL_VALUES];    /* that a loss is named */
} way;

static bool is_loss(const model_step *s) {
    return s->operation && !strcmp(s->operation->name, "loss");
}

static const layers_operation *backward_of(const model_step *s) {
    return s->operation && !strcmp(s->operation->name, "forward")
               ? layers_find(s->operation->layer, "backward")
               : NULL;
}

/* Whether something that the step takes depends on what is asked for. Parameters of what has a
 * backward are constants. */
static bool is_reached(const way *w, const model_step *s) {
    bool reached = s->cache != NONE && w->depends[s->cache];
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        reached |= s->inputs[i] != NONE && w->depends[s->inputs[i]];
    for (int i = 0; i < LAYERS_MAX_PARAMS && !backward_of(s); i++)
        reached |= s->params[i].tensor != NONE && w->depends[s->params[i].tensor];
    return reached;
}

static void reach(way *w, const model_step *s) {
    for (int v = s->first; is_reached(w, s) && v < s->first + s->count; v++)
        w->depends[v] |=
            !backward_of(s) || v == s->first || w->m->values[v].kind == LAYERS_RESULT_CACHE;
}

/* A value of the chain rule's own. */
static int add_number(model *m, const model_step *step, layers_tensor tensor) {
    model_value *v = model_add(m, "", LAYERS_RESULT_TENSOR);
    v->step = m->step_count;
    v->tensor = tensor;
    add_step(m, step, m->value_count - 1);
    return m->value_count - 1;
}

static int sum_of(model *m, int left, int right) {
    model_step step = model_empty_step(NULL);
    const layers_tensor *a = &m->values[left].tensor, *b = &m->values[right].tensor;
    layers_tensor sum = tensor_of(m->dtype, a->shape, a->rank);
    HOLDS(a->size == b->size);
    step.inputs[0] = left;
    step.inputs[1] = right;
    for (size_t i = 0; i < sum.size; i++)
        if (m->dtype == LAYERS_F32)
            ((float *)sum.data)[i] = ((const float *)a->data)[i] + ((const float *)b->data)[i];
        else
            ((double *)sum.data)[i] = ((const double *)a->data)[i] + ((const double *)b->data)[i];
    return add_number(m, &step, sum);
}

/* One number in the shape of a value. */
static int constant_like(model *m, int like, int number) {
    model_step step = model_empty_step(NULL);
    const layers_tensor *shape = &m->values[like].tensor;
    layers_tensor constant = tensor_of(m->dtype, shape->shape, shape->rank);
    for (size_t i = 0; i < constant.size; i++)
        if (m->dtype == LAYERS_F32)
            ((float *)constant.data)[i] = (float)number;
        else
            ((double *)constant.data)[i] = number;
    int made = add_number(m, &step, constant);
    m->values[made].is_scalar = m->values[like].is_scalar;
    return made;
}

/* Adds the gradients that a step gives as dX to those of the inputs X of another. */
static void hand_back(way *w, const model_step *to, const model_step *from) {
    for (int i = 0; to->operation->inputs[i].name; i++)
        for (int o = 0; from->operation->outputs[o].name; o++) {
            const char *output = from->operation->outputs[o].name;
            int input = to->inputs[i], gradient = from->first + o;
            if (*output != 'd' || strcmp(output + 1, to->operation->inputs[i].name) != 0 ||
                !w->depends[input])
                continue;
            int *so_far = &w->gradient[input];
            *so_far = *so_far == NONE ? gradient : sum_of(w->m, *so_far, gradient);
        }
}

static bool go_back(way *w, int index) {
    model_step s = w->m->steps[index], back = model_empty_step(backward_of(&s));
    problem problem;
    if (!is_reached(w, &s) || (back.operation && w->gradient[s.first] == NONE))
        return true;
    if (back.operation) {
        back.inputs[0] = w->gradient[s.first];
        back.cache = s.first + s.count - 1;
        HOLDS(model_call(w->m, &back, NULL, &problem));
        hand_back(w, &s, &w->m->steps[w->m->step_count - 1]);
        return true;
    }
    for (int v = s.first; v < s.first + s.count; v++)
        if (w->gradient[v] != NONE)
            return false;
    for (int n = is_loss(&s) ? w->times[s.first] : 0; n > 0; n--)
        hand_back(w, &s, &s);
    return true;
}

/* "node.w": the gradient under its name. */
static void give(way *w, const char *node, int asked) {
    model *m = w->m;
    char name[MODEL_NAME];
    int *gradient = &w->gradient[m->values[asked].self];
    if (*gradient == NONE)
        *gradient = constant_like(m, asked, w->times[asked]);
    HOLDS(snprintf(name, sizeof name, "%s.%s", node, m->values[asked].name) < MODEL_NAME);
    model_value *v = model_add(m, name, LAYERS_RESULT_TENSOR);
    const model_value *other = &m->values[*gradient];
    v->tensor = layers_tensor_share(&other->tensor);
    v->is_scalar = other->is_scalar;
    v->step = other->step;
    v->self = *gradient;
}

bool model_gradients(model *m, const char *node, const int *losses, int loss_count,
                     const int *asked, int asked_count) {
    static way w;
    int steps = m->step_count;
    w = (way){.m = m};
    memset(w.gradient, 0xff, sizeof w.gradient);
    for (int i = 0; i < loss_count; i++)
        w.times[losses[i]]++;
    for (int i = 0; i < asked_count; i++)
        w.depends[m->values[asked[i]].self] = true;
    for (int i = 0; i < steps; i++)
        reach(&w, &m->steps[i]);
    for (int i = steps - 1; i >= 0; i--)
        if (!go_back(&w, i))
            return false;
    for (int i = 0; i < asked_count; i++)
        give(&w, node, asked[i]);
    return true;
}
