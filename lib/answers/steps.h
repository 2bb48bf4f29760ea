/* Updates, for the files of this folder: how much arithmetic can lose of the steps that they have
 * in common. All that is counted here is in absolute numbers, on one side, and without the factor
 * of 4 that bounds have. Parameters are rounded to the claims' precision too. */
#ifndef ANSWERS_STEPS_H
#define ANSWERS_STEPS_H

#include <math.h>

#include "checks/check.h"

enum { W, DW }; /* inputs */

/* Roundings of each input that was rounded first. */
static inline double rounded_first(const layers_check *check) {
    return check->rounded ? 1 : 0;
}

/* stays · before + (1 − stays) · next, or before + (1 − stays) · (next − before), where 1 − stays
 * may be that of a rounded `stays`: its absolute error is a unit. `next` is off by so many units of
 * itself. What underflows loses up to the least number there is. */
static inline double decay_loss(const layers_check *check, double stays, double before, double next,
                                double units) {
    double comes = (5 + rounded_first(check) + units) * (1 - stays) + 1;
    double lost = (5 + rounded_first(check)) * fabs(before) + comes * fabs(next);
    return lost > 0 ? check->unit * lost + 2 * check->tiny : 0;
}

/* sqrt of a number that is off by `lost`. */
static inline double root_loss(const layers_check *check, double square, double lost) {
    double root = sqrt(square);
    return check->unit * root + (lost > 0 ? fmin(lost / root, sqrt(lost)) : 0);
}

/* rate · number / (root + epsilon), where number and root are off by `number_lost` and `root_lost`:
 * infinity where the divisor may be 0. */
static inline double quotient_loss(const layers_check *check, double rate, double number,
                                   double number_lost, double root, double root_lost,
                                   double epsilon) {
    double divisor = root + epsilon;
    double lost = root_lost + check->unit * (epsilon + divisor);
    if (epsilon < check->tiny)
        lost += epsilon;
    if (number == 0 && number_lost == 0 && lost < divisor)
        return 0;
    if (!(lost < divisor / 2))
        return INFINITY;
    double least = divisor - lost, step = rate * fabs(number) / divisor;
    return (rate * number_lost + check->tiny) / least + step * (lost / least + 6 * check->unit);
}

/* 4 times what a result may be off by; what is not finite has no rounding. */
static inline double bound_of(double right, double lost) {
    return isfinite(right) ? 4 * lost : 0;
}

/* The same of w − step, where the step is off by `lost`. */
static inline double step_bound(const layers_check *check, double w, double next, double lost) {
    double units = fabs(next) + rounded_first(check) * fabs(w);
    return bound_of(next, lost + check->unit * units);
}

/* Shares of w that are added to the gradient by those who decay weights. */
static const double weight_decays[] = {1e-4, 5e-4, 1e-3, 1e-2};

#endif
