/* records.h -- what bots asked and which buttons people tapped, for tests to look at. The oldest are
 * forgotten. */
#ifndef PARLEY_SANDBOX_TELEGRAM_RECORDS_H
#define PARLEY_SANDBOX_TELEGRAM_RECORDS_H

#include "sandbox/telegram/params.h"
#include "sandbox/telegram/state.h"

enum tg_outcome { OUTCOME_NONE, OUTCOME_ANSWERED, OUTCOME_CUT_BEFORE, OUTCOME_CUT_AFTER };

struct tg_record {
    int64_t           number, at_ms;
    const char       *method; /* a constant */
    struct str        params; /* a JSON object; owned */
    int               status; /* 0 = none yet */
    enum tg_outcome   outcome;
    struct tg_record *older, *newer;
};

/* Notes a call; gives its number. */
int64_t tg_records_add(struct tg_records *r, const char *method, const struct tg_params *p, struct arena *a,
    int64_t now_ms);
void    tg_records_finish(struct tg_records *r, int64_t number, int status, enum tg_outcome outcome);
void    tg_records_clear(struct tg_records *r); /* numbers go on */

/* An array of those behind `after`; `method` none = any. */
void tg_records_write(const struct tg_records *r, int64_t after, struct str method, struct json *w, const char *name);

struct tg_tap {
    int64_t        id, person, at_ms, answered_ms;
    struct str     data;      /* owned */
    struct str     answer;    /* owned; shown to the person; none until then */
    bool           alert;
    struct tg_tap *newer;
};

struct tg_tap *tg_taps_add(struct tg_taps *t, int64_t person, struct str data, int64_t now_ms);
struct tg_tap *tg_taps_get(const struct tg_taps *t, struct str id); /* NULL when unknown */
void           tg_taps_clear(struct tg_taps *t);
void           tg_taps_write(const struct tg_taps *t, struct json *w, const char *name);

#endif
