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
    CAN_PUSH          = 1 << 8, /* has webhooks; the others are only polled */
};

/* ---- what the outside says about an account, a person, a message ---- */

struct account {             /* a profile, as its platform needs it */
    int64_t    id;           /* ours */
    struct str external_id, name, username;
    struct str token;        /* plain; memory of whoever made this */
    struct str webhook_secret;
    struct str hook_url;     /* where it sends its updates; none = it is polled */
    struct str cursor;       /* where polling stands; the adapter's own text */
};

struct participant {
    struct str external_id, username, name, language_code;
    struct str avatar_ref;   /* what OP_MEDIA fetches the picture by; none = no picture known */
    struct str avatar_id;    /* tells whether the picture changed; none = unknown */
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
};

enum inbound_kind {
    INBOUND_MESSAGE, INBOUND_EDIT, INBOUND_DELETION, INBOUND_REACTION, INBOUND_DELIVERY, INBOUND_READ,
    INBOUND_REFERRAL, INBOUND_COMMENT, INBOUND_BLOCK, INBOUND_UNBLOCK, INBOUND_KINDS
};

/* One thing that happened, in terms no platform owns. Receiving it twice must change nothing: (chat, external_id) is
 * its key where it is a message. */
struct inbound_event {
    enum inbound_kind    kind;
    int64_t              at_ms;           /* the platform's time; 0 = it names none (a tap): that of receipt */
    int64_t              posted_ms;       /* INBOUND_EDIT: when the message was first written; 0 = unknown */
    struct participant   from;            /* the person, also for what our own account did to them */
    struct str           conversation_id; /* external_conversation_id; may be none */
    struct str           external_id;     /* of the message */
    bool                 outbound;        /* written by our account elsewhere (an echo) */
    bool                 is_unsupported;
    struct str           body;
    struct str           reply_to;
    struct str           reply_markup;    /* JSON */
    struct str           platform_data;   /* JSON object */
    struct inbound_media *media;
    size_t               media_count;
    struct str           tap_id;          /* a button press to be acknowledged with OP_ANSWER_TAP */
};

struct inbound_batch {
    struct inbound_event *events;
    size_t                count;
    struct str            cursor;    /* after a poll: the new position; none = unchanged */
    size_t                ignored;   /* understood, but none of our business (groups, channels) */
    bool                  not_understood; /* a part or all of it: keep the payload; the events are good all the same */
};

/* ---- operations: what we ask of a platform ---- */

enum op_kind {
    OP_CONNECT,      /* in: token; out: account */
    OP_SUBSCRIBE,    /* in: hook_url, account.webhook_secret (hook_url none: be ready to be polled) */
    OP_UNSUBSCRIBE,  /* in: hook_url; where it is given, another server's webhook is left alone */
    OP_CHECK,        /* in: hook_url (none: we poll); whether the account is still ours and well; out: check_* */
    OP_POLL,         /* in: account.cursor; out: poll_body for parse_poll(), check_* where others get the updates */
    OP_SEND, OP_EDIT, OP_REACT, OP_UNREACT, OP_ARCHIVE, OP_UNARCHIVE,
    OP_PROBE_CHAT,   /* may we write to this person at all? */
    OP_ANSWER_TAP,   /* in: tap_id */
    OP_PARTICIPANT,  /* in: participant_id; out: participant */
    OP_MEDIA,        /* in: media_ref, save_path; the file is at save_path when done */
    OP_KINDS
};

struct platform_env {          /* settings an adapter needs; immutable after start */
    struct str telegram_url;   /* https://api.telegram.org */
    struct str meta_graph_url, instagram_graph_url, meta_app_id, meta_app_secret;
    struct str bluesky_service_url, bluesky_chat_proxy;
    struct str public_url;     /* none = nobody can reach us, so poll */
    int64_t    poll_seconds;   /* how long one long poll waits */
};

struct op_file {
    struct str path, file_name, content_type;
    int64_t    size;
    int        width, height;  /* of an image; 0 = unknown */
    enum attachment_type type;
    bool       is_voice;       /* asked for as a voice note (opus in ogg) */
    bool       is_animation;   /* gif, or video without sound */
};

struct op {
    enum op_kind               kind;
    struct arena              *arena;   /* lives as long as the operation */
    const struct platform_env *env;
    struct account             account; /* OP_CONNECT: only `token` is set at first */

    /* in */
    struct str     participant_id, conversation_id;
    struct str     message_id;          /* external id, for edits and reactions */
    struct str     body, reply_to, reply_markup, reaction, emoji;
    bool           has_body, has_markup; /* OP_EDIT: which of the two changes. If the body alone, `reply_markup` */
                                         /* is what the message has: Telegram takes it away unless it is sent again */
    bool           is_media_message;     /* OP_EDIT: `body` is a caption */
    struct op_file file;                 /* path none = no attachment */
    bool           has_file;
    struct str     hook_url, tap_id, media_ref, save_path;
    int64_t        media_max;            /* bytes */
    struct str     client_ref;           /* our message id, carried along where a platform echoes it */

    /* out */
    struct str         external_id, out_conversation_id, platform_data;
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
    int64_t            retry_after_ms;
    bool               account_wide;  /* RETRY: the whole account must wait, not this chat alone */
    bool               token_invalid; /* FAIL: the credentials no longer work */
    bool               maybe_done;    /* RETRY: it may have happened; a repeat can double it */
    int                code;          /* the platform's error number or HTTP status, for metrics; 0 = network */
    struct str         reason;        /* RETRY and FAIL */
};

struct platform {
    const char *name;   /* as in the API */
    const char *title;  /* for people: "Telegram" */
    unsigned    can;    /* enum platform_can */

    struct {
        size_t      max;
        enum { TEXT_CODE_POINTS, TEXT_BYTES, TEXT_GRAPHEMES } unit;
        size_t      caption_max;
    } text;

    struct {            /* pace of sends; a bucket each for one chat and for the account */
        int chat_per_minute, chat_burst;
        int account_per_second, account_burst;
    } pace;

    struct {            /* OP_MEDIA and uploads, bytes; 0 = not taken */
        int64_t image_max, video_max, audio_max, file_max, download_max;
    } media;

    int64_t window_ms;  /* how long after the person's last message we may write; 0 = for ever */
    bool    needs_first_contact; /* the person must have written before */

    /* Is this webhook really theirs? `headers` as received. Constant time. */
    bool (*verify)(const struct account *account, const struct net_header *headers, size_t n, struct str body);

    /* A webhook's body or a poll's answer as events, in order. Never fails: what it cannot read sets not_understood. */
    void (*parse)(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);
    void (*parse_poll)(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

    /* What to do next. `last` is NULL at the first step. Must not be called again after anything but OP_CALL. */
    void (*step)(struct op *op, const struct net_response *last, struct op_step *out);

    /* Whether a draft can be sent at all, beyond what `can`, `text` and `media` say. False with a 422. May be NULL. */
    bool (*check_markup)(yyjson_val *markup, struct error *err);
    bool (*check_file)(const struct op_file *file, struct error *err);
};

extern const struct platform telegram;

const struct platform *platform_find(struct str name); /* NULL when it is none of ours */
const struct platform *platform_at(size_t i);          /* NULL behind the last */

#endif
