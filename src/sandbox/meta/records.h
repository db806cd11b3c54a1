/* records.h -- what was asked of Meta, for tests to look at. The oldest are forgotten. */
#ifndef PARLEY_SANDBOX_META_RECORDS_H
#define PARLEY_SANDBOX_META_RECORDS_H

#include "sandbox/meta/state.h"

#define FB_CALLS_MAX       20000
#define FB_CALLS_BYTES_MAX ((size_t)32 << 20)

enum fb_outcome { FB_OUTCOME_NONE, FB_ANSWERED, FB_CUT_BEFORE, FB_CUT_AFTER };

struct fb_record {
    int64_t           number, at_ms, account;
    const char       *operation, *method; /* constants */
    struct str        path, params;       /* owned; params a JSON object */
    int               status;             /* 0 = none yet */
    enum fb_outcome   outcome;
    struct fb_record *older, *newer;
};

/* Copies what `r` says; gives its number. */
int64_t fb_records_add(struct fb_records *all, const struct fb_record *r);
void    fb_records_finish(struct fb_records *all, int64_t number, int status, enum fb_outcome outcome);
void    fb_records_clear(struct fb_records *all); /* numbers go on */

/* An array of those behind `after`; `operation` none and `account` 0 = any. */
void fb_records_write(const struct fb_records *all, int64_t after, struct str operation, int64_t account,
    struct json *w, const char *name);

#endif
