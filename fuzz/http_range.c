/* http_range.c -- a Range, an If-Range and an If-None-Match, a line each. */
#include <assert.h>

#include "http/date.h"
#include "http/range.h"

#define SIZE 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char  *const names[] = { "Range", "If-Range", "If-None-Match", "If-Modified-Since" };
    struct str          rest = { (const char *)data, size }, line;
    struct http_header  headers[4];
    struct http_request r = { .method = METHOD_GET, .headers = headers };
    struct http_slice   slice;
    int64_t             ms;

    while (rest.len > 0 && r.header_count < 4) {
        str_cut(rest, '\n', &line, &rest);
        if (line.len > 0) /* as an absent one */
            headers[r.header_count] = (struct http_header){ str_of(names[r.header_count]), line };
        else
            headers[r.header_count] = (struct http_header){ STR("X"), line };
        r.header_count++;
        if (http_date_parse(line, &ms)) {
            char text[HTTP_DATE_LEN + 1];

            http_date_format(ms, text);
            assert(str_eq(line, str_of(text)));
        }
    }
    slice = http_slice_for(&r, SIZE, STR("\"v1\""), 784111777000);
    switch (slice.status) {
    case 200:
        assert(slice.offset == 0 && slice.length == SIZE);
        break;
    case 206:
        assert(slice.offset >= 0 && slice.length > 0 && slice.offset + slice.length <= SIZE);
        break;
    default:
        assert(slice.status == 304 || slice.status == 416);
        assert(slice.length == 0);
        break;
    }
    return 0;
}
