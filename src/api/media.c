#include "api/media.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/limits.h"
#include "media/types.h"

#define FILE_NAME_MAX 255

/* ---- which form it has ---- */

/* The first element that is something, and how many there are. */
static yyjson_val *
first_of(yyjson_val *media, size_t *count)
{
    yyjson_arr_iter iter;
    yyjson_val     *item, *first = NULL;

    *count = 0;
    if (!yyjson_is_arr(media)) {
        *count = !body_is_blank(media);
        return *count ? media : NULL;
    }
    iter = yyjson_arr_iter_with(media);
    while ((item = yyjson_arr_iter_next(&iter)) != NULL)
        if (!body_is_blank(item) && (*count)++ == 0)
            first = item;
    return first;
}

size_t
media_count(const struct body *b)
{
    size_t count;

    first_of(json_get(b->json, "media"), &count);
    return count + b->file_count;
}

/* A name for people: no folders, nothing that is not text. None when nothing is left. */
static struct str
clean_name(struct str name, struct arena *a)
{
    char *copy;

    for (size_t i = name.len; i-- > 0;)
        if (name.ptr[i] == '/' || name.ptr[i] == '\\') {
            name = str_from(name, i + 1);
            break;
        }
    name = str_utf8_cut(str_trim(name), FILE_NAME_MAX);
    if (name.len == 0 || !str_is_utf8(name))
        return STR_NONE;
    copy = arena_bytes(a, name.len);
    for (size_t i = 0; i < name.len; i++)
        copy[i] = (unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f ? '_' : name.ptr[i];
    return (struct str){ copy, name.len };
}

/* "data:image/png;base64,iVBO...": the parameters between type and base64 do not matter. */
static bool
read_data_uri(struct str uri, struct media_item *out, struct error *err)
{
    struct str head, type, parameters;

    if (!str_cut(str_from(uri, 5), ',', &head, &out->text) || !str_ends(head, STR(";base64")))
        return error_set(err, 422, "A data URI in media must look like data:image/png;base64,...");
    str_cut(head, ';', &type, &parameters);
    out->form = MEDIA_BASE64;
    out->content_type = type.len > 0 ? type : STR_NONE;
    return true;
}

/* What the last segment of the path says, if it looks like the name of a file. */
static struct str
name_in_url(struct str url, struct arena *a)
{
    struct str rest, path, name;

    str_cut(url, '#', &path, &rest);
    str_cut(path, '?', &path, &rest);
    path = str_from(path, (size_t)(str_find(path, STR("://")) + 3));
    if (!memchr(path.ptr, '/', path.len) || !http_decode(path, false, a, &name))
        return STR_NONE;
    name = clean_name(name, a);
    return name.len > 0 && memchr(name.ptr, '.', name.len) ? name : STR_NONE;
}

static bool
read_text(struct str text, const struct net_guard *guard, struct arena *a, struct media_item *out, struct error *err)
{
    text = str_trim(text);
    if (str_eq_nocase(str_slice(text, 0, 5), STR("data:")))
        return read_data_uri(text, out, err);
    if (str_find(text, STR(":")) < 0)
        return error_set(err, 422, "A media text must be a URL (https://...) or a data URI (data:image/png;base64,...),"
                         " not '%.*s'", STR_ARG(str_utf8_cut(text, 40)));
    if (!net_url_check(guard, text, "The media URL", err))
        return false;
    *out = (struct media_item){ .form = MEDIA_URL, .text = text, .file_name = name_in_url(text, a) };
    return true;
}

static bool
read_object(yyjson_val *object, struct arena *a, struct media_item *out, struct error *err)
{
    struct str data = json_str(object, "data");

    if (str_is_blank(data))
        return error_set(err, 422, "A media object needs data, the file as base64");
    *out = (struct media_item){
        .form         = MEDIA_BASE64,
        .text         = data,
        .file_name    = clean_name(json_str(object, "filename"), a),
        .content_type = json_str(object, "content_type"),
    };
    if (str_eq_nocase(str_slice(data, 0, 5), STR("data:"))) /* some clients put a whole data URI there */
        return read_data_uri(data, out, err);
    return true;
}

bool
media_first(const struct body *b, const struct net_guard *guard, struct arena *a, struct media_item *out,
            struct error *err)
{
    size_t      count;
    yyjson_val *item = first_of(json_get(b->json, "media"), &count);

    *out = (struct media_item){ 0 };
    if (b->file_count > 0) {
        out->form = MEDIA_UPLOAD;
        out->path = b->files[0]->path;
        out->file_name = clean_name(b->files[0]->file_name, a);
        out->content_type = b->files[0]->content_type;
        return true;
    }
    if (yyjson_is_str(item))
        return read_text(json_val_str(item), guard, a, out, err);
    if (yyjson_is_obj(item))
        return read_object(item, a, out, err);
    return error_set(err, 422, "Each media item must be a URL, a data URI, an object with base64 data, or a file");
}

/* ---- what becomes of it ---- */

static enum attachment_type
type_of_name(struct str name)
{
    const struct media_type *guess;
    char                     extension[8];
    size_t                   dot = name.len;

    while (dot > 0 && name.ptr[dot - 1] != '.')
        dot--;
    if (dot == 0 || name.len - dot > sizeof(extension))
        return ATTACH_FILE;
    for (size_t i = dot; i < name.len; i++)
        extension[i - dot] = (char)tolower((unsigned char)name.ptr[i]);
    guess = media_type_by_extension((struct str){ extension, name.len - dot });
    return guess ? attachment_type_of(guess->kind) : ATTACH_FILE;
}

/* The bytes will tell; until then the name is the best guess. */
void
media_of_url(const struct media_item *item, struct attachment *out)
{
    *out = (struct attachment){
        .type       = type_of_name(item->file_name),
        .status     = ATTACHMENT_PENDING,
        .source_url = item->text,
        .file_name  = item->file_name,
    };
}

static bool
write_file(struct str path, struct str bytes, struct error *err)
{
    int     fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = 0;
    bool    ok;

    for (; fd >= 0 && bytes.len > 0 && n >= 0; bytes = str_from(bytes, n > 0 ? (size_t)n : 0))
        if ((n = write(fd, bytes.ptr, bytes.len)) < 0 && errno == EINTR)
            n = 0;
    ok = fd >= 0 && n >= 0;
    if (!ok)
        error_set(err, 503, "The file could not be stored: %s", strerror(errno));
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = error_set(err, 503, "The file could not be stored: %s", strerror(errno));
    return ok;
}

/* What base64 stands for, as a file in the spool. */
static bool
spool_base64(struct media_store *store, struct str text, size_t max, struct arena *a, struct str *path,
             struct error *err)
{
    struct buf bytes;
    bool       ok;

    *path = STR_NONE;
    buf_init(&bytes, max);
    if (!base64_decode(text, &bytes)) {
        ok = buf_ok(&bytes) ? error_set(err, 422, "The data of the media item is not valid base64")
                            : error_set(err, 413, "The media item is larger than %zu bytes", max);
    } else if (!buf_ok(&bytes)) {
        ok = error_set(err, 413, "The media item is larger than %zu bytes", max);
    } else {
        *path = media_spool_path(store, a);
        ok = write_file(*path, buf_str(&bytes), err);
    }
    buf_deinit(&bytes);
    return ok;
}

static void
attachment_from_info(const struct media_item *item, const struct media_info *info, struct arena *a,
                     struct attachment *out)
{
    *out = (struct attachment){
        .type         = attachment_type_of(info->kind),
        .status       = ATTACHMENT_PROCESSED,
        .media        = arena_copy(a, str_of(info->name)),
        .content_type = str_of(info->content_type),
        .file_name    = item->file_name,
        .size         = info->size,
        .width        = info->width,
        .height       = info->height,
    };
}

/* Looked at first: what the platform would refuse is not worth a place in the store. */
static bool
check_file(const struct platform *p, const struct media_item *item, struct str path, struct error *err)
{
    struct media_info info;
    struct op_file    file;

    if (!media_inspect(path.ptr, item->content_type, &info, err))
        return false;
    file = (struct op_file){
        .path         = path,
        .file_name    = item->file_name,
        .content_type = str_of(info.content_type),
        .size         = info.size,
        .width        = info.width,
        .height       = info.height,
        .type         = attachment_type_of(info.kind),
    };
    return limit_file(p, &file, err);
}

bool
media_store_item(struct media_store *store, const struct platform *p, const struct media_item *item, size_t max,
                 struct arena *a, struct attachment *out, char stored[MEDIA_NAME_MAX], struct error *err)
{
    struct media_info info;
    struct str        path = item->path;

    if (item->form == MEDIA_BASE64 && !spool_base64(store, item->text, max, a, &path, err)) {
        if (!str_is_none(path))
            unlink(path.ptr);
        return false;
    }
    if (!check_file(p, item, path, err)) {
        unlink(path.ptr);
        return false;
    }
    if (!media_add(store, path.ptr, item->content_type, &info, err))
        return false;
    memcpy(stored, info.name, MEDIA_NAME_MAX);
    attachment_from_info(item, &info, a, out);
    return true;
}
