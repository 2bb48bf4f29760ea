/* The error of every operation, on usual inputs and on hard ones, is not above NumPy's by more than
 * a rounding. tests/vectors/accuracy.txt has NumPy's errors; its maker, make_accuracy.py, makes the
 * same inputs, and says what an error is. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy_truth.h"

TestSuite(accuracy, .timeout = 120);

typedef struct {
    char operation[48], dtype[16], kind[16], shape[32], output[32];
    double error; /* NumPy's */
} row;

static uint64_t bits(size_t which, size_t i) {
    uint64_t z = (i + 1 + 1000003 * which) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9U;
    return z ^ (z >> 32);
}

static double integer(size_t which, size_t i) {
    return (double)(bits(which, i) >> 40) - 0x1p23;
}

/* Element i of the call's array number `which`, in rows of so many. */
static double value(const char *kind, bool single, size_t which, size_t i, size_t rows,
                    size_t columns) {
    double low = (double)(bits(which, i) & 63), r = integer(which, i) * 0x1p-22;
    size_t size = rows * columns;
    if (!strcmp(kind, "offset"))
        return single ? 1e6 + (low - 32) / 16 : 1e8 + r;
    if (!strcmp(kind, "steps"))
        return 1e8 + (single ? 8 : 1) * (fmod(low, 2) != 0 ? 1 : -1);
    if (!strcmp(kind, "wide"))
        return ldexp(r, (int)low - 32);
    if (!strcmp(kind, "tiny"))
        return ldexp(r, -50);
    if (!strcmp(kind, "huge"))
        return ldexp(r, 50);
    if (!strcmp(kind, "equal"))
        return integer(which, i % columns) * 0x1p-22;
    if (!strcmp(kind, "cancel"))
        return i / columns % 2 ? fmod(low, 2) - integer(which, (i + size - columns) % size)
                               : integer(which, i);
    if (!strcmp(kind, "constant"))
        return single ? 33333332 : 33333333333333.332;
    if (!strcmp(kind, "largest"))
        return single ? 0x1p127 : 1e300;
    if (!strcmp(kind, "near"))
        return single ? 1e4 + (low - 32) / 32 : 1e12 + (fmod(low, 2) != 0 ? 0.01 : -0.01);
    if (!strcmp(kind, "drift"))
        return (double)(i / columns) + (single ? (low - 32) / 64 : r / 1024);
    if (!strcmp(kind, "outlier") && i < columns)
        return 0x1p20;
    return r;
}

static layers_tensor array(const row *row, const char *kind, size_t which, const size_t *shape,
                           int rank) {
    bool single = !strcmp(row->dtype, "float32");
    layers_tensor tensor = tensor_make(single ? LAYERS_F32 : LAYERS_F64, shape, rank);
    for (size_t i = 0; i < tensor.size; i++)
        set_element(&tensor, i, value(kind, single, which, i, shape[0], tensor.size / shape[0]));
    return tensor;
}

enum { MOST_LENGTHS = 7 };

/* The lengths of a row: of x and, for affine and conv, of w. Returns how many. */
static int lengths_of(const row *row, size_t length[MOST_LENGTHS]) {
    int count = 0;
    for (const char *at = row->shape; *at; at += strspn(at, "x")) {
        cr_assert(count < MOST_LENGTHS, "%s", row->shape);
        length[count++] = strtoul(at, (char **)&at, 10);
    }
    return count;
}

/* conv's, and the parameters of the norms. */
static void set_image_params(layers_call *call) {
    const char *layer = call->operation->layer;
    if (!strcmp(layer, "conv")) {
        call->params[0] = (layers_value){.given = true, .number = 2}; /* stride */
        call->params[1] = (layers_value){.given = true, .number = 1}; /* pad */
    } else if (!strcmp(layer, "spatial_groupnorm")) {
        call->params[0] = (layers_value){.given = true, .number = 2}; /* groups */
    } else if (strstr(layer, "batchnorm")) {
        call->params[0].given = true; /* mode: train */
    }
}

/* The forward or the loss of the row's layer. */
static layers_call first_call(const row *row, const size_t *shape, int count) {
    char layer[48];
    snprintf(layer, sizeof layer, "%s", row->operation);
    *strchr(layer, '/') = 0;
    bool loss = strstr(row->operation, "/loss");
    layers_call call = call_of(layer, loss ? "loss" : "forward",
                               strcmp(row->dtype, "float32") != 0 ? LAYERS_F64 : LAYERS_F32);
    int rank = count >= 4 ? 4 : 2;
    call.inputs[0] = array(row, row->kind, 0, shape, rank);
    if (loss) {
        call.inputs[1] = tensor_make(LAYERS_I64, shape, 1);
        for (size_t n = 0; n < shape[0]; n++)
            set_element(&call.inputs[1], n, (double)(n * 7 % shape[1]));
    } else if (!strcmp(layer, "affine")) {
        call.inputs[1] = array(row, "plain", 1, shape + 1, 2);
        call.inputs[2] = array(row, "plain", 2, shape + 2, 1);
    } else if (!strcmp(layer, "conv")) {
        call.inputs[1] = array(row, "plain", 1, SHAPE(shape[4], shape[1], shape[5], shape[6]));
        call.inputs[2] = array(row, "plain", 2, shape + 4, 1);
    } else if (strstr(layer, "norm")) {
        call.inputs[1] = array(row, "plain", 1, shape + 1, 1);
        call.inputs[2] = array(row, "plain", 2, shape + 1, 1);
    } else if (!strcmp(layer, "dropout")) {
        call.params[0] = (layers_value){.given = true, .number = 0.7};
        call.params[1].given = true;
        call.params[2] = (layers_value){.given = true, .number = 5};
    }
    set_image_params(&call);
    return call;
}

static double error_of(const layers_tensor *got, const long double *want) {
    long double most = 0, worst = 0;
    for (size_t i = 0; i < got->size; i++) {
        most = fmaxl(most, fabsl(want[i]));
        long double error = fabsl(element(got, i) - want[i]);
        worst = error <= worst ? worst : error; /* NaN is the worst */
    }
    double unit = got->dtype == LAYERS_F32 ? FLT_EPSILON : DBL_EPSILON;
    return (double)(worst / (most != 0 ? most : 1) / unit);
}

/* The output of that name, or the parameter that went back; and which of the truth it is. */
static const layers_tensor *named(const layers_call *call, const char *name, size_t *which) {
    *which = 0;
    for (int i = 0; call->operation->outputs[i].name; i++, ++*which)
        if (!strcmp(call->operation->outputs[i].name, name))
            return &call->outputs[i];
    for (int i = 0; call->operation->params[i].name; i++) {
        if (!strcmp(call->operation->params[i].name, name))
            return &call->params[i].tensor;
        *which += call->operation->params[i].kind == LAYERS_TENSOR;
    }
    cr_assert(false, "nothing is called %s", name);
    return NULL;
}

/* A rounding more than NumPy's. A product is summed in the order of the BLAS at hand, which is not
 * the one of the machine that made the table. */
static double allowed(const row *row) {
    bool product = (!strncmp(row->operation, "affine", 6) || !strncmp(row->operation, "conv", 4)) &&
                   strcmp(row->output, "db") != 0;
    return (product ? 2 : 1 + 0x1p-10) * row->error + 1;
}

static void check(const row *row, const layers_call *call, const layers_call *forward) {
    size_t which;
    const layers_tensor *got = named(call, row->output, &which);
    truth truth = truth_of(call, forward);
    double error = error_of(got, truth.array[which]);
    truth_free(&truth);
    cr_expect(error <= allowed(row), "%s %s %s %s: %s is %.3g units off, NumPy's %.3g",
              row->operation, row->dtype, row->kind, row->shape, row->output, error, row->error);
}

static void hold_to_numpy(const row *row) {
    size_t shape[MOST_LENGTHS] = {0};
    layers_call first = first_call(row, shape, lengths_of(row, shape));
    run(&first);
    if (!strstr(row->operation, "/backward")) {
        check(row, &first, NULL);
    } else {
        layers_call backward = call_of(first.operation->layer, "backward", first.dtype);
        const char *kind = strstr(first.operation->layer, "norm") ? "plain" : row->kind;
        backward.inputs[0] = array(row, kind, 3, first.outputs[0].shape, first.outputs[0].rank);
        backward.cache = layers_cache_ref(first.cache);
        run(&backward);
        check(row, &backward, &first);
        layers_call_clear(&backward);
    }
    layers_call_clear(&first);
}

Test(accuracy, errors_are_not_above_numpys) {
    FILE *file = fopen("tests/vectors/accuracy.txt", "r");
    cr_assert(file, "tests/vectors/accuracy.txt is missing");
    char line[256];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        row row;
        if (line[0] == '#')
            continue;
        cr_assert(sscanf(line, "%47s %15s %15s %31s %31s %lf", row.operation, row.dtype, row.kind,
                         row.shape, row.output, &row.error) == 6,
                  "%s", line);
        hold_to_numpy(&row);
        count++;
    }
    fclose(file);
    cr_assert(count > 300, "%d rows", count);
}
