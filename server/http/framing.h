/* Whether the head of a request can be read in one way only (RFC 9112). libmicrohttpd 0.9.75 takes
 * much that two readers could take differently: lines that end in a bare LF or CR, folded lines,
 * NUL bytes, two lengths or codings, names that are none. It parses a head where it lies and ends
 * each part with a NUL in the place of its separator; so whether the parts lie end to end, CRLF
 * between them, tells what the bytes were. */
#ifndef SERVER_FRAMING_H
#define SERVER_FRAMING_H

#include <stdbool.h>

typedef struct {
    const char *next; /* where the next line has to begin */
    unsigned hosts, lengths, codings;
    bool sound;
} framing;

/* The request line: its parts, and the end of its target before that was decoded. */
framing framing_of_line(const char *method, const char *path, const char *target_end,
                        const char *version);

/* The next header. */
void framing_add(framing *framing, const char *name, const char *value);

/* At the end of the head, `end`. */
bool framing_is_sound(const framing *framing, const char *end);

/* Whether a text is a token (RFC 9110, 5.6.2). */
bool framing_is_token(const char *text);

#endif
