#include "product.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 1100 };

char *product(const char *query, size_t *length) {
    size_t matrix = (size_t)SIDE * (2 * SIDE + 2) + 2;
    char *text = malloc(2 * matrix + 3 * SIDE + 1024);
    cr_assert(text);
    char *row = malloc(2 * SIDE + 8), *at = row;
    cr_assert(row);
    *at++ = '[';
    for (int i = 0; i < SIDE; i++)
        at = stpcpy(at, i ? ",1" : "1");
    strcpy(at, "]");
    char *body = text + 512;
    at = body;
    for (int tensor = 0; tensor < 2; tensor++) {
        at = stpcpy(at, tensor ? "],\"w\":[" : "{\"x\":[");
        for (int i = 0; i < SIDE; i++)
            at = stpcpy(stpcpy(at, i ? "," : ""), row);
    }
    at += sprintf(at, "],\"b\":%s}", row);
    free(row);
    int head =
        sprintf(text, "POST /affine/forward?%s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n",
                query, (size_t)(at - body));
    memmove(text + head, body, (size_t)(at - body));
    *length = (size_t)head + (size_t)(at - body);
    return text;
}

raw send_product(const process *p, const char *query) {
    size_t length;
    char *text = product(query, &length);
    raw r = raw_open(p);
    cr_assert(raw_write(&r, text, length));
    free(text);
    return r;
}
