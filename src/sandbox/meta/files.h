/* files.h -- media: bytes at a signed address that stops working after a while, as on Meta's CDN. */
#ifndef PARLEY_SANDBOX_META_FILES_H
#define PARLEY_SANDBOX_META_FILES_H

#include "base/map.h"
#include "http/http.h"

#define FB_FILES_BYTES_MAX ((size_t)256 << 20)
#define FB_FILES_MAX       100000

struct fb_file {
    int64_t         id;
    int64_t         owner;      /* the account that may send it again by its id; 0 = none */
    struct str      bytes, mime, name; /* owned; bytes none: they are gone */
    int64_t         made_ms;
    struct fb_file *newer;
};

struct fb_files {
    struct map      by_id;
    struct fb_file *oldest, *newest, *oldest_full; /* oldest_full: the first that may still have its bytes */
    size_t          bytes;
    int64_t         last_id;
    uint8_t         key[16];
    struct str      base_url;   /* owned: "http://127.0.0.1:8090", as the last request had it */
    int64_t         expires_ms; /* how long an address works that is made from now on */
};

void fb_files_init(struct fb_files *all, int64_t expires_ms);
void fb_files_deinit(struct fb_files *all);

/* Takes `bytes` (from malloc()); mime and name are copied, none = unknown. */
struct fb_file *fb_file_add(struct fb_files *all, struct str bytes, struct str mime, struct str name, int64_t now_ms);
struct fb_file *fb_file_get(const struct fb_files *all, int64_t id); /* NULL: never was, or is forgotten */

/* The file that an address of ours leads to; NULL: it is none of ours, or forgotten. */
struct fb_file *fb_file_at(const struct fb_files *all, struct str url);

/* What it held is gone, and all its addresses are dead. */
void fb_file_drop(struct fb_files *all, struct fb_file *f);

/* The bytes of an upload, from malloc(); none when it cannot be read. */
struct str fb_read_upload(const struct http_part *part);

/* A file that has no bytes yet gets a face; see sandbox/avatar.h. */
struct fb_file *fb_file_face(struct fb_files *all, int64_t person, int64_t now_ms);

/* Its address, which works for `expires_ms` from `now_ms` on; in `a`. */
struct str fb_file_url(const struct fb_files *all, const struct fb_file *f, int64_t now_ms, struct arena *a);

/* Answers GET /meta-cdn/<id>?oe=<expiry>&signature=<hex>: 200, 403 for a wrong signature, 410 when it is too late. */
void fb_file_serve(struct fb_files *all, struct http_exchange *x, int64_t now_ms);

#endif
