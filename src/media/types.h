/* types.h -- the kinds of files we know by name; whatever else arrives is kept as "bin". */
#ifndef PARLEY_MEDIA_TYPES_H
#define PARLEY_MEDIA_TYPES_H

#include "base/str.h"

struct media_type {
    const char *suffix;       /* ".jpg" */
    const char *content_type;
    const char *kind;         /* as in struct media_info */
    bool        inline_safe;
    const char *looks_like;   /* what the bytes alone say, when they cannot say more; NULL = they can */
};

const struct media_type *media_type_unknown(void); /* application/octet-stream */

/* NULL when it is none of ours. A content type may have parameters, any case and some usual other spelling. */
const struct media_type *media_type_by_extension(struct str extension);
const struct media_type *media_type_by_content(struct str type);

/* `seen` made more exact by what the sender claimed, where its bytes leave that open; otherwise `seen` itself. */
const struct media_type *media_type_refine(const struct media_type *seen, struct str claimed);

#endif
