/* route.c -- from a path of the Graph API to the operation that it means; see call.h. */
#include "base/array.h"
#include "sandbox/meta/call.h"

static const struct fb_op
    show_account = { "account", fb_show_account, FB_NEEDS_TOKEN },
    show_comment = { "comment", fb_show_comment, FB_NEEDS_ACCOUNT },
    show_person = { "participant", fb_show_person, FB_NEEDS_ACCOUNT },
    show_message = { "message", fb_show_message, FB_NEEDS_ACCOUNT },
    show_conversation = { "conversation", fb_show_conversation, FB_NEEDS_ACCOUNT },
    dialog = { "dialog", fb_dialog, FB_NEEDS_NOTHING },
    exchange = { "exchange", fb_exchange, FB_NEEDS_NOTHING },
    instagram_exchange = { "exchange", fb_instagram_exchange, FB_NEEDS_NOTHING },
    instagram_long = { "exchange", fb_instagram_long, FB_NEEDS_NOTHING },
    instagram_refresh = { "refresh", fb_instagram_refresh, FB_NEEDS_NOTHING };

static const struct {
    const char  *name;
    unsigned     methods;
    struct fb_op op;
} edges[] = {
    { "messages", METHOD_POST, { "messages", fb_send, FB_NEEDS_ACCOUNT } },
    { "message_attachments", METHOD_POST, { "message_attachments", fb_upload, FB_NEEDS_ACCOUNT } },
    { "conversations", METHOD_GET, { "conversations", fb_list_conversations, FB_NEEDS_ACCOUNT } },
    { "subscribed_apps", METHOD_GET | METHOD_POST | METHOD_DELETE,
        { "subscribed_apps", fb_subscriptions, FB_NEEDS_ACCOUNT } },
    { "accounts", METHOD_GET, { "accounts", fb_list_accounts, FB_NEEDS_TOKEN } },
    { "comments", METHOD_POST, { "comments", fb_answer_comment, FB_NEEDS_ACCOUNT } },
    { "replies", METHOD_POST, { "comments", fb_answer_comment, FB_NEEDS_ACCOUNT } },
};

static bool
is_path(const struct fb_call *c, const char *first, const char *second)
{
    return c->segment_count == (second ? 2U : 1U) && str_eq(c->segments[0], str_of(first))
        && (!second || str_eq(c->segments[1], str_of(second)));
}

/* The nodes are told apart by their ids. */
static const struct fb_op *
find_node(const struct fb_call *c)
{
    struct str id = c->segments[0];
    int64_t    number = fb_last_number(id);

    if (str_eq(id, STR("me")) || fb_account_get(c->fb, number))
        return &show_account;
    if (str_starts(id, STR("m_")) || fb_message_get(c->fb, id))
        return &show_message;
    if (str_starts(id, STR("t_")) || (number == 0 && id.len < 60))
        return &show_conversation;
    if (fb_comment_get(c->fb, number))
        return &show_comment;
    return number == 0 ? &show_message : &show_person;
}

static const struct fb_op *
find_login(const struct fb_call *c)
{
    if (is_path(c, "dialog", "oauth") || is_path(c, "oauth", "authorize"))
        return &dialog;
    if (is_path(c, "oauth", "access_token"))
        return c->host == FB_HOST_INSTAGRAM ? &instagram_exchange : &exchange;
    if (is_path(c, "access_token", NULL))
        return &instagram_long;
    return is_path(c, "refresh_access_token", NULL) ? &instagram_refresh : NULL;
}

const struct fb_op *
fb_find_op(struct fb_call *c, struct fb_error *err)
{
    const struct fb_op *op = find_login(c);
    unsigned            method = c->x->request.method;

    if (op)
        return op;
    if (c->segment_count == 1 && method == METHOD_GET)
        return find_node(c);
    for (size_t i = 0; i < COUNT(edges) && c->segment_count == 2; i++)
        if (str_eq(c->segments[1], str_of(edges[i].name)) && (edges[i].methods & method))
            return &edges[i].op;
    fb_fail(err, 2500, 0, "Unknown path components: /%.*s", STR_ARG(c->segments[c->segment_count > 1]));
    return NULL;
}

struct fb_account *
fb_path_account(struct fb_call *c, struct fb_error *err)
{
    struct fb_account *a;

    if (str_eq(c->segments[0], STR("me")))
        return c->account;
    a = fb_account_get(c->fb, fb_last_number(c->segments[0]));
    if (a && a == c->account)
        return a;
    fb_fail(err, 100, 33, "Unsupported request. Object with ID '%.*s' does not exist, cannot be loaded due to missing"
                          " permissions, or does not support this operation", STR_ARG(c->segments[0]));
    return NULL;
}
