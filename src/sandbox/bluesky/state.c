/* state.c -- accounts and what belongs to them; see state.h. Conversations are in convos.c. */
#include "sandbox/bluesky/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "sandbox/bluesky/methods.h"
#include "sandbox/bluesky/records.h"
#include "sandbox/bluesky/tokens.h"

#define RING 512

/* ---- sets ---- */

bool
bs_set_has(const struct bs_set *set, const struct bs_account *a)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i] == a)
            return true;
    return false;
}

void
bs_set_add(struct bs_set *set, struct bs_account *a)
{
    if (bs_set_has(set, a))
        return;
    if (set->count == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 4;
        set->items = own_checked(realloc(set->items, set->cap * sizeof(struct bs_account *)));
    }
    set->items[set->count++] = a;
}

void
bs_set_remove(struct bs_set *set, const struct bs_account *a)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i] == a)
            set->items[i--] = set->items[--set->count];
}

/* ---- ids ---- */

static const char alphabet[] = "234567abcdefghijklmnopqrstuvwxyz";

const char *
bs_tid(int64_t n, char out[BS_TID_MAX])
{
    uint64_t rest = (uint64_t)n;

    for (int i = 12; i >= 0; i--, rest >>= 5)
        out[i] = alphabet[rest & 31];
    out[13] = '\0';
    return out;
}

bool
bs_tid_read(struct str text, int64_t *out)
{
    uint64_t n = 0;

    if (text.len != 13 || !memchr("234567abcdefghij", text.ptr[0], 16))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = memchr(alphabet, text.ptr[i], 32);

        if (!at)
            return false;
        n = n << 5 | (uint64_t)(at - alphabet);
    }
    *out = (int64_t)(n & INT64_MAX);
    return n <= INT64_MAX;
}

/* Microseconds and ten bits that tell servers apart: so real ones are made. */
int64_t
bs_tid_new(struct bs *bs)
{
    int64_t n = (bs_now_ms(bs) * 1000 << 10) | 7;

    bs->last_tid = n > bs->last_tid ? n : bs->last_tid + (1 << 10);
    return bs->last_tid;
}

/* ---- accounts ---- */

static void
make_did(char out[40])
{
    memcpy(out, "did:plc:", 8);
    for (int i = 8; i < 32; i++)
        out[i] = "abcdefghijklmnopqrstuvwxyz234567"[random_below(32)];
    out[32] = '\0';
}

struct bs_account *
bs_account_add(struct bs *bs, struct str did, struct str handle)
{
    struct bs_account *a = own_alloc(sizeof(*a));

    a->bs = bs;
    if (str_is_none(did))
        make_did(a->did);
    else
        snprintf(a->did, sizeof(a->did), "%.*s", STR_ARG(did));
    a->handle = own_text(handle);
    a->created_ms = bs_now_ms(bs);
    a->log.floor = bs->rev;
    a->counts = own_checked(calloc(bs_method_count, sizeof(int64_t)));
    if (bs->last)
        bs->last->next = a;
    else
        bs->first = a;
    bs->last = a;
    return a;
}

struct bs_account *
bs_account_by_did(const struct bs *bs, struct str did)
{
    for (struct bs_account *a = bs->first; a; a = a->next)
        if (str_eq(did, str_of(a->did)))
            return a;
    return NULL;
}

/* A deleted account has let go of its handle. */
struct bs_account *
bs_account_find(const struct bs *bs, struct str name)
{
    struct bs_account *found = bs_account_by_did(bs, name);

    for (struct bs_account *a = bs->first; a && !found; a = a->next)
        if (name.len > 0 && a->status != BS_DELETED
            && (str_eq_nocase(name, a->handle) || str_eq_nocase(name, a->email)))
            found = a;
    return found;
}

static const char *const statuses[BS_STATUSES] = { "active", "deactivated", "takendown", "deleted" };
static const char *const incomings[BS_INCOMINGS] = { "following", "all", "none" };

const char *
bs_status_name(enum bs_status status)
{
    return statuses[status];
}

bool
bs_status_read(struct str name, enum bs_status *out)
{
    for (int i = 0; i < BS_STATUSES; i++) {
        if (!str_eq(name, str_of(statuses[i])))
            continue;
        *out = (enum bs_status)i;
        return true;
    }
    return false;
}

const char *
bs_incoming_name(enum bs_incoming incoming)
{
    return incomings[incoming];
}

bool
bs_incoming_read(struct str name, enum bs_incoming *out)
{
    for (int i = 0; i < BS_INCOMINGS; i++) {
        if (!str_eq(name, str_of(incomings[i])))
            continue;
        *out = (enum bs_incoming)i;
        return true;
    }
    return false;
}

void
bs_account_declare(struct bs_account *a, struct str record, enum bs_incoming incoming)
{
    own_set(&a->declaration, record);
    a->incoming = incoming;
}

/* ---- app passwords ---- */

static void
make_password(char out[20])
{
    for (int i = 0; i < 19; i++)
        out[i] = i % 5 == 4 ? '-' : "abcdefghijklmnopqrstuvwxyz234567"[random_below(32)];
    out[19] = '\0';
}

bool
bs_app_password_add(struct bs_account *a, struct str name, struct str password, bool privileged,
    struct bs_app_password **out)
{
    struct bs_app_password **at = &a->passwords;
    char                     made[20];

    for (; *at; at = &(*at)->next)
        if (str_eq((*at)->name, name))
            return false;
    make_password(made);
    *out = *at = own_alloc(sizeof(struct bs_app_password));
    **at = (struct bs_app_password){ .name = own_text(name), .privileged = privileged,
        .password = own_text(str_is_none(password) ? str_of(made) : password) };
    return true;
}

static void
free_password(struct bs_app_password *p)
{
    own_free(&p->name);
    own_free(&p->password);
    free(p);
}

bool
bs_app_password_revoke(struct bs_account *a, struct str name)
{
    for (struct bs_app_password **at = &a->passwords, *p; (p = *at) != NULL; at = &p->next) {
        if (!str_eq(p->name, name))
            continue;
        *at = p->next;
        bs_sessions_close(a, p->name);
        free_password(p);
        return true;
    }
    return false;
}

/* ---- counting by time ---- */

void
bs_happened(int64_t *ring, size_t *count, int64_t now_ms)
{
    ring[(*count)++ % RING] = now_ms;
}

int64_t
bs_within(const int64_t *ring, size_t count, int64_t now_ms, int64_t window_ms)
{
    int64_t n = 0;

    for (size_t i = 0; i < RING && i < count; i++)
        n += ring[i] > now_ms - window_ms;
    return n;
}

/* ---- all of it ---- */

static struct bs_account *
add_first(struct bs *bs, const char *did, const char *handle, const char *email, const char *name)
{
    struct bs_account      *a = bs_account_add(bs, str_of(did), str_of(handle));
    struct bs_app_password *made;
    char                    password[20];

    a->email = own_text(str_of(email));
    a->display_name = own_text(str_of(name));
    a->has_avatar = true;
    snprintf(password, sizeof(password), "%.4s-2222-chat-2222", handle);
    bs_app_password_add(a, STR("chat"), str_of(password), true, &made);
    snprintf(password, sizeof(password), "%.4s-2222-none-2222", handle);
    bs_app_password_add(a, STR("none"), str_of(password), false, &made);
    return a;
}

void
bs_init(struct bs *bs, struct stage *stage)
{
    const struct str open =
        STR("{\"$type\":\"chat.bsky.actor.declaration\",\"allowIncoming\":\"all\",\"allowGroupInvites\":\"none\"}");
    struct bs_account *a;

    *bs = (struct bs){ .stage = stage };
    bs->settings = (struct bs_settings){ .access_s = 7200, .refresh_s = 7776000, .grace_s = 7200,
        .logins_per_5_minutes = 30, .logins_per_day = 300, .log_page = 100, .named_refusals = true,
        .convo_kinds = true, .session_did_doc = true, .log_cursor = true,
        .proxy = "did:web:api.bsky.chat#bsky_chat", .bad_token = "Bad token method" };
    /* Begins anywhere, so that a cursor of before a reset is not taken for one of after it. */
    bs->rev = INT64_C(12400000) + random_below(20000000);
    random_bytes(bs->key, sizeof(bs->key));
    a = add_first(bs, BS_DESK_DID, "desk.sandbox.test", "desk@sandbox.test", "The desk");
    bs_account_declare(a, open, BS_FROM_ALL);
    add_first(bs, BS_SHOP_DID, "shop.sandbox.test", "shop@sandbox.test", "The shop");
    a = add_first(bs, BS_MINA_DID, "mina.sandbox.test", "mina@sandbox.test", "Mina Okafor");
    bs_account_declare(a, open, BS_FROM_ALL);
}

static void
free_account(struct bs_account *a)
{
    struct bs_member *next;

    bs_sessions_close_all(a);
    while (a->passwords)
        bs_app_password_revoke(a, a->passwords->name);
    for (struct bs_member *m = a->first_member; m; m = next) {
        next = m->next;
        free(m);
    }
    for (size_t i = 0; i < a->log.count; i++)
        own_free(&a->log.entries[i].extra);
    free(a->log.entries);
    free(a->follows.items);
    free(a->blocks.items);
    free(a->counts);
    own_free(&a->handle);
    own_free(&a->email);
    own_free(&a->display_name);
    own_free(&a->pds);
    own_free(&a->declaration);
    free(a);
}

void
bs_deinit(struct bs *bs)
{
    struct bs_account *next;
    struct bs_convo   *next_convo;

    bs_messages_forget(bs);
    for (struct bs_convo *c = bs->first_convo; c; c = next_convo) {
        next_convo = c->next;
        own_free(&c->name);
        free(c);
    }
    for (struct bs_account *a = bs->first; a; a = next) {
        next = a->next;
        free_account(a);
    }
    bs_records_clear(&bs->records);
    map_deinit(&bs->convos);
    map_deinit(&bs->messages);
}

void
bs_tell(struct bs *bs, const char *what, const struct bs_convo *convo)
{
    struct buf  b;
    struct json w;
    char        id[BS_TID_MAX];

    if (!stage_is_watched(bs->stage))
        return;
    stage_begin_event(&w, &b, what);
    if (convo)
        json_put_str(&w, "convo", str_of(bs_tid(convo->id, id)));
    stage_end_event(bs->stage, "bluesky", &w);
}
