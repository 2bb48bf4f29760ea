/* The largest of each window. For max_pool.c, which both_dtypes.h includes, behind its #ifdef REAL;
 * no include guard: it is for each REAL anew.
 *
 * Windows are looked through LANES_IN at a time, place by place: what is larger than the largest so
 * far takes its place, and NaN that of any number. */

/* An element of each window: `stride` apart, where that is 1 or 2; where it is 0, at the offsets.
 * None is read beyond the last. */
INLINED void typed(fetch)(const REAL *x, size_t stride, const size_t *offset, typed(lanes) * in) {
    if (stride == 1)
        *in = *(const typed(lanes) *)x;
    else if (stride == 2)
        *in = typed(EVENS)(*(const typed(lanes) *)x, *(const typed(lanes) *)(x + LANES_IN - 1));
    else
        for (size_t l = 0; l < LANES_IN; l++)
            (*in)[l] = x[offset[l]];
}

/* Of windows of R by S, the largest and its index. */
INLINED void typed(scan)(const REAL *x, size_t W, size_t R, size_t S, size_t stride,
                         const size_t *offset, typed(lanes) * largest, typed(bits) * index) {
    typed(lanes) most, here;
    typed(bits) first = {0}, place = {0};
    typed(fetch)(x, stride, offset, &most);
    for (size_t r = 0; r < R; r++)
        for (size_t s = r == 0; s < S; s++) {
            typed(fetch)(x + r * W + s, stride, offset, &here);
            place += 1;
            typed(bits) more = ~(typed(bits))(here <= most) & (typed(bits))(most == most);
            most = (typed(lanes))((more & (typed(bits))here) | (~more & (typed(bits))most));
            first = (more & place) | (~more & first);
        }
    *largest = most;
    *index = first;
}

/* The first `count` of them, of window o and those behind it. */
INLINED void typed(put)(const pooling *g, size_t o, size_t count, const typed(lanes) * largest,
                        const typed(bits) * index) {
    uint8_t *to = g->index + o * g->B;
    if (count == LANES_IN)
        *(typed(lanes) *)((REAL *)g->out + o) = *largest;
    else
        memcpy((REAL *)g->out + o, largest, count * sizeof(REAL));
    if (g->B == 1) {
        uint8_t narrow[LANES_IN];
        typed(narrow)(index, narrow);
        memcpy(to, narrow, count);
    } else {
        for (size_t l = 0; l < count; l++)
            index_put(to + l * g->B, g->B, (*index)[l]);
    }
}

/* A row of windows, LANES_IN side by side, the last of them up to its end. */
INLINED void typed(across)(const pooling *g, size_t R, size_t S, size_t stride, size_t row) {
    const REAL *x = (const REAL *)g->x + row_start(g, row);
    for (size_t done = 0; done < g->Q; done += LANES_IN) {
        typed(lanes) largest;
        typed(bits) index;
        size_t q = at_most(done, g->Q - LANES_IN);
        typed(scan)(x + q * stride, g->W, R, S, stride, NULL, &largest, &index);
        typed(put)(g, row * g->Q + q, LANES_IN, &largest, &index);
    }
}

/* Rows of windows from `first` to `end`. */
KERNEL void typed(side_by_side)(const pooling *g, size_t first, size_t end) {
    for (size_t row = first; row < end; row++)
        if (g->R == 2 && g->S == 2 && g->stride == 2)
            typed(across)(g, 2, 2, 2, row);
        else if (g->R == 3 && g->S == 3 && g->stride == 2)
            typed(across)(g, 3, 3, 2, row);
        else if (g->stride == 2)
            typed(across)(g, g->R, g->S, 2, row);
        else
            typed(across)(g, g->R, g->S, 1, row);
}

/* The same, wherever the windows lie. */
KERNEL void typed(apart)(const pooling *g, size_t first, size_t end) {
    size_t row = first, start = row_start(g, row), q = 0, last = end * g->Q;
    for (size_t o = first * g->Q; o < last; o += LANES_IN) {
        typed(lanes) largest;
        typed(bits) index;
        size_t offset[LANES_IN] = {0}, count = at_most(LANES_IN, last - o);
        for (size_t l = 0; l < count; l++) {
            offset[l] = start + q * g->stride;
            if (++q == g->Q) {
                q = 0;
                start = row_start(g, ++row);
            }
        }
        typed(scan)(g->x, g->W, g->R, g->S, 0, offset, &largest, &index);
        typed(put)(g, o, count, &largest, &index);
    }
}

/* What of `here` is larger than `most`, or NaN, takes its place. */
INLINED void typed(raise)(typed(lanes) * most, const typed(lanes) * here) {
    typed(bits) more = (typed(bits))(*here > *most) | (typed(bits))(*here != *here);
    *most =
        (typed(lanes))((more & *(const typed(bits) *)here) | (~more & *(const typed(bits) *)most));
}

/* The largest of one window, NaN where there is one. */
INLINED REAL typed(largest_of)(const pooling *g, const REAL *x) {
    typed(lanes) even = *x - (typed(lanes)){0}, odd = even;
    REAL largest = *x;
    for (size_t r = 0; r < g->R; r++, x += g->W) {
        size_t s = 0;
        for (; s + 2 * LANES_IN <= g->S; s += 2 * LANES_IN) {
            typed(raise)(&even, (const typed(lanes) *)(x + s));
            typed(raise)(&odd, (const typed(lanes) *)(x + s + LANES_IN));
        }
        for (; s < g->S; s++)
            largest = x[s] > largest || isnan(x[s]) ? x[s] : largest;
    }
    typed(raise)(&even, &odd);
    for (size_t l = 0; l < LANES_IN; l++)
        largest = even[l] > largest || isnan(even[l]) ? even[l] : largest;
    return largest;
}

/* Whether a row of a window has a number, or NaN. */
INLINED bool typed(has)(const REAL *x, size_t S, REAL number) {
    typed(bits) found = {0};
    uint64_t part[4];
    size_t s = 0;
    bool in_rest = false;
    for (; s + LANES_IN <= S; s += LANES_IN) {
        typed(lanes) here = *(const typed(lanes) *)(x + s);
        found |= (typed(bits))(here == number) | (typed(bits))(here != here);
    }
    for (; s < S; s++)
        in_rest |= x[s] == number || isnan(x[s]);
    memcpy(part, &found, sizeof part);
    return in_rest || (part[0] | part[1] | part[2] | part[3]);
}

/* The same for wide windows, one at a time along its rows: for the largest, then for its place. */
KERNEL void typed(along)(const pooling *g, size_t first, size_t end) {
    for (size_t o = first * g->Q; o < end * g->Q; o++) {
        const REAL *x = (const REAL *)g->x + row_start(g, o / g->Q) + o % g->Q * g->stride;
        REAL largest = typed(largest_of)(g, x);
        size_t r = 0, s = 0;
        while (!typed(has)(x, g->S, largest)) {
            x += g->W;
            r++;
        }
        while (!(x[s] == largest || isnan(x[s])))
            s++;
        ((REAL *)g->out)[o] = x[s];
        index_put(g->index + o * g->B, g->B, r * g->S + s);
    }
}
