/* sniff.c -- libmagic, and a second look where what it says is too coarse.
 *
 * Platforms care whether a container holds a film or only sound, and libmagic goes by the container's brand: voice
 * messages from Messenger are MP4 files of the general brand. So the tracks are looked for. */
#include "media/sniff.h"

#include <magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"

/* The one handle: making it takes a while and some megabytes, and it serves one thread at a time. */
static pthread_mutex_t magic_lock = PTHREAD_MUTEX_INITIALIZER;
static magic_t magic;

/* Not asked for: looking into archives, executables and compound documents, the parts with a history; and
 * whether a text is CSV, which it says of many a letter. It tells an image in microseconds but searches a
 * text for hundreds of things, so it gets as much as it needs and no more (measured: 3 ms for 16 KiB of text,
 * 10 ms for 512). */
enum {
    MAGIC_FLAGS = MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF
                | MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_CSV,
    MAGIC_HEAD = 16 * 1024
};

static bool
ask_libmagic(struct str head, const struct media_type **out, struct error *err)
{
    const char *said = NULL;

    pthread_mutex_lock(&magic_lock);
    if (!magic) {
        magic = magic_open(MAGIC_FLAGS);
        if (!magic)
            out_of_memory();
        if (magic_load(magic, NULL) != 0) {
            error_set(err, 500, "libmagic cannot load its list of file types: %s", magic_error(magic));
            magic_close(magic);
            magic = NULL;
            pthread_mutex_unlock(&magic_lock);
            return false;
        }
    }
    said = magic_buffer(magic, head.ptr, head.len < MAGIC_HEAD ? head.len : MAGIC_HEAD);
    *out = said ? media_type_by_content(str_of(said)) : NULL;
    if (!*out && said && str_starts(str_of(said), STR("text/"))) /* programs and the like */
        *out = media_type_by_content(STR("text/plain"));
    pthread_mutex_unlock(&magic_lock);
    if (!*out)
        *out = media_type_unknown();
    return true;
}

/* ---- containers ---- */

enum tracks { TRACKS_UNKNOWN, TRACKS_SOUND, TRACKS_FILM };

static bool
has(struct str s, struct str needle)
{
    return str_find(s, needle) >= 0;
}

/* Every stream announces itself in a page at the beginning. */
static enum tracks
ogg_tracks(struct str head, int fd)
{
    struct str pages = str_slice(head, 0, 4096);

    (void)fd;
    if (has(pages, STR("\x80theora")) || has(pages, STR("OVP80")))
        return TRACKS_FILM;
    if (has(pages, STR("OpusHead")) || has(pages, STR("\x01vorbis")) || has(pages, STR("\x7F" "FLAC"))
        || has(pages, STR("Speex   ")))
        return TRACKS_SOUND;
    return TRACKS_UNKNOWN;
}

/* Tracks name their codecs, and the list of tracks comes before the data. */
static enum tracks
webm_tracks(struct str head, int fd)
{
    (void)fd;
    if (has(head, STR("V_VP8")) || has(head, STR("V_VP9")) || has(head, STR("V_AV1")))
        return TRACKS_FILM;
    if (has(head, STR("A_OPUS")) || has(head, STR("A_VORBIS")))
        return TRACKS_SOUND;
    return TRACKS_UNKNOWN;
}

/* In the index of an MP4 each track has a handler box: "hdlr", version and flags, four bytes of nothing, its
 * kind. */
static enum tracks
handlers(struct str index)
{
    enum tracks found = TRACKS_UNKNOWN;
    ptrdiff_t at;

    for (; (at = str_find(index, STR("hdlr"))) >= 0; index = str_from(index, (size_t)at + 4)) {
        struct str kind = str_slice(index, (size_t)at + 12, 4);

        if (str_eq(kind, STR("vide")))
            return TRACKS_FILM;
        if (str_eq(kind, STR("soun")))
            found = TRACKS_SOUND;
    }
    return found;
}

static uint64_t
big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* An MP4 is a row of boxes, each with its length in front, and the index ("moov") may be the last. */
static enum tracks
mp4_tracks(struct str head, int fd)
{
    enum { BOXES_MAX = 64, INDEX_MAX = 1024 * 1024 };
    uint64_t at = 0;

    (void)head;
    for (int i = 0; i < BOXES_MAX; i++) {
        unsigned char box[16];
        ssize_t got = pread(fd, box, sizeof(box), (off_t)at);
        uint64_t len, left = (uint64_t)INT64_MAX - at;

        if (got < 8)
            break;
        len = big_endian(box, 4);
        if (len == 1 && got == 16)
            len = big_endian(box + 8, 8);
        if (memcmp(box + 4, "moov", 4) == 0) {
            char *index = malloc(INDEX_MAX);
            enum tracks found;

            if (!index)
                out_of_memory();
            got = pread(fd, index, len > 0 && len < INDEX_MAX ? (size_t)len : INDEX_MAX, (off_t)at);
            found = got > 0 ? handlers((struct str){ index, (size_t)got }) : TRACKS_UNKNOWN;
            free(index);
            return found;
        }
        if (len < 8 || len > left)
            break;
        at += len;
    }
    return TRACKS_UNKNOWN;
}

/* The container at hand, by what its tracks turn out to be. */
static bool
look_inside(struct str head, int fd, const struct media_type *seen, const struct media_type **out)
{
    static const struct {
        const char *film, *sound; /* libmagic says the first of both */
        enum tracks (*tracks)(struct str head, int fd);
    } containers[] = {
        { "video/ogg", "audio/ogg", ogg_tracks },
        { "video/webm", "audio/webm", webm_tracks },
        { "video/mp4", "audio/mp4", mp4_tracks },
    };

    for (size_t i = 0; i < COUNT(containers); i++) {
        enum tracks tracks;

        if (strcmp(seen->content_type, containers[i].film) != 0)
            continue;
        tracks = containers[i].tracks(head, fd);
        if (tracks == TRACKS_UNKNOWN)
            return false;
        *out = media_type_by_content(str_of(tracks == TRACKS_FILM ? containers[i].film : containers[i].sound));
        return true;
    }
    return false;
}

bool
sniff(struct str head, int fd, struct str claimed, const struct media_type **out, struct error *err)
{
    const struct media_type *seen;

    if (str_starts(head, STR("OggS"))) /* which libmagic only knows with codecs that it knows */
        seen = media_type_by_content(STR("video/ogg"));
    else if (!ask_libmagic(head, &seen, err))
        return false;
    if (!look_inside(head, fd, seen, out))
        *out = media_type_refine(seen, claimed);
    return true;
}
