/* media.h -- files that messages carry, kept under names that never change.
 *
 * An object's name is random and carries its type ("8fKq...Zt.jpg"), so serving one needs no database and its URL
 * tells nothing. Two stores stand behind this page: a folder (disk.c) and an S3 bucket. */
#ifndef PARLEY_MEDIA_MEDIA_H
#define PARLEY_MEDIA_MEDIA_H

#include "base/arena.h"
#include "base/error.h"

struct media_store;

#define MEDIA_NAME_MAX 40

/* What a file is, told from its bytes (libmagic), not from what someone called it. */
struct media_info {
    char        name[MEDIA_NAME_MAX]; /* of the stored object */
    const char *content_type;         /* lives for ever */
    const char *kind;                 /* "image", "video", "audio", "file" */
    int64_t     size;
    int         width, height;        /* of png, jpeg, gif, webp as shown; 0 = unknown */
};

/* Makes the folder when it is missing, and removes what has lain in its spool for more than a day. */
bool media_open_disk(const char *folder, struct media_store **out, struct error *err);

struct media_s3_options {
    struct str  endpoint;            /* https://s3.eu-central-1.amazonaws.com */
    struct str  region, bucket, prefix;
    struct str  key_id, secret;
    bool        path_style;          /* https://host/bucket/... instead of https://bucket.host/... */
    const char *folder;              /* for what is arriving, and for copies of what was asked for */
    int64_t     copies_max;          /* bytes */
    int64_t     url_seconds;         /* how long addresses from media_url() work; 0 = there are none */
    bool        only_reads;          /* whether we may write need not be known */

    /* 0 = the usual; tests differ. */
    int64_t     part_size;           /* of large uploads, in bytes; a multiple of 64 KiB */
    int         patience_ms, again_ms; /* until a silent bucket is given up; until it is asked again */
};
/* Puts something into the bucket, and removes it, so that wrong settings are found now. */
bool media_open_s3(const struct media_s3_options *o, struct media_store **out, struct error *err);
void media_hurry(struct media_store *m); /* it will be closed: nothing is tried again any more; NULL is fine */
void media_close(struct media_store *m); /* NULL is fine */

/* Everything that touches an object may take long: not for a loop's thread. */
bool media_is_remote(const struct media_store *m);

/* A new file name on the store's file system for something that is arriving; the caller writes and then adds
 * or unlinks it. */
struct str media_spool_path(struct media_store *m, struct arena *a);
const char *media_spool_dir(struct media_store *m);

/* Looks into a file without storing it; `name` is empty. `claimed_type` (may be none) decides only between
 * types the bytes leave open: text formats, formats that are zip files, a container whose tracks cannot be
 * told, Telegram's gzipped stickers. */
bool media_inspect(const char *path, struct str claimed_type, struct media_info *out, struct error *err);

/* Moves the file at `path` (of the spool) into the store, durably, under a new name; the file is gone from
 * `path` either way. Blocks for the disk. A full disk is a 503. Until media_named() is called there is a mark that
 * nothing may name the object yet. */
bool media_add(struct media_store *m, const char *path, struct str claimed_type, struct media_info *out,
               struct error *err);

/* Something names the object by now, for good: takes its mark away. Quick, so a loop's thread may. */
void media_named(struct media_store *m, struct str name);

/* The marks made before `before_ms`, in `a`: objects that whoever stored them died before, or after, something named
 * them. */
void media_marked(struct media_store *m, int64_t before_ms, struct arena *a, struct str **out, size_t *n);

/* A local path to the object's bytes, in `a`; on disk that is the object itself. 404 when there is none. */
bool media_path(struct media_store *m, struct str name, struct arena *a, struct str *out, struct error *err);

/* For serving. Opens the object; *content_type lives for ever. A name that is not one of ours is a 404,
 * whatever it holds. */
bool media_open(struct media_store *m, struct str name, int *fd, const char **content_type, int64_t *modified_ms,
                struct error *err);
/* Where else the object can be read for a while, without us: with GET, or with HEAD, for which the address is another.
 * Whether it is there is not looked at. False when nowhere. */
bool media_url(struct media_store *m, struct str name, bool with_head, struct arena *a, struct str *out);
bool media_remove(struct media_store *m, struct str name, struct error *err); /* gone already is fine */

/* For moving objects between stores. A 404 when there is none of that name. */
bool media_size(struct media_store *m, struct str name, int64_t *out, struct error *err);
bool media_fetch(struct media_store *m, struct str name, const char *path, struct error *err); /* to a new file */
/* As media_add(), under a name that another store gave it. */
bool media_put(struct media_store *m, const char *path, struct str name, struct error *err);

/* Images, audio and video may be shown in a page; everything else is a download. */
bool media_is_inline_safe(const char *content_type);

#endif
