/* Codes and sentences. */
#include "layers/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *layers_code_name(layers_code code) {
    static const char *const names[] = {
#define LAYERS_NAME(code, name) [code] = (name),
        LAYERS_CODES(LAYERS_NAME)
#undef LAYERS_NAME
    };
    return names[code];
}

layers_code layers_fail(layers_error *error, layers_code code, const char *field,
                        const char *format, ...) {
    error->code = code;
    snprintf(error->field, sizeof error->field, "%s", field ? field : "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return code;
}
