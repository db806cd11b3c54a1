#include "api/idempotent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (256 * KIB)

bool
idempotent_key(const struct http_request *r, struct str *out, struct error *err)
{
    *out = http_header_get(r, STR("Idempotency-Key"));
    if (str_is_none(*out))
        return true;
    if (out->len == 0 || out->len > IDEMPOTENCY_KEY_MAX)
        return error_set(err, 400, "Idempotency-Key must have 1 to %d characters, not %zu", IDEMPOTENCY_KEY_MAX,
                         out->len);
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] < ' ' || out->ptr[i] > '~')
            return error_set(err, 400, "Idempotency-Key must be printable ASCII");
    return true;
}

/* A chain: the hash so far, then the length of what follows, then that. So no two lists of things hash alike by
 * how they are cut, and a large file needs no large memory. */
static void
hash_more(uint8_t hash[SHA256_SIZE], struct buf *room, struct str data)
{
    uint64_t len = data.len;

    buf_clear(room);
    buf_append(room, (struct str){ (const char *)hash, SHA256_SIZE });
    buf_append(room, (struct str){ (const char *)&len, sizeof(len) });
    buf_append(room, data);
    sha256(buf_str(room), hash);
}

static bool
hash_file(uint8_t hash[SHA256_SIZE], struct buf *room, struct str path, struct error *err)
{
    int     fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    char   *piece = malloc(PIECE);
    ssize_t n = -1;

    if (!piece)
        out_of_memory();
    while (fd >= 0 && (n = read(fd, piece, PIECE)) != 0) {
        if (n > 0)
            hash_more(hash, room, (struct str){ piece, (size_t)n });
        else if (errno != EINTR)
            break;
    }
    if (n < 0)
        error_set(err, 503, "An uploaded file could not be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    free(piece);
    return n == 0;
}

bool
idempotent_hash(const struct http_request *r, int64_t group_id, uint8_t out[SHA256_SIZE], struct error *err)
{
    uint8_t    method = (uint8_t)r->method;
    struct buf room;
    bool       ok = true;

    memset(out, 0, SHA256_SIZE);
    buf_init(&room, r->body.len + r->target.len + 64 * MIB);
    hash_more(out, &room, (struct str){ (const char *)&method, 1 });
    hash_more(out, &room, (struct str){ (const char *)&group_id, sizeof(group_id) });
    hash_more(out, &room, r->target);
    hash_more(out, &room, r->body);
    for (size_t i = 0; i < r->part_count && ok; i++) {
        hash_more(out, &room, r->parts[i].name);
        hash_more(out, &room, r->parts[i].file_name);
        hash_more(out, &room, r->parts[i].text);
        ok = str_is_none(r->parts[i].path) || hash_file(out, &room, r->parts[i].path, err);
    }
    buf_deinit(&room);
    return ok;
}
