/* Numbers: the input as text is read as the C library reads it; its first bytes as a float64 and a
 * float32 are written, read back to the same bits, and could not be shorter. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "codec/number.h"
#include "fuzz.h"

/* How many bytes of the text are a JSON number; 0 where it does not start with one. */
static size_t number_length(const char *text) {
    const char *at = text + (*text == '-');
    if (!isdigit((unsigned char)*at))
        return 0;
    at += *at == '0' ? 1 : strspn(at, "0123456789");
    if (*at == '.') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0)
            return 0;
        at += 1 + digits;
    }
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '+' || at[1] == '-');
        size_t digits = strspn(exponent, "0123456789");
        if (digits == 0)
            return 0;
        at = exponent + digits;
    }
    return isdigit((unsigned char)*at) ? 0 : (size_t)(at - text);
}

static void status_holds(number_status status, size_t length, size_t taken, double want) {
    HOLDS((status == NUMBER_MALFORMED) == (length == 0));
    HOLDS(status == NUMBER_MALFORMED || taken == length);
    HOLDS((status == NUMBER_OUT_OF_RANGE) == (length > 0 && isinf(want)));
}

static void read_holds(const uint8_t *data, size_t size) {
    char *text = exact_copy(data, size), *terminated = malloc(size + 1);
    HOLDS(terminated);
    memcpy(terminated, text, size);
    terminated[size] = '\0';
    size_t length = number_length(terminated);
    terminated[length] = '\0';
    double wide, want = strtod(terminated, NULL);
    float narrow, want_narrow = strtof(terminated, NULL);

    const char *at = text;
    number_status status = number_read_f64(&at, text + size, &wide);
    status_holds(status, length, (size_t)(at - text), want);
    HOLDS(status != NUMBER_OK || !memcmp(&wide, &want, sizeof wide));
    at = text;
    status = number_read_f32(&at, text + size, &narrow);
    status_holds(status, length, (size_t)(at - text), (double)want_narrow);
    HOLDS(status != NUMBER_OK || !memcmp(&narrow, &want_narrow, sizeof narrow));
    free(text);
    free(terminated);
}

/* The digits of a number's text without the zeros at both ends. */
static int significant_digits(const char *text, size_t length) {
    char digits[32];
    int used = 0;
    for (size_t i = 0; i < length && text[i] != 'e'; i++)
        if (isdigit((unsigned char)text[i]) && (used > 0 || text[i] != '0'))
            digits[used++] = text[i];
    while (used > 0 && digits[used - 1] == '0')
        used--;
    return used;
}

static void layout_holds(const char *text, size_t length) {
    char terminated[32] = "";
    memcpy(terminated, text, length);
    HOLDS(number_length(terminated) == length);
    HOLDS(strpbrk(terminated, ".e"));
}

static void write_f64_holds(double value) {
    char *out = malloc(NUMBER_F64_TEXT), shorter[40];
    HOLDS(out);
    size_t length = number_write_f64(out, value);
    HOLDS(length <= NUMBER_F64_TEXT);
    if (isfinite(value)) {
        const char *at = out;
        double back;
        layout_holds(out, length);
        HOLDS(number_read_f64(&at, out + length, &back) == NUMBER_OK && at == out + length);
        HOLDS(!memcmp(&back, &value, sizeof back));
        int digits = significant_digits(out, length);
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
            HOLDS(strtod(shorter, NULL) != value);
        }
    } else {
        HOLDS(!memcmp(out,
                      isnan(value) ? "\"NaN\""
                      : value > 0  ? "\"Infinity\""
                                   : "\"-Infinity\"",
                      length));
    }
    free(out);
}

static void write_f32_holds(float value) {
    char *out = malloc(NUMBER_F32_TEXT), shorter[40];
    HOLDS(out);
    size_t length = number_write_f32(out, value);
    HOLDS(length <= NUMBER_F32_TEXT);
    if (isfinite(value)) {
        const char *at = out;
        float back;
        layout_holds(out, length);
        HOLDS(number_read_f32(&at, out + length, &back) == NUMBER_OK && at == out + length);
        HOLDS(!memcmp(&back, &value, sizeof back));
        int digits = significant_digits(out, length);
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, (double)value);
            HOLDS(strtof(shorter, NULL) != value);
        }
    } else {
        HOLDS(!memcmp(out,
                      isnan(value) ? "\"NaN\""
                      : value > 0  ? "\"Infinity\""
                                   : "\"-Infinity\"",
                      length));
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    double wide;
    float narrow;
    read_holds(data, size);
    if (size >= sizeof wide) {
        memcpy(&wide, data, sizeof wide);
        write_f64_holds(wide);
    }
    if (size >= sizeof narrow) {
        memcpy(&narrow, data, sizeof narrow);
        write_f32_holds(narrow);
    }
    return 0;
}
