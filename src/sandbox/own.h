/* own.h -- memory with an owner who frees it, for what the sandbox keeps between calls. Where there is none the process
 * ends, so none of these returns NULL. */
#ifndef PARLEY_SANDBOX_OWN_H
#define PARLEY_SANDBOX_OWN_H

#include "base/str.h"

void *own_alloc(size_t size);  /* zeroed */
void *own_checked(void *ptr);  /* what malloc() and its like gave */

/* A copy of text, with a NUL behind it; a none stays none. */
struct str own_text(struct str s);
void       own_free(struct str *s);               /* leaves a none */
void       own_set(struct str *s, struct str by); /* something else from now on; `by` may be a part of it */

#endif
