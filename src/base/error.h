/* error.h -- why something did not work, in the sentence the caller of the API will read.
 *
 * Filled where the problem is first understood; inner code passes it on, only the edge that gives up logs it. */
#ifndef PARLEY_BASE_ERROR_H
#define PARLEY_BASE_ERROR_H

#include "base/str.h"

struct error {
    int     status;         /* HTTP status of the answer; 0 = no error */
    int64_t retry_after_ms; /* becomes Retry-After; 0 = none */
    char    message[512];   /* {"error": message}; always valid UTF-8 and never holds a secret */
    char    detail[256];    /* further members of the body, as JSON text: "candidates":["msg_..."]; "" = none */
};

/* Always false, so that `return error_set(...)` reads well. A message too long is cut at a whole character. */
bool error_set(struct error *err, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the message there is. Always false. */
bool error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the process, with a line, where there is no memory for something small or no room for another thread: whatever
 * is committed goes on when it is started again. */
_Noreturn void out_of_memory(void);

#endif
