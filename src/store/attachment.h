/* attachment.h -- a file a message carries: on its way (pending), kept by us (processed), or not to be had (failed). */
#ifndef PARLEY_STORE_ATTACHMENT_H
#define PARLEY_STORE_ATTACHMENT_H

#include "db/db.h"
#include "media/media.h"
#include "platform/platform.h"

enum attachment_status { ATTACHMENT_PENDING = 1, ATTACHMENT_PROCESSED, ATTACHMENT_FAILED, ATTACHMENT_STATUSES };
extern const char *const attachment_status_names[ATTACHMENT_STATUSES];

struct attachment {
    int64_t                id, message_id;
    enum attachment_type   type;
    enum attachment_status status;
    struct str             external_id, media, source_url, ref, content_type, file_name;
    int64_t                size;
    int                    width, height;
};

/* Of a file that turned out to be of this kind (media.h). */
enum attachment_type attachment_type_of(const char *kind);

bool attachment_add(struct db *db, struct attachment *at, int64_t now_ms, struct error *err); /* fills id */
bool attachment_of_message(struct db *db, int64_t message_id, struct arena *a, struct attachment **out, size_t *n,
                           struct error *err);
bool attachment_get(struct db *db, int64_t id, struct arena *a, struct attachment *out, bool *found, struct error *err);

/* Which of its message's attachments it is, from 0, and of how many; and what the platform calls that message. */
struct attachment_place {
    struct str message_external_id;
    size_t     index, count;
};
bool attachment_find_place(struct db *db, const struct attachment *at, struct arena *a, struct attachment_place *out,
                           struct error *err);

/* The file is ours now. The type follows what it turned out to be, unless the platform called it a sticker or a
 * file: people do send pictures as files. */
bool attachment_processed(struct db *db, struct attachment *at, const struct media_info *info, struct error *err);
bool attachment_failed(struct db *db, struct attachment *at, struct error *err);

#endif
