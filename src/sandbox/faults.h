/* faults.h -- trouble on order: the first order that fits a call is carried out on it.
 *
 * Platforms ask with every call; what an order makes of the call is theirs. */
#ifndef PARLEY_SANDBOX_FAULTS_H
#define PARLEY_SANDBOX_FAULTS_H

#include "base/error.h"
#include "json/json.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_STATUS,     /* an error with `status` and `description` */
    FAULT_RATE_LIMIT, /* 429 with `retry_after` */
    FAULT_HTML,       /* a proxy's page with `status` */
    FAULT_CUT_BEFORE, /* the connection is closed, nothing happened */
    FAULT_CUT_AFTER,  /* it is carried out, then the connection is closed */
    FAULT_DELAY,      /* `delay_ms`, then as usual */
    FAULT_DUPLICATE,  /* our deliveries: twice */
    FAULT_GARBAGE,    /* something that is not JSON */
};

/* What a call tells of itself. A method is named as the platform names it; our deliveries are "webhook",
 * downloads "file". */
struct fault_call {
    struct str platform, on;
    int64_t    bot, chat; /* 0 = of none */
    struct str full_name; /* another name of the same method; none = none */
    struct str account;   /* whose token it came with; none = nobody's */
};

struct fault {
    enum fault_kind kind;
    int             status;
    int64_t         retry_after, delay_ms;
    int64_t         code, subcode; /* of platforms whose errors have them; 0 = none */
    char            description[256];
};

struct fault_order;

struct faults {
    struct fault_order *first, *last;
    size_t              count;
};

void faults_clear(struct faults *all); /* a zeroed one is empty */

/* Adds what the JSON says. False with a 400 that names what is wrong. */
bool faults_add(struct faults *all, yyjson_val *order, struct error *err);

/* The order this call falls to, counted as used; kind FAULT_NONE when there is none. */
struct fault faults_take(struct faults *all, const struct fault_call *call);

void faults_write(const struct faults *all, struct json *w, const char *name); /* an array of what is left */

#endif
