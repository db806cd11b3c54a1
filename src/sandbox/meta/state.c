/* state.c -- the app, accounts, people, chats and tokens; see state.h. */
#include "sandbox/meta/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "sandbox/meta/hook.h"

/* All there is from the start, so that the examples in docs/sandbox.md work as they stand. */
#define APP_ID           INT64_C(1000200030004001)
#define INSTAGRAM_APP_ID INT64_C(2000300040005001)
#define APP_SECRET       "sandbox-app-secret-0123456789abcdef"
#define INSTAGRAM_SECRET "sandbox-instagram-secret-0123456789"
#define PAGE_ID          INT64_C(100200300400501)
#define LINKED_ID        INT64_C(17841400000000001)
#define LOGIN_ID         INT64_C(17841400000000002)
#define PAGE_TOKEN       "EAASandboxPageToken00000000000000000001"
#define LOGIN_TOKEN      "IGAASandboxInstagramToken00000000000001"
#define USER_TOKEN       "EAASandboxUserToken00000000000000000001"

#define FIRST_ID     INT64_C(18000000000000000)
#define PSIDS        INT64_C(7001000000000000)
#define IGSIDS       INT64_C(6001000000000000)
#define PER_ACCOUNT  INT64_C(1000000)
#define PEOPLE_MAX   999999
#define SIXTY_DAYS   (60 * FB_DAY_MS)

int64_t
fb_new_id(struct fb *fb)
{
    fb->last_id += 1 + random_below(1000);
    return fb->last_id;
}

/* ---- accounts ---- */

struct fb_account *
fb_account_add(struct fb *fb, enum fb_object object, int64_t id, struct str name, struct str username)
{
    struct fb_account *a = own_alloc(sizeof(*a));

    a->fb = fb;
    a->object = object;
    a->number = fb->last_account ? fb->last_account->number + 1 : 1;
    a->id = id;
    a->app_scoped_id = object == FB_INSTAGRAM ? INT64_C(27000000000000000) + a->number : 0;
    a->name = own_text(name);
    a->username = own_text(username);
    if (fb->last_account)
        fb->last_account->next = a;
    else
        fb->first_account = a;
    fb->last_account = a;
    return a;
}

static void
free_account(struct fb_account *a)
{
    struct fb_chat *next;

    for (struct fb_chat *chat = a->first_chat; chat; chat = next) {
        next = chat->next;
        while (chat->oldest)
            fb_message_remove(chat->oldest);
        free(chat);
    }
    fb_posts_free(a);
    map_deinit(&a->chats);
    own_free(&a->name);
    own_free(&a->username);
    free(a);
}

struct fb_account *
fb_account_get(const struct fb *fb, int64_t id)
{
    for (struct fb_account *a = fb->first_account; a && id > 0; a = a->next)
        if (a->id == id || a->app_scoped_id == id)
            return a;
    return NULL;
}

struct fb_account *
fb_account_linked(const struct fb_account *page)
{
    for (struct fb_account *a = page->fb->first_account; a; a = a->next)
        if (a->page == page)
            return a;
    return NULL;
}

/* ---- people ---- */

static struct str
full_name(struct str first_name, struct str last_name)
{
    struct buf b;
    struct str name;

    buf_init(&b, 4 * KIB);
    buf_append(&b, first_name);
    if (last_name.len > 0)
        buf_printf(&b, " %.*s", STR_ARG(last_name));
    name = own_text(buf_str(&b));
    buf_deinit(&b);
    return name;
}

struct fb_person *
fb_person_add(struct fb *fb, struct str first_name, struct str last_name, struct str username)
{
    struct fb_person *p;

    if (fb->last_person && fb->last_person->number >= PEOPLE_MAX)
        return NULL;
    p = own_alloc(sizeof(*p));
    p->number = fb->last_person ? fb->last_person->number + 1 : 1;
    p->first_name = own_text(first_name);
    p->last_name = own_text(last_name);
    p->username = own_text(username);
    p->name = full_name(first_name, last_name);
    if (fb->last_person)
        fb->last_person->next = p;
    else
        fb->first_person = p;
    fb->last_person = p;
    map_put(&fb->people, p->number, p);
    return p;
}

struct fb_person *
fb_person_get(const struct fb *fb, int64_t number)
{
    return map_get(&fb->people, number);
}

static int64_t
first_scoped_id(const struct fb_account *a)
{
    return (fb_is_instagram(a) ? IGSIDS : PSIDS) + a->number * PER_ACCOUNT;
}

int64_t
fb_scoped_id(const struct fb_account *a, const struct fb_person *p)
{
    return first_scoped_id(a) + p->number;
}

struct fb_person *
fb_scoped_person(const struct fb_account *a, int64_t scoped_id)
{
    int64_t number = scoped_id - first_scoped_id(a);

    return number > 0 && number <= PEOPLE_MAX ? fb_person_get(a->fb, number) : NULL;
}

struct fb_chat *
fb_chat_get(const struct fb_account *a, int64_t scoped_id)
{
    return map_get(&a->chats, scoped_id);
}

struct fb_chat *
fb_chat_open(struct fb_account *a, struct fb_person *p)
{
    struct fb_chat *chat = fb_chat_get(a, fb_scoped_id(a, p));

    if (chat)
        return chat;
    chat = own_alloc(sizeof(*chat));
    *chat = (struct fb_chat){ .account = a, .person = p, .scoped_id = fb_scoped_id(a, p) };
    if (a->last_chat)
        a->last_chat->next = chat;
    else
        a->first_chat = chat;
    a->last_chat = chat;
    map_put(&a->chats, chat->scoped_id, chat);
    return chat;
}

/* ---- tokens ---- */

static void
make_up(enum fb_token_kind kind, char *out, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char *const starts[] = { "EAA", "EAA", "IGAA", "AQ", "AQ" };
    size_t at = (size_t)snprintf(out, size, "%s", starts[kind]);

    while (at < size - 1)
        out[at++] = letters[random_below(sizeof(letters) - 1)];
    out[at] = '\0';
}

struct fb_token *
fb_token_add(struct fb *fb, enum fb_token_kind kind, struct fb_account *a, const char *text, int64_t lives_ms)
{
    struct fb_token *t = own_alloc(sizeof(*t));
    char             made_up[121];

    make_up(kind, made_up, sizeof(made_up));
    t->kind = kind;
    t->account = a;
    t->text = own_text(str_of(text ? text : made_up));
    t->made_ms = fb_now_ms(fb);
    t->expires_ms = lives_ms > 0 ? t->made_ms + lives_ms : 0;
    t->next = fb->first_token;
    fb->first_token = t;
    return t;
}

struct fb_token *
fb_token_find(const struct fb *fb, struct str text)
{
    for (struct fb_token *t = fb->first_token; t; t = t->next)
        if (str_eq(t->text, text))
            return t;
    return NULL;
}

struct fb_token *
fb_token_of(const struct fb *fb, const struct fb_account *a)
{
    for (struct fb_token *t = fb->first_token; t; t = t->next)
        if (t->account == a && t->dead == 0 && (t->expires_ms == 0 || t->expires_ms > fb_now_ms(fb)))
            return t;
    return NULL;
}

static void
free_token(struct fb_token *t)
{
    own_free(&t->text);
    own_free(&t->redirect);
    free(t);
}

void
fb_token_spend(struct fb *fb, struct fb_token *t)
{
    struct fb_token **at = &fb->first_token;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    free_token(t);
}

/* ---- all of it ---- */

static void
cast_of_the_start(struct fb *fb)
{
    struct str         bakery = STR("Sandbox Bakery"), bakery_username = STR("sandbox.bakery");
    struct fb_account *page = fb_account_add(fb, FB_PAGE, PAGE_ID, bakery, bakery_username);
    struct fb_account *linked = fb_account_add(fb, FB_INSTAGRAM, LINKED_ID, bakery, bakery_username);
    struct fb_account *login = fb_account_add(fb, FB_INSTAGRAM, LOGIN_ID, STR("Sandbox Studio"), STR("sandbox.studio"));

    linked->page = page;
    login->has_login = true;
    fb_person_add(fb, STR("Mina"), STR("Okafor"), STR("mina.okafor"));
    fb_token_add(fb, FB_TOKEN_USER, NULL, USER_TOKEN, SIXTY_DAYS);
    fb_token_add(fb, FB_TOKEN_PAGE, page, PAGE_TOKEN, 0);
    fb_token_add(fb, FB_TOKEN_INSTAGRAM, login, LOGIN_TOKEN, SIXTY_DAYS);
}

void
fb_init(struct fb *fb, struct stage *stage)
{
    *fb = (struct fb){
        .stage = stage,
        .app_id = APP_ID,
        .instagram_app_id = INSTAGRAM_APP_ID,
        .last_id = FIRST_ID,
        .settings = { .burst = 1, .usage = -1, .batch = 1, .media_link_s = 7 * FB_DAY_MS / 1000, .deliveries = true,
            .human_agent = true },
    };
    fb->app_secret = own_text(STR(APP_SECRET));
    fb->instagram_secret = own_text(STR(INSTAGRAM_SECRET));
    fb_hooks_init(fb);
    fb_files_init(&fb->files, fb->settings.media_link_s * 1000);
    cast_of_the_start(fb);
}

static void
free_people(struct fb *fb)
{
    struct fb_person *next;

    for (struct fb_person *p = fb->first_person; p; p = next) {
        next = p->next;
        own_free(&p->name);
        own_free(&p->first_name);
        own_free(&p->last_name);
        own_free(&p->username);
        free(p);
    }
    map_deinit(&fb->people);
}

void
fb_deinit(struct fb *fb)
{
    struct fb_account *next;

    fb_hooks_deinit(fb);
    for (struct fb_account *a = fb->first_account; a; a = next) {
        next = a->next;
        free_account(a);
    }
    free_people(fb);
    while (fb->first_token)
        fb_token_spend(fb, fb->first_token);
    fb_files_deinit(&fb->files);
    map_deinit(&fb->mids);
    map_deinit(&fb->comments);
    own_free(&fb->app_secret);
    own_free(&fb->instagram_secret);
}
