/* state.h -- who and what there is: bots, people, their chats, and the messages in them.
 *
 * Everything hangs from struct tg and goes with it. Texts that are sent again and again (who a bot is,
 * who a person is) are kept as the JSON they are sent as. */
#ifndef PARLEY_SANDBOX_TELEGRAM_STATE_H
#define PARLEY_SANDBOX_TELEGRAM_STATE_H

#include "sandbox/own.h"
#include "sandbox/stage.h"
#include "sandbox/telegram/files.h"
#include "sandbox/telegram/markup.h"
#include "sandbox/telegram/text.h"
#include "sandbox/telegram/updates.h"

#define TG_CHAT_MESSAGES_MAX 1000             /* the oldest of a chat are forgotten */
#define TG_MESSAGES_BYTES_MAX ((size_t)256 << 20) /* of all chats */
#define TG_CALLS_MAX         10000            /* of a bot */
#define TG_CALLS_BYTES_MAX   ((size_t)32 << 20)
#define TG_TAPS_MAX          10000
#define TG_TOKEN_MAX         64

/* Tokens per second and how many may be saved up; what is missing is waited for. */
struct tg_bucket {
    double  tokens;
    int64_t filled_ms; /* 0 = full */
};

struct tg_person {
    int64_t           id;
    struct str        user;  /* {"id":...,"is_bot":false,...,"language_code":"en"}; owned */
    struct str        chat;  /* {"id":...,...,"type":"private"}; owned */
    struct str        names; /* members of both: "first_name":"Mina",... ; owned */
    struct str        username; /* owned; empty = none */
    bool              has_photo;
    struct tg_person *next;
};

enum tg_content { TG_CONTENT_TEXT, TG_CONTENT_MEDIA, TG_CONTENT_OTHER }; /* MEDIA can have a caption */

/* What a message says, as JSON where that is how it goes out. One allocation holds it all; see
 * tg_message_say(). */
struct tg_body {
    enum tg_content kind;
    struct str      text;     /* or the caption; empty = none */
    struct str      entities; /* an array; none = no entities */
    struct str      media;    /* members: "photo":[...] ; none = no media */
    struct str      markup;   /* {"inline_keyboard":...}; none = no buttons */
    struct str      keyboard; /* a reply keyboard or its removal, for the page only; none = none */
    struct str      quote;    /* {"text":...}; none = none */
    struct str      from;     /* a member the person's side chose: overrides who wrote; none = as usual */
    struct str      reply;    /* likewise: reply_to_message */
};

struct tg_message {
    int64_t            id, date, edit_date; /* dates in seconds */
    struct tg_chat    *chat;
    struct tg_message *older, *newer;           /* of the chat */
    struct tg_message *older_of_all, *newer_of_all;
    struct tg_body     body;
    char              *memory;
    size_t             size;
    int64_t            reply_to;    /* 0 = no reply, or body.reply says it */
    struct str         bots_reaction, persons_reaction; /* emoji; owned; none = none */
    bool               by_person;
    bool               not_editable; /* it carries a reply keyboard, or takes one away, or is a forward */
};

struct tg_chat {
    struct tg_bot     *bot;
    struct tg_person  *person;
    struct tg_message *oldest, *newest;
    size_t             count;
    bool               blocked;
    int64_t            photos[2];  /* files of the person's picture, small and large; 0 = not asked for yet */
    struct tg_bucket   bucket;
    struct tg_chat    *next; /* of the bot, in the order they began */
};

struct tg_delivery; /* webhook.c */
struct tg_call;     /* call.h */
struct tg_record;   /* records.c */
struct tg_tap;

struct tg_webhook {
    struct str url, secret; /* owned; an empty url = none */
    struct str ip_address;
    bool       has_certificate;
    int        max_connections;
    int64_t    changed_ms;
    int64_t    last_error_s;
    char       last_error[256];
    int64_t    first_410_ms;

    struct tg_delivery *flying;
    int                 flying_count;
    bool                unreachable; /* the last connection failed: one attempt at a time, with a pause */
    int64_t             last_success_ms;
    struct alarm        pause;
};

struct tg_records {
    struct tg_record *oldest, *newest;
    size_t            count, bytes;
    int64_t           last_number;
};

struct tg_taps {
    struct map     by_id;
    struct tg_tap *oldest, *newest;
};

struct tg_bot {
    struct tg        *tg;
    int64_t           id;
    char              token[TG_TOKEN_MAX];
    struct str        first_name, username; /* owned */
    struct str        user;                 /* owned */
    struct map        chats, messages;      /* by person, by message id */
    struct tg_chat   *first_chat, *last_chat;
    int64_t           last_message_id;
    unsigned          allowed_updates;      /* bits of update kinds */
    struct str        allowed_json;         /* as set, for getWebhookInfo; none = the default; owned */
    struct tg_updates updates;
    struct tg_webhook webhook;
    struct tg_call   *poll;                 /* the getUpdates that waits */
    int64_t           poll_offset, poll_began_ms;
    int64_t           next_conflict_ms;
    struct tg_records records;
    struct tg_taps    taps;
    struct tg_bucket  bucket;
    struct tg_bot    *next;
};

struct tg {
    struct stage      *stage;
    struct map         bots, people;
    struct tg_bot     *first_bot, *last_bot;
    struct tg_person  *first_person, *last_person;
    int64_t            next_bot_id, next_person_id;
    struct tg_files    files;
    struct tg_message *oldest, *newest; /* of all chats */
    size_t             message_bytes;
    struct tg_call    *waiting;         /* calls that a delay holds */
    double             per_chat_per_second, per_bot_per_second, burst; /* rates: 0 = no limit */
};

/* ---- bots and people ---- */

struct tg_bot    *tg_bot_add(struct tg *tg, int64_t id, struct str first_name, struct str username, const char *token);
void              tg_bot_new_token(struct tg_bot *bot);
void              tg_bot_remove(struct tg *tg, struct tg_bot *bot); /* after webhook and poll are over */
struct tg_bot    *tg_bot_get(const struct tg *tg, int64_t id);      /* NULL when there is none */

struct tg_person_names {
    struct str first_name, last_name, username, language_code; /* none where there is none */
    bool       has_photo;
};
struct tg_person *tg_person_add(struct tg *tg, int64_t id, const struct tg_person_names *names);
struct tg_person *tg_person_get(const struct tg *tg, int64_t id);

struct tg_chat   *tg_chat_get(const struct tg_bot *bot, int64_t person_id); /* NULL until they wrote */
struct tg_chat   *tg_chat_open(struct tg_bot *bot, struct tg_person *person);

/* ---- messages ---- */

/* A new message with the next id of the bot; `body` is copied. */
struct tg_message *tg_message_add(struct tg_chat *chat, bool by_person, int64_t date_s, const struct tg_body *body);
void               tg_message_say(struct tg_message *m, const struct tg_body *body); /* something else from now on */
void               tg_message_remove(struct tg_message *m);
struct tg_message *tg_message_get(const struct tg_chat *chat, int64_t id); /* NULL: gone, or of another chat */

/* A Message object. `plain` leaves reply_to_message out: as inside another one, and after an edit. */
void tg_message_write(const struct tg_message *m, bool plain, struct json *w, const char *name);

/* The same for those who look on: with who wrote it ("direction"), whether it was edited, and the
 * keyboard it brought. */
void tg_message_write_seen(const struct tg_message *m, struct json *w, const char *name);

/* ---- opening and closing it all ---- */

void tg_init(struct tg *tg, struct stage *stage); /* with its first bot and person */
void tg_deinit(struct tg *tg);

#endif
