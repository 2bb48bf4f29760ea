/* Random numbers are NumPy's, bit for bit. The constants are numpy.random.RandomState(seed)
 * .random_sample(), times 2^53. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(random);

static const struct {
    uint32_t seed;
    uint64_t first[4], at_1000[2], at_100000; /* the draws 0, 1000 and 100000 on */
} known[] = {
    {0,
     {4943272583565992, 6441853127788339, 5429209831737675, 4907871399810549},
     {5340190733130680, 90645712013504},
     4821167111541325},
    {1,
     {3756200289967619, 6488106240503889, 1030196769550, 2723169722893434},
     {2934635288465646, 8014852166732954},
     2868443668324781},
    {42,
     {3373557479352566, 8563273192166996, 6593215287158609, 5392236252703920},
     {1667529178663232, 4881009809369785},
     5231192567041103},
    {12345,
     {8373237378417847, 2849657659447330, 1656593383470774, 1842515188532549},
     {7184543269165087, 6510140403770003},
     4318607419497397},
    {UINT32_MAX,
     {879391138793732, 8218014084248241, 7106998182802425, 7025647827622919},
     {8812110330319532, 7208117329421885},
     5104332946043868},
};

static void assert_draw(uint32_t seed, int i, uint64_t got, uint64_t want) {
    cr_assert(got == want, "draw %d of seed %" PRIu32 " is %" PRIu64 ", not %" PRIu64, i, seed, got,
              want);
}

Test(random, draws_are_those_of_numpy) {
    for (size_t row = 0; row < sizeof known / sizeof *known; row++) {
        layers_random random;
        layers_random_seed(&random, known[row].seed);
        int i = 0;
        for (; i < 4; i++)
            assert_draw(known[row].seed, i, layers_random_53(&random), known[row].first[i]);
        for (; i < 1000; i++)
            layers_random_53(&random);
        for (; i < 1002; i++)
            assert_draw(known[row].seed, i, layers_random_53(&random),
                        known[row].at_1000[i - 1000]);
        for (; i < 100000; i++)
            layers_random_53(&random);
        assert_draw(known[row].seed, i, layers_random_53(&random), known[row].at_100000);
    }
}

Test(random, seeding_starts_anew) {
    layers_random random;
    layers_random_seed(&random, 42);
    for (int i = 0; i < 700; i++)
        layers_random_53(&random);
    layers_random_seed(&random, 42);
    assert_draw(42, 0, layers_random_53(&random), known[2].first[0]);
}

/* A mask into memory of exactly its size, against one comparison an element; returns the bits set.
 */
static size_t check_mask(double p, size_t count) {
    layers_random masked, plain;
    layers_random_seed(&masked, 2024);
    layers_random_seed(&plain, 2024);
    size_t bytes = (count + 7) / 8, set = 0;
    uint8_t *mask = malloc(bytes + !bytes);
    memset(mask, 0xaa, bytes);
    layers_random_mask(&masked, p, count, mask);
    for (size_t i = 0; i < 8 * bytes; i++) {
        bool want = i < count && (double)layers_random_53(&plain) * 0x1p-53 < p;
        bool got = mask[i / 8] >> i % 8 & 1;
        cr_assert(got == want, "p = %g: bit %zu of %zu is %d", p, i, count, got);
        set += got;
    }
    cr_assert(layers_random_53(&masked) == layers_random_53(&plain),
              "p = %g: a mask of %zu took another number of draws", p, count);
    free(mask);
    return set;
}

Test(random, mask_bits_are_comparisons) {
    static const double ps[] = {5e-324, 1e-300, 0x1p-53, 1e-9,  0.1,         0.25,
                                1. / 3, 0.5,    0.7,     0.999, 1 - 0x1p-53, 1};
    static const size_t counts[] = {0, 1, 7, 8, 9, 311, 312, 313, 5000};
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++)
            check_mask(ps[i], counts[j]);
}

Test(random, mask_of_the_edges_of_p) {
    cr_assert(check_mask(1, 5000) == 5000);
    cr_assert(check_mask(5e-324, 5000) == 0);
    size_t half = check_mask(0.5, 5000);
    cr_assert(half > 2350 && half < 2650, "%zu of 5000", half);
}

/* k / 2^53 < p is decided by the last bit of p: at the draw itself it is false, just above true. */
Test(random, mask_is_exact_at_the_draw_itself) {
    for (size_t row = 0; row < sizeof known / sizeof *known; row++) {
        double draw = (double)known[row].first[0] * 0x1p-53;
        const double ps[] = {nextafter(draw, 0), draw, nextafter(draw, 1)};
        for (int i = 0; i < 3; i++) {
            layers_random random;
            uint8_t bit = 0xff;
            layers_random_seed(&random, known[row].seed);
            layers_random_mask(&random, ps[i], 1, &bit);
            cr_assert(bit == (i == 2), "seed %" PRIu32 ", p %+d ulp", known[row].seed, i - 1);
        }
    }
}

Test(random, masks_follow_each_other) {
    layers_random at_once, in_parts;
    uint8_t whole[8], part[8];
    layers_random_seed(&at_once, 7);
    layers_random_seed(&in_parts, 7);
    layers_random_mask(&at_once, 0.4, 64, whole);
    for (int i = 0; i < 8; i++)
        layers_random_mask(&in_parts, 0.4, 8, &part[i]);
    cr_assert(memcmp(whole, part, 8) == 0);
}

Test(random, drawn_seeds_differ) {
    uint32_t seeds[16];
    int equal = 0;
    for (int i = 0; i < 16; i++) {
        seeds[i] = layers_random_draw_seed();
        for (int j = 0; j < i; j++)
            equal += seeds[i] == seeds[j];
    }
    cr_assert(equal <= 1, "%d pairs of 16 drawn seeds are equal", equal);
}
