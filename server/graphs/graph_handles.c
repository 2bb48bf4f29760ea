/* Handles, taken out of a text. */
#include "graphs/graph_handles.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = HANDLE_TEXT - 1 };

static const char mark[] = "handle:";

static bool is_handle(const char *text) {
    for (int i = 0; i < DIGITS; i++)
        if (!isdigit((unsigned char)text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}

/* How many backslashes stand before a place. */
static size_t escapes(const char *text, const char *at) {
    size_t count = 0;
    while (at - count > text && at[-1 - (ptrdiff_t)count] == '\\')
        count++;
    return count;
}

/* Whether the digits from `at` on are the whole of a string, and that is no key. Its quotes are
 * bare or, in a text within another, escaped. */
static bool is_value(const char *text, const char *at, const char *end, bool nested) {
    if (escapes(text, at - 1) != nested)
        return false;
    at += DIGITS;
    if (nested && (at == end || *at++ != '\\'))
        return false;
    if (at == end || *at++ != '"')
        return false;
    while (at < end && (isspace((unsigned char)*at) ||
                        (nested && *at == '\\' && at + 1 < end && strchr("nrt", at[1]))))
        at += *at == '\\' ? 2 : 1;
    return at == end || *at != ':';
}

static bool grow(taken_handles *handles) {
    size_t room = handles->room ? 2 * handles->room : 16;
    void *larger = realloc(handles->list, room * sizeof *handles->list);
    if (!larger)
        return false;
    handles->list = larger;
    handles->room = room;
    return true;
}

bool handles_take(taken_handles *handles, char *text, size_t length, bool nested) {
    if (memmem(text, length, mark, sizeof mark - 1) || memmem(text, length, "\\u", 2))
        return true;
    const char *end = text + length;
    for (char *at = text; (at = memchr(at, '"', (size_t)(end - at)));) {
        at++;
        if (end - at <= DIGITS || !is_handle(at) || !is_value(text, at, end, nested))
            continue;
        if (handles->count == handles->room && !grow(handles))
            return false;
        char number[HANDLE_TEXT];
        memcpy(handles->list[handles->count], at, DIGITS);
        handles->list[handles->count][DIGITS] = '\0';
        snprintf(number, sizeof number, "%s%0*zu", mark, DIGITS - (int)sizeof mark + 1,
                 handles->count++);
        memcpy(at, number, DIGITS);
        at += DIGITS;
    }
    return true;
}

const char *handles_text(const taken_handles *handles, const char *text) {
    if (!text || strncmp(text, mark, sizeof mark - 1) != 0 || strlen(text) != DIGITS)
        return text;
    size_t number = strtoull(text + sizeof mark - 1, NULL, 10);
    return number < handles->count ? handles->list[number] : text;
}

/* Puts one back, where its mark is; whether it was known. */
static bool restore(const taken_handles *handles, char *at) {
    const char *digits = at + sizeof mark - 1;
    size_t number = strtoull(digits, NULL, 10);
    if (strspn(digits, "0123456789") < DIGITS - sizeof mark + 1 || number >= handles->count)
        return false;
    memcpy(at, handles->list[number], DIGITS);
    return true;
}

void handles_put_back(const taken_handles *handles, char *text, size_t length) {
    char *end = text + length, copy[HANDLE_TEXT];
    for (char *at = text;
         handles->count > 0 && (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) &&
         end - at >= DIGITS;
         at++) {
        snprintf(copy, sizeof copy, "%.*s", DIGITS, at);
        if (restore(handles, copy))
            memcpy(at, copy, DIGITS);
    }
}

void handles_restore(const taken_handles *handles, char *text) {
    for (char *at = text; (at = strstr(at, mark)); at++)
        if (strspn(at + sizeof mark - 1, "0123456789") == DIGITS - sizeof mark + 1)
            restore(handles, at);
}
