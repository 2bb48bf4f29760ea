/* Mean and variance of one feature, whatever its numbers are: for the few of which sums in double
 * do not tell. In long double, whose range none of the intermediate results leaves. For files that
 * both_dtypes.h includes, behind their #ifdef REAL; no include guard: it is for each REAL anew. */
#ifndef MOMENTS
#define MOMENTS
typedef struct {
    double mean, rest; /* the mean is their sum */
    double variance, inv_std;
} moments;

/* The first 29 of a number's 53 bits: products with counts are exact, and so are distances from it
 * where there are digits to spare. */
INLINED double shortened(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits &= ~(uint64_t)0 << 24;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* a + b in double, and what that lacks. */
INLINED double two_sum(double a, double b, double *rest) {
    double sum = a + b, other = sum - a;
    *rest = (a - (sum - other)) + (b - other);
    return sum;
}

/* (sum + lost) / count in double, and what that lacks. */
INLINED double quotient(double sum, double lost, double count, double *rest) {
    double whole = sum / count, high = shortened(whole);
    *rest = (((sum - high * count) - (whole - high) * count) + lost) / count;
    return whole;
}
#endif

/* Of N numbers that are `stride` apart. Distances from the first of them are exact where they are
 * small: equal numbers have their mean and the variance 0. */
static moments typed(moments_of)(const REAL *x, size_t N, size_t stride, double eps) {
    long double sum = 0, left = 0, variance = 0, count = (long double)N;
    for (size_t n = 0; n < N; n++) {
        sum += x[n * stride];
        left += (long double)x[n * stride] - x[0];
    }
    if (!isfinite(sum))
        return (moments){(double)(sum / count), 0, NAN, NAN};
    left /= count;
    for (size_t n = 0; n < N; n++) {
        long double distance = (long double)x[n * stride] - x[0] - left;
        variance += distance * distance;
    }
    variance /= count;
    moments moments = {.mean = (double)(x[0] + left), .variance = (double)variance};
    moments.rest = (double)(x[0] - (long double)moments.mean + left);
    moments.inv_std = (double)(1 / sqrtl(variance + eps));
    return moments;
}
