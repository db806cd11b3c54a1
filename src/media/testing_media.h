/* testing_media.h -- files for tests. */
#ifndef PARLEY_MEDIA_TESTING_MEDIA_H
#define PARLEY_MEDIA_TESTING_MEDIA_H

#include "media/media.h"

/* Writes `bytes` into the spool and adds them: media_add(). */
bool testing_media_add(struct media_store *m, struct str bytes, struct str claimed_type, struct media_info *out,
                       struct error *err);

#endif
