/* Copies within a budget: any may go, the least recently used first, and none is another's. */
#include "store/copies.h"

#include <stdio.h>

#include "common/check.h"
#include "unit/calls.h"

TestSuite(copies);

static store_value value_of(double number) {
    return (store_value){.tensor = tensor_of(LAYERS_F64, SHAPE(1), VALUES(number))};
}

static void put(copies *c, const char *key, double number, size_t bytes) {
    store_value value = value_of(number);
    copies_put(c, key, &value, bytes, &(copy_state){.confirmed = (int64_t)number});
    store_value_clear(&value);
}

/* The number under a key; -1 where there is none. */
static double get(copies *c, const char *key) {
    store_value value;
    copy_state state;
    double number = -1;
    if (copies_get(c, key, &value, &state)) {
        number = element(&value.tensor, 0);
        CHECK_EQUAL(state.confirmed, (int64_t)number);
    }
    store_value_clear(&value);
    return number;
}

static void expect_count(copies *c, size_t entries, size_t bytes) {
    size_t have_entries, have_bytes;
    copies_count(c, &have_entries, &have_bytes);
    CHECK_EQUAL(have_entries, entries);
    CHECK_EQUAL(have_bytes, bytes);
}

Test(copies, are_found_until_they_are_dropped) {
    copies *c = copies_make(1000);
    put(c, "a", 1, 100);
    put(c, "b", 2, 100);
    CHECK_TRUE(get(c, "a") == 1 && get(c, "b") == 2 && get(c, "c") == -1);
    put(c, "a", 3, 150); /* in the place of the other */
    CHECK_TRUE(get(c, "a") == 3);
    expect_count(c, 2, 250);
    copies_drop(c, "a");
    copies_drop(c, "c");
    CHECK_TRUE(get(c, "a") == -1 && get(c, "b") == 2);
    copies_note(c, "a", &(copy_state){0});
    expect_count(c, 1, 100);
    copies_free(c);
    copies_free(NULL);
}

Test(copies, the_least_recently_used_make_room) {
    copies *c = copies_make(300);
    put(c, "a", 1, 100);
    put(c, "b", 2, 100);
    put(c, "c", 3, 100);
    CHECK_TRUE(get(c, "a") == 1);
    put(c, "d", 4, 100);
    CHECK_TRUE(get(c, "b") == -1 && get(c, "a") == 1 && get(c, "c") == 3 && get(c, "d") == 4);
    put(c, "e", 5, 301); /* never */
    CHECK_TRUE(get(c, "e") == -1);
    expect_count(c, 3, 300);
    put(c, "f", 6, 300);
    expect_count(c, 1, 300);
    CHECK_TRUE(get(c, "f") == 6);
    copies_free(c);
}

Test(copies, what_is_used_outlives_its_copy) {
    copies *c = copies_make(100);
    store_value value;
    copy_state state;
    put(c, "a", 1, 100);
    CHECK_TRUE(copies_get(c, "a", &value, &state));
    put(c, "b", 2, 100);
    CHECK_TRUE(element(&value.tensor, 0) == 1);
    copies_free(c);
    CHECK_TRUE(element(&value.tensor, 0) == 1);
    store_value_clear(&value);
}

Test(copies, many_are_all_found) {
    enum { MANY = 5000 };
    copies *c = copies_make((size_t)MANY * 10);
    char key[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(c, key, i, 10);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        CHECK_TRUE(get(c, key) == i);
    }
    expect_count(c, MANY, MANY * 10);
    copies_free(c);
}
