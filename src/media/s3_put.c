/* s3_put.c -- files into the bucket: small ones whole, large ones in parts, of which one at a time is mapped and sent.
 *
 * Parts become an object at the end, all at once. Should this process die before, they are left in the bucket, seen by
 * nobody; the bucket's own rule for unfinished uploads removes them (docs/scaling.md). */
#include "media/s3.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/types.h"

enum { PARTS_MAX = 1000, END_TRIES = 3 };

/* How whoever reads the object from the bucket itself is to be told of it, as storage.c does it here. */
static void
describe(struct s3_call *call, const char *name)
{
    struct str stem, extension;
    const struct media_type *type = NULL;

    if (str_cut(str_of(name), '.', &stem, &extension))
        type = media_type_by_extension(extension);
    if (!type)
        type = media_type_unknown();
    call->headers[call->header_count++] =
        (struct sigv4_header){ STR("cache-control"), STR("public, max-age=31536000, immutable") };
    if (!type->inline_safe)
        call->headers[call->header_count++] = (struct sigv4_header){ STR("content-disposition"), STR("attachment") };
    call->headers[call->header_count++] = (struct sigv4_header){ STR("content-type"), str_of(type->content_type) };
}

static bool
put_whole(struct s3 *s, int fd, int64_t size, const char *name, struct arena *a, struct error *err)
{
    struct s3_call call = s3_call_to("PUT", name);

    describe(&call, name);
    call.body_fd = fd;
    call.body_len = size;
    return (s3_call(&s->bucket, &call, a) && call.status == 200) || s3_refused(s, &call, "stored", err);
}

/* ---- in parts ---- */

struct parts {
    struct s3   *s;
    const char  *name;
    int          fd;
    int64_t      size;
    struct str   upload; /* the id of it, encoded */
    struct buf   list;   /* what was sent so far, as the end wants it told */
    struct arena arena;  /* of one call */
};

static bool
parts_begin(struct parts *p, struct arena *a, struct error *err)
{
    struct s3_call call = s3_call_to("POST", p->name);
    struct str id;

    describe(&call, p->name);
    call.query = STR("uploads=");
    if (!s3_call(&p->s->bucket, &call, a) || call.status != 200)
        return s3_refused(p->s, &call, "stored", err);
    id = s3_element(call.answer, STR("<UploadId>"));
    if (id.len == 0)
        return s3_refused(p->s, &call, "stored", err);
    p->upload = sigv4_encode(a, id, false);
    buf_append(&p->list, STR("<CompleteMultipartUpload>"));
    return true;
}

static bool
parts_add(struct parts *p, int64_t at, int64_t len, int number, struct error *err)
{
    struct s3_call call = s3_call_to("PUT", p->name);

    arena_reset(&p->arena);
    call.query = arena_printf(&p->arena, "partNumber=%d&uploadId=%.*s", number, STR_ARG(p->upload));
    call.body_fd = p->fd;
    call.body_at = at;
    call.body_len = len;
    if (!s3_call(&p->s->bucket, &call, &p->arena) || call.status != 200 || !call.etag[0])
        return s3_refused(p->s, &call, "stored", err);
    buf_append(&p->list, arena_printf(&p->arena, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", number,
                                      call.etag));
    return true;
}

/* An answer that got lost leaves us with "no such upload" for one that has become the object. */
static bool
parts_have_ended(struct parts *p, const struct s3_call *call)
{
    struct error ignored;
    int64_t size;

    return call->status == 404 && s3_size(&p->s->store, p->name, &size, &ignored) && size == p->size;
}

/* The answer to this may be 200 and yet say that it failed. */
static bool
parts_end(struct parts *p, struct error *err)
{
    struct s3_call call;
    bool failed;

    buf_append(&p->list, STR("</CompleteMultipartUpload>"));
    for (int i = 0; i < END_TRIES; i++) {
        arena_reset(&p->arena);
        call = s3_call_to("POST", p->name);
        call.query = arena_printf(&p->arena, "uploadId=%.*s", STR_ARG(p->upload));
        call.body = buf_str(&p->list);
        (void)s3_call(&p->s->bucket, &call, &p->arena);
        failed = call.status == 200 && str_find(call.answer, STR("<Error>")) >= 0;
        if (!failed)
            break;
    }
    if ((call.status == 200 && !failed) || parts_have_ended(p, &call))
        return true;
    if (call.status == 404) /* of the upload, not of a file that somebody asked for */
        call.status = 409;
    return s3_refused(p->s, &call, "stored", err);
}

static void
parts_drop(struct parts *p)
{
    struct s3_call call = s3_call_to("DELETE", p->name);

    arena_reset(&p->arena);
    call.query = arena_printf(&p->arena, "uploadId=%.*s", STR_ARG(p->upload));
    (void)s3_call(&p->s->bucket, &call, &p->arena);
}

static bool
put_parts(struct s3 *s, int fd, int64_t size, const char *name, struct arena *a, struct error *err)
{
    struct parts p = { .s = s, .name = name, .fd = fd, .size = size };
    int64_t part = s->part_size;
    int number = 0;
    bool ok;

    while (part * PARTS_MAX < size)
        part *= 2;
    buf_init(&p.list, MIB);
    arena_init(&p.arena);
    ok = parts_begin(&p, a, err);
    if (ok) {
        for (int64_t at = 0; ok && at < size; at += part)
            ok = parts_add(&p, at, size - at < part ? size - at : part, ++number, err);
        ok = ok && parts_end(&p, err);
        if (!ok)
            parts_drop(&p);
    }
    arena_deinit(&p.arena);
    buf_deinit(&p.list);
    return ok;
}

bool
s3_put(struct media_store *m, const char *path, const char *name, struct error *err)
{
    struct s3 *s = s3_of(m);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct arena a;
    struct stat st;
    bool ok;

    if (fd < 0 || fstat(fd, &st) != 0) {
        media_fail(err, "stored", path, errno);
        if (fd >= 0)
            close(fd);
        return false;
    }
    arena_init(&a);
    ok = st.st_size <= 2 * s->part_size ? put_whole(s, fd, st.st_size, name, &a, err)
                                        : put_parts(s, fd, st.st_size, name, &a, err);
    arena_deinit(&a);
    close(fd);
    if (ok)
        s3_keep_copy(s, path, name);
    return ok;
}
