/* body.c -- see body.h. */
#include "http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"

#define PLAIN_KEEP     (16 * KIB) /* of memory kept for the connection's next body */
#define CROWD_RETRY_MS 5000

void
http_body_init(struct http_body *b, struct http_exchange *x, const char *spool_dir)
{
    *b = (struct http_body){ .x = x, .spool_dir = spool_dir, .file = -1 };
}

void
http_body_deinit(struct http_body *b)
{
    http_body_release(b);
    buf_deinit(&b->plain);
}

static bool
too_large(size_t max, struct error *err)
{
    return error_set(err, 413, "the request's body is larger than %zu bytes", max);
}

/* ---- parts of an upload ---- */

static bool
spool_failed(struct str path, struct error *err)
{
    log_error("cannot write an upload", LOG_STR("path", path), LOG_CSTR("reason", strerror(errno)));
    return error_set(err, 503, "uploads cannot be stored at the moment");
}

static bool
open_file(struct http_body *b, struct http_part *part, struct error *err)
{
    uint64_t name[2];

    random_bytes(name, sizeof(name));
    part->path = arena_printf(&b->x->arena, "%s/upload-%016llx%016llx", b->spool_dir, (unsigned long long)name[0],
                              (unsigned long long)name[1]);
    b->file = open(part->path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->file < 0)
        return spool_failed(part->path, err);
    return true;
}

static bool
begin_part(void *ctx, const struct multipart_head *head, struct error *err)
{
    struct http_body    *b = ctx;
    struct http_request *r = &b->x->request;
    struct http_part    *part;

    if (!r->parts)
        r->parts = arena_array(&b->x->arena, struct http_part, MULTIPART_PARTS_MAX);
    part = &r->parts[r->part_count++];
    *part = (struct http_part){
        .name = head->name, .file_name = head->file_name, .content_type = head->content_type
    };
    if (!str_is_none(part->file_name))
        return open_file(b, part, err);
    buf_init(&b->text, b->text_left);
    return true;
}

static bool
write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue; /* not reached: no signal of ours interrupts a write to a file */
        if (n < 0)
            return false;
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}

static bool
add_to_part(void *ctx, struct str bytes, struct error *err)
{
    struct http_body *b = ctx;
    struct http_part *part = &b->x->request.parts[b->x->request.part_count - 1];

    part->size += (int64_t)bytes.len;
    if (b->file >= 0)
        return write_all(b->file, bytes) || spool_failed(part->path, err);
    buf_append(&b->text, bytes);
    if (!buf_ok(&b->text))
        return error_set(err, 413, "the text fields are larger than %zu bytes", b->x->body_max);
    return true;
}

static bool
end_part(void *ctx, struct error *err)
{
    struct http_body *b = ctx;
    struct http_part *part = &b->x->request.parts[b->x->request.part_count - 1];
    bool              ok;

    if (b->file >= 0) {
        ok = close(b->file) == 0;
        b->file = -1;
        return ok || spool_failed(part->path, err);
    }
    part->text = arena_copy(&b->x->arena, buf_str(&b->text));
    b->text_left -= b->text.len;
    buf_deinit(&b->text);
    return true;
}

static const struct multipart_events to_parts = { .begin = begin_part, .data = add_to_part, .end = end_part };

/* ---- any body ---- */

static bool
begin_multipart(struct http_body *b, struct error *err)
{
    struct http_exchange *x = b->x;
    struct str            boundary;

    if (!multipart_boundary(http_header_get(&x->request, STR("Content-Type")), &x->arena, &boundary, err))
        return false;
    multipart_init(&b->multipart, boundary, &to_parts, b, &x->arena);
    b->is_multipart = true;
    b->text_left = x->body_max;
    return true;
}

bool
http_body_begin(struct http_body *b, int64_t content_length, struct error *err)
{
    struct http_exchange *x = b->x;
    bool multipart = x->takes_multipart && str_eq(x->request.content_type, STR("multipart/form-data"));

    b->total = 0;
    b->max = multipart ? x->upload_max : x->body_max;
    if (content_length > 0 && (uint64_t)content_length > b->max)
        return too_large(b->max, err);
    b->plain.max = b->max;
    return !multipart || begin_multipart(b, err);
}

/* The part of `more` bytes that is not free counts with all others' at once. */
static bool
count_in(struct http_body *b, size_t more, struct error *err)
{
    const struct http_exchange *x = b->x;
    size_t                      total = b->total + more;
    int64_t                     add;

    if (!x->body_sum || total <= x->body_free)
        return true;
    add = (int64_t)(total - x->body_free) - b->counted;
    b->sum = x->body_sum;
    b->counted += add;
    if (atomic_fetch_add(b->sum, add) + add <= x->body_sum_max)
        return true;
    error_set(err, 503, "too many large bodies are arriving");
    err->retry_after_ms = CROWD_RETRY_MS;
    return false;
}

static void
count_out(struct http_body *b)
{
    if (b->counted > 0)
        atomic_fetch_sub(b->sum, b->counted);
    b->counted = 0;
}

bool
http_body_add(void *body, struct str piece, struct error *err)
{
    struct http_body *b = body;

    if (piece.len > b->max - b->total)
        return too_large(b->max, err);
    if (!count_in(b, piece.len, err))
        return false;
    b->total += piece.len;
    if (b->is_multipart)
        return multipart_feed(&b->multipart, piece, err);
    buf_append(&b->plain, piece);
    return true;
}

bool
http_body_end(struct http_body *b, struct error *err)
{
    if (b->is_multipart)
        return multipart_finish(&b->multipart, err);
    b->x->request.body = buf_str(&b->plain);
    return true;
}

void
http_body_release(struct http_body *b)
{
    struct http_request *r = &b->x->request;

    if (b->file >= 0)
        close(b->file);
    b->file = -1;
    for (size_t i = 0; i < r->part_count; i++)
        if (!str_is_none(r->parts[i].path))
            unlink(r->parts[i].path.ptr);
    r->part_count = 0;
    if (b->is_multipart) {
        multipart_deinit(&b->multipart);
        buf_deinit(&b->text);
        b->is_multipart = false;
    }
    count_out(b);
    if (b->plain.cap > PLAIN_KEEP)
        buf_deinit(&b->plain);
    buf_clear(&b->plain);
}
