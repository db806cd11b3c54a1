/* page.h -- the page to play the participant with: the files in page/, compiled in. */
#ifndef PARLEY_SANDBOX_PAGE_H
#define PARLEY_SANDBOX_PAGE_H

#include "http/http.h"

/* Fills the reply if the path is one of the page's; the caller ends the exchange. */
bool page_serve(struct http_exchange *x);

#endif
