/* What makes up a set in each fault of a normalisation, and when there are such faults. */
#include "answers/normalised.h"

/* ---- sets ----------------------------------------------------------------------------------- */

grouping sets_of_everything(const normalised *n) {
    return grouping_of(1, 1, 1, n->size);
}
grouping sets_of_examples(const normalised *n) {
    return grouping_of(n->N, 1, 1, n->C * n->plane);
}
grouping sets_of_features(const normalised *n) {
    return grouping_of(1, n->N, n->C * n->plane, 1);
}
grouping sets_of_channels(const normalised *n) {
    return grouping_of(1, n->N, n->C, n->plane);
}
grouping sets_of_planes(const normalised *n) {
    return grouping_of(n->N, 1, n->C, n->plane);
}
grouping sets_of_positions(const normalised *n) {
    return grouping_of(n->N, n->C, n->plane, 1);
}
grouping sets_of_groups_over_batch(const normalised *n) {
    return grouping_of(1, n->N, n->groups, n->C / n->groups * n->plane);
}
grouping sets_of_strided_groups(const normalised *n) {
    return grouping_of(n->N, n->C / n->groups, n->groups, n->plane);
}
grouping sets_of_groups_of_size(const normalised *n) {
    return grouping_of(n->N, 1, n->C / n->groups, n->groups * n->plane);
}
grouping sets_of_group_positions(const normalised *n) {
    return grouping_of(n->N * n->groups, n->C / n->groups, n->plane, 1);
}
grouping sets_in_a_row(const normalised *n) {
    return grouping_of(n->C, 1, 1, n->N * n->plane);
}
scaling scales_in_a_row(const normalised *n) {
    return (scaling){n->N * n->plane, n->C};
}
grouping sets_not_moved(const normalised *n) {
    return grouping_of(1, n->N * n->plane, n->C, 1);
}
scaling scales_not_moved(const normalised *n) {
    return (scaling){1, n->C};
}
scaling scales_of_examples(const normalised *n) {
    return (scaling){n->C * n->plane, n->N};
}

/* ---- when there are faults ------------------------------------------------------------------ */

bool normalised_trains(const layers_check *check) {
    normalised n = normalised_of(check);
    return !n.fixed && n.size > 0;
}

bool normalised_trains_many(const layers_check *check) {
    normalised n = normalised_of(check);
    return !n.fixed && n.size > 0 && sets_of(&n.sets) > 1;
}

bool normalised_trains_members(const layers_check *check) {
    normalised n = normalised_of(check);
    return !n.fixed && n.size > 0 && members_of(&n.sets) > 1;
}

bool normalised_trains_square(const layers_check *check) {
    normalised n = normalised_of(check);
    return !n.fixed && n.size > 0 && n.N == n.C;
}

bool normalised_is_fixed(const layers_check *check) {
    normalised n = normalised_of(check);
    return n.fixed && n.size > 0;
}

bool normalised_has_other_eps(const layers_check *check) {
    normalised n = normalised_of(check);
    return n.eps != 1e-5 && n.size > 0;
}

bool normalised_has_no_thousandth(const layers_check *check) {
    normalised n = normalised_of(check);
    return n.eps != 1e-3 && n.size > 0;
}

bool normalised_has_rows(const layers_check *check) {
    return normalised_of(check).size > 0;
}
