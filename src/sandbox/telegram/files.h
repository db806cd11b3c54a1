/* files.h -- what was sent and can be fetched, named by ids that tell nothing.
 *
 * Bytes are bounded: the oldest go first, and then getFile says that the file is temporarily
 * unavailable. Several files may share one set of bytes: the sizes of a photo here all do, for nothing
 * here can shrink a picture. */
#ifndef PARLEY_SANDBOX_TELEGRAM_FILES_H
#define PARLEY_SANDBOX_TELEGRAM_FILES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"

#define TG_FILES_BYTES_MAX ((size_t)256 << 20)
#define TG_FILES_MAX       ((size_t)100000)

enum tg_file_kind {
    TG_THUMBNAIL, TG_PROFILE_PHOTO, TG_PHOTO, TG_VOICE, TG_VIDEO, TG_DOCUMENT, TG_STICKER, TG_AUDIO, TG_ANIMATION,
    TG_VIDEO_NOTE, TG_FILE_KINDS
};

struct tg_blob { /* counted: one for each file, one for whoever made it */
    char           *bytes;
    size_t          size, uses;
    bool            dropped; /* `bytes` are gone */
    struct tg_blob *older, *newer;
};

struct tg_file {
    int64_t           number, bot;
    enum tg_file_kind kind;
    struct tg_blob   *blob;
    char             *extension; /* with its dot */
    char             *content;   /* members of a Message: "video":{...}; NULL for one that cannot be sent again */
    int64_t           content_of; /* or the number of the file that has them */
    struct tg_file   *newer;
};

struct tg_files {
    struct map      by_number;
    struct tg_file *oldest, *newest;
    struct tg_blob *oldest_blob, *newest_blob;
    size_t          bytes;
    int64_t         last_number;
    uint64_t        salt;
};

void tg_files_init(struct tg_files *all);
void tg_files_deinit(struct tg_files *all);

/* Bytes in memory of their own, copied or read from a file. NULL when the file cannot be read. Given
 * back with tg_blob_release(). */
struct tg_blob *tg_blob_copy(struct tg_files *all, struct str bytes);
struct tg_blob *tg_blob_read(struct tg_files *all, const char *path);
void            tg_blob_release(struct tg_files *all, struct tg_blob *blob);

/* A new file of these bytes, of one bot. `extension` is copied. */
struct tg_file *tg_file_add(struct tg_files *all, int64_t bot, enum tg_file_kind kind, struct tg_blob *blob,
    const char *extension);
void            tg_file_set_content(struct tg_file *f, struct str content);

#define TG_FILE_ID_MAX 80
const char *tg_file_id(const struct tg_files *all, const struct tg_file *f, char out[TG_FILE_ID_MAX]);
const char *tg_file_unique_id(const struct tg_files *all, const struct tg_file *f, char out[TG_FILE_ID_MAX]);
const char *tg_file_path(const struct tg_file *f, char out[TG_FILE_ID_MAX]); /* "photos/file_12.jpg" */

/* The file this bot knows by that id. NULL with the reason, as the real server words it, when it is no
 * id of this bot's; NULL with `reason` NULL when it was one and has been forgotten. */
struct tg_file *tg_file_by_id(const struct tg_files *all, int64_t bot, struct str id, const char **reason);
struct tg_file *tg_file_by_path(const struct tg_files *all, int64_t bot, struct str path); /* NULL when there is none */
const char     *tg_file_content(const struct tg_files *all, const struct tg_file *f);      /* NULL when it has none */

const char *tg_kind_name(enum tg_file_kind kind); /* "Photo", as error texts have it */

#endif
