/* inbound.h -- what parse.c, content.c, comment.c and fetched.c share. */
#ifndef PARLEY_PLATFORM_META_INBOUND_H
#define PARLEY_PLATFORM_META_INBOUND_H

#include "platform/meta/meta.h"

#define META_ID_MAX   512         /* Instagram's message ids have about 160 */
#define META_DATA_MAX (2 * MIB)   /* of platform_data, which must go into an event */

enum meta_reading { META_TAKEN, META_IGNORED, META_NOT_UNDERSTOOD };

struct meta_reader {
    struct arena         *a;
    struct inbound_batch *out;
    size_t                cap;
    struct str            account_id;   /* the entry's id: the Page or the Instagram account */
    int64_t               entry_ms;
    bool                  is_standby;   /* another app has the conversation */
    bool                  takes_http;   /* media may come from plain http: a sandbox */
    bool                  keeps_stories;
};

void meta_add(struct meta_reader *r, const struct inbound_event *event);

/* ---- content.c ---- */

/* What `message` says: body, media, reply_to, referral, platform_data, is_unsupported, client_ref. */
void meta_read_content(struct meta_reader *r, yyjson_val *message, struct inbound_event *event);

/* A tap on a button, an ice breaker or an entry of a menu. */
void meta_read_tap(struct meta_reader *r, yyjson_val *postback, struct inbound_event *event);

bool meta_is_media_url(const struct meta_reader *r, struct str url); /* whether a file may be fetched from there */

/* ---- comment.c ---- */

enum meta_reading meta_read_page_comment(struct meta_reader *r, yyjson_val *value, struct inbound_event *event);
enum meta_reading meta_read_instagram_comment(struct meta_reader *r, yyjson_val *value, bool is_live,
    struct inbound_event *event);

#endif
