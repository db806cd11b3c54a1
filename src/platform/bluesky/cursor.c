/* cursor.c -- what account.cursor holds: how far the log is read, whose conversation is which, and what is still to
 * be read back.
 *
 * A position in the log ("rev") is 13 characters that sort like the numbers they are. Nobody promises that, so two
 * are only compared when both look that way, and otherwise times decide. */
#include "platform/bluesky/bluesky.h"

#define TEXT_MAX   (4 * MIB)
#define TODO_MAX   100 /* a page of listConvos */
#define AMOUNT_MAX ((int64_t)1 << 52)

/* ---- reading ---- */

/* What is none of what we wrote counts as nothing. */
static int64_t
amount(yyjson_val *obj, const char *key)
{
    int64_t n = json_int(obj, key, 0);

    return n >= 0 && n <= AMOUNT_MAX ? n : 0;
}

static void
read_known(yyjson_val *list, struct arena *a, struct bluesky_cursor *out)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val     *val;

    while ((val = yyjson_arr_iter_next(&it)) != NULL)
        if (json_str(val, "id").len > 0)
            bluesky_known_put(a, out, json_str(val, "id"), json_str(val, "peer"));
}

static void
read_walk(yyjson_val *val, struct arena *a, struct bluesky_walk *out)
{
    yyjson_val     *list = json_arr(val, "todo"), *entry;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);

    out->is_recovery = json_true(val, "recovery");
    out->since = json_str(val, "since");
    out->since_ms = amount(val, "since_ms");
    out->list = json_str(val, "list");
    out->lists = amount(val, "lists");
    out->pages = amount(val, "pages");
    out->floor = json_str(val, "floor");
    out->floor_ms = amount(val, "floor_ms");
    out->top = json_str(val, "top");
    out->top_ms = amount(val, "top_ms");
    out->list_done = json_true(val, "list_done");
    out->tried_again = json_true(val, "again");
    out->page = json_str(val, "page");
    out->left = amount(val, "left");
    out->todo = arena_array(a, struct bluesky_todo, yyjson_arr_size(list) + TODO_MAX);
    while ((entry = yyjson_arr_iter_next(&it)) != NULL) {
        struct bluesky_todo todo = {
            .id = json_str(entry, "id"), .peer = json_str(entry, "peer"), .handle = json_str(entry, "handle"),
            .name = json_str(entry, "name"), .muted = json_true(entry, "muted"),
        };

        if (todo.id.len > 0 && todo.peer.len > 0)
            out->todo[out->todo_count++] = todo;
    }
}

void
bluesky_cursor_from(yyjson_val *val, struct arena *a, struct bluesky_cursor *out)
{
    *out = (struct bluesky_cursor){ 0 };
    out->log = json_str(val, "log");
    out->born = json_str(val, "born");
    out->born_ms = amount(val, "born_ms");
    out->seen_ms = amount(val, "seen_ms");
    out->back = json_str(val, "back");
    out->back_ms = amount(val, "back_ms");
    out->looked_ms = amount(val, "looked_ms");
    read_known(json_arr(val, "known"), a, out);
    out->has_walk = json_obj(val, "walk") != NULL;
    if (out->has_walk)
        read_walk(json_obj(val, "walk"), a, &out->walk);
}

void
bluesky_cursor_read(struct arena *a, struct str text, struct bluesky_cursor *out)
{
    struct error err;
    yyjson_val  *root = NULL;

    if (!json_parse(a, text, 8, &root, &err))
        root = NULL;
    bluesky_cursor_from(root, a, out);
}

/* ---- writing ---- */

static void
put_if(struct json *w, const char *name, struct str value)
{
    if (value.len > 0)
        json_put_str(w, name, value);
}

static void
put_int_if(struct json *w, const char *name, int64_t value)
{
    if (value > 0)
        json_put_int(w, name, value);
}

static void
put_walk(struct json *w, const struct bluesky_walk *walk)
{
    json_begin(w, "walk");
    if (walk->is_recovery)
        json_put_bool(w, "recovery", true);
    put_if(w, "since", walk->since);
    put_int_if(w, "since_ms", walk->since_ms);
    put_if(w, "list", walk->list);
    put_int_if(w, "lists", walk->lists);
    put_int_if(w, "pages", walk->pages);
    put_if(w, "floor", walk->floor);
    put_int_if(w, "floor_ms", walk->floor_ms);
    put_if(w, "top", walk->top);
    put_int_if(w, "top_ms", walk->top_ms);
    if (walk->list_done)
        json_put_bool(w, "list_done", true);
    if (walk->tried_again)
        json_put_bool(w, "again", true);
    put_if(w, "page", walk->page);
    put_int_if(w, "left", walk->left);
    json_begin_array(w, "todo");
    for (size_t i = 0; i < walk->todo_count; i++) {
        json_begin(w, NULL);
        json_put_str(w, "id", walk->todo[i].id);
        json_put_str(w, "peer", walk->todo[i].peer);
        put_if(w, "handle", walk->todo[i].handle);
        put_if(w, "name", walk->todo[i].name);
        if (walk->todo[i].muted)
            json_put_bool(w, "muted", true);
        json_end(w);
    }
    json_end_array(w);
    json_end(w);
}

struct str
bluesky_cursor_write(struct arena *a, const struct bluesky_cursor *c)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    put_if(&w, "log", c->log);
    put_if(&w, "born", c->born);
    json_put_int(&w, "born_ms", c->born_ms);
    json_put_int(&w, "seen_ms", c->seen_ms);
    put_if(&w, "back", c->back);
    put_int_if(&w, "back_ms", c->back_ms);
    put_int_if(&w, "looked_ms", c->looked_ms);
    json_begin_array(&w, "known");
    for (size_t i = 0; i < c->known_count; i++) {
        json_begin(&w, NULL);
        json_put_str(&w, "id", c->known[i].id);
        put_if(&w, "peer", c->known[i].peer);
        json_end(&w);
    }
    json_end_array(&w);
    if (c->has_walk)
        put_walk(&w, &c->walk);
    json_end(&w);
    return arena_take(a, &buf);
}

void
bluesky_cursor_start(const struct op *op, struct str log, struct bluesky_cursor *out)
{
    *out = (struct bluesky_cursor){ .log = log, .born = log, .born_ms = op->now_ms, .seen_ms = op->now_ms };
    out->has_walk = op->env->bluesky_history > 0;
}

/* ---- whose conversation is which ---- */

const struct bluesky_known *
bluesky_known_find(const struct bluesky_cursor *c, struct str id)
{
    for (size_t i = c->known_count; i > 0; i--)
        if (str_eq(c->known[i - 1].id, id))
            return &c->known[i - 1];
    return NULL;
}

void
bluesky_known_put(struct arena *a, struct bluesky_cursor *c, struct str id, struct str peer)
{
    const struct bluesky_known *old = bluesky_known_find(c, id);
    size_t                      cap = c->known_count;
    struct bluesky_known       *larger;

    if (old) {
        size_t at = (size_t)(old - c->known);

        memmove(&c->known[at], &c->known[at + 1], (c->known_count - at - 1) * sizeof(*c->known));
        c->known_count--;
    } else if (cap % BLUESKY_KNOWN_MAX == 0) { /* as many as fit: on to the next multiple */
        larger = arena_array(a, struct bluesky_known, cap + BLUESKY_KNOWN_MAX);
        if (cap > 0)
            memcpy(larger, c->known, cap * sizeof(*larger));
        c->known = larger;
    }
    c->known[c->known_count++] = (struct bluesky_known){ .id = id, .peer = peer };
}

void
bluesky_known_trim(struct bluesky_cursor *c)
{
    if (c->known_count <= BLUESKY_KNOWN_MAX)
        return;
    c->known += c->known_count - BLUESKY_KNOWN_MAX;
    c->known_count = BLUESKY_KNOWN_MAX;
}

/* ---- positions ---- */

static bool
is_rev(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= '2' && text.ptr[i] <= '7') && !(text.ptr[i] >= 'a' && text.ptr[i] <= 'z'))
            return false;
    return text.len == 13;
}

bool
bluesky_rev_compares(struct str rev, struct str other)
{
    return is_rev(rev) && is_rev(other);
}

bool
bluesky_rev_reached(struct str rev, struct str other)
{
    return memcmp(rev.ptr, other.ptr, 13) <= 0;
}

yyjson_val *
bluesky_peer_of(yyjson_val *convo, struct str own_did)
{
    yyjson_val     *members = json_arr(convo, "members"), *member, *peer = NULL;
    yyjson_val     *kind = json_obj(convo, "kind");
    yyjson_arr_iter it = yyjson_arr_iter_with(members);

    if (kind ? !str_eq(bluesky_type(kind), STR("directConvo")) : yyjson_arr_size(members) > 2)
        return NULL;
    while ((member = yyjson_arr_iter_next(&it)) != NULL)
        if (json_str(member, "did").len > 0 && !str_eq(json_str(member, "did"), own_did) && !peer)
            peer = member;
    return peer;
}
