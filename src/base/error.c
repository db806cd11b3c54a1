/* error.c -- see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Keeps what the header promises whatever came in through a "%s": whole, valid UTF-8. */
static void
make_valid(char *message, bool was_cut)
{
    struct str rest = str_of(message);
    size_t     len;

    while (rest.len > 0) {
        len = str_utf8_len(rest);
        if (len == 0 && was_cut && rest.len < 4 && ((unsigned char)rest.ptr[0] & 0xC0) == 0xC0) {
            message[rest.ptr - message] = '\0'; /* half a character, where the cut was */
            return;
        }
        if (len == 0) {
            message[rest.ptr - message] = '?';
            len = 1;
        }
        rest = str_from(rest, len);
    }
}

bool
error_set(struct error *err, int status, const char *fmt, ...)
{
    char    message[sizeof(err->message)] = ""; /* apart, because the old one may be among the arguments */
    va_list args;
    int     len;

    va_start(args, fmt);
    len = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    make_valid(message, len >= (int)sizeof(message));
    *err = (struct error){ .status = status };
    memcpy(err->message, message, sizeof(message));
    return false;
}

bool
error_prefix(struct error *err, const char *fmt, ...)
{
    char    joined[sizeof(err->message)], what[sizeof(err->message)];
    va_list args;
    int     len;

    va_start(args, fmt);
    len = vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (len < 0)
        return false;
    make_valid(what, len >= (int)sizeof(what));
    len = snprintf(joined, sizeof(joined), "%s: %s", what, err->message);
    make_valid(joined, len >= (int)sizeof(joined));
    memcpy(err->message, joined, sizeof(joined));
    return false;
}

void
out_of_memory(void)
{
    static const char line[] = "parley: out of memory; started again, it goes on where it was\n";

    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        abort();
    abort();
}
