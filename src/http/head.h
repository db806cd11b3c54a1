/* head.h -- the lines of a request's head, looked at byte by byte before any parser sees them.
 *
 * Request smuggling lives on what two parsers read differently: a bare CR or LF, a folded line, a space before
 * a colon, a control character. None of it is needed by any client, so all of it is refused here, and what
 * llhttp is fed afterwards can only be read one way. (Version 8.1 would let a bare CR through: CVE-2023-30589.) */
#ifndef PARLEY_HTTP_HEAD_H
#define PARLEY_HTTP_HEAD_H

#include "base/error.h"

enum head_state {
    HEAD_START,       /* before the request line; empty lines may come first (RFC 9112, 2.2) */
    HEAD_START_CR,
    HEAD_REQUEST_LINE,
    HEAD_LINE_CR,     /* the line has ended with CR, LF must follow */
    HEAD_LINE_START,
    HEAD_NAME,
    HEAD_VALUE,
    HEAD_END_CR,
    HEAD_END
};

/* Zeroed = at the beginning. */
struct head_scan {
    enum head_state state;
    size_t          skipped; /* bytes of empty lines in front */
    size_t          fields;  /* header lines begun */
};

/* Goes on where the last piece ended. *used is all of `piece`, or less when the head ended within it
 * (then `state` is HEAD_END). False with a 400. */
bool head_scan(struct head_scan *s, struct str piece, size_t *used, struct error *err);

bool head_is_token(struct str s); /* a method or a header name: RFC 9110's tchar, at least one; also for fuzz/ */

struct head_line {
    struct str method, target;
    int        minor; /* 0 or 1: HTTP/1.0 or HTTP/1.1 */
};

/* "GET /path HTTP/1.1" without its CRLF. One space each, a target without fragment. False with a 400, or a 505
 * for another version of HTTP. */
bool head_parse_line(struct str line, struct head_line *out, struct error *err);

/* Splits a target into path and query (none when there is no '?'). An absolute one ("http://host/path") loses
 * its scheme and host, "*" is a path to OPTIONS only. False with a 400. */
bool head_parse_target(struct str method, struct str target, struct str *path, struct str *query, struct error *err);

#endif
