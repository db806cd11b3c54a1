/* ids.c -- public ids (which are the cursors of streams, too), numbers, base64: each text that is taken is the one
 * that would be given out, and what is given out is taken back. */
#include <assert.h>
#include <stdio.h>

#include "base/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
set_up(void)
{
    static const uint8_t secret[KEYRING_KEY_SIZE] = "a secret key that is made up...";
    static bool          is_done;
    struct keyring       keys;

    if (is_done)
        return;
    keyring_derive(&keys, secret);
    id_setup(&keys, 1);
    is_done = true;
}

static void
check_ids(struct str in)
{
    char    text[ID_TEXT_MAX];
    int64_t id, again;

    for (int i = 0; i < ID_KINDS; i++) {
        enum id_kind kind = (enum id_kind)i;

        if (id_parse(kind, in, &id))
            assert(id > 0 && str_eq(in, str_of(id_format(kind, id, text))));
        if (in.len < sizeof(id))
            continue;
        memcpy(&id, in.ptr, sizeof(id));
        id &= INT64_MAX;
        if (id > 0)
            assert(id_parse(kind, str_of(id_format(kind, id, text)), &again) && again == id);
    }
}

static void
check_number(struct str in)
{
    char    text[32];
    int64_t n, again;

    if (!str_to_i64(in, &n))
        return;
    snprintf(text, sizeof(text), "%lld", (long long)n);
    assert(str_to_i64(str_of(text), &again) && again == n);
    assert(in.len >= strlen(text)); /* zeros may stand in front */
}

static void
check_base64(struct str in)
{
    struct buf bytes, text, again;

    buf_init(&bytes, 1 * MIB);
    buf_init(&text, 2 * MIB);
    buf_init(&again, 1 * MIB);
    if (base64_decode(in, &bytes)) {
        assert(bytes.len <= in.len);
        base64_encode(&text, buf_str(&bytes));
        assert(base64_decode(buf_str(&text), &again) && str_eq(buf_str(&again), buf_str(&bytes)));
    }
    buf_clear(&text);
    buf_clear(&again);
    base64_encode(&text, in);
    assert(base64_decode(buf_str(&text), &again) && str_eq(buf_str(&again), in));
    buf_clear(&text);
    base58_encode(&text, str_slice(in, 0, 64));
    assert(buf_ok(&text) && text.len >= (in.len < 64 ? in.len : 64));
    buf_deinit(&bytes);
    buf_deinit(&text);
    buf_deinit(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = { (const char *)data, size };

    set_up();
    check_ids(in);
    check_number(in);
    check_base64(in);
    return 0;
}
