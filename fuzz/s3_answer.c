/* s3_answer.c -- what a bucket answers: elements of its XML, and the sentence a person gets to read.
 *
 * Input: 2 bytes of status (0 = no answer), 1 of flags, the answer. */
#include <assert.h>

#include "media/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_GET = 1, HIDES_MISSING = 2 };

static void
check_element(struct str xml, struct str open)
{
    struct str text = s3_element(xml, open);

    if (str_is_none(text))
        return;
    assert(text.ptr >= xml.ptr + open.len && text.ptr + text.len < xml.ptr + xml.len);
    assert(text.len == 0 || !memchr(text.ptr, '<', text.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3      s = { .bucket = { .host = STR("bucket.example.com"), .key = { .secret = STR("made-up-secret") } } };
    struct s3_call call;
    struct error   err = { 0 };

    if (size < 3)
        return 0;
    call = s3_call_to(data[2] & IS_GET ? "GET" : "PUT", "name.jpg");
    s.missing_is_denied = data[2] & HIDES_MISSING;
    call.status = data[0] << 8 | data[1];
    call.answer = (struct str){ (const char *)data + 3, size - 3 };
    check_element(call.answer, STR("<Code>"));
    check_element(call.answer, STR("<UploadId>"));
    assert(!s3_refused(&s, &call, "stored", &err));
    assert(err.message[0] && (err.status == 503 || (err.status == 404 && data[2] & IS_GET)));
    assert(err.status == 404 || err.retry_after_ms > 0);
    return 0;
}
