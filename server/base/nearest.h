/* The nearest word: for "unknown field; did you mean". */
#ifndef SERVER_NEAREST_H
#define SERVER_NEAREST_H

/* Of `names` (ended by NULL, at least one), the one with the fewest insertions, deletions and
 * replacements (Levenshtein, 1966) to `word`; the first of several. Of a dotted name what stands
 * behind the dot may do for all of it. */
const char *nearest(const char *word, const char *const *names);

#endif
