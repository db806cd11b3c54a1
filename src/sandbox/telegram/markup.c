/* markup.c -- see markup.h. The wording and the order of the checks are the real server's. */
#include "sandbox/telegram/markup.h"

#include "base/array.h"

#define ROW_MAX     12  /* more buttons are silently cut */
#define BUTTONS_MAX 300
#define DATA_MAX    64  /* bytes */
#define JSON_MAX    ((size_t)10 * 1024)

/* ---- fields, with what is said of a wrong one ---- */

static bool
text_field(yyjson_val *obj, const char *name, bool required, struct arena *a, struct str *out, struct error *err)
{
    yyjson_val *val = json_get(obj, name);

    *out = STR("");
    if (yyjson_is_str(val))
        *out = json_val_str(val);
    else if (yyjson_is_num(val))
        *out = json_text(a, val);
    else if (!val && required)
        return error_set(err, 400, "Can't find field \"%s\"", name);
    else if (val && (required || !yyjson_is_null(val)))
        return error_set(err, 400, "Field \"%s\" must be of type String", name);
    return true;
}

static bool
bool_field(yyjson_val *obj, const char *name, bool *out, struct error *err)
{
    yyjson_val *val = json_get(obj, name);

    *out = yyjson_is_true(val);
    if (val && !yyjson_is_bool(val) && !yyjson_is_null(val))
        return error_set(err, 400, "Field \"%s\" must be of type Boolean", name);
    return true;
}

static bool
object_field(yyjson_val *obj, const char *name, yyjson_val **out, struct error *err)
{
    *out = json_get(obj, name);
    return yyjson_is_obj(*out) || error_set(err, 400, "Field \"%s\" must be of type Object", name);
}

static bool
array_field(yyjson_val *obj, const char *name, yyjson_val **out, struct error *err)
{
    *out = json_get(obj, name);
    return !*out || yyjson_is_arr(*out) || error_set(err, 400, "Field \"%s\" must be of type Array", name);
}

/* ---- links of buttons ---- */

/* As the link will be shown: with a scheme, and with a path. False with the reason when it is none. */
static bool
check_link(struct str url, struct arena *a, struct str *out, const char **reason)
{
    ptrdiff_t  colon = str_find(url, STR("://"));
    struct str scheme = colon >= 0 ? str_slice(url, 0, (size_t)colon) : STR("http");
    struct str rest = colon >= 0 ? str_from(url, (size_t)colon + 3) : url;
    size_t     host = 0;

    *reason = "Unsupported URL protocol";
    *out = url;
    if (str_eq_nocase(scheme, STR("tg")) || str_eq_nocase(scheme, STR("ton")) || str_starts(url, STR("mailto:")))
        return true;
    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return false;
    *reason = "Wrong HTTP URL";
    while (host < rest.len && !strchr("/?#", rest.ptr[host])) {
        if ((unsigned char)rest.ptr[host] <= ' ')
            return false;
        host++;
    }
    if (!memchr(rest.ptr, '.', host) || rest.ptr[0] == '.' || rest.ptr[host - 1] == '.')
        return false;
    *out = arena_printf(a, "%.*s://%.*s%s%.*s", STR_ARG(scheme), (int)host, rest.ptr,
        host == rest.len || rest.ptr[host] != '/' ? "/" : "", STR_ARG(str_from(rest, host)));
    return true;
}

/* ---- inline keyboards ---- */

struct inline_reader {
    struct tg_markup *m;
    struct arena     *a;
    struct json       w;
    size_t            in_row, total;
};

/* What a button does, where that is an object or anything else that is passed on as it is. */
static const char *const other_actions[] = {
    "callback_game", "pay", "switch_inline_query", "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat", "login_url", "web_app", "copy_text", "disabled",
};

static bool
other_action(struct inline_reader *r, yyjson_val *button, struct error *err)
{
    yyjson_val *val;
    struct str  text;

    for (size_t i = 0; i < COUNT(other_actions); i++) {
        const char *name = other_actions[i];

        if (!json_get(button, name))
            continue;
        if (str_starts(str_of(name), STR("switch_inline_query")) && !strstr(name, "chosen")) {
            if (!text_field(button, name, true, r->a, &text, err))
                return false;
        } else if (!str_eq(str_of(name), STR("pay")) && !str_eq(str_of(name), STR("callback_game"))
            && !object_field(button, name, &val, err)) {
            return false;
        }
        json_put_raw(&r->w, name, json_text(r->a, json_get(button, name)));
        return true;
    }
    return error_set(err, 400, "Text buttons are unallowed in the inline keyboard");
}

static bool
inline_button(struct inline_reader *r, yyjson_val *button, struct error *err)
{
    struct str  text, url, data;
    const char *reason;

    if (!yyjson_is_obj(button))
        return error_set(err, 400, "InlineKeyboardButton must be an Object");
    if (!text_field(button, "text", true, r->a, &text, err) || !text_field(button, "url", false, r->a, &url, err)
        || !text_field(button, "callback_data", false, r->a, &data, err))
        return false;
    json_put_str(&r->w, "text", text);
    if (url.len > 0) {
        if (!check_link(url, r->a, &url, &reason) && str_is_none(r->m->bad_url)) {
            r->m->bad_url = arena_copy(r->a, url);
            r->m->bad_url_reason = reason;
        }
        json_put_str(&r->w, "url", url);
    } else if (data.len > 0) {
        if (data.len > DATA_MAX)
            r->m->refused = "BUTTON_DATA_INVALID";
        json_put_str(&r->w, "callback_data", data);
    } else if (!other_action(r, button, err)) {
        return false;
    }
    if (json_str(button, "style").len > 0)
        json_put_str(&r->w, "style", json_str(button, "style"));
    return true;
}

/* Buttons beyond the limits are read, so that their mistakes are found, and then left out again. */
static bool
inline_row(struct inline_reader *r, yyjson_val *row, struct error *err)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(row);
    struct json     before;
    size_t          len;
    yyjson_val     *button;

    r->in_row = 0;
    while ((button = yyjson_arr_iter_next(&it)) != NULL) {
        before = r->w;
        len = r->w.buf->len;
        json_begin(&r->w, NULL);
        if (!inline_button(r, button, err))
            return error_prefix(err, "Can't parse inline keyboard button");
        json_end(&r->w);
        if (r->in_row < ROW_MAX && r->total < BUTTONS_MAX) {
            r->in_row++;
            r->total++;
            continue;
        }
        r->w = before;
        r->w.buf->len = len;
    }
    return true;
}

static bool
inline_rows(struct inline_reader *r, yyjson_val *rows, struct error *err)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(rows);
    struct json     before;
    size_t          len;
    yyjson_val     *row;

    json_begin(&r->w, NULL);
    json_begin_array(&r->w, "inline_keyboard");
    while ((row = yyjson_arr_iter_next(&it)) != NULL) {
        if (!yyjson_is_arr(row))
            return error_set(err, 400,
                "Field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays");
        before = r->w;
        len = r->w.buf->len;
        json_begin_array(&r->w, NULL);
        if (!inline_row(r, row, err))
            return false;
        json_end_array(&r->w);
        if (r->in_row == 0) {
            r->w = before;
            r->w.buf->len = len;
        }
    }
    json_end_array(&r->w);
    json_end(&r->w);
    return true;
}

static bool
read_inline(struct tg_markup *m, yyjson_val *rows, struct arena *a, bool *has_any, struct error *err)
{
    struct buf           buf;
    struct inline_reader r = { .m = m, .a = a, .w = { .buf = &buf } };
    bool                 ok;

    buf_init(&buf, 2 * MIB);
    ok = inline_rows(&r, rows, err);
    *has_any = ok && r.total > 0;
    if (*has_any) {
        m->json = arena_copy(a, buf_str(&buf));
        if (buf.len > JSON_MAX)
            m->refused = "reply markup is too long";
    }
    buf_deinit(&buf);
    return ok;
}

/* ---- the other shapes ---- */

static bool
keyboard_button(yyjson_val *button, struct arena *a, struct error *err)
{
    struct str text;
    bool       contact, location;

    if (yyjson_is_str(button))
        return true;
    if (!yyjson_is_obj(button))
        return error_set(err, 400, "KeyboardButton must be a String or an Object");
    return text_field(button, "text", true, a, &text, err) && bool_field(button, "request_contact", &contact, err)
        && bool_field(button, "request_location", &location, err);
}

static bool
check_keyboard(yyjson_val *rows, struct arena *a, struct error *err)
{
    yyjson_arr_iter row_it = yyjson_arr_iter_with(rows), it;
    yyjson_val     *row, *button;

    while ((row = yyjson_arr_iter_next(&row_it)) != NULL) {
        if (!yyjson_is_arr(row))
            return error_set(err, 400, "Field \"keyboard\" must be an Array of Arrays");
        it = yyjson_arr_iter_with(row);
        while ((button = yyjson_arr_iter_next(&it)) != NULL)
            if (!keyboard_button(button, a, err))
                return error_prefix(err, "Can't parse keyboard button");
    }
    return true;
}

static bool
read_object(struct tg_markup *m, yyjson_val *obj, struct arena *a, struct error *err)
{
    yyjson_val *keyboard, *rows;
    bool        has_inline = false, hide, removes, selective, force;
    struct str  placeholder;

    if (!array_field(obj, "keyboard", &keyboard, err) || !check_keyboard(keyboard, a, err)
        || !array_field(obj, "inline_keyboard", &rows, err) || (rows && !read_inline(m, rows, a, &has_inline, err))
        || !bool_field(obj, "hide_keyboard", &hide, err) || !bool_field(obj, "remove_keyboard", &removes, err)
        || !bool_field(obj, "selective", &selective, err) || !bool_field(obj, "force_reply", &force, err)
        || !text_field(obj, "input_field_placeholder", false, a, &placeholder, err))
        return false;
    if (yyjson_arr_size(keyboard) > 0)
        m->kind = MARKUP_KEYBOARD;
    else if (has_inline)
        m->kind = MARKUP_INLINE;
    else if (hide || removes)
        m->kind = MARKUP_REMOVE;
    else if (force)
        m->kind = MARKUP_FORCE_REPLY;
    if (m->kind != MARKUP_INLINE) {
        m->json = m->kind != MARKUP_NONE ? json_text(a, obj) : STR_NONE;
        m->refused = NULL;
        m->bad_url = STR_NONE;
    }
    return true;
}

bool
tg_markup_read(const struct tg_params *p, struct arena *a, struct tg_markup *out, struct error *err)
{
    yyjson_val *obj;

    *out = (struct tg_markup){ .kind = MARKUP_NONE };
    if (!tg_params_json(p, "reply_markup", a, &obj))
        return error_set(err, 400, "Can't parse reply keyboard markup JSON object");
    if (!obj)
        return true;
    if (!yyjson_is_obj(obj))
        return error_set(err, 400, "Object expected as reply markup");
    return read_object(out, obj, a, err);
}

bool
tg_markup_check(const struct tg_markup *m, struct error *err)
{
    if (!str_is_none(m->bad_url))
        return error_set(err, 400, "Inline keyboard button URL '%.*s' is invalid: %s", STR_ARG(m->bad_url),
            m->bad_url_reason);
    if (m->refused)
        return error_set(err, 400, "%s", m->refused);
    return true;
}
