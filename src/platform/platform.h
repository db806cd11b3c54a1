/* platform.h -- what every messaging platform fills in: a table of constants and pure functions.
 *
 * Adapters do no I/O and know no SQL. They turn a payload into events, and an operation into the next call to make,
 * step by step. So a recorded payload can test one, a fuzzer can feed it, and the rest of the server treats all alike.
 * All memory they hand out is in the arena they are given. */
#ifndef PARLEY_PLATFORM_PLATFORM_H
#define PARLEY_PLATFORM_PLATFORM_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/courier.h"

enum platform_can {
    CAN_ATTACH        = 1 << 0,
    CAN_REACT         = 1 << 1,
    CAN_EDIT          = 1 << 2,
    CAN_REPLY         = 1 << 3, /* reply_to_external_id */
    CAN_MARKUP        = 1 << 4, /* reply_markup */
    CAN_ARCHIVE       = 1 << 5,
    CAN_PRIVATE_REPLY = 1 << 6,
    CAN_RECEIPTS      = 1 << 7,
    CAN_PUSH          = 1 << 8, /* has webhooks */
    CAN_FIND_SENT     = 1 << 9, /* can be asked whether a send arrived whose answer got lost */
    CAN_POLL          = 1 << 10, /* OP_POLL brings its updates where no webhook does */
};

/* ---- what the outside says about an account, a person, a message ---- */

struct account {             /* a profile, as its platform needs it */
    int64_t    id;           /* ours */
    struct str external_id, name, username;
    struct str alt_external_id; /* what its webhooks may call it instead; none = they do not */
    struct str details;      /* a JSON object of the adapter's own, without secrets: `page_id`, the account's server */
    struct str token;        /* the credentials, as the adapter's own text; plain; memory of whoever made this */
    int64_t    expires_at;   /* when they stop working unless somebody connects anew; 0 = nobody says */
    int64_t    refresh_at;   /* when OP_REFRESH is due; 0 = never */
    struct str webhook_secret;
    struct str hook_url;     /* where it sends its updates; none = it is polled */
    struct str cursor;       /* where polling stands; the adapter's own text */
};

struct participant {
    struct str external_id, username, name, language_code;
    struct str avatar_ref;   /* what OP_MEDIA fetches the picture by; none = no picture known */
    struct str avatar_id;    /* tells whether the picture changed; none = unknown */
    struct str metadata;     /* a JSON object: members for the chat's `metadata`; none = nothing new */
};

enum attachment_type { ATTACH_IMAGE, ATTACH_VIDEO, ATTACH_AUDIO, ATTACH_STICKER, ATTACH_FILE, ATTACH_TYPES };
extern const char *const attachment_type_names[ATTACH_TYPES]; /* "image" ... */

struct inbound_media {
    enum attachment_type type;
    struct str external_id;   /* platform-side identifier shown to users (a Messenger sticker id); may be none */
    struct str ref;           /* what OP_MEDIA fetches it by: a Telegram file_id, a CDN URL */
    struct str source_url;    /* shown while pending; none when it would hold a secret */
    struct str file_name, content_type;
    int64_t    size;
    int        width, height;
    struct str refusal;       /* why it will never be fetched (too large ...); none = fetch it */
    bool       is_link;       /* may not be kept by us: source_url stays what we show */
};

enum comment_verb { COMMENT_ADD, COMMENT_EDIT, COMMENT_REMOVE, COMMENT_HIDE, COMMENT_UNHIDE };

/* A public comment below a post. What an event does not tell is none. */
struct inbound_comment {
    enum comment_verb verb;
    struct str        external_id, post_id;
    struct str        parent_id;      /* of the comment it answers; none = it stands below the post itself */
    struct str        body, author_id, author_name, author_username, permalink;
    struct str        post_body, post_permalink;
    struct str        platform_data;  /* JSON object */
    bool              is_own;         /* our account wrote it */
    int64_t           posted_ms;      /* 0 = unknown */
};

enum inbound_kind {
    INBOUND_MESSAGE, INBOUND_EDIT, INBOUND_DELETION, INBOUND_REACTION, INBOUND_DELIVERY, INBOUND_READ,
    INBOUND_REFERRAL, INBOUND_COMMENT, INBOUND_BLOCK, INBOUND_UNBLOCK,
    INBOUND_MUTE, INBOUND_UNMUTE, /* our own account archived the chat elsewhere, or took it back */
    INBOUND_HINT,                 /* there is a message `external_id`; if it does not come, ask for it (OP_MESSAGE) */
    INBOUND_KINDS
};

/* One thing that happened, in terms no platform owns. Receiving it twice must change nothing: (chat, external_id) is
 * its key where it is a message. */
struct inbound_event {
    enum inbound_kind    kind;
    int64_t              at_ms;           /* the platform's time; 0 = it names none (a tap): that of receipt */
    int64_t              posted_ms;       /* INBOUND_EDIT: when the message was first written; 0 = unknown */
    struct str           account_id;      /* whose it is, where one webhook serves many accounts (platform_app) */
    struct participant   from;            /* the person, also for what our own account did to them */
    struct str           conversation_id; /* external_conversation_id; may be none */
    struct str           external_id;     /* of the message */
    bool                 outbound;        /* by our account: an echo of what we sent, or done elsewhere */
    struct str           client_ref;      /* of an echo: what OP_SEND gave along; none = it does not say */
    bool                 is_history;      /* was there before the account was connected: kept, told to nobody */
    bool                 is_unsupported;
    struct str           body;
    struct str           reply_to;
    struct str           reply_markup;    /* JSON */
    struct str           platform_data;   /* JSON object */
    struct inbound_media *media;
    size_t               media_count;
    struct str           tap_id;          /* a button press to be acknowledged with OP_ANSWER_TAP */
    int64_t              sequence;        /* INBOUND_EDIT: 1 for the first of this message, and so on; 0 = unknown */
    bool                 text_only;       /* INBOUND_EDIT: tells of the text alone; media and the rest stay */
    int64_t              watermark_ms;    /* DELIVERY, READ: all we sent until then; 0 = only `external_id` is meant,
                                             and for READ all before it */
    struct str           reaction, emoji; /* REACTION */
    bool                 is_removed;      /* REACTION: taken back */
    struct str           referral;        /* JSON object; of a REFERRAL, or of a message that began with one */
    struct inbound_comment *comment;      /* COMMENT */
};

struct inbound_batch {
    struct inbound_event *events;
    size_t                count;
    struct str            cursor;    /* after a poll: the new position; none = unchanged */
    struct str            cursor_if_news; /* the same where any of this had not come before; none = no other */
    bool                  more;      /* after a poll: there is more to be had at once */
    const struct platform *platform; /* of a platform_app's payload: whose accounts these are; NULL = none of ours */
    size_t                ignored;   /* understood, but none of our business (groups, channels) */
    bool                  not_understood; /* a part or all of it: keep the payload; the events are good all the same */
};

/* ---- operations: what we ask of a platform ---- */

enum op_kind {
    OP_CONNECT,      /* in: account.token, and external_id and details where they are known; out: account */
    OP_EXCHANGE,     /* in: code, redirect_uri; out: accounts[], each ready for OP_CONNECT */
    OP_REFRESH,      /* out: account.token, details, expires_at, refresh_at */
    OP_SUBSCRIBE,    /* in: hook_url, account.webhook_secret (hook_url none: be ready to be polled) */
    OP_UNSUBSCRIBE,  /* in: hook_url; where it is given, another server's webhook is left alone */
    OP_CHECK,        /* in: hook_url (none: we poll); whether the account is still ours and well; out: check_* */
    OP_POLL,         /* in: account.cursor; out: poll_body for parse_poll(), check_* where others get the updates */
    OP_MESSAGE,      /* in: message_id; out: poll_body for parse_poll() */
    OP_FIND_SENT,    /* in: as OP_SEND, and since_ms; out: found[]: what may be that message, oldest first */
    OP_SEND, OP_EDIT, OP_REACT, OP_UNREACT, OP_ARCHIVE, OP_UNARCHIVE,
    OP_PROBE_CHAT,   /* may we write to this person at all? */
    OP_ANSWER_TAP,   /* in: tap_id */
    OP_PARTICIPANT,  /* in: participant_id; out: participant */
    OP_MEDIA,        /* in: media_ref, save_path, and for a message's file message_id and media_*, to ask for it anew
                        where its link has died; the file is at save_path when done */
    OP_KINDS
};

struct platform_env {          /* settings an adapter needs; immutable after start */
    struct str public_url;     /* none = nobody can reach us, so poll */

    struct str telegram_url;   /* https://api.telegram.org */
    int64_t    poll_seconds;   /* how long one of its long polls waits */

    struct str meta_graph_url, instagram_graph_url; /* without a version */
    struct str meta_version;                        /* "v25.0" */
    struct str meta_login_url, instagram_login_url; /* where people grant access */
    struct str instagram_token_url;                 /* where Instagram Login's codes are exchanged */
    struct str meta_app_id, meta_app_secret;        /* none = not configured */
    struct str instagram_app_id, instagram_app_secret; /* of Instagram Login */
    struct str meta_verify_token;
    bool       meta_keep_stories;                   /* store story mentions, which Meta's terms forbid by default */

    struct str bluesky_service_url;  /* https://bsky.social */
    bool       bluesky_service_only; /* it was set by hand: every call goes there, nothing is looked up */
    struct str bluesky_appview_url, bluesky_plc_url;
    struct str bluesky_chat_proxy;   /* did:web:api.bsky.chat#bsky_chat */
    int64_t    bluesky_poll_ms;      /* between two polls of a quiet account */
    int64_t    bluesky_active_ms;    /* of one where something happens; 0 = as of a quiet one */
    int64_t    bluesky_look_back_ms; /* between two looks for what the log did not tell; 0 = there are none */
    int64_t    bluesky_history;      /* how many messages of each conversation are read at first; 0 = none */
};

struct op_file {
    struct str path, file_name, content_type;
    struct str url;            /* where the world finds it; none = nobody can reach us */
    int64_t    size;
    int        width, height;  /* of an image; 0 = unknown */
    enum attachment_type type;
    bool       is_voice;       /* asked for as a voice note (opus in ogg) */
    bool       is_animation;   /* gif, or video without sound */
};

/* What may be a message whose answer got lost. */
struct found_message {
    struct str external_id;
    int64_t    posted_at; /* 0 = it does not say */
};

struct op {
    enum op_kind               kind;
    struct arena              *arena;   /* lives as long as the operation */
    const struct platform_env *env;
    struct account             account; /* OP_CONNECT: only part of it is set at first */
    int64_t                    now_ms;

    /* in */
    struct str     participant_id, conversation_id;
    struct str     message_id;          /* external id, for edits and reactions; OP_MEDIA: none = no message's file */
    struct str     comment_id;          /* OP_SEND: a private reply to this comment; participant_id may be none */
    struct str     body, reply_to, reply_markup, reaction, emoji;
    bool           has_body, has_markup; /* OP_EDIT: which of the two changes. If the body alone, `reply_markup` */
                                         /* is what the message has: Telegram takes it away unless it is sent again */
    bool           is_media_message;     /* OP_EDIT: `body` is a caption */
    struct op_file file;                 /* path none = no attachment */
    bool           has_file;
    struct str     hook_url, tap_id, media_ref, save_path;
    int64_t        media_max;            /* bytes */
    enum attachment_type media_type;     /* OP_MEDIA of a message's file: what it was said to be, */
    size_t         media_index, media_count; /* and which it is, from 0, of all that the message came with */
    struct str     client_ref;           /* our message id, carried along where a platform echoes it */
    struct str     code, redirect_uri;   /* OP_EXCHANGE */
    int64_t        since_ms;             /* OP_FIND_SENT: it was not sent before this */

    /* out */
    struct str         external_id, out_conversation_id, platform_data;
    struct str         out_participant_id;   /* whom a private reply reached */
    struct found_message *found;             /* oldest first */
    size_t             found_count;
    struct account    *accounts;
    size_t             account_count;
    struct str         out_body;             /* the text as the platform has it now */
    int64_t            posted_at, edited_at; /* 0 = it did not say: the time of the answer */
    struct participant participant;
    struct str         poll_body;
    bool               check_lost;       /* somebody else's webhook or poller has this account */
    struct str         check_detail;     /* a sentence for the person who runs this */

    /* the adapter's own */
    int   stage;
    void *state;
};

enum op_verdict {
    OP_CALL,   /* make `call`, then step again with its answer */
    OP_DONE,
    OP_RETRY,  /* not now; again after `retry_after_ms` (0: the caller's backoff) */
    OP_FAIL    /* never; `reason` says why in the platform's words */
};

struct op_step {
    enum op_verdict    verdict;
    struct net_request call;
    int64_t            retry_after_ms; /* RETRY; of a DONE or FAIL that is account_wide: how long to be quiet */
    bool               account_wide;  /* the whole account must wait, not this chat alone */
    bool               wait_grows;    /* RETRY: nobody said how long; retry_after_ms is for the first time in a row */
    bool               token_stale;   /* RETRY: after OP_REFRESH; not a failure */
    bool               token_invalid; /* FAIL: the credentials no longer work */
    bool               maybe_done;    /* RETRY: it may have happened; a repeat can double it */
    int                code;          /* the platform's error number or HTTP status, for metrics; 0 = network */
    struct str         reason;        /* RETRY and FAIL */
};

/* One webhook for all accounts of an app, and of more than one platform. */
struct platform_app {
    const char *name; /* behind /webhooks/ */
    bool (*verify)(const struct platform_env *env, const struct net_header *headers, size_t n, struct str body);
    /* As parse() below; every event says whose it is, and the batch of which platform. */
    void (*parse)(struct arena *a, const struct platform_env *env, struct str payload, struct inbound_batch *out);
};

struct platform {
    const char *name;   /* as in the API */
    const char *title;  /* for people: "Telegram" */
    unsigned    can;    /* enum platform_can */

    struct {
        size_t      max;
        enum { TEXT_CODE_POINTS, TEXT_BYTES, TEXT_GRAPHEMES } unit;
        size_t      caption_max;
        size_t      bytes_max;    /* however they are counted; 0 = no such limit */
    } text;

    struct {            /* pace of sends; a bucket each for one chat and for the account */
        int chat_per_minute, chat_burst;
        int account_per_minute, account_burst;
        int media_cost;           /* sends of the account a file counts as; 0 = 1 */
        int private_per_hour;     /* private replies; 0 = no limit of their own */
    } pace;

    struct {            /* OP_MEDIA and uploads, bytes; 0 = not taken */
        int64_t image_max, video_max, audio_max, file_max, download_max;
    } media;

    int64_t window_ms;  /* how long after the person's last message we may write; 0 = for ever */
    bool    needs_first_contact; /* the person must have written before */

    const struct platform_app *app; /* its webhook; NULL = each account has one of its own, or none */

    /* How often a platform is polled that answers at once; NULL where OP_POLL itself waits. */
    void (*poll_pace)(const struct platform_env *env, int64_t *quiet_ms, int64_t *active_ms);

    /* Where a person grants access, to come back to redirect_uri with `state`. False with a 422. NULL = it has none. */
    bool (*login_url)(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
                      struct str *out, struct error *err);

    /* Is this webhook really theirs? `headers` as received. Constant time. */
    bool (*verify)(const struct account *account, const struct net_header *headers, size_t n, struct str body);

    /* A webhook's body, or the answer to OP_POLL or OP_MESSAGE, as events, in order. Never fails: what it cannot read
     * sets not_understood. */
    void (*parse)(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);
    void (*parse_poll)(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

    /* What to do next. `last` is NULL at the first step. Must not be called again after anything but OP_CALL. */
    void (*step)(struct op *op, const struct net_response *last, struct op_step *out);

    /* Whether a draft can be sent at all, beyond what `can`, `text` and `media` say. False with a 422. May be NULL. */
    bool (*check_participant)(struct str participant_id, struct error *err); /* of a chat to be opened */
    bool (*check_reply)(struct str message_id, struct error *err);           /* of a message to be threaded under */
    bool (*check_markup)(yyjson_val *markup, struct error *err);
    bool (*check_file)(const struct op_file *file, struct error *err);
    /* Puts into *out what must be sent for a reaction, and its picture; false with a 422. NULL where !CAN_REACT. */
    bool (*check_reaction)(struct str reaction, struct str emoji, struct str *out_reaction, struct str *out_emoji,
                           struct error *err);
};

extern const struct platform telegram, facebook, instagram, bluesky;
extern const struct platform_app meta_app;

const struct platform *platform_find(struct str name); /* NULL when it is none of ours */

#endif
