/* files.c -- see files.h. */
#include "sandbox/meta/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/random.h"
#include "sandbox/meta/state.h"
#include "sandbox/avatar.h"
#include "sandbox/sniff.h"

#define FIRST_ID   INT64_C(160000000000000)
#define FACE_SIDE  160
#define MEDIA_PATH "/meta-cdn/"

void
fb_files_init(struct fb_files *all, int64_t expires_ms)
{
    *all = (struct fb_files){ .last_id = FIRST_ID, .expires_ms = expires_ms };
    random_bytes(all->key, sizeof(all->key));
    all->base_url = own_text(STR("http://127.0.0.1:8090"));
}

static void
drop_bytes(struct fb_files *all, struct fb_file *f)
{
    all->bytes -= f->bytes.len;
    own_free(&f->bytes);
}

static void
forget_oldest(struct fb_files *all)
{
    struct fb_file *f = all->oldest;

    if (all->oldest_full == f)
        all->oldest_full = f->newer;
    all->oldest = f->newer;
    if (!all->oldest)
        all->newest = NULL;
    map_take(&all->by_id, f->id);
    drop_bytes(all, f);
    own_free(&f->mime);
    own_free(&f->name);
    free(f);
}

void
fb_files_deinit(struct fb_files *all)
{
    while (all->oldest)
        forget_oldest(all);
    map_deinit(&all->by_id);
    own_free(&all->base_url);
}

/* What it says it is, or what it looks like. */
static struct str
mime_of(struct str bytes, struct str mime, struct str name)
{
    const char *found;

    if (mime.len > 0 && !str_eq(mime, STR("application/octet-stream")))
        return mime;
    found = sniff_mime(bytes, name);
    return found ? str_of(found) : STR("application/octet-stream");
}

struct fb_file *
fb_file_add(struct fb_files *all, struct str bytes, struct str mime, struct str name, int64_t now_ms)
{
    struct fb_file *f = own_alloc(sizeof(*f));

    *f = (struct fb_file){ .id = ++all->last_id, .bytes = bytes, .made_ms = now_ms };
    f->mime = own_text(mime_of(bytes, mime, name));
    f->name = own_text(name);
    if (all->newest)
        all->newest->newer = f;
    else
        all->oldest = f;
    all->newest = f;
    if (!all->oldest_full)
        all->oldest_full = f;
    map_put(&all->by_id, f->id, f);
    all->bytes += bytes.len;
    if (all->by_id.count > FB_FILES_MAX)
        forget_oldest(all);
    for (; all->bytes > FB_FILES_BYTES_MAX && all->oldest_full != f; all->oldest_full = all->oldest_full->newer)
        drop_bytes(all, all->oldest_full);
    return f;
}

struct fb_file *
fb_file_get(const struct fb_files *all, int64_t id)
{
    return map_get(&all->by_id, id);
}

struct fb_file *
fb_file_at(const struct fb_files *all, struct str url)
{
    ptrdiff_t  at = str_find(url, STR(MEDIA_PATH));
    struct str number, query;
    int64_t    id = 0;

    str_cut(str_from(url, at < 0 ? url.len : (size_t)at + sizeof(MEDIA_PATH) - 1), '?', &number, &query);
    return str_to_i64(number, &id) ? fb_file_get(all, id) : NULL;
}

void
fb_file_drop(struct fb_files *all, struct fb_file *f)
{
    drop_bytes(all, f);
}

struct str
fb_read_upload(const struct http_part *part)
{
    char    path[4096];
    char   *bytes = malloc((size_t)part->size + 1);
    size_t  len = 0;
    ssize_t got;
    int     fd;

    if (!bytes)
        out_of_memory();
    snprintf(path, sizeof(path), "%.*s", STR_ARG(part->path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < (size_t)part->size && (got = read(fd, bytes + len, (size_t)part->size - len)) > 0)
        len += (size_t)got;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && len == (size_t)part->size)
        return (struct str){ bytes, len };
    free(bytes);
    return STR_NONE;
}

struct fb_file *
fb_file_face(struct fb_files *all, int64_t person, int64_t now_ms)
{
    struct buf png;
    struct str bytes;

    buf_init(&png, MIB);
    avatar_draw(person, FACE_SIDE, &png);
    bytes = own_text(buf_str(&png));
    buf_deinit(&png);
    return fb_file_add(all, bytes, STR("image/png"), STR_NONE, now_ms);
}

/* ---- addresses ---- */

static struct str
signature_of(const struct fb_files *all, int64_t id, struct str expiry, struct arena *a)
{
    uint8_t    hash[SHA256_SIZE];
    struct str text = arena_printf(a, "%lld|%.*s", (long long)id, STR_ARG(expiry));
    struct buf hex;

    hmac_sha256((struct str){ (const char *)all->key, sizeof(all->key) }, text, hash);
    buf_init(&hex, 64);
    hex_encode(&hex, (struct str){ (const char *)hash, 16 });
    return arena_take(a, &hex);
}

struct str
fb_file_url(const struct fb_files *all, const struct fb_file *f, int64_t now_ms, struct arena *a)
{
    struct str expiry = arena_printf(a, "%llx", (unsigned long long)((now_ms + all->expires_ms) / 1000));

    return arena_printf(a, "%.*s" MEDIA_PATH "%lld?oe=%.*s&signature=%.*s", STR_ARG(all->base_url), (long long)f->id,
        STR_ARG(expiry), STR_ARG(signature_of(all, f->id, expiry, a)));
}

static void
refuse(struct http_exchange *x, int status, const char *text)
{
    x->reply.status = status;
    buf_append(&x->reply.body, str_of(text));
    http_reply_header(x, STR("Content-Type"), STR("text/plain"));
}

/* One range, from the front or of the last bytes; anything else is answered whole. */
static struct str
wanted_range(struct http_exchange *x, struct str bytes)
{
    struct str range = http_header_get(&x->request, STR("Range")), from, to;
    int64_t    first, last = (int64_t)bytes.len - 1;

    if (!str_starts(range, STR("bytes=")) || !str_cut(str_from(range, 6), '-', &from, &to)
        || !str_to_i64(from, &first) || (to.len > 0 && !str_to_i64(to, &last)) || first < 0 || last < first
        || first >= (int64_t)bytes.len)
        return bytes;
    if (last >= (int64_t)bytes.len)
        last = (int64_t)bytes.len - 1;
    x->reply.status = 206;
    http_reply_header(x, STR("Content-Range"), arena_printf(&x->arena, "bytes %lld-%lld/%zu", (long long)first,
                                                   (long long)last, bytes.len));
    return str_slice(bytes, (size_t)first, (size_t)(last - first + 1));
}

void
fb_file_serve(struct fb_files *all, struct http_exchange *x, int64_t now_ms)
{
    struct str      expiry = http_query_get(&x->request, STR("oe"), &x->arena);
    struct str      given = http_query_get(&x->request, STR("signature"), &x->arena);
    int64_t         id = 0;
    struct fb_file *f;
    bool            is_number = str_to_i64(str_from(x->request.path, sizeof(MEDIA_PATH) - 1), &id);

    f = is_number ? fb_file_get(all, id) : NULL;
    if (!f || expiry.len == 0 || !str_eq(given, signature_of(all, id, expiry, &x->arena))) {
        refuse(x, 403, "URL signature mismatch");
        return;
    }
    if (strtoll(arena_copy(&x->arena, expiry).ptr, NULL, 16) <= now_ms / 1000 || str_is_none(f->bytes)) {
        refuse(x, 410, "URL signature expired");
        return;
    }
    x->reply.status = 200;
    buf_append(&x->reply.body, wanted_range(x, f->bytes));
    http_reply_header(x, STR("Content-Type"), f->mime);
    http_reply_header(x, STR("Accept-Ranges"), STR("bytes"));
    http_reply_header(x, STR("Access-Control-Allow-Origin"), STR("*"));
}
