/* own.c -- see own.h. */
#include "sandbox/own.h"

#include <stdlib.h>

#include "base/error.h"

void *
own_checked(void *ptr)
{
    if (!ptr)
        out_of_memory();
    return ptr;
}

void *
own_alloc(size_t size)
{
    return own_checked(calloc(1, size));
}

struct str
own_text(struct str s)
{
    char *copy;

    if (str_is_none(s))
        return s;
    copy = own_alloc(s.len + 1);
    memcpy(copy, s.ptr, s.len);
    return (struct str){ copy, s.len };
}

void
own_free(struct str *s)
{
    free((char *)s->ptr);
    *s = STR_NONE;
}

void
own_set(struct str *s, struct str by)
{
    struct str copy = own_text(by);

    own_free(s);
    *s = copy;
}
