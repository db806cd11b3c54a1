/* state.h -- who and what there is: the app, Pages and Instagram accounts, people, their chats, posts and comments.
 *
 * Everything hangs from struct fb and goes with it. Ids that are numbers are kept as such and written as strings,
 * as Meta does; message ids are text. */
#ifndef PARLEY_SANDBOX_META_STATE_H
#define PARLEY_SANDBOX_META_STATE_H

#include "base/map.h"
#include "sandbox/meta/files.h"
#include "sandbox/own.h"
#include "sandbox/stage.h"

#define FB_CHAT_MESSAGES_MAX  1000                /* the oldest of a chat are forgotten */
#define FB_MESSAGES_BYTES_MAX ((size_t)256 << 20) /* of all chats */
#define FB_ACCOUNTS_MAX       64
#define FB_HOUR_MS            INT64_C(3600000)
#define FB_DAY_MS             INT64_C(86400000)

enum fb_object { FB_PAGE, FB_INSTAGRAM, FB_OBJECTS }; /* of an account, and of a webhook */
enum fb_host { FB_HOST_FACEBOOK, FB_HOST_INSTAGRAM }; /* which of Meta's two Graph hosts is asked */

struct fb_bucket { /* tokens per second; what is missing is waited for */
    double  tokens;
    int64_t filled_ms; /* 0 = full */
};

/* A Page, or an Instagram account: linked to a Page, or with a login of its own, or both. */
struct fb_account {
    struct fb         *fb;
    int                number;        /* from 1; part of its people's ids */
    enum fb_object     object;
    int64_t            id, app_scoped_id; /* app_scoped_id: what an Instagram login calls itself by */
    struct str         name, username;
    struct fb_account *page;          /* of an Instagram account that is linked to one */
    bool               has_login;     /* an Instagram account with a login of its own */
    bool               no_messages;   /* its owner has disallowed access to messages */
    int64_t            thread_owner;  /* another app that has control of all threads; 0 = we */
    bool               subscribed;    /* our app is */
    uint64_t           fields;        /* bits: see fields.h */
    struct map         chats;         /* by scoped id */
    struct fb_chat    *first_chat, *last_chat;
    struct fb_post    *first_post, *last_post;
    struct fb_bucket   sends, reads;
    int64_t            failing_ms;    /* since when its deliveries fail; 0 = they do not */
    struct fb_account *next;
};

struct fb_person {
    int                number; /* from 1 */
    struct str         name, first_name, last_name, username;
    bool               has_photo;
    struct fb_person  *next;
};

/* What one message says. Texts are owned. */
struct fb_message {
    struct str         mid, text;
    struct str         attachments;  /* an array as webhooks have it; none = none */
    struct str         more;         /* further members of "message" in the webhook: "referral":{...}; none */
    struct str         quick_replies; /* an array; none */
    struct str         reply_to;     /* a mid; none */
    struct str         story;        /* {"url":..,"id":..} that is answered; none */
    struct str         metadata;
    struct str         persons_reaction, business_reaction; /* emoji; none */
    struct fb_chat    *chat;
    int64_t            at_ms, app_id; /* app_id: 0 = Meta's own inbox, or the person */
    int                num_edit;
    bool               by_person, deleted, read;
    size_t             size;
    struct fb_message *older, *newer, *older_of_all, *newer_of_all;
};

struct fb_chat {
    struct fb_account *account;
    struct fb_person  *person;
    int64_t            scoped_id;  /* PSID or IGSID */
    int64_t            wrote_ms;   /* when the person last did what opens the window; 0 = never */
    bool               known;      /* a message has passed, either way */
    bool               blocked;
    struct fb_message *oldest, *newest;
    size_t             count;
    struct fb_chat    *next;
};

struct fb_comment {
    int64_t            id;
    struct fb_post    *post;
    int64_t            parent;     /* another comment; 0 = the post */
    struct fb_person  *person;     /* NULL: the account itself */
    struct str         text, photo;
    int64_t            at_ms;
    bool               hidden, removed, replied; /* replied: privately, once and for all */
    struct fb_comment *next;
};

struct fb_post {
    struct fb_account *account;
    int64_t            id;
    struct str         text;
    bool               live;
    struct fb_comment *first, *last;
    struct fb_post    *next;
};

enum fb_token_kind { FB_TOKEN_USER, FB_TOKEN_PAGE, FB_TOKEN_INSTAGRAM, FB_CODE, FB_CODE_INSTAGRAM };

struct fb_token {
    enum fb_token_kind kind;
    struct str         text;
    struct fb_account *account;    /* of a Page's or an Instagram account's */
    int64_t            granted[FB_ACCOUNTS_MAX]; /* what the user chose; none = all */
    size_t             granted_count;
    struct str         redirect;   /* of a code */
    int64_t            made_ms, expires_ms; /* 0 = never */
    int                dead;       /* the subcode of its 190; 0 = it lives */
    struct fb_token   *next;
};

/* The app's subscription for one object. */
struct fb_hook {
    struct fb          *fb;
    struct str          url, verify_token;
    uint64_t            fields;
    struct fb_event    *first, *last; /* what may go now */
    struct fb_event    *later;        /* what has failed, until its next time */
    size_t              waiting, bytes;
    struct fb_delivery *flying;
    size_t              flying_count;
    struct str          last_error;
    int64_t             delivered, lost;
    struct alarm        retry;
};

struct fb_settings {
    double  sends_per_second, reads_per_second, burst; /* 0 = no limit */
    int64_t usage;          /* percent to report; -1 = no such header */
    int64_t batch;          /* events that are collected before they go; 1 = each goes at once */
    int64_t media_link_s;   /* how long an address of a file works */
    bool    echo_first;     /* the echo is delivered before a send is answered */
    bool    deliveries;     /* what the business sends is reported as delivered at once */
    bool    require_proof;  /* of graph.facebook.com: appsecret_proof */
    bool    human_agent;    /* the app has that feature */
    bool    edit_oddity;    /* Instagram sends a message_edit with num_edit 0 before each message */
    bool    other_comment_ids; /* who comments on a Page has another id there than in messages */
    bool    one_secret;     /* the app secret signs what an Instagram login gets, too */
};

struct fb_records {
    struct fb_record *oldest, *newest;
    size_t            count, bytes;
    int64_t           last_number;
};

struct fb {
    struct stage        *stage;
    int64_t              app_id, instagram_app_id;
    struct str           app_secret, instagram_secret;
    struct fb_settings   settings;
    struct fb_account   *first_account, *last_account;
    struct fb_person    *first_person, *last_person;
    struct map           people;    /* by number */
    struct fb_token     *first_token;
    struct map           mids;      /* by the hash of the mid */
    struct map           comments;  /* by id */
    struct fb_message   *oldest, *newest;
    size_t               message_bytes;
    int64_t              last_id;
    struct fb_files      files;
    struct fb_hook       hooks[FB_OBJECTS];
    bool                 hold;      /* deliveries wait */
    struct fb_records    records;
    struct fb_call      *waiting;   /* calls that are answered later */
    struct fb_challenge *challenges;
};

static inline int64_t
fb_now_ms(const struct fb *fb)
{
    return stage_now_ms(fb->stage);
}

static inline bool
fb_is_instagram(const struct fb_account *a)
{
    return a->object == FB_INSTAGRAM;
}

int64_t fb_new_id(struct fb *fb); /* for a post, a comment: 17 digits, ever larger */

/* ---- accounts and people ---- */

struct fb_account *fb_account_add(struct fb *fb, enum fb_object object, int64_t id, struct str name,
    struct str username);
struct fb_account *fb_account_get(const struct fb *fb, int64_t id);       /* also by app_scoped_id; NULL */
struct fb_account *fb_account_linked(const struct fb_account *page);      /* its Instagram account; NULL */
struct fb_person  *fb_person_add(struct fb *fb, struct str first_name, struct str last_name, struct str username);
struct fb_person  *fb_person_get(const struct fb *fb, int64_t number);

/* Who that is for the account: its own id of the person, made of both numbers. */
int64_t           fb_scoped_id(const struct fb_account *a, const struct fb_person *p);
struct fb_person *fb_scoped_person(const struct fb_account *a, int64_t scoped_id); /* NULL: nobody of this account's */
struct fb_chat   *fb_chat_get(const struct fb_account *a, int64_t scoped_id);      /* NULL until there is one */
struct fb_chat   *fb_chat_open(struct fb_account *a, struct fb_person *p);

/* ---- tokens ---- */

struct fb_token *fb_token_add(struct fb *fb, enum fb_token_kind kind, struct fb_account *a, const char *text,
    int64_t lives_ms); /* text NULL: made up; lives_ms 0: for ever */
struct fb_token *fb_token_find(const struct fb *fb, struct str text);
struct fb_token *fb_token_of(const struct fb *fb, const struct fb_account *a); /* the newest that lives; NULL */
void             fb_token_spend(struct fb *fb, struct fb_token *t);            /* a code goes */

/* ---- messages: messages.c ---- */

/* Copies what `m` says; mid none: a new one. */
struct fb_message *fb_message_add(struct fb_chat *chat, const struct fb_message *m);
struct fb_message *fb_message_get(const struct fb *fb, struct str mid); /* NULL: never was, or is forgotten */
void               fb_message_remove(struct fb_message *m);
size_t             fb_message_age(const struct fb_message *m, size_t at_most); /* how many of its chat are newer */

/* The inside of "message" as webhooks have it, into the object that is open. */
void fb_message_write(const struct fb_message *m, struct json *w);
/* The same with all that those see who look on, as an object. */
void fb_message_write_seen(const struct fb_message *m, struct json *w, const char *name);
void fb_conversation_id(const struct fb_chat *chat, char out[64]);

/* ---- posts and comments: posts.c ---- */

struct fb_post    *fb_post_add(struct fb_account *a, struct str text, bool live);
struct fb_post    *fb_post_get(const struct fb *fb, int64_t id);
struct fb_comment *fb_comment_add(struct fb_post *post, int64_t parent, struct fb_person *person, struct str text,
    struct str photo);
struct fb_comment *fb_comment_get(const struct fb *fb, int64_t id);
/* "<post>_<comment>" of a Page's, "<comment>" of an Instagram account's; likewise posts. */
void fb_comment_id(const struct fb_comment *c, char out[64]);
void fb_post_id(const struct fb_post *p, char out[64]);
int64_t fb_last_number(struct str id); /* of "123_456": 456; 0 when it is none */
void fb_posts_free(struct fb_account *a);
int64_t fb_commenter_id(const struct fb_comment *c); /* as comments have it */
void fb_comment_write(const struct fb_comment *c, struct json *w, const char *name);

/* ---- opening and closing it all ---- */

void fb_init(struct fb *fb, struct stage *stage); /* with the app, accounts, people and tokens it has from the start */
void fb_deinit(struct fb *fb);                    /* after deliveries, calls and challenges are over */

#endif
