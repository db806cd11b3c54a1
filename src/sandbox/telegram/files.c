/* files.c -- see files.h. */
#include "sandbox/telegram/files.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/random.h"
#include "sandbox/own.h"

static const struct {
    const char *name, *folder;
    uint8_t     number; /* the first byte of an id, which makes "AgAC..." of a photo's */
} kinds[TG_FILE_KINDS] = {
    [TG_THUMBNAIL] = { "Thumbnail", "thumbnails", 0 },
    [TG_PROFILE_PHOTO] = { "ProfilePhoto", "profile_photos", 1 },
    [TG_PHOTO] = { "Photo", "photos", 2 },
    [TG_VOICE] = { "VoiceNote", "voice", 3 },
    [TG_VIDEO] = { "Video", "videos", 4 },
    [TG_DOCUMENT] = { "Document", "documents", 5 },
    [TG_STICKER] = { "Sticker", "stickers", 8 },
    [TG_AUDIO] = { "Audio", "music", 9 },
    [TG_ANIMATION] = { "Animation", "animations", 10 },
    [TG_VIDEO_NOTE] = { "VideoNote", "video_notes", 13 },
};

const char *
tg_kind_name(enum tg_file_kind kind)
{
    return kinds[kind].name;
}

void
tg_files_init(struct tg_files *all)
{
    *all = (struct tg_files){ .last_number = 0 };
    random_bytes(&all->salt, sizeof(all->salt));
}

/* ---- bytes ---- */

static void
drop_bytes(struct tg_files *all, struct tg_blob *blob)
{
    if (blob->dropped)
        return;
    if (blob->older)
        blob->older->newer = blob->newer;
    else
        all->oldest_blob = blob->newer;
    if (blob->newer)
        blob->newer->older = blob->older;
    else
        all->newest_blob = blob->older;
    all->bytes -= blob->size;
    free(blob->bytes);
    blob->bytes = NULL;
    blob->dropped = true;
}

static struct tg_blob *
blob_new(struct tg_files *all, char *bytes, size_t size)
{
    struct tg_blob *blob = own_alloc(sizeof(*blob));

    *blob = (struct tg_blob){ .bytes = bytes, .size = size, .uses = 1, .older = all->newest_blob };
    if (all->newest_blob)
        all->newest_blob->newer = blob;
    else
        all->oldest_blob = blob;
    all->newest_blob = blob;
    all->bytes += size;
    while (all->bytes > TG_FILES_BYTES_MAX && all->oldest_blob != blob)
        drop_bytes(all, all->oldest_blob);
    return blob;
}

struct tg_blob *
tg_blob_copy(struct tg_files *all, struct str bytes)
{
    char *copy = own_checked(malloc(bytes.len + 1));

    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return blob_new(all, copy, bytes.len);
}

static bool
read_all(int fd, char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, bytes + at, size - at);

        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

struct tg_blob *
tg_blob_read(struct tg_files *all, const char *path)
{
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char       *bytes = NULL;
    bool        ok;

    if (fd < 0)
        return NULL;
    ok = fstat(fd, &st) == 0 && (bytes = malloc((size_t)st.st_size + 1)) != NULL
        && read_all(fd, bytes, (size_t)st.st_size);
    close(fd);
    if (ok)
        return blob_new(all, bytes, (size_t)st.st_size);
    free(bytes);
    return NULL;
}

void
tg_blob_release(struct tg_files *all, struct tg_blob *blob)
{
    if (!blob || --blob->uses > 0)
        return;
    drop_bytes(all, blob);
    free(blob);
}

/* ---- files ---- */

static void
forget_oldest(struct tg_files *all)
{
    struct tg_file *f = all->oldest;

    all->oldest = f->newer;
    if (!all->oldest)
        all->newest = NULL;
    map_take(&all->by_number, f->number);
    tg_blob_release(all, f->blob);
    free(f->extension);
    free(f->content);
    free(f);
}

void
tg_files_deinit(struct tg_files *all)
{
    while (all->oldest)
        forget_oldest(all);
    map_deinit(&all->by_number);
}

struct tg_file *
tg_file_add(struct tg_files *all, int64_t bot, enum tg_file_kind kind, struct tg_blob *blob, const char *extension)
{
    struct tg_file *f = own_alloc(sizeof(*f));

    *f = (struct tg_file){ .number = ++all->last_number, .bot = bot, .kind = kind, .blob = blob };
    f->extension = own_checked(strdup(extension));
    blob->uses++;
    if (all->newest)
        all->newest->newer = f;
    else
        all->oldest = f;
    all->newest = f;
    map_put(&all->by_number, f->number, f);
    if (all->by_number.count > TG_FILES_MAX)
        forget_oldest(all);
    return f;
}

void
tg_file_set_content(struct tg_file *f, struct str content)
{
    free(f->content);
    f->content = own_checked(strndup(content.ptr, content.len));
}

const char *
tg_file_content(const struct tg_files *all, const struct tg_file *f)
{
    const struct tg_file *main = f->content_of > 0 ? map_get(&all->by_number, f->content_of) : f;

    return main ? main->content : NULL;
}

/* ---- ids: base64 of what the file is, with a check that makes guessing idle ---- */

struct id_bytes {
    uint8_t kind, zero, two;
    uint8_t bot[8], number[8], check[8];
};

static void
put_be64(uint8_t out[8], uint64_t n)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(n >> (56 - 8 * i));
}

static uint64_t
get_be64(const uint8_t in[8])
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | in[i];
    return n;
}

static void
set_check(const struct tg_files *all, struct id_bytes *id)
{
    uint8_t hash[SHA256_SIZE], salted[27];

    put_be64(salted, all->salt);
    memcpy(salted + 8, id, 19);
    sha256((struct str){ (const char *)salted, sizeof(salted) }, hash);
    memcpy(id->check, hash, sizeof(id->check));
}

/* The URL alphabet without padding: "." and "/" never occur, which is how an id is told from a URL. */
static const char *
encode(const void *bytes, size_t n, char out[TG_FILE_ID_MAX])
{
    struct buf b;

    buf_init(&b, TG_FILE_ID_MAX);
    base64url_encode(&b, (struct str){ bytes, n });
    assert(buf_ok(&b) && b.len < TG_FILE_ID_MAX);
    memcpy(out, b.ptr, b.len);
    out[b.len] = '\0';
    buf_deinit(&b);
    return out;
}

const char *
tg_file_id(const struct tg_files *all, const struct tg_file *f, char out[TG_FILE_ID_MAX])
{
    struct id_bytes id = { .kind = kinds[f->kind].number, .two = 2 };

    put_be64(id.bot, (uint64_t)f->bot);
    put_be64(id.number, (uint64_t)f->number);
    set_check(all, &id);
    return encode(&id, sizeof(id), out);
}

const char *
tg_file_unique_id(const struct tg_files *all, const struct tg_file *f, char out[TG_FILE_ID_MAX])
{
    struct id_bytes id = { .kind = 0 };
    uint8_t         unique[9] = { f->kind == TG_PHOTO || f->kind == TG_THUMBNAIL ? 1 : 2, 0, 3 };

    put_be64(id.number, (uint64_t)f->number);
    set_check(all, &id);
    memcpy(unique + 3, id.check, 6);
    return encode(unique, sizeof(unique), out);
}

const char *
tg_file_path(const struct tg_file *f, char out[TG_FILE_ID_MAX])
{
    snprintf(out, TG_FILE_ID_MAX, "%s/file_%lld%.16s", kinds[f->kind].folder, (long long)f->number, f->extension);
    return out;
}

struct tg_file *
tg_file_by_id(const struct tg_files *all, int64_t bot, struct str id, const char **reason)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";
    struct id_bytes   parts, again;
    struct buf        b;
    bool              whole;

    *reason = "Wrong padding in the string";
    for (size_t i = 0; i < id.len; i++)
        if (!memchr(alphabet, id.ptr[i], sizeof(alphabet) - 1))
            *reason = "Wrong character in the string";
    buf_init(&b, TG_FILE_ID_MAX);
    whole = base64_decode(id, &b) && buf_ok(&b);
    if (whole)
        *reason = "can't unserialize it. Wrong last symbol";
    whole = whole && b.len == sizeof(parts);
    if (whole)
        memcpy(&parts, b.ptr, sizeof(parts));
    buf_deinit(&b);
    if (!whole)
        return NULL;
    again = parts;
    set_check(all, &again);
    if (memcmp(&again, &parts, sizeof(parts)) != 0 || (int64_t)get_be64(parts.bot) != bot)
        return NULL;
    *reason = NULL;
    return map_get(&all->by_number, (int64_t)get_be64(parts.number));
}

struct tg_file *
tg_file_by_path(const struct tg_files *all, int64_t bot, struct str path)
{
    ptrdiff_t       at = str_find(path, STR("/file_"));
    struct str      digits = at >= 0 ? str_from(path, (size_t)at + 6) : STR("");
    int64_t         number = 0;
    struct tg_file *f;
    char            real[TG_FILE_ID_MAX];

    for (size_t i = 0; i < digits.len && i < 18 && digits.ptr[i] >= '0' && digits.ptr[i] <= '9'; i++)
        number = number * 10 + (digits.ptr[i] - '0');
    f = map_get(&all->by_number, number);
    return f && f->bot == bot && str_eq(path, str_of(tg_file_path(f, real))) ? f : NULL;
}
