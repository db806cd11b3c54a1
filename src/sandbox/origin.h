/* origin.h -- whose page a request comes from. */
#ifndef PARLEY_SANDBOX_ORIGIN_H
#define PARLEY_SANDBOX_ORIGIN_H

#include "http/http.h"

/* A page from elsewhere in the same browser, which must not play with the sandbox? */
bool origin_is_foreign(const struct http_request *r);

#endif
