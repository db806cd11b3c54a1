/* date.h -- times as HTTP headers write them: "Sun, 06 Nov 1994 08:49:37 GMT". */
#ifndef PARLEY_HTTP_DATE_H
#define PARLEY_HTTP_DATE_H

#include "base/str.h"

#define HTTP_DATE_LEN 29

void http_date_format(int64_t ms, char out[HTTP_DATE_LEN + 1]);

/* The one format clients may still send (RFC 9110's IMF-fixdate); false for everything else. */
bool http_date_parse(struct str text, int64_t *out_ms);

#endif
