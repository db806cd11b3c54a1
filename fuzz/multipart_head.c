/* multipart_head.c -- the header of one part, and the boundary in a Content-Type. */
#include "http/multipart.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str            in = { (const char *)data, size }, boundary;
    struct arena          a = { 0 };
    struct multipart_head head;
    struct error          err;

    if (multipart_parse_head(in, &a, &head, &err)) {
        assert(!str_is_none(head.name) && str_is_utf8(head.name));
        assert(str_is_none(head.file_name) || str_is_utf8(head.file_name));
    } else
        assert(err.status == 400);
    if (multipart_boundary(in, &a, &boundary, &err))
        assert(boundary.len > 0 && boundary.len <= MULTIPART_BOUNDARY_MAX);
    else
        assert(err.status == 400);
    arena_deinit(&a);
    return 0;
}
