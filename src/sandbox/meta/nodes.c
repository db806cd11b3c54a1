/* nodes.c -- accounts, their subscriptions, and comments, as the Graph API shows them; see call.h. */
#include <stdio.h>

#include "sandbox/meta/call.h"
#include "sandbox/meta/tell.h"

static struct str
fields_of(struct fb_call *c, const char *otherwise)
{
    struct str fields = fb_params_text(&c->params, "fields", c->arena);

    return fields.len > 0 ? fields : str_of(otherwise);
}

static struct str
face_url(struct fb_call *c, const struct fb_account *a)
{
    struct fb_file *face = fb_file_face(&c->fb->files, a->id, fb_now_ms(c->fb));

    return fb_file_url(&c->fb->files, face, fb_now_ms(c->fb), c->arena);
}

/* ---- accounts ---- */

static void
write_instagram(struct fb_call *c, const struct fb_account *a, struct str fields, struct json *w)
{
    struct str inside;
    bool       own = c->host == FB_HOST_INSTAGRAM;

    if (own)
        stage_put_id(w, "id", a->app_scoped_id);
    else
        stage_put_id(w, "id", a->id);
    if (fb_fields_have(fields, "user_id", &inside) && own)
        stage_put_id(w, "user_id", a->id);
    if (fb_fields_have(fields, "username", &inside))
        json_put_str(w, "username", a->username);
    if (fb_fields_have(fields, "name", &inside))
        json_put_str(w, "name", a->name);
    if (fb_fields_have(fields, "account_type", &inside) && own)
        json_put_str(w, "account_type", STR("BUSINESS"));
    if (fb_fields_have(fields, "profile_picture_url", &inside))
        json_put_str(w, "profile_picture_url", face_url(c, a));
    if (fb_fields_have(fields, "followers_count", &inside))
        json_put_int(w, "followers_count", 1200 + a->number);
}

/* A Page that lost its token gets a new one when it is asked for with a user's. */
static struct str
page_token(struct fb_call *c, struct fb_account *a)
{
    struct fb_token *t = fb_token_of(c->fb, a);

    return (t ? t : fb_token_add(c->fb, FB_TOKEN_PAGE, a, NULL, 0))->text;
}

static void
write_page(struct fb_call *c, struct fb_account *a, struct str fields, struct json *w)
{
    struct fb_account *linked = fb_account_linked(a);
    struct str         inside;

    stage_put_id(w, "id", a->id);
    if (fb_fields_have(fields, "name", &inside))
        json_put_str(w, "name", a->name);
    if (fb_fields_have(fields, "username", &inside))
        json_put_str(w, "username", a->username);
    if (fb_fields_have(fields, "category", &inside))
        json_put_str(w, "category", STR("Local business"));
    if (fb_fields_have(fields, "access_token", &inside))
        json_put_str(w, "access_token", c->token->account ? c->token->text : page_token(c, a));
    if (fb_fields_have(fields, "tasks", &inside))
        json_put_raw(w, "tasks", STR("[\"ANALYZE\",\"CREATE_CONTENT\",\"MESSAGING\",\"MODERATE\",\"MANAGE\"]"));
    if (fb_fields_have(fields, "picture", &inside)) {
        json_begin(w, "picture");
        json_begin(w, "data");
        json_put_str(w, "url", face_url(c, a));
        json_put_bool(w, "is_silhouette", false);
        json_end(w);
        json_end(w);
    }
    if (linked && fb_fields_have(fields, "instagram_business_account", &inside)) {
        json_begin(w, "instagram_business_account");
        write_instagram(c, linked, inside, w);
        json_end(w);
    }
}

/* A Page's token sees the Page and its Instagram account, a user's all that the user granted. */
static bool
may_see(const struct fb_call *c, const struct fb_account *a)
{
    if (c->account)
        return a == c->account || a->page == c->account;
    if (c->token->granted_count == 0)
        return true;
    for (size_t i = 0; i < c->token->granted_count; i++)
        if (c->token->granted[i] == a->id || (a->page && c->token->granted[i] == a->page->id))
            return true;
    return false;
}

bool
fb_show_account(struct fb_call *c, struct json *w, struct fb_error *err)
{
    bool               me = str_eq(c->segments[0], STR("me"));
    struct fb_account *a = me ? c->account : fb_account_get(c->fb, fb_last_number(c->segments[0]));
    struct str         inside, fields = fields_of(c, "id,name");

    if (me && !a) { /* the user whose token it is */
        json_put_str(w, "id", STR("122100000000000001"));
        if (fb_fields_have(fields, "name", &inside))
            json_put_str(w, "name", STR("Sandbox Owner"));
        return true;
    }
    if (!a || !may_see(c, a))
        return fb_fail(err, 100, 33, "Unsupported get request. Object with ID '%.*s' does not exist, cannot be loaded"
                                     " due to missing permissions, or does not support this operation",
            STR_ARG(c->segments[0]));
    if (fb_is_instagram(a))
        write_instagram(c, a, fields_of(c, "id"), w);
    else
        write_page(c, a, fields, w);
    return true;
}

bool
fb_list_accounts(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct str fields = fields_of(c, "access_token,category,name,id,tasks");
    int64_t    limit = 25, after = 0, seen = 0;
    bool       more = false;

    if (!str_eq(c->segments[0], STR("me")) || c->account)
        return fb_fail(err, 100, 0, "(#100) Tried accessing nonexisting field (accounts) on node type (Page)");
    str_to_i64(fb_params_text(&c->params, "limit", c->arena), &limit);
    str_to_i64(fb_params_text(&c->params, "after", c->arena), &after);
    json_begin_array(w, "data");
    for (struct fb_account *a = c->fb->first_account; a; a = a->next) {
        if (fb_is_instagram(a) || !may_see(c, a) || ++seen <= after)
            continue;
        more = seen > after + limit;
        if (more)
            break;
        json_begin(w, NULL);
        write_page(c, a, fields, w);
        json_end(w);
    }
    json_end_array(w);
    fb_put_paging(c, w, after + limit, more);
    return true;
}

/* Where the next page is, as Meta tells it: cursors, and an address when there is one. The token is not in it here. */
void
fb_put_paging(struct fb_call *c, struct json *w, int64_t next, bool more)
{
    struct str cursor = arena_printf(c->arena, "%lld", (long long)next), rest = c->x->request.query, one;
    struct buf url;

    json_begin(w, "paging");
    json_begin(w, "cursors");
    json_put_str(w, "before", STR("0"));
    json_put_str(w, "after", cursor);
    json_end(w);
    if (more) {
        buf_init(&url, 16 * KIB);
        buf_printf(&url, "%.*s%.*s?after=%.*s", STR_ARG(c->fb->files.base_url), STR_ARG(c->x->request.path),
            STR_ARG(cursor));
        while (rest.len > 0) {
            str_cut(rest, '&', &one, &rest);
            if (!str_starts(one, STR("after=")))
                buf_printf(&url, "&%.*s", STR_ARG(one));
        }
        json_put_str(w, "next", buf_str(&url));
        buf_deinit(&url);
    }
    json_end(w);
}

/* ---- subscriptions ---- */

static void
list_subscriptions(struct fb_call *c, const struct fb_account *a, struct json *w)
{
    json_begin_array(w, "data");
    if (a->subscribed) {
        json_begin(w, NULL);
        json_put_str(w, "link", STR("https://parley.example/"));
        json_put_str(w, "name", STR("Parley sandbox"));
        stage_put_id(w, "id", fb_is_instagram(a) ? c->fb->instagram_app_id : c->fb->app_id);
        fb_fields_write(a->object, a->fields, w, "subscribed_fields");
        json_end(w);
    }
    json_end_array(w);
}

static bool
subscribe(struct fb_call *c, struct fb_account *a, struct json *w, struct fb_error *err)
{
    struct str  text = fb_params_text(&c->params, "subscribed_fields", c->arena), bad;
    yyjson_val *list = fb_params_val(&c->params, "subscribed_fields", c->arena);
    uint64_t    fields;
    size_t      place;

    if (text.len == 0)
        return fb_fail(err, 100, 0, "(#100) The parameter subscribed_fields is required.");
    if (!fb_fields_read(a->object, text, list, &fields, &bad, &place, c->arena))
        return fb_fail(err, 100, 0, "(#100) Param subscribed_fields[%zu] must be one of {%.*s} - got \"%.*s\"", place,
            STR_ARG(fb_field_list(a->object, c->arena)), STR_ARG(str_slice(bad, 0, 64)));
    a->fields = fields;
    a->subscribed = true;
    a->failing_ms = 0;
    json_put_bool(w, "success", true);
    fb_show(c->fb, "accounts");
    return true;
}

bool
fb_subscriptions(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_account *a = fb_path_account(c, err);

    if (!a)
        return false;
    if (c->x->request.method == METHOD_GET) {
        list_subscriptions(c, a, w);
        return true;
    }
    if (c->x->request.method == METHOD_POST)
        return subscribe(c, a, w, err);
    a->subscribed = false;
    a->fields = 0;
    json_put_bool(w, "success", true);
    fb_show(c->fb, "accounts");
    return true;
}

/* ---- comments ---- */

static struct fb_comment *
path_comment(struct fb_call *c, struct fb_error *err)
{
    struct fb_comment *comment = fb_comment_get(c->fb, fb_last_number(c->segments[0]));

    if (comment && !comment->removed && may_see(c, comment->post->account))
        return comment;
    fb_fail(err, 100, 33, "Unsupported request. Object with ID '%.*s' does not exist, cannot be loaded due to missing"
                          " permissions, or does not support this operation", STR_ARG(c->segments[0]));
    return NULL;
}

bool
fb_show_comment(struct fb_call *c, struct json *w, struct fb_error *err)
{
    const struct fb_comment *comment = path_comment(c, err);
    struct str               inside, fields = fields_of(c, "id,message,text,created_time");
    bool                     instagram;
    char                     id[64];

    if (!comment)
        return false;
    instagram = fb_is_instagram(comment->post->account);
    fb_comment_id(comment, id);
    json_put_str(w, "id", str_of(id));
    if (fb_fields_have(fields, instagram ? "text" : "message", &inside))
        json_put_str(w, instagram ? "text" : "message", comment->text);
    if (!instagram && fb_fields_have(fields, "can_reply_privately", &inside))
        json_put_bool(w, "can_reply_privately", comment->person && !comment->replied
            && fb_now_ms(c->fb) - comment->at_ms <= 7 * FB_DAY_MS);
    return true;
}

/* The account answers in public. */
bool
fb_answer_comment(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_comment *to = path_comment(c, err), *answer;
    struct str         text = fb_params_text(&c->params, "message", c->arena);
    char               id[64];

    if (!to)
        return false;
    if (text.len == 0)
        return fb_fail(err, 100, 0, "(#100) The parameter message is required");
    answer = fb_comment_add(to->post, to->parent > 0 ? to->parent : to->id, NULL, text, STR_NONE);
    fb_comment_id(answer, id);
    json_put_str(w, "id", str_of(id));
    fb_tell_comment(answer, "add");
    return true;
}
