/* multipart.c -- see multipart.h.
 *
 * Finding the delimiter needs no memory of what was passed: only its first byte is a CR, so where a match breaks off,
 * the bytes matched so far are known (they are the delimiter's own) and none of them can begin another match. */
#include "http/multipart.h"

#include <assert.h>

static bool
refuse(struct error *err, const char *what)
{
    return error_set(err, 400, "the multipart body is not valid: %s", what);
}

void
multipart_init(struct multipart *m, struct str boundary, const struct multipart_events *events, void *ctx,
               struct arena *a)
{
    assert(boundary.len > 0 && boundary.len <= MULTIPART_BOUNDARY_MAX);
    *m = (struct multipart){ .events = events, .ctx = ctx, .arena = a, .place = MULTIPART_PREAMBLE };
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.ptr, boundary.len);
    m->delimiter_len = 4 + boundary.len;
    m->matched = m->borrowed = 2; /* the first delimiter may stand at the very beginning */
    buf_init(&m->head, MULTIPART_HEADER_MAX);
}

void
multipart_deinit(struct multipart *m)
{
    buf_deinit(&m->head);
}

/* Bytes that turned out not to belong to a delimiter. */
static bool
pass(struct multipart *m, const char *ptr, size_t len, struct error *err)
{
    if (len == 0 || m->place == MULTIPART_PREAMBLE)
        return true;
    return m->events->data(m->ctx, (struct str){ ptr, len }, err);
}

/* Reads up to a delimiter, or to the end of the input. */
static bool
read_until_delimiter(struct multipart *m, struct str *in, struct error *err)
{
    const char *cr;
    size_t      i = 0, run;

    while (i < in->len && m->matched < m->delimiter_len) {
        if (in->ptr[i] == m->delimiter[m->matched]) {
            m->matched++;
            i++;
            continue;
        }
        if (m->matched > 0) {
            run = m->borrowed;
            if (!pass(m, m->delimiter + run, m->matched - run, err))
                return false;
            m->matched = m->borrowed = 0;
            continue; /* this byte may begin a new match */
        }
        cr = memchr(in->ptr + i, '\r', in->len - i);
        run = cr ? (size_t)(cr - in->ptr) - i : in->len - i;
        if (!pass(m, in->ptr + i, run, err))
            return false;
        i += run;
    }
    *in = str_from(*in, i);
    if (m->matched < m->delimiter_len)
        return true; /* what is matched so far waits for the next piece */
    if (m->place == MULTIPART_DATA && !m->events->end(m->ctx, err))
        return false;
    m->place = MULTIPART_DELIMITED;
    return true;
}

/* Behind a delimiter: "--" when it was the last, else blanks and CRLF. */
static bool
read_delimiter_line(struct multipart *m, char c, struct error *err)
{
    switch (m->place) {
    case MULTIPART_DELIMITED:
        if (c == '-') {
            m->place = MULTIPART_DASH;
            return true;
        }
        m->place = MULTIPART_PADDING;
        __attribute__((fallthrough));
    case MULTIPART_PADDING:
        if (c == '\r')
            m->place = MULTIPART_CR;
        else if (c != ' ' && c != '\t')
            return refuse(err, "something else stands behind a boundary");
        return true;
    case MULTIPART_CR:
        if (c != '\n')
            return refuse(err, "a boundary's line does not end with CRLF");
        if (++m->parts > MULTIPART_PARTS_MAX)
            return error_set(err, 413, "the multipart body has more than %d parts", MULTIPART_PARTS_MAX);
        m->place = MULTIPART_HEAD;
        return true;
    case MULTIPART_DASH:
        if (c != '-')
            return refuse(err, "something else stands behind a boundary");
        m->place = MULTIPART_EPILOGUE;
        return true;
    /* not reached: the caller comes here for none of these */
    case MULTIPART_PREAMBLE:
    case MULTIPART_HEAD:
    case MULTIPART_DATA:
    case MULTIPART_EPILOGUE:
        break;
    }
    return true;
}

static bool
head_is_complete(struct str head)
{
    return str_eq(head, STR("\r\n")) || str_ends(head, STR("\r\n\r\n"));
}

/* Takes line by line, so that the end is looked for only where it can be. */
static bool
read_head(struct multipart *m, struct str *in, struct error *err)
{
    struct multipart_head head;
    const char           *lf = memchr(in->ptr, '\n', in->len);
    size_t                n = lf ? (size_t)(lf - in->ptr) + 1 : in->len;

    buf_append(&m->head, str_slice(*in, 0, n));
    *in = str_from(*in, n);
    if (!buf_ok(&m->head))
        return error_set(err, 400, "the header of a part is longer than %zu bytes", MULTIPART_HEADER_MAX);
    if (!head_is_complete(buf_str(&m->head)))
        return true;
    if (!multipart_parse_head(str_slice(buf_str(&m->head), 0, m->head.len - 2), m->arena, &head, err)
        || !m->events->begin(m->ctx, &head, err))
        return false;
    buf_clear(&m->head);
    m->place = MULTIPART_DATA;
    m->matched = m->borrowed = 2; /* a part may be empty, then the head's CRLF is the delimiter's */
    return true;
}

bool
multipart_feed(struct multipart *m, struct str bytes, struct error *err)
{
    bool ok = true;

    while (ok && bytes.len > 0) {
        switch (m->place) {
        case MULTIPART_PREAMBLE:
        case MULTIPART_DATA:
            ok = read_until_delimiter(m, &bytes, err);
            break;
        case MULTIPART_HEAD:
            ok = read_head(m, &bytes, err);
            break;
        case MULTIPART_DELIMITED:
        case MULTIPART_DASH:
        case MULTIPART_PADDING:
        case MULTIPART_CR:
            ok = read_delimiter_line(m, bytes.ptr[0], err);
            bytes = str_from(bytes, 1);
            break;
        case MULTIPART_EPILOGUE:
            return true;
        }
    }
    return ok;
}

bool
multipart_finish(struct multipart *m, struct error *err)
{
    return m->place == MULTIPART_EPILOGUE || refuse(err, "it ends before its last boundary");
}
