/* settings.h -- what can be set, as one table: it reads flags, environment and file, and writes --help and the docs. */
#ifndef PARLEY_CLI_SETTINGS_H
#define PARLEY_CLI_SETTINGS_H

#include "base/config.h"

enum option_kind { KIND_CSTR, KIND_STR, KIND_URL, KIND_INT, KIND_MS, KIND_BYTES, KIND_BOOL, KIND_LEVEL, KIND_FORMAT,
                   KIND_SECRET, KIND_RETRIES };

struct option_def {
    const char      *name; /* as a flag; underscores in the file, capitals in the environment */
    enum option_kind kind;
    size_t           at; /* in struct config; the secret key, which is in none of its members, has 0 */
    const char      *otherwise; /* the default, as one would write it */
    unsigned         use;       /* which commands know it: enum option_use */
    int64_t          least, most; /* of numbers */
    const char      *help;
};

#define SETTINGS_MAX 96

#define AT(member) offsetof(struct config, member)

extern const struct option_def settings[];
extern const int               settings_count;

#endif
