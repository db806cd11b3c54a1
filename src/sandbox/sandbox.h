/* sandbox.h -- plays the messaging platforms, so that Parley can be built and tested without any
 * account.
 *
 * `parley sandbox` and `parley demo` run one, tests start as many as they like. Everything lives in
 * memory on one event loop of its own; docs/sandbox.md describes what it speaks. It shares no
 * translation code with platform/, so that one cannot hide the other's mistakes. */
#ifndef PARLEY_SANDBOX_SANDBOX_H
#define PARLEY_SANDBOX_SANDBOX_H

#include <stdint.h>

#include "base/error.h"

struct sandbox;

struct sandbox_options {
    const char *listen; /* "127.0.0.1:8090"; NULL takes that, port 0 any free one */
    uint64_t    seed;   /* for tests: every id and token is known beforehand. It seeds the whole process; 0 = do not */
};

/* Binds and starts the loop's thread. False with the address and the reason. */
bool        sandbox_start(const struct sandbox_options *options, struct sandbox **out, struct error *err);
const char *sandbox_address(const struct sandbox *s); /* "127.0.0.1:8090", with the real port */

/* Answers who waits, cancels what is on its way, joins the thread, frees. NULL is fine. */
void sandbox_stop(struct sandbox *s);

#endif
