/* oauth_state.c -- what comes back in the address from a platform's login pages: ours as it was, or a 400.
 *
 * The input is opened as a state, and, sealed as if it were ours, as the inside of one. Then it changes a true one:
 * the first byte says where, the second to what. */
#include "api/connect.h"

#include <assert.h>

#include "base/config.h"

#define NOW_MS ((int64_t)1790000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
set_up(void)
{
    static const uint8_t secret[KEYRING_KEY_SIZE] = "a secret key that is made up...";
    static bool          is_done;

    if (!is_done)
        keyring_derive(&config.keys, secret);
    is_done = true;
}

static bool
check_open(struct str text, struct arena *a)
{
    struct oauth_state s;
    struct error       err = { 0 };

    if (!oauth_state_open(text, NOW_MS, a, &s, &err)) {
        assert(err.status == 400 && err.message[0]);
        return false;
    }
    assert(s.workspace_id != 0 && s.group_id != 0 && s.platform && str_is_utf8(s.redirect_url));
    return true;
}

static void
check_inside(struct str plain, struct arena *a)
{
    struct buf sealed, text;

    buf_init(&sealed, 1 * MIB);
    buf_init(&text, 2 * MIB);
    seal(&config.keys, STR("oauth.state"), plain, &sealed);
    base64_encode(&text, buf_str(&sealed));
    check_open(buf_str(&text), a);
    buf_deinit(&sealed);
    buf_deinit(&text);
}

static void
check_changed(struct str in, struct arena *a)
{
    const struct oauth_state ours = {
        .workspace_id = 1, .group_id = 2, .platform = &facebook, .redirect_url = str_slice(in, 2, 1000),
    };
    struct str sealed = oauth_state_seal(&ours, NOW_MS, a), changed = arena_copy(a, sealed);
    size_t     at = (unsigned char)in.ptr[0] % sealed.len;

    ((char *)(uintptr_t)changed.ptr)[at] = in.ptr[1];
    assert(check_open(sealed, a));
    /* the last digit of base64 has bits that stand for nothing */
    if (!str_eq(sealed, changed) && at + 1 < sealed.len && !memchr("+/-_ \t\r\n=", in.ptr[1], 9))
        assert(!check_open(changed, a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size };
    struct arena a;

    set_up();
    arena_init(&a);
    check_open(in, &a);
    check_inside(in, &a);
    if (size >= 2)
        check_changed(in, &a);
    arena_deinit(&a);
    return 0;
}
