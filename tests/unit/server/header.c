/* The table of operations in include/layers/operation.h is what the table in the library says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(header);

static const char path[] = "include/layers/operation.h", written[] = "build/operation.h";
static const char first_line[] = "/* The operations, and what stands where in a call of each. "
                                 "Patterns are those of layers_field.\n";

enum { WIDTH = 100, INDENT = 5, TEXT = 512 };

/* Puts a text's words into lines of a comment, those after the first indented. */
static void put_lines(FILE *out, int indent, const char *text) {
    int column = fprintf(out, " *%*s", indent, "");
    bool start = true;
    while (*text) {
        int bytes = (int)strcspn(text, " "), letters = 0;
        for (int i = 0; i < bytes; i++)
            letters += (text[i] & 0xc0) != 0x80; /* of UTF-8 */
        if (!start && column + 1 + letters > WIDTH) {
            column = fprintf(out, "\n *%*s", indent + 4, "") - 1;
            start = true;
        }
        column += letters + !start;
        fprintf(out, "%s%.*s", start ? "" : " ", bytes, text);
        start = false;
        text += bytes + (text[bytes] == ' ');
    }
    fputc('\n', out);
}

static void put_fields(FILE *out, const char *list, const layers_field *fields) {
    for (int i = 0; fields[i].name; i++) {
        char text[TEXT];
        snprintf(text, sizeof text, "%s[%d] %s \"%s\"%s: %s", list, i, fields[i].name,
                 fields[i].shape, fields[i].labels ? ", labels" : "", fields[i].summary);
        put_lines(out, INDENT, text);
    }
}

/* "P = ⌊(H − pool_height) / stride⌋ + 1", for the letters that outputs have. */
static void put_derived(FILE *out, const layers_operation *operation) {
    for (const layers_derived *derived = operation->derived; derived && derived->letter;
         derived++) {
        bool shown = false;
        for (const layers_field *field = operation->outputs; field->name; field++)
            shown |= strchr(field->shape, derived->letter) != NULL;
        char text[TEXT];
        snprintf(text, sizeof text, "%c = %s", derived->letter, derived->formula);
        if (shown)
            put_lines(out, INDENT + 4, text);
    }
}

/* "number above 0, 1e-05 where absent" */
static void describe_number(const layers_param *param, char text[TEXT]) {
    int used =
        snprintf(text, TEXT, "%s %s %.16g", param->kind == LAYERS_INTEGER ? "integer" : "number",
                 param->open_minimum ? "above" : "from", param->minimum);
    if (param->maximum < 1e300)
        used += snprintf(text + used, TEXT - (size_t)used, " %s %.16g",
                         param->open_maximum ? "to below" : "to", param->maximum);
    if (param->has_fallback)
        snprintf(text + used, TEXT - (size_t)used, ", %.16g where absent", param->fallback);
}

static void describe_choices(const layers_param *param, char text[TEXT]) {
    int used = 0;
    for (int i = 0; param->choices[i]; i++)
        used += snprintf(text + used, TEXT - (size_t)used, "%s%d \"%s\"", i ? " or " : "", i,
                         param->choices[i]);
}

static void put_params(FILE *out, const layers_param *params) {
    for (int i = 0; params && params[i].name; i++) {
        char kind[TEXT], text[2 * TEXT];
        if (params[i].kind == LAYERS_CHOICE)
            describe_choices(&params[i], kind);
        else if (params[i].kind == LAYERS_NUMBER || params[i].kind == LAYERS_INTEGER)
            describe_number(&params[i], kind);
        else
            snprintf(kind, sizeof kind, "\"%s\"", params[i].shape);
        snprintf(text, sizeof text, "params[%d] %s %s%s: %s", i, params[i].name, kind,
                 params[i].required ? ", required" : "", params[i].summary);
        put_lines(out, INDENT, text);
    }
}

static void put_operation(FILE *out, const layers_operation *operation) {
    char text[TEXT];
    snprintf(text, sizeof text, "%s/%s: %s", operation->layer, operation->name, operation->summary);
    fputs(" *\n", out);
    put_lines(out, 1, text);
    put_fields(out, "inputs", operation->inputs);
    if (operation->cache == LAYERS_CACHE_TAKEN)
        put_lines(out, INDENT, "cache: that of the layer's forward");
    put_params(out, operation->params);
    put_fields(out, "outputs", operation->outputs);
    put_derived(out, operation);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        put_lines(out, INDENT, "cache: for backward");
}

static char *read_header(void) {
    static char text[1 << 16];
    FILE *in = fopen(path, "r");
    cr_assert(in, "there is no %s", path);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    return text;
}

Test(header, tells_what_the_table_does) {
    char *header = read_header(), *table = NULL;
    size_t length;
    FILE *out = open_memstream(&table, &length);
    for (const layers_operation *const *row = layers_operations; *row; row++)
        put_operation(out, *row);
    fclose(out);
    char *start = strstr(header, first_line);
    cr_assert(start, "%s has no line %s", path, first_line);
    start += strlen(first_line);
    char *end = strstr(start, " */\n");
    cr_assert(end, "the comment in %s does not end", path);
    bool same = (size_t)(end - start) == length && !strncmp(start, table, length);
    if (!same) {
        out = fopen(written, "w");
        cr_assert(out && fprintf(out, "%.*s%s%s", (int)(start - header), header, table, end) > 0);
        fclose(out);
    }
    free(table);
    cr_assert(same, "%s has another table: cp %s %s", path, written, path);
}
