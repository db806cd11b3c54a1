/* head.c -- see head.h. */
#include "http/head.h"

/* What a byte may be part of. */
enum { TOKEN = 1, TARGET = 2, VALUE = 4 };

#define T (TOKEN | TARGET | VALUE) /* letters, digits and the marks of a token */
#define P (TARGET | VALUE)         /* other visible ASCII */
#define V VALUE                    /* blanks, and bytes above ASCII */

static const uint8_t classes[256] = {
    ['\t'] = V, [' '] = V,
    ['!'] = T, ['"'] = P, ['#'] = P, ['$'] = T, ['%'] = T, ['&'] = T, ['\''] = T, ['('] = P, [')'] = P, ['*'] = T,
    ['+'] = T, [','] = P, ['-'] = T, ['.'] = T, ['/'] = P, ['0' ... '9'] = T, [':' ... '@'] = P, ['A' ... 'Z'] = T,
    ['[' ... ']'] = P, ['^' ... '`'] = T, ['a' ... 'z'] = T, ['{'] = P, ['|'] = T, ['}'] = P, ['~'] = T,
    [128 ... 255] = V,
};

static bool
is(char c, int class)
{
    return (classes[(unsigned char)c] & class) != 0;
}

static bool
refuse(struct error *err, const char *what)
{
    return error_set(err, 400, "this is not a valid HTTP request: %s", what);
}

/* What may follow the start of a line. */
static bool
begin_line(struct head_scan *s, char c, struct error *err)
{
    if (c == '\r') {
        s->state = HEAD_END_CR;
        return true;
    }
    if (c == ' ' || c == '\t')
        return refuse(err, "a header is folded over several lines");
    if (!is(c, TOKEN))
        return refuse(err, "a header line begins with something that is no name");
    s->state = HEAD_NAME;
    s->fields++;
    return true;
}

static bool
step(struct head_scan *s, char c, struct error *err)
{
    switch (s->state) {
    case HEAD_START:
        if (c != '\r' && !is(c, TOKEN))
            return refuse(err, "it does not begin with a method");
        s->state = c == '\r' ? HEAD_START_CR : HEAD_REQUEST_LINE;
        return true;
    case HEAD_START_CR:
        if (c != '\n')
            return refuse(err, "a carriage return without a line feed");
        s->state = HEAD_START;
        s->skipped += 2;
        return true;
    case HEAD_REQUEST_LINE:
        if (c == '\r')
            s->state = HEAD_LINE_CR;
        else if (c != ' ' && !is(c, TARGET))
            return refuse(err, "a character in the request line that must be percent-encoded");
        return true;
    case HEAD_LINE_CR:
        if (c != '\n')
            return refuse(err, "a carriage return without a line feed");
        s->state = HEAD_LINE_START;
        return true;
    case HEAD_LINE_START:
        return begin_line(s, c, err);
    case HEAD_NAME:
        if (c == ':')
            s->state = HEAD_VALUE;
        else if (!is(c, TOKEN))
            return refuse(err, "a character in a header's name, or no colon directly behind it");
        return true;
    case HEAD_VALUE:
        if (c == '\r')
            s->state = HEAD_LINE_CR;
        else if (!is(c, VALUE))
            return refuse(err, "a control character or a bare line feed in a header");
        return true;
    case HEAD_END_CR:
        if (c != '\n')
            return refuse(err, "a carriage return without a line feed");
        s->state = HEAD_END;
        return true;
    /* not reached: head_scan() stops there */
    case HEAD_END:
        break;
    }
    return true;
}

bool
head_scan(struct head_scan *s, struct str piece, size_t *used, struct error *err)
{
    size_t i = 0;

    *used = 0;
    while (i < piece.len && s->state != HEAD_END) {
        if (!step(s, piece.ptr[i++], err))
            return false;
        /* Most bytes are in the middle of a value. */
        while (s->state == HEAD_VALUE && i < piece.len && is(piece.ptr[i], VALUE))
            i++;
    }
    *used = i;
    return true;
}

bool
head_is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is(s.ptr[i], TOKEN))
            return false;
    return s.len > 0;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
head_parse_line(struct str line, struct head_line *out, struct error *err)
{
    struct str rest, version;

    if (!str_cut(line, ' ', &out->method, &rest) || !str_cut(rest, ' ', &out->target, &version))
        return refuse(err, "the request line needs a method, a target and a version");
    if (str_eq(version, STR("HTTP/1.1")))
        out->minor = 1;
    else if (str_eq(version, STR("HTTP/1.0")))
        out->minor = 0;
    else if (version.len == 8 && str_starts(version, STR("HTTP/")) && is_digit(version.ptr[5]) && version.ptr[6] == '.'
             && is_digit(version.ptr[7]))
        return error_set(err, 505, "this server speaks HTTP/1.1, not %.*s", STR_ARG(version));
    else
        return refuse(err, "the request line does not end with a version of HTTP");
    if (!head_is_token(out->method))
        return refuse(err, "the method is not a word");
    if (out->target.len == 0)
        return refuse(err, "the target is empty");
    return true;
}

bool
head_parse_target(struct str method, struct str target, struct str *path, struct str *query, struct error *err)
{
    ptrdiff_t scheme;
    size_t    host = 0;

    if (memchr(target.ptr, '#', target.len))
        return refuse(err, "a fragment in the target");
    if (str_eq(target, STR("*"))) {
        *path = target;
        *query = STR_NONE;
        return str_eq(method, STR("OPTIONS")) || refuse(err, "the target '*' is for OPTIONS only");
    }
    if (target.ptr[0] != '/') {
        scheme = str_find(target, STR("://"));
        if (scheme < 1 || !(str_eq_nocase(str_slice(target, 0, (size_t)scheme), STR("http"))
                            || str_eq_nocase(str_slice(target, 0, (size_t)scheme), STR("https"))))
            return refuse(err, "the target is neither a path nor a URL");
        host = (size_t)scheme + 3;
        target = str_from(target, host);
        for (host = 0; host < target.len && target.ptr[host] != '/' && target.ptr[host] != '?'; host++)
            ;
        if (host == 0)
            return refuse(err, "the target is a URL without a host");
        target = str_from(target, host);
    }
    str_cut(target, '?', path, query);
    if (path->len == 0)
        *path = STR("/");
    return true;
}
