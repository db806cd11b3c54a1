/* records.h -- what was asked of us, for tests to look at. The oldest are forgotten. */
#ifndef PARLEY_SANDBOX_BLUESKY_RECORDS_H
#define PARLEY_SANDBOX_BLUESKY_RECORDS_H

#include "sandbox/bluesky/state.h"

/* Notes a call, whose token it may be; gives its number. Passwords are left out. */
int64_t bs_records_add(struct bs_records *r, struct str nsid, const struct bs_account *account,
    struct http_exchange *x, int64_t now_ms);

/* `account` is who it turned out to be; NULL = as it was. `outcome` is a constant. */
void bs_records_finish(struct bs_records *r, int64_t number, const struct bs_account *account, int status,
    const char *outcome);
void bs_records_clear(struct bs_records *r); /* numbers go on */

struct bs_records_filter {
    int64_t                  after;
    struct str               method;  /* all of its name or the last part; none = any */
    const struct bs_account *account; /* NULL = any */
};
void bs_records_write(const struct bs_records *r, const struct bs_records_filter *f, struct json *w, const char *name);

#endif
