/* ascii.h -- JSON as platforms send it: in ASCII, with all else escaped. */
#ifndef PARLEY_SANDBOX_ASCII_H
#define PARLEY_SANDBOX_ASCII_H

#include "base/buf.h"

/* Appends the character that `rest` begins with, and which is not ASCII, as \uXXXX in small letters; beyond U+FFFF as
 * two of them. How many bytes of `rest` that was: 1, with U+FFFD for it, where they are not UTF-8. */
size_t ascii_append_escape(struct buf *out, struct str rest);

#endif
