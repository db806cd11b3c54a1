/* sniff.h -- what a file is, by its first bytes, and how large a picture is. */
#ifndef PARLEY_SANDBOX_SNIFF_H
#define PARLEY_SANDBOX_SNIFF_H

#include "base/str.h"

/* The size of a JPEG, PNG, GIF or WEBP in pixels; false when it is none of them, or broken before its size. */
bool sniff_picture_size(struct str bytes, int *width, int *height);

/* The MIME type by the first bytes, then by the name's extension; NULL when neither tells. */
const char *sniff_mime(struct str bytes, struct str file_name);

#endif
