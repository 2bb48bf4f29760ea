/* Errors of the client as values. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void layerd_cut_copy(char *to, size_t size, const char *from) {
    size_t length = strlen(from);
    if (length >= size) {
        length = size - 1;
        /* Never through the middle of a UTF-8 character. */
        while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

bool layerd_fail(layerd_error *error, const char *code, const char *pointer, const char *format,
                 ...) {
    if (error == NULL)
        return false;
    /* Twice the room, so that what is cut off is cut by the one function that knows how. */
    char detail[2 * sizeof error->detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);

    memset(error, 0, sizeof *error);
    layerd_cut_copy(error->code, sizeof error->code, code);
    layerd_cut_copy(error->pointer, sizeof error->pointer, pointer == NULL ? "" : pointer);
    layerd_cut_copy(error->detail, sizeof error->detail, detail);
    return false;
}

bool layerd_fail_memory(layerd_error *error) {
    return layerd_fail(error, "no_memory", NULL, "The client is out of memory.");
}
