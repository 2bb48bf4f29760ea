/* A file with a key for challenges, for one test. */
#ifndef KEY_FILE_H
#define KEY_FILE_H

/* Writes these bytes to it, which its owner alone may read; its name. */
const char *key_file(const char *text);

/* For the end of a test. */
void key_file_clean_up(void);

#endif
