/* Runs of numbers: where they end, and that what does not belong to them is left alone. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number.h"

enum { ROOM = 8 };

/* How many numbers the text starts with, and how many bytes up to the end of the last. */
static const struct sample {
    const char *text;
    size_t room, count, taken;
} samples[] = {
    {"1,2,3]", ROOM, 3, 5},
    {"1", ROOM, 1, 1},
    {"-1.5e3,0.25,7]", ROOM, 3, 13},
    {"1 , 2\t,\n3 \r\n]", ROOM, 3, 9},
    {"1,2,3]", 2, 2, 3},
    {"1,2,3]", 1, 1, 1},
    {"1,2,3]", 0, 0, 0},
    /* a comma belongs to the run only with the number behind it */
    {"1,]", ROOM, 1, 1},
    {"1,2,", ROOM, 2, 3},
    {"1,2 , ", ROOM, 2, 3},
    {"1,,2", ROOM, 1, 1},
    {"1 2", ROOM, 1, 1},
    {"1,\v2", ROOM, 1, 1},
    {"1,[2]", ROOM, 1, 1},
    {"1,NaN,2", ROOM, 1, 1},
    {"1,-Infinity", ROOM, 1, 1},
    {"1,\"NaN\"", ROOM, 1, 1},
    {"1,-,2", ROOM, 1, 1},
    {"1,2.,3", ROOM, 1, 1},
    {"1,2e,3", ROOM, 1, 1},
    {"1,02", ROOM, 1, 1},
    {"1,1e999,2", ROOM, 1, 1},
    {"1,+2", ROOM, 1, 1},
    {"01,2", ROOM, 0, 0},
    {",1", ROOM, 0, 0},
    {" 1", ROOM, 0, 0},
    {"]", ROOM, 0, 0},
    {"", ROOM, 0, 0},
    {"1e999", ROOM, 0, 0},
    {"-", ROOM, 0, 0},
};

/* In memory of exact size, for sanitizers; the values are those of one number after the other. */
static void check(const struct sample *sample) {
    size_t length = strlen(sample->text);
    char *text = malloc(length ? length : 1);
    double *f64 = malloc(sizeof *f64 * (sample->count + 1));
    float *f32 = malloc(sizeof *f32 * (sample->count + 1));
    memcpy(text, sample->text, length);
    f64[sample->count] = 99;
    f32[sample->count] = 99;
    const char *at = text;
    size_t count = number_read_run_f64(&at, text + length, f64, sample->room);
    cr_expect(count == sample->count && at == text + sample->taken, "%s: %zu", sample->text, count);
    at = text;
    count = number_read_run_f32(&at, text + length, f32, sample->room);
    cr_expect(count == sample->count && at == text + sample->taken, "%s: %zu", sample->text, count);
    cr_expect(f64[sample->count] == 99 && f32[sample->count] == 99, "%s", sample->text);
    at = text;
    for (size_t i = 0; i < sample->count; i++) {
        double wide = 0;
        while (strchr(", \t\r\n", *at))
            at++;
        cr_assert(number_read_f64(&at, text + length, &wide) == NUMBER_OK);
        cr_expect(f64[i] == wide && f32[i] == (float)wide, "%s, number %zu", sample->text, i);
    }
    free(text);
    free(f64);
    free(f32);
}

Test(number_run, table) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        check(&samples[i]);
}
