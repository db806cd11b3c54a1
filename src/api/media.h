/* media.h -- the attachment of a message to be sent, in whichever of four forms it was given.
 *
 * An address is only written down: the worker downloads it before it sends. What comes with the request (a
 * data URI, an object with base64, an uploaded file) is checked and moved into the media store before the
 * message is accepted, on a helper thread, so neither a loop nor the database waits for the disk. */
#ifndef PARLEY_API_MEDIA_H
#define PARLEY_API_MEDIA_H

#include "api/call.h"
#include "store/attachment.h"

struct media_item {
    enum { MEDIA_URL, MEDIA_BASE64, MEDIA_UPLOAD } form;
    struct str text;                    /* the address, or base64 */
    struct str path;                    /* of an upload */
    struct str file_name, content_type; /* as the sender calls it; may be none */
};

/* How many attachments the body names. An empty list, null and blank text are none. */
size_t media_count(const struct body *b);

/* The first of them. 422 when it is none of the four forms, or an address that `guard` refuses. */
bool media_first(const struct body *b, const struct net_guard *guard, struct arena *a, struct media_item *out,
                 struct error *err);

/* The attachment of a message that begins with an address. */
void media_of_url(const struct media_item *item, struct attachment *out);

/* Checks the file against what the platform takes and moves it into the store; `stored` (call->stored) gets the
 * object's name. Blocks. */
bool media_store_item(struct media_store *store, const struct platform *p, const struct media_item *item, size_t max,
                      struct arena *a, struct attachment *out, char stored[MEDIA_NAME_MAX], struct error *err);

#endif
