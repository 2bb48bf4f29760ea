// NumPy's legacy generator, np.random.RandomState(seed): MT19937, and normal numbers by the polar
// method. A seed begins the same network in every client.

const SIZE = 624;
const AHEAD = 397;

function stateOf(seed) {
    const state = new Uint32Array(SIZE);
    state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
        const before = state[i - 1];
        state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    return state;
}

function twist(state) {
    for (let i = 0; i < SIZE; i++) {
        const joined = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
        const odd = joined & 1 ? 0x9908b0df : 0;
        state[i] = state[(i + AHEAD) % SIZE] ^ (joined >>> 1) ^ odd;
    }
}

function temper(word) {
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
}

/** A function that draws numbers of the standard normal distribution. */
export function normalNumbers(seed) {
    const state = stateOf(seed);
    let at = SIZE;
    const word = () => {
        if (at === SIZE) {
            twist(state);
            at = 0;
        }
        return temper(state[at++]);
    };
    // From -1 to 1, of 53 bits.
    const uniform = () => {
        const high = word() >>> 5;
        return (2 * (high * 2 ** 26 + (word() >>> 6))) / 2 ** 53 - 1;
    };
    let second;
    return () => {
        if (second !== undefined) {
            const number = second;
            second = undefined;
            return number;
        }
        let x, y, square;
        do {
            x = uniform();
            y = uniform();
            square = x * x + y * y;
        } while (square >= 1 || square === 0);
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        second = factor * x;
        return factor * y;
    };
}
