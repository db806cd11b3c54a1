/* convos.c -- conversations, messages and logs; see state.h. */
#include <stdlib.h>

#include "sandbox/bluesky/state.h"

/* ---- conversations ---- */

struct bs_convo *
bs_convo_add(struct bs *bs, bool group, struct str name)
{
    struct bs_convo *c = own_alloc(sizeof(*c));

    c->id = bs_tid_new(bs);
    c->created_ms = bs_now_ms(bs);
    c->group = group;
    c->name = own_text(name);
    if (bs->last_convo)
        bs->last_convo->next = c;
    else
        bs->first_convo = c;
    bs->last_convo = c;
    map_put(&bs->convos, c->id, c);
    return c;
}

struct bs_member *
bs_member_add(struct bs_convo *convo, struct bs_account *a)
{
    struct bs_member *m = own_alloc(sizeof(*m));

    m->account = a;
    m->convo = convo;
    convo->members[convo->member_count++] = m;
    if (a->last_member)
        a->last_member->next = m;
    else
        a->first_member = m;
    a->last_member = m;
    return m;
}

struct bs_member *
bs_member_of(const struct bs_convo *convo, const struct bs_account *a)
{
    for (size_t i = 0; convo && i < convo->member_count; i++)
        if (convo->members[i]->account == a)
            return convo->members[i];
    return NULL;
}

struct bs_member *
bs_peer_of(const struct bs_member *m)
{
    return m->convo->members[m->convo->members[0] == m ? 1 : 0];
}

struct bs_convo *
bs_convo_get(const struct bs *bs, struct str id)
{
    int64_t n;

    return bs_tid_read(id, &n) ? map_get(&bs->convos, n) : NULL;
}

struct bs_convo *
bs_convo_between(const struct bs_account *a, const struct bs_account *b)
{
    for (const struct bs_member *m = a->first_member; m; m = m->next)
        if (!m->convo->group && bs_peer_of(m)->account == b)
            return m->convo;
    return NULL;
}

/* ---- messages ---- */

static void
free_message(struct bs_message *m)
{
    struct bs_reaction *next;

    for (struct bs_reaction *r = m->reactions; r; r = next) {
        next = r->next;
        own_free(&r->value);
        free(r);
    }
    free(m->deleted_for.items);
    free(m->memory);
    free(m);
}

static void
forget(struct bs *bs, struct bs_message *m)
{
    struct bs_convo *c = m->convo;

    if (m->older)
        m->older->newer = m->newer;
    else
        c->oldest = m->newer;
    if (m->newer)
        m->newer->older = m->older;
    else
        c->newest = m->older;
    if (m->older_of_all)
        m->older_of_all->newer_of_all = m->newer_of_all;
    else
        bs->oldest = m->newer_of_all;
    if (m->newer_of_all)
        m->newer_of_all->older_of_all = m->older_of_all;
    else
        bs->newest = m->older_of_all;
    c->count--;
    bs->message_bytes -= m->size;
    map_take(&bs->messages, m->id);
    free_message(m);
}

static struct str
keep(char **at, struct str s)
{
    struct str kept = { *at, s.len };

    if (str_is_none(s))
        return s;
    memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static struct bs_message *
make_message(const struct bs_draft *draft)
{
    struct bs_message *m = own_alloc(sizeof(*m));
    char              *at;

    m->size = sizeof(*m) + draft->text.len + draft->facets.len + draft->embed.len + 1;
    at = m->memory = own_checked(malloc(m->size - sizeof(*m)));
    m->text = keep(&at, draft->text);
    m->facets = keep(&at, draft->facets);
    m->embed = keep(&at, draft->embed);
    m->reply_to = draft->reply_to;
    return m;
}

struct bs_message *
bs_message_add(struct bs_convo *convo, struct bs_account *sender, int64_t rev, const struct bs_draft *draft)
{
    struct bs         *bs = convo->members[0]->account->bs;
    struct bs_message *m = make_message(draft);

    m->id = bs_tid_new(bs);
    m->rev = rev;
    m->sent_ms = draft->sent_ms > 0 ? draft->sent_ms : bs_now_ms(bs);
    m->convo = convo;
    m->sender = sender;
    m->older = convo->newest;
    m->older_of_all = bs->newest;
    if (m->older)
        m->older->newer = m;
    else
        convo->oldest = m;
    if (m->older_of_all)
        m->older_of_all->newer_of_all = m;
    else
        bs->oldest = m;
    convo->newest = bs->newest = m;
    convo->count++;
    bs->message_bytes += m->size;
    map_put(&bs->messages, m->id, m);
    if (convo->count > BS_CONVO_MESSAGES_MAX)
        forget(bs, convo->oldest);
    while (bs->message_bytes > BS_MESSAGES_BYTES_MAX && bs->oldest != m)
        forget(bs, bs->oldest);
    return m;
}

struct bs_message *
bs_message_get(const struct bs *bs, int64_t id)
{
    return map_get(&bs->messages, id);
}

void
bs_messages_forget(struct bs *bs)
{
    while (bs->oldest)
        forget(bs, bs->oldest);
}

/* ---- logs ---- */

static void
push(struct bs_log *log, const struct bs_entry *entry)
{
    const size_t some = BS_LOG_MAX / 10; /* moving the rest each time would be slow */

    if (log->count == BS_LOG_MAX) {
        log->floor = log->entries[some - 1].rev;
        for (size_t i = 0; i < some; i++)
            own_free(&log->entries[i].extra);
        log->count -= some;
        memmove(log->entries, log->entries + some, log->count * sizeof(*log->entries));
    }
    if (log->count == log->cap) {
        log->cap = log->cap ? log->cap * 2 : 16;
        log->entries = own_checked(realloc(log->entries, log->cap * sizeof(*log->entries)));
    }
    log->entries[log->count++] = *entry;
}

int64_t
bs_log_add(struct bs_member *m, enum bs_event kind, int64_t rev, int64_t message, struct str extra)
{
    struct bs *bs = m->account->bs;

    if (rev == 0)
        rev = ++bs->rev;
    m->rev = rev;
    push(&m->account->log, &(struct bs_entry){ rev, kind, m->convo, message, own_text(extra) });
    return rev;
}

void
bs_log_add_raw(struct bs_account *a, struct str json)
{
    push(&a->log, &(struct bs_entry){ .rev = ++a->bs->rev, .kind = BS_EV_RAW, .extra = own_text(json) });
}

void
bs_log_truncate(struct bs_account *a)
{
    for (size_t i = 0; i < a->log.count; i++)
        own_free(&a->log.entries[i].extra);
    a->log.count = 0;
    a->log.floor = ++a->bs->rev;
}

size_t
bs_log_after(const struct bs_log *log, int64_t cursor)
{
    size_t low = 0, high = log->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log->entries[middle].rev > cursor)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
