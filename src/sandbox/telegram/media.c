/* media.c -- see media.h. */
#include "sandbox/telegram/media.h"

#include <stdio.h>

#include "base/array.h"
#include "sandbox/avatar.h"
#include "sandbox/sniff.h"

#define PHOTO_BYTES_MAX      INT64_C(10485760)
#define VIDEO_NOTE_BYTES_MAX INT64_C(12582912)
#define THUMBNAIL_SIDE       320

/* ---- what it is ---- */

static const struct {
    const char *name;
    bool        has_caption;
} kinds[TG_FILE_KINDS] = {
    [TG_THUMBNAIL] = { "thumbnail", false },
    [TG_PROFILE_PHOTO] = { "profile_photo", false },
    [TG_PHOTO] = { "photo", true },
    [TG_VOICE] = { "voice", true },
    [TG_VIDEO] = { "video", true },
    [TG_DOCUMENT] = { "document", true },
    [TG_STICKER] = { "sticker", false },
    [TG_AUDIO] = { "audio", true },
    [TG_ANIMATION] = { "animation", true },
    [TG_VIDEO_NOTE] = { "video_note", false },
};

bool
tg_kind_has_caption(enum tg_file_kind kind)
{
    return kinds[kind].has_caption;
}

bool
tg_kind_parse(struct str name, enum tg_file_kind *out)
{
    for (enum tg_file_kind k = TG_PHOTO; k < TG_FILE_KINDS; k++)
        if (str_eq(name, str_of(kinds[k].name))) {
            *out = k;
            return true;
        }
    return false;
}

static struct str
bytes_of(const struct tg_blob *blob)
{
    return (struct str){ blob->bytes, blob->size };
}

static bool
is_of_type(struct str mime, const char *type)
{
    return str_starts(mime, str_of(type));
}

/* As the servers do: what is no voice message, no video, no animation becomes a document, and a document
 * that is one of them becomes that, unless it was asked to stay what it is. */
static enum tg_file_kind
kind_by_content(const struct tg_media *m)
{
    bool gif = str_eq(m->mime, STR("image/gif")), mp4 = str_eq(m->mime, STR("video/mp4"));
    bool audio = is_of_type(m->mime, "audio/");

    switch (m->kind) {
    case TG_VOICE:
        return audio ? TG_VOICE : TG_DOCUMENT;
    case TG_VIDEO:
        return is_of_type(m->mime, "video/") ? TG_VIDEO : TG_DOCUMENT;
    case TG_ANIMATION:
        return gif || mp4 ? TG_ANIMATION : TG_DOCUMENT;
    case TG_AUDIO:
        return audio ? TG_AUDIO : TG_DOCUMENT;
    case TG_DOCUMENT:
        return m->as_document ? TG_DOCUMENT : gif ? TG_ANIMATION : mp4 ? TG_VIDEO
            : str_eq(m->mime, STR("audio/mpeg")) || str_eq(m->mime, STR("audio/mp4")) ? TG_AUDIO : TG_DOCUMENT;
    case TG_PHOTO:
    case TG_STICKER:
    case TG_VIDEO_NOTE:
    case TG_THUMBNAIL:
    case TG_PROFILE_PHOTO:
    case TG_FILE_KINDS:
        break;
    }
    return m->kind;
}

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ".jpg" of "pic.jpg", for the path; one that fits the kind when the name has none. */
static const char *
extension_of(const struct tg_media *m, struct arena *a)
{
    static const char *const usual[TG_FILE_KINDS] = {
        [TG_PHOTO] = ".jpg", [TG_VOICE] = ".oga", [TG_VIDEO] = ".mp4", [TG_VIDEO_NOTE] = ".mp4",
        [TG_ANIMATION] = ".mp4", [TG_AUDIO] = ".mp3", [TG_STICKER] = ".webp",
    };
    size_t from = m->file_name.len;

    if (m->kind == TG_PHOTO || m->kind == TG_VOICE || m->kind == TG_VIDEO_NOTE)
        return usual[m->kind];
    while (from > 0 && m->file_name.len - from < 8 && is_alnum(m->file_name.ptr[from - 1]))
        from--;
    if (from > 0 && from < m->file_name.len && m->file_name.ptr[from - 1] == '.')
        return arena_copy(a, str_from(m->file_name, from - 1)).ptr;
    return usual[m->kind] ? usual[m->kind] : "";
}

/* ---- JSON ---- */

static void
put_ids(struct json *w, const struct tg_files *files, const struct tg_file *f)
{
    char id[TG_FILE_ID_MAX];

    json_put_str(w, "file_id", str_of(tg_file_id(files, f, id)));
    json_put_str(w, "file_unique_id", str_of(tg_file_unique_id(files, f, id)));
}

static void
put_text(struct json *w, const char *name, struct str text)
{
    if (text.len > 0)
        json_put_str(w, name, text);
}

static void
put_size(struct json *w, const struct tg_file *f)
{
    if (f->blob->size > 0)
        json_put_int(w, "file_size", (int64_t)f->blob->size);
}

static void
put_photo_size(struct json *w, const char *name, const struct tg_files *files, const struct tg_file *f, int64_t width,
    int64_t height)
{
    json_begin(w, name);
    put_ids(w, files, f);
    put_size(w, f);
    json_put_int(w, "width", width);
    json_put_int(w, "height", height);
    json_end(w);
}

/* The smaller sizes have the same bytes: nothing here can shrink a picture, and clients take the largest. */
static struct tg_file *
put_photo(struct json *w, struct tg_bot *bot, const struct tg_media *m, enum tg_file_kind kind, const char *extension)
{
    static const int64_t sides[] = { 90, 320, 800 };
    struct tg_files     *files = &bot->tg->files;
    int64_t              longest = m->width > m->height ? m->width : m->height;
    struct tg_file      *main = tg_file_add(files, bot->id, kind, m->blob, extension), *small;

    json_begin_array(w, kind == TG_PHOTO ? "photo" : NULL);
    for (size_t i = 0; i < COUNT(sides) && sides[i] < longest; i++) {
        int64_t width = m->width * sides[i] / longest, height = m->height * sides[i] / longest;

        small = tg_file_add(files, bot->id, kind, m->blob, extension);
        small->content_of = main->number;
        put_photo_size(w, NULL, files, small, width > 0 ? width : 1, height > 0 ? height : 1);
    }
    put_photo_size(w, NULL, files, main, m->width, m->height);
    json_end_array(w);
    return main;
}

static void
put_thumbnail(struct json *w, struct tg_bot *bot, const struct tg_media *m)
{
    struct tg_file *f;
    int             width = THUMBNAIL_SIDE, height = THUMBNAIL_SIDE;

    if (!m->thumbnail)
        return;
    sniff_picture_size(bytes_of(m->thumbnail), &width, &height);
    f = tg_file_add(&bot->tg->files, bot->id, TG_THUMBNAIL, m->thumbnail, ".jpg");
    put_photo_size(w, "thumbnail", &bot->tg->files, f, width, height);
    put_photo_size(w, "thumb", &bot->tg->files, f, width, height);
}

static void
put_frame(struct json *w, const struct tg_media *m, int64_t width, int64_t height)
{
    json_put_int(w, "width", m->width > 0 ? m->width : width);
    json_put_int(w, "height", m->height > 0 ? m->height : height);
}

static void
put_sticker(struct json *w, const struct tg_media *m)
{
    json_put_str(w, "type", STR("regular"));
    put_frame(w, m, 512, 512);
    json_put_bool(w, "is_animated", str_eq(m->mime, STR("application/x-tgsticker")));
    json_put_bool(w, "is_video", str_eq(m->mime, STR("video/webm")));
    put_text(w, "emoji", m->emoji);
}

/* What the kinds have of their own, between the ids and what all share. */
static void
put_own(struct json *w, const struct tg_media *m)
{
    switch (m->kind) {
    case TG_VIDEO:
    case TG_ANIMATION:
        put_frame(w, m, 640, 360);
        json_put_int(w, "duration", m->duration);
        break;
    case TG_AUDIO:
        json_put_int(w, "duration", m->duration);
        put_text(w, "performer", m->performer);
        put_text(w, "title", m->title);
        break;
    case TG_VOICE:
        json_put_int(w, "duration", m->duration);
        break;
    case TG_VIDEO_NOTE:
        json_put_int(w, "length", m->width > 0 ? m->width : 240);
        json_put_int(w, "duration", m->duration);
        break;
    case TG_STICKER:
        put_sticker(w, m);
        break;
    case TG_DOCUMENT:
    case TG_PHOTO:
    case TG_THUMBNAIL:
    case TG_PROFILE_PHOTO:
    case TG_FILE_KINDS:
        break;
    }
}

static void
put_file(struct json *w, const char *name, struct tg_bot *bot, const struct tg_media *m, const struct tg_file *f)
{
    bool has_name = m->kind != TG_VOICE && m->kind != TG_VIDEO_NOTE && m->kind != TG_STICKER;
    bool has_mime = m->kind != TG_VIDEO_NOTE && m->kind != TG_STICKER;

    json_begin(w, name);
    put_ids(w, &bot->tg->files, f);
    put_own(w, m);
    if (has_name)
        put_text(w, "file_name", m->file_name);
    if (has_mime)
        put_text(w, "mime_type", m->mime);
    put_size(w, f);
    if (m->kind != TG_VOICE)
        put_thumbnail(w, bot, m);
    json_end(w);
}

static void
complete(struct tg_media *m)
{
    const char *mime = sniff_mime(bytes_of(m->blob), m->file_name);
    int         width = 0, height = 0;

    if (mime || m->mime.len == 0)
        m->mime = str_of(mime ? mime : "application/octet-stream");
    if (!m->exact)
        m->kind = kind_by_content(m);
    if (m->kind == TG_VOICE && !is_of_type(m->mime, "audio/"))
        m->mime = STR("audio/ogg");
    if ((m->kind == TG_PHOTO || m->width == 0) && sniff_picture_size(bytes_of(m->blob), &width, &height)) {
        m->width = width;
        m->height = height;
    } else if (m->kind == TG_PHOTO) {
        m->width = 1280;
        m->height = 960;
    }
}

struct str
tg_media_members(struct tg_bot *bot, struct tg_media *m, struct arena *a)
{
    struct buf      b;
    struct json     w = { .buf = &b };
    struct tg_file *f;
    struct str      members;

    complete(m);
    buf_init(&b, 64 * KIB);
    if (m->kind == TG_PHOTO) {
        f = put_photo(&w, bot, m, TG_PHOTO, extension_of(m, a));
    } else {
        f = tg_file_add(&bot->tg->files, bot->id, m->kind, m->blob, extension_of(m, a));
        put_file(&w, kinds[m->kind].name, bot, m, f);
        if (m->kind == TG_ANIMATION) /* old programs know only that */
            put_file(&w, "document", bot, &(struct tg_media){ .kind = TG_DOCUMENT, .file_name = m->file_name,
                .mime = m->mime, .thumbnail = m->thumbnail }, f);
    }
    members = arena_take(a, &b);
    tg_file_set_content(f, members);
    return members;
}

/* ---- what is refused ---- */

static bool
is_photo_name(struct str name)
{
    static const char *const endings[] = { ".jpg", ".jpeg", ".gif", ".png", ".tif", ".bmp", ".webp" };

    if (!memchr(name.ptr ? name.ptr : "", '.', name.len))
        return true;
    for (size_t i = 0; i < COUNT(endings); i++) {
        size_t len = strlen(endings[i]);

        if (name.len >= len && str_eq_nocase(str_from(name, name.len - len), str_of(endings[i])))
            return true;
    }
    return false;
}

static bool
check_photo(const struct tg_media *m, struct error *err)
{
    int width, height;

    if ((int64_t)m->blob->size > PHOTO_BYTES_MAX)
        return error_set(err, 400, "file of size %zu bytes is too big for a photo; the maximum size is %lld bytes",
            m->blob->size, (long long)PHOTO_BYTES_MAX);
    if (!is_photo_name(m->file_name))
        return error_set(err, 400, "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp");
    if (!sniff_picture_size(bytes_of(m->blob), &width, &height))
        return error_set(err, 400, "IMAGE_PROCESS_FAILED");
    if (width + height > 10000 || width > 20 * height || height > 20 * width)
        return error_set(err, 400, "PHOTO_INVALID_DIMENSIONS");
    return true;
}

bool
tg_media_check(const struct tg_media *m, struct error *err)
{
    if (m->blob->size == 0)
        return error_set(err, 400, "file must be non-empty");
    if (m->kind == TG_VIDEO_NOTE && (int64_t)m->blob->size > VIDEO_NOTE_BYTES_MAX)
        return error_set(err, 400, "file of size %zu bytes is too big for a video note; the maximum size is %lld bytes",
            m->blob->size, (long long)VIDEO_NOTE_BYTES_MAX);
    return m->kind != TG_PHOTO || check_photo(m, err);
}

/* ---- by id ---- */

/* There is no outside world here, so a URL that could be fetched is one that could not be. */
static bool
refuse_url(struct str url, struct error *err)
{
    struct str rest = str_starts(url, STR("https://")) ? str_from(url, 8)
        : str_starts(url, STR("http://")) ? str_from(url, 7) : STR("");

    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] <= ' ')
            rest = STR("");
    if (rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == ':')
        return error_set(err, 400, "wrong HTTP URL specified");
    return error_set(err, 400, "failed to get HTTP URL content");
}

/* All but these are documents of a sort, and may be sent as any other sort: they stay what they are. */
static bool
is_picture(enum tg_file_kind kind)
{
    return kind == TG_PHOTO || kind == TG_PROFILE_PHOTO || kind == TG_THUMBNAIL;
}

bool
tg_media_again(struct tg_bot *bot, enum tg_file_kind kind, struct str id, struct arena *a, struct str *members,
    enum tg_file_kind *has_become, struct error *err)
{
    const struct tg_file *f;
    const char           *reason, *content;

    if (memchr(id.ptr, '.', id.len))
        return refuse_url(id, err);
    f = tg_file_by_id(&bot->tg->files, bot->id, id, &reason);
    if (reason)
        return error_set(err, 400, "wrong remote file identifier specified: %s", reason);
    content = f ? tg_file_content(&bot->tg->files, f) : NULL;
    if (f && f->kind != kind && (is_picture(f->kind) || is_picture(kind)))
        return error_set(err, 400, "can't use file of type %s as %s", tg_kind_name(f->kind), tg_kind_name(kind));
    if (!content)
        return error_set(err, 400, "wrong file identifier/HTTP URL specified");
    *members = arena_copy(a, str_of(content));
    *has_become = f->kind;
    return true;
}

/* ---- pictures of people ---- */

static struct tg_file *
profile_photo(struct tg_chat *chat, int size)
{
    struct tg_files *files = &chat->bot->tg->files;
    int64_t         *number = &chat->photos[size > 160 ? 1 : 0];
    struct tg_file  *f = map_get(&files->by_number, *number);
    struct tg_blob  *blob;
    struct buf       picture;

    if (f && !f->blob->dropped)
        return f;
    buf_init(&picture, 4 * MIB);
    avatar_draw(chat->person->id, size, &picture);
    blob = tg_blob_copy(files, buf_str(&picture));
    buf_deinit(&picture);
    f = tg_file_add(files, chat->bot->id, TG_PROFILE_PHOTO, blob, ".jpg");
    tg_blob_release(files, blob);
    *number = f->number;
    return f;
}

void
tg_profile_photo_write(struct tg_chat *chat, struct json *w, const char *name)
{
    json_begin_array(w, name);
    put_photo_size(w, NULL, &chat->bot->tg->files, profile_photo(chat, 160), 160, 160);
    put_photo_size(w, NULL, &chat->bot->tg->files, profile_photo(chat, 640), 640, 640);
    json_end_array(w);
}

void
tg_chat_photo_write(struct tg_chat *chat, struct json *w, const char *name)
{
    const struct tg_files *files = &chat->bot->tg->files;
    const struct tg_file  *small = profile_photo(chat, 160), *big = profile_photo(chat, 640);
    char                   id[TG_FILE_ID_MAX];

    json_begin(w, name);
    json_put_str(w, "small_file_id", str_of(tg_file_id(files, small, id)));
    json_put_str(w, "small_file_unique_id", str_of(tg_file_unique_id(files, small, id)));
    json_put_str(w, "big_file_id", str_of(tg_file_id(files, big, id)));
    json_put_str(w, "big_file_unique_id", str_of(tg_file_unique_id(files, big, id)));
    json_end(w);
}
