/* testing_media.c -- see testing_media.h. */
#include "media/testing_media.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/testing.h"

bool
testing_media_add(struct media_store *m, struct str bytes, struct str claimed_type, struct media_info *out,
                  struct error *err)
{
    struct arena a;
    struct str path;
    bool ok;
    int fd;

    arena_init(&a);
    path = media_spool_path(m, &a);
    fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    close(fd);
    ok = media_add(m, path.ptr, claimed_type, out, err);
    arena_deinit(&a);
    return ok;
}
