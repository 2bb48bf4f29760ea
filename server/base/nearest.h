/* The nearest word: for "unknown field; did you mean". */
#ifndef SERVER_NEAREST_H
#define SERVER_NEAREST_H

/* Of `names` (ended by NULL), the one with the fewest insertions, deletions and replacements
 * (Levenshtein, 1966) to `word`, whatever the case of either; the first of several. Of a dotted
 * name what stands behind the dot may do for all of it. NULL where more than a third of the letters
 * are others in all of them. */
const char *nearest(const char *word, const char *const *names);

#endif
