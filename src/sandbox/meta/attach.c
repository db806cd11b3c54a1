/* attach.c -- what goes with a message: files from an address, from the request, or uploaded before; see send.h. */
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/meta/send.h"
#include "sandbox/sniff.h"

#define IMAGE_BY_URL_MAX  (8 * MIB)
#define FILE_MAX          (25 * MIB)
#define KEPT_MS           (90 * FB_DAY_MS) /* what was uploaded for use again */
#define FETCH_MS          20000
#define VIDEO_MS          75000
#define INSTAGRAM_IMAGES  10

/* ---- what fits what ---- */

static bool
one_of(struct str s, const char *const *list)
{
    for (; *list; list++)
        if (str_eq_nocase(s, str_of(*list)))
            return true;
    return false;
}

static bool
mime_fits(bool instagram, struct str type, struct str mime)
{
    static const char *const images[] = { "image/png", "image/jpeg", "image/gif", NULL };
    static const char *const sounds[] = { "audio/aac", "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/wav",
        "audio/x-wav", "audio/wave", "audio/vnd.wave", "video/mp4", NULL };
    static const char *const films[] = { "video/mp4", "video/ogg", "video/x-msvideo", "video/avi", "video/quicktime",
        "video/webm", NULL };

    if (str_eq(type, STR("image")))
        return instagram ? one_of(mime, images) : str_starts(mime, STR("image/"));
    if (str_eq(type, STR("video")))
        return instagram ? one_of(mime, films) : str_starts(mime, STR("video/"));
    if (str_eq(type, STR("audio")))
        return instagram ? one_of(mime, sounds) : str_starts(mime, STR("audio/"));
    return !instagram || str_eq(mime, STR("application/pdf"));
}

static bool
file_fits(const struct fb_sending *s, const struct fb_attachment *at, bool by_url, struct fb_error *err)
{
    bool   instagram = fb_is_instagram(s->account), image = str_eq(at->type, STR("image"));
    size_t max = image && (by_url || instagram) ? IMAGE_BY_URL_MAX : FILE_MAX;

    if (at->file->bytes.len > max)
        return fb_fail(err, 100, 2018109, "(#100) Attachment size exceeds allowable limit");
    if (!mime_fits(instagram, at->type, at->file->mime))
        return fb_fail(err, 100, 2018047, "(#100) Upload attachment failure. The type of the file does not match the"
                                          " type of the attachment");
    return true;
}

/* ---- reading ---- */

static bool
type_is_known(const struct fb_sending *s, struct str type)
{
    static const char *const all[] = { "image", "video", "audio", "file", "template", NULL };
    static const char *const instagram[] = { "like_heart", "media_share", NULL };

    return one_of(type, all) || (fb_is_instagram(s->account) && one_of(type, instagram));
}

static bool
is_media(struct str type)
{
    static const char *const media[] = { "image", "video", "audio", "file", NULL };

    return one_of(type, media);
}

static struct str
lower_case(struct str s, struct arena *a)
{
    struct str copy = arena_copy(a, s);
    char      *at = (char *)copy.ptr;

    for (size_t i = 0; i < copy.len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] += 'a' - 'A';
    return copy;
}

static bool
by_id(struct fb_call *c, const struct fb_sending *s, struct fb_attachment *at, struct fb_error *err)
{
    yyjson_val     *id = json_get(at->payload, "attachment_id");
    int64_t         number = 0;
    struct fb_file *f;

    if (!str_to_i64(json_val_str(id), &number))
        number = json_int(at->payload, "attachment_id", 0);
    f = fb_file_get(&c->fb->files, number);
    if (!f || (f->owner != c->account->id && f->owner != s->account->id) || fb_now_ms(c->fb) - f->made_ms > KEPT_MS)
        return fb_fail(err, 100, 2018074, "(#100) Invalid attachment_id or not the owner of it");
    at->file = f;
    return true;
}

static bool
from_upload(struct fb_call *c, const struct fb_sending *s, struct fb_attachment *at, struct fb_error *err)
{
    const struct http_part *part = c->params.file;
    struct str              bytes;

    if (c->host == FB_HOST_INSTAGRAM)
        return fb_fail(err, 100, 0, "(#100) Files are taken by their URL only");
    bytes = fb_read_upload(part);
    if (str_is_none(bytes))
        return fb_fail(err, 2, 0, "The upload cannot be read");
    at->file = fb_file_add(&c->fb->files, bytes, part->content_type, part->file_name, fb_now_ms(c->fb));
    if (at->reusable)
        at->file->owner = s->account->id;
    return file_fits(s, at, false, err);
}

static bool
check_template(const struct fb_sending *s, yyjson_val *payload, struct fb_error *err)
{
    static const char *const messenger[] = { "button", "generic", "media", "receipt", "coupon", "customer_feedback",
        "structured_information", NULL };
    static const char *const instagram[] = { "button", "generic", "product", NULL };
    struct str  type = json_str(payload, "template_type");
    size_t      elements = yyjson_arr_size(json_arr(payload, "elements"));
    size_t      buttons = yyjson_arr_size(json_arr(payload, "buttons"));

    if (!one_of(type, fb_is_instagram(s->account) ? instagram : messenger))
        return fb_fail(err, 100, 0, "(#100) Param message[attachment][payload][template_type] is not one of those there"
                                    " are");
    if (str_eq(type, STR("generic")) && (elements == 0 || elements > 10))
        return fb_fail(err, 100, 0, "(#100) A generic template has 1 to 10 elements");
    if (str_eq(type, STR("button")) && (buttons == 0 || buttons > 3 || json_str(payload, "text").len == 0
            || str_code_points(json_str(payload, "text")) > 640))
        return fb_fail(err, 100, 0, "(#100) A button template has 1 to 3 buttons and a text of at most 640 characters");
    return true;
}

static bool
read_one(struct fb_call *c, struct fb_sending *s, yyjson_val *val, struct fb_error *err)
{
    struct fb_attachment *at = &s->attachments[s->count++];

    at->type = lower_case(json_str(val, "type"), c->arena);
    at->payload = json_obj(val, "payload");
    at->reusable = json_true(at->payload, "is_reusable") || str_eq(json_str(at->payload, "is_reusable"), STR("true"));
    if (!type_is_known(s, at->type))
        return fb_fail(err, 100, 0, "(#100) Param message[attachment][type] must be one of {IMAGE, VIDEO, AUDIO, FILE,"
                                    " TEMPLATE} - got \"%.*s\"", STR_ARG(str_slice(at->type, 0, 64)));
    if (str_eq(at->type, STR("template")))
        return check_template(s, at->payload, err);
    if (!is_media(at->type))
        return true;
    if (json_get(at->payload, "attachment_id"))
        return by_id(c, s, at, err);
    at->url = json_str(at->payload, "url");
    if (str_is_none(at->url) && c->params.file)
        return from_upload(c, s, at, err);
    if (!str_starts(at->url, STR("http://")) && !str_starts(at->url, STR("https://")))
        return fb_fail(err, 100, 2018008, "(#100) Failed to fetch the file from the url");
    return true;
}

bool
fb_attachments_read(struct fb_call *c, struct fb_sending *s, struct fb_error *err)
{
    yyjson_val     *one = json_get(s->message, "attachment"), *list = json_get(s->message, "attachments"), *val;
    size_t          most = fb_is_instagram(s->account) ? INSTAGRAM_IMAGES : FB_ATTACHMENTS_MAX;
    yyjson_arr_iter it;

    if (one)
        return list ? fb_fail(err, 100, 0, "(#100) Give message[attachment] or message[attachments], not both")
                    : read_one(c, s, one, err);
    if (yyjson_arr_size(list) == 0 || yyjson_arr_size(list) > most)
        return fb_fail(err, 100, 0, "(#100) Param message[attachments] must have 1 to %zu items", most);
    it = yyjson_arr_iter_with(list);
    while ((val = yyjson_arr_iter_next(&it)) != NULL) {
        if (!read_one(c, s, val, err))
            return false;
        if (!str_eq(s->attachments[s->count - 1].type, STR("image")))
            return fb_fail(err, 100, 0, "(#100) Param message[attachments] takes images only");
    }
    return true;
}

/* ---- fetching ---- */

static void fetch_next(struct fb_call *c);

static bool
take_answer(struct fb_call *c, struct fb_sending *s, struct fb_attachment *at, struct fb_error *err)
{
    const struct net_response *r = &s->fetch.response;
    struct str                 type, parameters;

    if (r->result == NET_TOO_BIG)
        return fb_fail(err, 100, 2018109, "(#100) Attachment size exceeds allowable limit");
    if (r->result == NET_UNKNOWN && str_eq(at->type, STR("video")) && r->took_us >= VIDEO_MS * INT64_C(990))
        return fb_fail(err, 100, 2018294, "(#100) The video could not be fetched in time");
    if (r->result != NET_ANSWERED || r->status != 200)
        return fb_fail(err, 100, 2018008, "(#100) Failed to fetch the file from the url");
    str_cut(r->content_type.ptr ? r->content_type : STR(""), ';', &type, &parameters);
    at->file = fb_file_add(&c->fb->files, own_text(r->body), str_trim(type), STR_NONE, fb_now_ms(c->fb));
    if (at->reusable)
        at->file->owner = c->account->id;
    return file_fits(s, at, true, err);
}

static void
on_fetched(struct net_call *call)
{
    struct fb_call    *c = call->user;
    struct fb_sending *s = c->work;
    struct fb_error    err = { .message = "" };

    c->abandon = NULL;
    if (take_answer(c, s, &s->attachments[s->at], &err)) {
        s->at++;
        fetch_next(c);
        return;
    }
    s->done(c, &err);
}

static void
abandon_fetch(struct fb_call *c)
{
    struct fb_sending *s = c->work;

    courier_cancel(c->fb->stage->courier, &s->fetch);
}

/* Files that are there are passed over. */
static bool
skip_present(struct fb_sending *s)
{
    while (s->at < s->count && (s->attachments[s->at].file || str_is_none(s->attachments[s->at].url)))
        s->at++;
    return s->at < s->count;
}

static void
fetch_next(struct fb_call *c)
{
    struct fb_sending    *s = c->work;
    struct fb_attachment *at;

    if (!skip_present(s)) {
        s->done(c, NULL);
        return;
    }
    at = &s->attachments[s->at];
    s->fetch = (struct net_call){ .arena = c->arena, .done = on_fetched, .user = c };
    s->fetch.request = (struct net_request){ .method = STR("GET"), .url = at->url, .redirects_max = 3,
        .total_ms = str_eq(at->type, STR("video")) ? VIDEO_MS : FETCH_MS, .response_max = (int64_t)FILE_MAX };
    c->abandon = abandon_fetch;
    courier_send(c->fb->stage->courier, &s->fetch);
}

bool
fb_attachments_fetch(struct fb_call *c, void (*done)(struct fb_call *c, struct fb_error *err))
{
    struct fb_sending *s = c->work;

    if (!skip_present(s))
        return true;
    s->done = done;
    fb_call_keep(c, -1, NULL);
    fetch_next(c);
    return false;
}

/* ---- as webhooks have them ---- */

static void
write_payload(struct fb_call *c, const struct fb_attachment *at, struct json *w)
{
    struct str type = at->type;

    if (str_eq(type, STR("template"))) {
        json_put_val(w, "payload", at->payload);
    } else if (at->file) {
        json_begin(w, "payload");
        json_put_str(w, "url", fb_file_url(&c->fb->files, at->file, fb_now_ms(c->fb), c->arena));
        json_end(w);
    } else if (str_eq(type, STR("media_share"))) {
        json_begin(w, "payload");
        json_put_str(w, "url", arena_printf(c->arena, "https://www.instagram.com/p/%.*s/",
                                   STR_ARG(json_str(at->payload, "id"))));
        json_end(w);
    }
}

struct str
fb_attachments_json(struct fb_call *c, const struct fb_sending *s)
{
    struct buf  b;
    struct json w = { .buf = &b };

    if (s->count == 0)
        return STR_NONE;
    buf_init(&b, MIB);
    json_begin_array(&w, NULL);
    for (size_t i = 0; i < s->count; i++) {
        json_begin(&w, NULL);
        json_put_str(&w, "type", str_eq(s->attachments[i].type, STR("media_share")) ? STR("share")
                                                                                   : s->attachments[i].type);
        write_payload(c, &s->attachments[i], &w);
        json_end(&w);
    }
    json_end_array(&w);
    return arena_take(c->arena, &b);
}
