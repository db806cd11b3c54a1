/* sniff.c -- what a file is told to be by its bytes and by who sent it; the first line is what the sender claims. */
#include "media/sniff.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
file_of(struct str bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str               in = { (const char *)data, size }, claimed, bytes;
    const struct media_type *type = NULL, *unclaimed = NULL;
    struct error             err;
    int                      fd;

    if (!str_cut(in, '\n', &claimed, &bytes))
        return 0;
    fd = file_of(bytes);
    assert(sniff(str_slice(bytes, 0, SNIFF_HEAD), fd, claimed, &type, &err));
    assert(sniff(str_slice(bytes, 0, SNIFF_HEAD), fd, STR_NONE, &unclaimed, &err));
    assert(type && unclaimed && media_type_by_extension(str_of(type->suffix + 1)));
    /* A claim makes nothing safe to show that was not. */
    assert(!type->inline_safe || unclaimed->inline_safe);
    assert(type == unclaimed || type == media_type_by_content(claimed));
    close(fd);
    return 0;
}
