/* sniff.h -- what a file is, told from its bytes. */
#ifndef PARLEY_MEDIA_SNIFF_H
#define PARLEY_MEDIA_SNIFF_H

#include "base/error.h"
#include "media/types.h"

/* How much of a file's beginning sniff() wants to see; JPEGs from cameras carry their size behind a lot of
 * metadata. */
#define SNIFF_HEAD ((size_t)512 * 1024)

/* `head` is the beginning of the file open at `fd` (more is read from it where a film keeps its index at the
 * end). False when libmagic cannot work. */
bool sniff(struct str head, int fd, struct str claimed, const struct media_type **out, struct error *err);

#endif
