/* redact.c -- lines of the log: a secret is not in it whatever stands before and behind. */
#include <assert.h>

#include "base/array.h"
#include "base/escape.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "AAFakeFakeFakeFakeFakeFakeFakeFakeFake"

/* The input's two halves around `line`. */
static void
check_hidden(struct str in, const char *line)
{
    struct buf text, out;

    buf_init(&text, 1 * MIB);
    buf_init(&out, 4 * MIB);
    buf_append(&text, str_slice(in, 0, in.len / 2));
    buf_append(&text, STR("\n"));
    buf_append(&text, str_of(line));
    buf_append(&text, STR("\n"));
    buf_append(&text, str_from(in, in.len / 2));
    log_redact(&out, buf_str(&text));
    assert(buf_ok(&out) && str_find(buf_str(&out), STR(SECRET)) < 0);
    buf_deinit(&text);
    buf_deinit(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        "https://api.telegram.org/bot123456789:" SECRET "/getMe", "Authorization: Bearer " SECRET,
        "https://graph.example/v1/me?access_token=" SECRET "&x=1", "{\"accessJwt\":\"" SECRET "\"}",
        "postgres://user:" SECRET "@db/parley", "{\\\"password\\\":\\\"" SECRET "\\\"}",
    };
    struct str in = { (const char *)data, size };
    struct buf escaped;

    if (size > 64 * KIB || str_find(in, STR(SECRET)) >= 0)
        return 0;
    for (size_t i = 0; i < COUNT(lines); i++)
        check_hidden(in, lines[i]);
    buf_init(&escaped, 1 * MIB);
    buf_append_json_escaped(&escaped, in);
    assert(buf_ok(&escaped) && str_is_utf8(buf_str(&escaped)));
    for (size_t i = 0; i < escaped.len; i++)
        assert((unsigned char)escaped.ptr[i] >= ' ');
    buf_deinit(&escaped);
    return 0;
}
