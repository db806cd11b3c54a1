/* avatar.h -- a face for people who have none: a picture that is always the same for the same person. */
#ifndef PARLEY_SANDBOX_AVATAR_H
#define PARLEY_SANDBOX_AVATAR_H

#include "base/buf.h"

/* Appends a square PNG of `side` pixels: a symmetric pattern in a colour of the person's own. */
void avatar_draw(int64_t person, int side, struct buf *out);

#endif
