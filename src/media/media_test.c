#include "base/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/testing.h"
#include "media/driver.h"
#include "media/testing_media.h"

static struct place place;
static struct media_store *store;
static struct media_info info;
static struct arena arena;
static struct error err;

static void
set_up(void)
{
    place_make(&place);
    ck_assert_msg(media_open_disk(place_path(&place, "media", ""), &store, &err), "%s", err.message);
}

static void
tear_down(void)
{
    media_close(store);
    arena_deinit(&arena);
    place_remove(&place);
}

/* ---- what a file is ---- */

#define ZEROS_4 "\0\0\0\0"
#define ZEROS_8 ZEROS_4 ZEROS_4
#define ZEROS_10 ZEROS_8 "\0\0"
#define OGG(codec) "OggS\0\2" ZEROS_8 "abcd" ZEROS_8 "\1\x13" codec ZEROS_8 ZEROS_8 ZEROS_8
#define FTYP(brand) "\0\0\0\x14" "ftyp" brand "\0\0\2\0" brand
#define TRACK(kind) \
    "\0\0\0\x38" "trak" "\0\0\0\x08" "tkhd" "\0\0\0\x28" "mdia" "\0\0\0\x20" "hdlr" ZEROS_8 kind ZEROS_8 ZEROS_4
#define MOOV1(kind) "\0\0\0\x48" "moov" "\0\0\0\x08" "mvhd" TRACK(kind)
#define MOOV2(one, two) "\0\0\0\x80" "moov" "\0\0\0\x08" "mvhd" TRACK(one) TRACK(two)
#define MDAT "\0\0\0\x10" "mdat" "hdlrvide"
#define MDAT64 "\0\0\0\1" "mdat" "\0\0\0\0\0\0\0\x14" "\1\2\3\4"
#define EBML(doctype) \
    "\x1A\x45\xDF\xA3\x8B\x42\x86\x81\1\x42\x82\x84" doctype "\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
#define GZIP "\x1F\x8B\x08\0\0\0\0\0\0\3\xAB\x56\x2A\x49\x2F\x56\xB2\x32\xAC\x05\0\0\0\0\0\0"
#define ZIP \
    "PK\3\4\x14\0\0\0\0\0\x69\xAA\x79\x5D\x15\x26\xDB\xFB\1\0\0\0\1\0\0\0\x0B\0\0\0holiday.txty" \
    "PK\1\2\x14\3\x14\0\0\0\0\0\x69\xAA\x79\x5D\x15\x26\xDB\xFB\1\0\0\0\1\0\0\0\x0B\0\0\0" ZEROS_10 "\x80\1" ZEROS_4
#define PNG_3x2 "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\3\0\0\0\2\x08\2\0\0\0\x12\x16\xF1\x4D"
#define GIF_5x4 "GIF89a\5\0\4\0\0\0\0;"
#define JPEG_9x7 \
    "\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" "\xFF\xC0\0\x11\x08\0\7\0\x09\3\1\x22\0\2\x11\1\3\x11\1\xFF\xD9"
#define WEBP_11x12 "RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\x0A\0\0\x0B\0\0"
#define WAV "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1F\0\0\x40\x1F\0\0\1\0\x08\0" "data\0\0\0\0"

static const struct {
    struct str bytes, claimed;
    const char *type, *kind, *extension;
    int width, height;
} files[] = {
    { STR(PNG_3x2), STR_NONE, "image/png", "image", "png", 3, 2 },
    { STR(PNG_3x2), STR("text/html"), "image/png", "image", "png", 3, 2 }, /* what it is, not what it is called */
    { STR(GIF_5x4), STR("video/mp4"), "image/gif", "image", "gif", 5, 4 },
    { STR(JPEG_9x7), STR_NONE, "image/jpeg", "image", "jpg", 9, 7 },
    { STR(WEBP_11x12), STR_NONE, "image/webp", "image", "webp", 11, 12 },
    { STR(OGG("OpusHead\1\1")), STR_NONE, "audio/ogg", "audio", "ogg", 0, 0 },
    { STR(OGG("\x01vorbis\0")), STR("video/ogg"), "audio/ogg", "audio", "ogg", 0, 0 },
    { STR(OGG("\x80theora\3\2\1")), STR("audio/ogg"), "video/ogg", "video", "ogv", 0, 0 },
    { STR(OGG("whatever")), STR("audio/ogg; codecs=opus"), "audio/ogg", "audio", "ogg", 0, 0 },
    { STR(FTYP("isom") MDAT MOOV2("soun", "vide")), STR("audio/mp4"), "video/mp4", "video", "mp4", 0, 0 },
    { STR(FTYP("isom") MDAT MOOV1("soun")), STR("video/mp4"), "audio/mp4", "audio", "m4a", 0, 0 },
    { STR(FTYP("mp42") MDAT64 MOOV1("vide")), STR_NONE, "video/mp4", "video", "mp4", 0, 0 },
    { STR(FTYP("M4A ") MDAT), STR_NONE, "audio/mp4", "audio", "m4a", 0, 0 },
    { STR(FTYP("isom") MDAT), STR("audio/x-m4a"), "audio/mp4", "audio", "m4a", 0, 0 }, /* no index: the claim decides */
    { STR(FTYP("isom") MDAT), STR_NONE, "video/mp4", "video", "mp4", 0, 0 },
    { STR(FTYP("isom") "\0\0\0\0mdat\0\0"), STR_NONE, "video/mp4", "video", "mp4", 0, 0 }, /* a box without end */
    { STR(FTYP("isom") "\0\0\0\1mdat\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), STR_NONE, "video/mp4", "video", "mp4", 0, 0 },
    { STR(FTYP("qt  ") MDAT), STR_NONE, "video/quicktime", "video", "mov", 0, 0 },
    { STR(FTYP("3gp4") MDAT), STR_NONE, "video/3gpp", "video", "3gp", 0, 0 },
    { STR(FTYP("heic") MDAT), STR_NONE, "image/heic", "image", "heic", 0, 0 },
    { STR(EBML("webm") "\x86\x85V_VP9"), STR_NONE, "video/webm", "video", "webm", 0, 0 },
    { STR(EBML("webm") "\x86\x86" "A_OPUS"), STR_NONE, "audio/webm", "audio", "weba", 0, 0 },
    { STR(EBML("webm") "\x86\x86" "A_OPUS\x86\x85V_VP8"), STR("audio/webm"), "video/webm", "video", "webm", 0, 0 },
    { STR(WAV), STR_NONE, "audio/wav", "audio", "wav", 0, 0 },
    { STR("ID3\3\0\0\0\0\0\x0A" ZEROS_10 "\xFF\xFB\x90\x64" ZEROS_4), STR_NONE, "audio/mpeg", "audio", "mp3", 0, 0 },
    { STR("#!AMR\n\x3C\x3C\x3C\x3C"), STR_NONE, "audio/amr", "audio", "amr", 0, 0 },
    { STR("%PDF-1.4\n%\xE2\xE3\n1 0 obj\n"), STR("image/png"), "application/pdf", "file", "pdf", 0, 0 },
    { STR(GZIP), STR_NONE, "application/gzip", "file", "gz", 0, 0 },
    { STR(GZIP), STR("application/x-tgsticker"), "application/x-tgsticker", "file", "tgs", 0, 0 },
    { STR("{\"tgs\":1}"), STR("application/x-tgsticker"), "application/json", "file", "json", 0, 0 },
    { STR(ZIP), STR_NONE, "application/zip", "file", "zip", 0, 0 },
    { STR(ZIP), STR("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "file", "xlsx", 0, 0 },
    { STR("Dear all,\n"), STR_NONE, "text/plain", "file", "txt", 0, 0 },
    { STR("# Hello\n"), STR("text/markdown; charset=utf-8"), "text/markdown", "file", "md", 0, 0 },
    { STR("Dear Ann, dear Bob\nthis, I think, is\nno, table, at all\n"), STR_NONE, "text/plain", "file", "txt", 0, 0 },
    { STR("a,b,c\n1,2,3\n4,5,6\n"), STR("text/csv"), "text/csv", "file", "csv", 0, 0 },
    { STR("Dear all,\n"), STR("image/png"), "text/plain", "file", "txt", 0, 0 },
    { STR("{\"a\":1}"), STR_NONE, "application/json", "file", "json", 0, 0 },
    { STR("#!/bin/sh\necho\n"), STR_NONE, "text/plain", "file", "txt", 0, 0 },
    { STR("<!DOCTYPE html><html><body>x</body></html>"), STR("image/jpeg"), "text/html", "file", "html", 0, 0 },
    { STR("<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>"), STR("image/png"), "image/svg+xml", "file", "svg", 0, 0 },
    { STR("\xFE\xFD\xFC\x01\x02\x03"), STR("image/png"), "application/octet-stream", "file", "bin", 0, 0 },
    { STR(""), STR("image/png"), "application/octet-stream", "file", "bin", 0, 0 },
};

START_TEST(a_file_is_what_its_bytes_say)
{
    struct str name, extension;
    char expected[8];

    ck_assert_msg(testing_media_add(store, files[_i].bytes, files[_i].claimed, &info, &err), "%s", err.message);
    ck_assert_str_eq(info.content_type, files[_i].type);
    ck_assert_str_eq(info.kind, files[_i].kind);
    ck_assert_int_eq(info.size, (int64_t)files[_i].bytes.len);
    ck_assert_int_eq(info.width, files[_i].width);
    ck_assert_int_eq(info.height, files[_i].height);
    ck_assert(str_cut(str_of(info.name), '.', &name, &extension));
    snprintf(expected, sizeof(expected), "%.*s", STR_ARG(extension));
    ck_assert_str_eq(expected, files[_i].extension);
}
END_TEST

START_TEST(only_what_runs_nothing_is_shown_in_a_page)
{
    static const char *const safe[] = { "image/png", "image/jpeg", "video/mp4", "audio/ogg", "AUDIO/OGG; codecs=opus" };
    static const char *const unsafe[] = { "image/svg+xml", "text/html", "text/xml", "application/xhtml+xml",
                                          "text/plain", "application/pdf", "application/octet-stream",
                                          "image/made-up", "", "image/" };

    for (size_t i = 0; i < COUNT(safe); i++)
        ck_assert_msg(media_is_inline_safe(safe[i]), "%s", safe[i]);
    for (size_t i = 0; i < COUNT(unsafe); i++)
        ck_assert_msg(!media_is_inline_safe(unsafe[i]), "%s", unsafe[i]);
}
END_TEST

/* ---- keeping it ---- */

static int
count_files(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static void
expect_404(struct str name)
{
    const char *type;
    int64_t ms;
    int fd = -1;

    ck_assert(!media_open(store, name, &fd, &type, &ms, &err));
    ck_assert_int_eq(err.status, 404);
    ck_assert_int_eq(fd, -1);
}

START_TEST(what_was_added_is_there_until_it_is_removed)
{
    struct media_info other;
    struct str path, name;
    const char *type;
    int64_t ms, now_ms = clock_now_ms();
    char bytes[64];
    struct stat st;
    int fd;

    ck_assert(testing_media_add(store, STR(GIF_5x4), STR_NONE, &info, &err));
    ck_assert(testing_media_add(store, STR(GIF_5x4), STR_NONE, &other, &err));
    ck_assert_str_ne(info.name, other.name);
    name = str_of(info.name);
    ck_assert(media_open(store, name, &fd, &type, &ms, &err));
    ck_assert_str_eq(type, "image/gif");
    ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), sizeof(GIF_5x4) - 1);
    ck_assert_mem_eq(bytes, GIF_5x4, sizeof(GIF_5x4) - 1);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    ck_assert(ms > now_ms - 10000 && ms < now_ms + 10000);

    ck_assert(media_path(store, name, &arena, &path, &err));
    ck_assert_int_eq(stat(path.ptr, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    media_named(store, name);
    media_named(store, str_of(other.name));
    ck_assert_int_eq(count_files(media_spool_dir(store)), 0);

    ck_assert(media_remove(store, name, &err));
    ck_assert(media_remove(store, name, &err));
    expect_404(name);
    ck_assert(!media_path(store, name, &arena, &path, &err));
    ck_assert_int_eq(err.status, 404);
    ck_assert(media_open(store, str_of(other.name), &fd, &type, &ms, &err));
    close(fd);
}
END_TEST

START_TEST(what_nothing_names_yet_has_a_mark)
{
    const char *file = place_path(&place, "media/spool/", "upload-1");
    int64_t before_ms = clock_now_ms() - 3600000;
    struct media_info other;
    struct str *names;
    size_t n;

    close(open(file, O_CREAT | O_WRONLY, 0600));
    ck_assert(testing_media_add(store, STR(GIF_5x4), STR_NONE, &info, &err));
    ck_assert(testing_media_add(store, STR(GIF_5x4), STR_NONE, &other, &err));
    media_named(store, str_of(other.name));
    media_named(store, STR("../spool/upload-1"));
    ck_assert_int_eq(access(file, F_OK), 0);
    media_marked(store, before_ms, &arena, &names, &n);
    ck_assert_uint_eq(n, 0);
    media_close(store);
    ck_assert(media_open_disk(place_path(&place, "media", ""), &store, &err));
    media_marked(store, INT64_MAX, &arena, &names, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert(str_eq(names[0], str_of(info.name)));
    ck_assert(media_remove(store, names[0], &err));
    media_marked(store, INT64_MAX, &arena, &names, &n);
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_file_moves_in_from_the_spool)
{
    struct str path = media_spool_path(store, &arena);
    FILE *f = fopen(path.ptr, "w");

    ck_assert_ptr_nonnull(f);
    fputs("%PDF-1.4\n", f);
    fclose(f);
    ck_assert(media_inspect(path.ptr, STR_NONE, &info, &err));
    ck_assert_str_eq(info.content_type, "application/pdf");
    ck_assert_str_eq(info.name, "");
    ck_assert_int_eq(access(path.ptr, F_OK), 0);
    ck_assert(media_add(store, path.ptr, STR_NONE, &info, &err));
    ck_assert_int_ne(access(path.ptr, F_OK), 0);
}
END_TEST

START_TEST(what_is_no_file_is_not_followed)
{
    struct str path = media_spool_path(store, &arena);

    ck_assert_int_eq(symlink("/etc/passwd", path.ptr), 0);
    ck_assert(!media_inspect(path.ptr, STR_NONE, &info, &err));
    ck_assert(!media_add(store, path.ptr, STR_NONE, &info, &err));
    ck_assert_int_ne(access(path.ptr, F_OK), 0); /* gone all the same */
    ck_assert(!media_inspect(place.folder, STR_NONE, &info, &err));
    ck_assert(!media_inspect("/no/such/file", STR_NONE, &info, &err));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

START_TEST(only_names_of_ours_are_looked_for)
{
    static const struct str names[] = {
        STR_NONE, STR(""), STR("."), STR(".."), STR("../../etc/passwd"), STR("/etc/passwd"), STR("spool"),
        STR("8fKq3mPXt7Wc9bNs2RvZtA"), STR("8fKq3mPXt7Wc9bNs2RvZtA."), STR("8fKq3mPXt7Wc9bNs2RvZtA.exe"),
        STR("8fKq3mPXt7Wc9bNs2RvZtA.jpg.html"), STR("8fKq3mPXt7Wc9bNs2RvZtA.JPG"), STR("8fKq3mPXt7Wc9bNs2RvZtA.jpg\0"),
        STR("8fKq3mPXt7Wc9bNs2RvZtA.jpg/"), STR("8fKq3mPXt7Wc9bNs2RvZ/A.jpg"), STR("../q3mPXt7Wc9bNs2RvZtA.jpg"),
        STR("8fKq3mPXt7Wc9bNs2RvZ0A.jpg"), STR("8fKq3mPXt7Wc9bNs2RvZ\0A.jpg"), STR("8fKq3mPXt7.jpg"),
        STR("8fKq3mPXt7Wc9bNs2RvZtA8fKq3mPXt7Wc9bNs2RvZtA.jpg"), STR("8fKq3mPXt7Wc9bNs2RvZtA%2E.jpg"),
        STR("8fKq3mPXt7Wc9bNs2RvZtA.jpg"), /* well formed, but not there */
    };
    struct str path;

    for (size_t i = 0; i < COUNT(names); i++) {
        expect_404(names[i]);
        ck_assert(!media_path(store, names[i], &arena, &path, &err));
        ck_assert_int_eq(err.status, 404);
    }
}
END_TEST

/* Somebody with a shell put something in the way: a link, a folder, a pipe that would block. */
START_TEST(only_plain_files_are_served)
{
    const char *folder = place_path(&place, "media/8f", ""), *name = "8fKq3mPXt7Wc9bNs2RvZtA.jpg";
    const char *path = place_path(&place, "media/8f/", name);

    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    expect_404(str_of(name));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_404(str_of(name));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_404(str_of(name));
}
END_TEST

START_TEST(the_spool_loses_what_is_older_than_a_day)
{
    const char *fresh = place_path(&place, "media/spool/", "fresh"), *old = place_path(&place, "media/spool/", "old");
    struct timespec times[2] = { 0 };

    close(open(fresh, O_CREAT | O_WRONLY, 0600));
    close(open(old, O_CREAT | O_WRONLY, 0600));
    times[0].tv_sec = times[1].tv_sec = (time_t)(clock_now_ms() / 1000 - 25L * 60 * 60);
    ck_assert_int_eq(utimensat(AT_FDCWD, old, times, 0), 0);
    media_close(store);
    ck_assert(media_open_disk(place_path(&place, "media", ""), &store, &err));
    ck_assert_int_eq(access(fresh, F_OK), 0);
    ck_assert_int_ne(access(old, F_OK), 0);
}
END_TEST

/* A limit on file sizes stands in for the full disk: write() fails the same way, with another number. */
START_TEST(a_folder_that_cannot_be_used_is_a_sentence)
{
    struct media_store *other;
    const char *file = place_path(&place, "file", "");

    close(open(file, O_CREAT | O_WRONLY, 0600));
    ck_assert(!media_open_disk(file, &other, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "cannot be used: Not a directory"));
    ck_assert(!media_open_disk(place_path(&place, "no/such/folder", ""), &other, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "cannot be made: No such file or directory"));
    ck_assert_ptr_null(other);
}
END_TEST

static TCase *
looking(void)
{
    TCase *c = tcase_create("looking");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_file_is_what_its_bytes_say, 0, COUNT(files));
    tcase_add_test(c, only_what_runs_nothing_is_shown_in_a_page);
    return c;
}

static TCase *
keeping(void)
{
    TCase *c = tcase_create("keeping");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, what_was_added_is_there_until_it_is_removed);
    tcase_add_test(c, what_nothing_names_yet_has_a_mark);
    tcase_add_test(c, a_file_moves_in_from_the_spool);
    tcase_add_test(c, what_is_no_file_is_not_followed);
    tcase_add_test(c, only_names_of_ours_are_looked_for);
    tcase_add_test(c, only_plain_files_are_served);
    tcase_add_test(c, the_spool_loses_what_is_older_than_a_day);
    tcase_add_test(c, a_folder_that_cannot_be_used_is_a_sentence);
    return c;
}

TEST_CASES("media", looking, keeping)
