/* What is said to the store of one value.
 *
 * Data of up to TALK_PIECE bytes stands behind its header under one key. More of it stands in
 * pieces of so many bytes, under keys of their own, which live a minute longer than the key of the
 * header; they are written before that, and removed after it. */
#include "store/redis/talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/problem.h"

enum {
    OK_BYTES = 5,         /* of "+OK\r\n" */
    NUMBER_BYTES = 4,     /* of ":1\r\n" */
    WINDOW = 4,           /* pieces that are asked for ahead: the store holds them until they go */
    PIECE_LONGER = 60000, /* milliseconds */
    PIECE_KEY = REDIS_KEY + 24,
    NUMBER = 24,
    IN_HAND =
        400, /* milliseconds beyond the deadline for the answer to WAIT, which takes all of it */
    RATE = 16384, /* bytes a millisecond, at the worst */
};

size_t talk_pieces(const value_image *image) {
    return image->data_bytes > TALK_PIECE ? (image->data_bytes + TALK_PIECE - 1) / TALK_PIECE : 0;
}

static void piece_key(char key[PIECE_KEY], const char *first, size_t number) {
    snprintf(key, PIECE_KEY, "%s:%zu", first, number);
}

static const char *number_text(int64_t number, char text[NUMBER]) {
    snprintf(text, NUMBER, "%" PRId64, number);
    return text;
}

/* Asks the store to wait for its replicas, where that is wanted. */
static void ask_wait(redis_link *link, const talk_terms *terms) {
    char copies[NUMBER], time[NUMBER];
    int64_t left = link->deadline - link_now();
    if (terms->copies == 0)
        return;
    link->deadline += IN_HAND;
    link_ask(link, 3,
             (const char *const[]){"WAIT", number_text(terms->copies, copies),
                                   number_text(left > 1 ? left : 1, time)});
}

/* Whether the replicas have it. */
static bool has_copies(redis_link *link, const talk_terms *terms) {
    int64_t copies = 0;
    return terms->copies == 0 || (link_integer(link, &copies) && copies >= terms->copies);
}

/* ---- put ---------------------------------------------------------------------------------------
 */

/* The data of an image from `begin` on, `length` bytes of it: so many parts, 0 where one of them is
 * yet to be computed. */
static int cut(const value_image *image, size_t begin, size_t length, struct iovec *out) {
    int count = 0;
    for (int i = 0; i < image->count && length > 0; i++) {
        if (begin >= image->bytes[i]) {
            begin -= image->bytes[i];
            continue;
        }
        size_t part = image->bytes[i] - begin < length ? image->bytes[i] - begin : length;
        if (!image->data[i])
            return 0;
        out[count++] = (struct iovec){(char *)image->data[i] + begin, part};
        length -= part;
        begin = 0;
    }
    return count;
}

/* Reads answers to SETs until only so many are left. */
static bool settle(redis_link *link, size_t *waiting, size_t left) {
    while (*waiting > left && link_ok(link))
        --*waiting;
    return link->state == LINK_GOOD;
}

/* The same of a piece. */
static int cut_piece(const value_image *image, size_t number, struct iovec *out) {
    size_t begin = number * TALK_PIECE, left = image->data_bytes - begin;
    return cut(image, begin, left < TALK_PIECE ? left : TALK_PIECE, out);
}

static void send_piece(redis_link *link, const talk_value *value, size_t number, size_t *waiting) {
    struct iovec out[LAYERS_MAX_TENSORS];
    char key[PIECE_KEY];
    int count = cut_piece(&value->image, number, out);
    piece_key(key, value->key, number + 1);
    link_set(link, key, out, count, value->terms->lifetime + PIECE_LONGER);
    ++*waiting;
    settle(link, waiting, WINDOW);
}

void talk_ahead(redis_link *link, talk_value *value, const atomic_bool *enough) {
    struct iovec out[LAYERS_MAX_TENSORS];
    size_t pieces = talk_pieces(&value->image), i = 0;
    while (i < pieces && cut_piece(&value->image, i, out) == 0)
        i++;
    value->ahead_from = i;
    for (; i < pieces && cut_piece(&value->image, i, out) > 0 && !atomic_load(enough); i++)
        send_piece(link, value, i, &value->waiting);
    value->ahead_to = i;
}

void talk_forget_ahead(talk_value *value) {
    value->ahead_from = value->ahead_to = value->waiting = 0;
}

/* Sends what has not gone ahead. */
static void send_value(redis_link *link, talk_value *value, size_t *waiting) {
    value_image *image = &value->image;
    struct iovec out[LAYERS_MAX_TENSORS + 1];
    size_t pieces = talk_pieces(image);
    *waiting += value->waiting;
    for (size_t i = 0; i < pieces && link->state == LINK_GOOD; i++)
        if (i < value->ahead_from || i >= value->ahead_to)
            send_piece(link, value, i, waiting);
    out[0] = (struct iovec){image->header, image->header_length};
    int count = pieces ? 0 : cut(image, 0, image->data_bytes, out + 1);
    link_set(link, value->key, out, count + 1, value->terms->lifetime);
    ++*waiting;
    talk_forget_ahead(value);
}

/* Whether an owner may keep so much; what it keeps is known by that. */
static bool is_within(owner *owner, int64_t sum) {
    atomic_store(&owner->kept, sum > 0 ? (size_t)sum : 0);
    return sum <= 0 || (uint64_t)sum <= atomic_load(&owner->limit);
}

talk_outcome talk_put(redis_link *link, void *context) {
    talk_putting *putting = context;
    size_t waiting = 0;
    for (size_t i = 0; i < putting->count; i++)
        send_value(link, putting->values[i], &waiting);
    for (size_t i = 0; i < putting->count; i++) {
        talk_value *value = putting->values[i];
        if (share_is_counted(value->owner))
            share_ask_add(value->share, link, value->owner, value->handle, value->bytes);
    }
    ask_wait(link, putting->terms);
    if (link_flush(link) && putting->terms->copies > 0)
        link_await(link, waiting * OK_BYTES + NUMBER_BYTES);
    settle(link, &waiting, 0);
    for (size_t i = 0; i < putting->count; i++) {
        talk_value *value = putting->values[i];
        int64_t sum;
        if (share_is_counted(value->owner) && share_added(link, &sum))
            putting->is_over |= !is_within(value->owner, sum);
    }
    putting->is_short = !has_copies(link, putting->terms);
    return putting->is_over ? TALK_FULL : putting->is_short ? TALK_AWAY : TALK_OK;
}

/* Asks to UNLINK the pieces of a value; as many answers follow. */
static void ask_unlink(redis_link *link, const char *first, size_t pieces) {
    char key[PIECE_KEY];
    for (size_t i = 1; i <= pieces; i++) {
        piece_key(key, first, i);
        link_ask(link, 2, (const char *const[]){"UNLINK", key});
    }
}

/* Reads so many integers that nobody looks at. */
static void skip_integers(redis_link *link, size_t count) {
    int64_t number;
    while (count-- > 0 && link_integer(link, &number))
        continue;
}

talk_outcome talk_undo(redis_link *link, void *context) {
    talk_putting *putting = context;
    for (size_t i = 0; i < putting->count; i++) {
        talk_value *value = putting->values[i];
        size_t pieces = talk_pieces(&value->image);
        settle(link, &value->waiting, 0);
        link_ask(link, 2, (const char *const[]){"UNLINK", value->key});
        ask_unlink(link, value->key, pieces);
        link_flush(link);
        skip_integers(link, 1 + pieces);
        if (share_is_counted(value->owner))
            share_subtract(link, value->owner->name, value->handle);
    }
    return TALK_OK;
}

/* ---- fetch and touch ---------------------------------------------------------------------------
 */

static talk_outcome broken(talk_handle *handle, const char *what) {
    text_clip(handle->text, sizeof handle->text, what);
    return TALK_BROKEN;
}

/* The same where more would come on the link. */
static talk_outcome broken_off(redis_link *link, talk_handle *handle, const char *what) {
    link_fail(link, LINK_STRANGE, what);
    return broken(handle, what);
}

static void ask_expire(redis_link *link, const char *key, int64_t lifetime) {
    char time[NUMBER];
    link_ask(link, 3, (const char *const[]){"PEXPIRE", key, number_text(lifetime, time)});
}

static bool make_file(talk_handle *handle, size_t length) {
    layers_error error;
    return layers_tensor_make(&handle->file, LAYERS_U8, &length, 1, &error) == LAYERS_OK;
}

static void ask_piece(redis_link *link, const talk_handle *handle, size_t number) {
    char key[PIECE_KEY];
    piece_key(key, handle->key, number);
    ask_expire(link, key, handle->terms->lifetime + PIECE_LONGER);
    link_ask(link, 2, (const char *const[]){"GET", key});
    if (number == handle->pieces)
        ask_wait(link, handle->terms);
    link_flush(link);
}

/* Reads the pieces to where they belong. A piece that is not there may have been removed by
 * another, the header first. */
static talk_outcome take_pieces(redis_link *link, talk_handle *handle, char *to, size_t bytes) {
    int64_t live, length;
    size_t asked = 0;
    for (size_t i = 1; i <= handle->pieces; i++) {
        size_t want = bytes < TALK_PIECE ? bytes : TALK_PIECE;
        while (asked < handle->pieces && asked < i - 1 + WINDOW)
            ask_piece(link, handle, ++asked);
        if (!link_integer(link, &live) || !link_length(link, &length))
            return TALK_AWAY;
        if (length < 0) {
            link_fail(link, LINK_STRANGE, "a piece is missing");
            return TALK_UNKNOWN;
        }
        if ((size_t)length != want)
            return broken_off(link, handle, "a piece of it has another length than it must have");
        if (!link_take(link, to, want))
            return TALK_AWAY;
        to += want;
        bytes -= want;
    }
    handle->unconfirmed |= !has_copies(link, handle->terms);
    return TALK_OK;
}

/* The rest of a value whose header is handle->file. */
static talk_outcome fetch_rest(redis_link *link, talk_handle *handle) {
    layers_tensor header = handle->file;
    value_head head;
    handle->file = (layers_tensor){0};
    bool good = value_head_read(&head, header.data, header.size, handle->text);
    talk_outcome outcome = good ? TALK_OK : TALK_BROKEN;
    if (good && (head.header_length != header.size || head.data_bytes > handle->terms->largest ||
                 handle->pieces != (head.data_bytes + TALK_PIECE - 1) / TALK_PIECE))
        outcome = broken(handle, "its pieces are not as many as its header says");
    if (outcome == TALK_OK && !make_file(handle, header.size + head.data_bytes))
        outcome = broken(handle, "there is no memory for it");
    if (outcome == TALK_OK) {
        memcpy(handle->file.data, header.data, header.size);
        link->deadline += (int64_t)(head.data_bytes / RATE);
        outcome =
            take_pieces(link, handle, (char *)handle->file.data + header.size, head.data_bytes);
    }
    layers_tensor_clear(&header);
    return outcome;
}

/* What stands under the value's own key. */
static talk_outcome take_first(redis_link *link, talk_handle *handle) {
    int64_t live, length;
    if (!link_integer(link, &live) || !link_length(link, &length))
        return TALK_AWAY;
    if (length < 0)
        return TALK_UNKNOWN;
    if (length > TALK_PIECE + VALUE_HEADER)
        return broken_off(link, handle, "it is longer than a value can be");
    if (!make_file(handle, (size_t)length))
        return broken_off(link, handle, "there is no memory for it");
    if (!link_take(link, handle->file.data, (size_t)length))
        return TALK_AWAY;
    handle->pieces = value_pieces(handle->file.data, (size_t)length);
    return TALK_OK;
}

talk_outcome talk_fetch(redis_link *link, void *context) {
    talk_handle *handle = context;
    layers_tensor_clear(&handle->file);
    ask_expire(link, handle->key, handle->terms->lifetime);
    link_ask(link, 2, (const char *const[]){"GET", handle->key});
    ask_wait(link, handle->terms);
    link_flush(link);
    talk_outcome outcome = take_first(link, handle);
    handle->unconfirmed = !has_copies(link, handle->terms);
    return outcome == TALK_OK && handle->pieces ? fetch_rest(link, handle) : outcome;
}

talk_outcome talk_touch(redis_link *link, void *context) {
    talk_handle *handle = context;
    int64_t live;
    char key[PIECE_KEY];
    if (!handle->starts_anew) {
        link_ask(link, 2, (const char *const[]){"EXISTS", handle->key});
        return link_flush(link) && link_integer(link, &live) && live ? TALK_OK : TALK_UNKNOWN;
    }
    ask_expire(link, handle->key, handle->terms->lifetime);
    for (size_t i = 1; i <= handle->pieces; i++) {
        piece_key(key, handle->key, i);
        ask_expire(link, key, handle->terms->lifetime + PIECE_LONGER);
    }
    ask_wait(link, handle->terms);
    link_flush(link);
    if (!link_integer(link, &live))
        return TALK_AWAY;
    skip_integers(link, handle->pieces);
    handle->unconfirmed = !has_copies(link, handle->terms);
    return live ? TALK_OK : TALK_UNKNOWN;
}

/* ---- info and remove ---------------------------------------------------------------------------
 */

/* Asks for the first bytes of a value. */
static void ask_head(redis_link *link, const char *key, size_t bytes) {
    char last[NUMBER];
    link_ask(link, 4,
             (const char *const[]){"GETRANGE", key, "0", number_text((int64_t)bytes - 1, last)});
}

talk_outcome talk_info(redis_link *link, void *context) {
    talk_handle *handle = context;
    char start[VALUE_HEADER + 1];
    size_t length = 0;
    int64_t left;
    value_head head;
    ask_head(link, handle->key, VALUE_HEADER);
    link_ask(link, 2, (const char *const[]){"PTTL", handle->key});
    link_flush(link);
    if (!link_string(link, start, sizeof start, &length) || !link_integer(link, &left))
        return TALK_AWAY;
    if (left == -2 || length == 0)
        return TALK_UNKNOWN;
    if (!value_head_read(&head, start, length, handle->text))
        return TALK_BROKEN;
    handle->info = head.info;
    handle->info.expires = left;
    return TALK_OK;
}

/* Asks in how many pieces the data of a value is. */
static void learn_pieces(redis_link *link, talk_handle *handle) {
    enum { START = 256 }; /* holds their number */
    char start[START + 1];
    size_t length = 0;
    ask_head(link, handle->key, START);
    link_flush(link);
    link_string(link, start, sizeof start, &length);
    handle->pieces = value_pieces(start, length);
    if (handle->pieces > handle->terms->largest / TALK_PIECE + 1)
        handle->pieces = 0; /* no daemon wrote that */
}

talk_outcome talk_remove(redis_link *link, void *context) {
    talk_handle *handle = context;
    int64_t gone = 0;
    if (!handle->knows_pieces)
        learn_pieces(link, handle);
    link_ask(link, 2, (const char *const[]){"UNLINK", handle->key});
    ask_unlink(link, handle->key, handle->pieces);
    if (handle->in_passing && !handle->owner_name) {
        link_leave(link, 1 + handle->pieces);
        return link_flush(link) ? TALK_OK : TALK_AWAY;
    }
    ask_wait(link, handle->terms);
    link_flush(link);
    link_integer(link, &gone);
    skip_integers(link, handle->pieces);
    handle->unconfirmed = !has_copies(link, handle->terms);
    if (gone && handle->owner_name)
        share_subtract(link, handle->owner_name, handle->handle);
    if (link->state != LINK_GOOD || (gone && handle->unconfirmed))
        return TALK_AWAY;
    return gone ? TALK_OK : TALK_UNKNOWN;
}

talk_outcome talk_sum(redis_link *link, void *context) {
    talk_owner *of = context;
    share_ask_sum(link, of->owner);
    return link_flush(link) && share_sum(link, &of->sum) ? TALK_OK : TALK_AWAY;
}

talk_outcome talk_note_once(redis_link *link, void *context) {
    talk_note *note = context;
    char time[NUMBER], first[STORE_NOTE];
    size_t length;
    const char *const set[] = {"SET", note->key, note->note,
                               "NX",  "PX",      number_text(note->lifetime, time)};
    link_ask(link, 6, set);
    link_ask(link, 2, (const char *const[]){"GET", note->key});
    ask_wait(link, note->terms);
    link_flush(link);
    redisReply *done = link_answer(link);
    if (!done)
        return TALK_AWAY;
    freeReplyObject(done);
    if (!link_string(link, first, sizeof first, &length) || !has_copies(link, note->terms))
        return TALK_AWAY;
    strcpy(note->note, first);
    return TALK_OK;
}
