/* MT19937 as NumPy's legacy generator uses it. A block of 624 words at a time: the recurrence
 * reaches back 227 words at least, so its loops vectorise. */
#include "layers/random.h"

#include <math.h>
#include <sys/random.h>
#include <time.h>

#include "bits.h"
#include "blocks.h"
#include "kernel.h"

enum { WORDS = LAYERS_MT_WORDS, SHIFT = 397 };

void layers_random_seed(layers_random *random, uint32_t seed) {
    uint32_t *state = random->state;
    state[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++)
        state[i] = 1812433253U * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    random->used = WORDS;
}

static inline uint32_t twist(uint32_t high, uint32_t low, uint32_t far) {
    uint32_t mixed = (high & 0x80000000U) | (low & 0x7fffffffU);
    return far ^ (mixed >> 1) ^ (-(low & 1U) & 0x9908b0dfU);
}

/* The next 624 words of state, then tempered. Within each loop no iteration reads what one of the
 * 226 before it wrote. */
KERNEL void next_block(layers_random *random) {
    uint32_t *s = random->state;
    INDEPENDENT
    for (int i = 0; i < WORDS - SHIFT; i++)
        s[i] = twist(s[i], s[i + 1], s[i + SHIFT]);
    INDEPENDENT
    for (int i = WORDS - SHIFT; i < WORDS - 1; i++)
        s[i] = twist(s[i], s[i + 1], s[i + SHIFT - WORDS]);
    s[WORDS - 1] = twist(s[WORDS - 1], s[0], s[SHIFT - 1]);
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = s[i];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680U;
        y ^= (y << 15) & 0xefc60000U;
        random->word[i] = y ^ (y >> 18);
    }
    random->used = 0;
}

uint64_t layers_random_53(layers_random *random) {
    if (random->used == WORDS)
        next_block(random);
    uint64_t high = random->word[random->used] >> 5;
    uint64_t low = random->word[random->used + 1] >> 6;
    random->used += 2;
    return high << 26 | low;
}

/* flag[i] = whether the number made of words 2i and 2i + 1 is below limit / 2^53. */
KERNEL void compare(size_t count, const uint32_t *word, uint64_t limit, uint8_t *flag) {
    for (size_t i = 0; i < count; i++)
        flag[i] = ((uint64_t)(word[2 * i] >> 5) << 26 | word[2 * i + 1] >> 6) < limit;
}

/* k / 2^53 < p for an integer k is k < ceil(p * 2^53): the product is exact. */
void layers_random_mask(layers_random *random, double p, size_t count, uint8_t *mask) {
    uint64_t limit = (uint64_t)ceil(p * 0x1p53);
    uint8_t flag[FLAGS];
    for (size_t i = 0; i < count; i += FLAGS) {
        size_t wanted = at_most(FLAGS, count - i);
        if (wanted < FLAGS)
            memset(flag, 0, sizeof flag);
        for (size_t have = 0, some; have < wanted; have += some) {
            if (random->used == WORDS)
                next_block(random);
            some = at_most(wanted - have, (size_t)(WORDS - random->used) / 2);
            compare(some, random->word + random->used, limit, flag + have);
            random->used += 2 * (int)some;
        }
        bits_pack(flag, wanted, mask + i / 8);
    }
}

uint32_t layers_random_draw_seed(void) {
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
        return seed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)now.tv_nsec ^ (uint32_t)now.tv_sec;
}
