/* id.c -- see id.h. */
#include "base/id.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/speck.h"

#define EPOCH_MS      INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define SEQUENCE_BITS 13
#define NODE_BITS     8
#define TIME_BITS     42
#define DIGITS        11 /* 58^11 is the first power above 2^64 */

static const struct str prefixes[ID_KINDS] = {
    [ID_CHAT] = STR("chat_"),    [ID_MESSAGE] = STR("msg_"),    [ID_PROFILE] = STR("prof_"),
    [ID_GROUP] = STR("grp_"),    [ID_ATTACHMENT] = STR("att_"), [ID_POST] = STR("post_"),
    [ID_COMMENT] = STR("cmt_"),  [ID_WEBHOOK] = STR("wh_"),     [ID_EVENT] = STR("evt_"),
    [ID_DELIVERY] = STR("dlv_"), [ID_KEY] = STR("key_"),        [ID_WORKSPACE] = STR("ws_"),
    [ID_JOB] = STR("job_"),
};

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Written once, by id_setup(), before there are threads. */
static struct {
    struct speck speck;
    bool         is_ready;
} setup;

static _Atomic uint64_t node_bits;

/* Time and sequence of the newest id, as one number: when the sequence is used up, adding one
 * moves into the next millisecond by itself. */
static _Atomic uint64_t newest;

void
id_setup(const struct keyring *keys, int node)
{
    speck_init(&setup.speck, keys->ids);
    setup.is_ready = true;
    id_use_node(node);
}

void
id_use_node(int node)
{
    static_assert(ID_NODES == (1 << NODE_BITS) - 1, "one for each");
    assert(node >= 0 && node <= ID_NODES);
    atomic_store_explicit(&node_bits, (uint64_t)node << SEQUENCE_BITS, memory_order_relaxed);
}

int64_t
id_generate(int64_t now_ms)
{
    /* A little below the top, so that a clock gone mad leaves room to count on. */
    const int64_t time_max = (INT64_C(1) << TIME_BITS) - (INT64_C(1) << 20);
    int64_t       time = now_ms < EPOCH_MS ? 0 : now_ms - EPOCH_MS;
    uint64_t      from_clock = (uint64_t)(time < time_max ? time : time_max) << SEQUENCE_BITS;
    uint64_t      last = atomic_load_explicit(&newest, memory_order_relaxed), mine;

    do
        mine = from_clock > last ? from_clock : last + 1;
    while (!atomic_compare_exchange_weak_explicit(&newest, &last, mine, memory_order_relaxed, memory_order_relaxed));
    assert(mine >> SEQUENCE_BITS < UINT64_C(1) << TIME_BITS);
    return (int64_t)(mine >> SEQUENCE_BITS << (NODE_BITS + SEQUENCE_BITS)
                     | atomic_load_explicit(&node_bits, memory_order_relaxed) | (mine & ((1U << SEQUENCE_BITS) - 1)));
}

/* The last number of that millisecond is taken as used, so the node does not matter. */
void
id_stay_above(int64_t id)
{
    uint64_t least = (uint64_t)id >> (NODE_BITS + SEQUENCE_BITS) << SEQUENCE_BITS | ((1U << SEQUENCE_BITS) - 1);
    uint64_t last = atomic_load_explicit(&newest, memory_order_relaxed);

    assert(id >= 0);
    while (least > last
           && !atomic_compare_exchange_weak_explicit(&newest, &last, least, memory_order_relaxed, memory_order_relaxed))
        ;
}

int64_t
id_first_at(int64_t ms)
{
    if (ms <= EPOCH_MS)
        return 0;
    if (ms - EPOCH_MS >= INT64_C(1) << TIME_BITS)
        return INT64_MAX;
    return (ms - EPOCH_MS) << (NODE_BITS + SEQUENCE_BITS);
}

const char *
id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_MAX])
{
    struct str prefix = prefixes[kind];
    uint64_t   rest;

    assert(setup.is_ready && id > 0);
    rest = speck_encrypt(&setup.speck, (uint64_t)id);
    memcpy(out, prefix.ptr, prefix.len);
    for (size_t i = DIGITS; i > 0; i--) {
        out[prefix.len + i - 1] = alphabet[rest % 58];
        rest /= 58;
    }
    out[prefix.len + DIGITS] = '\0';
    return out;
}

bool
id_parse(enum id_kind kind, struct str text, int64_t *out)
{
    struct str  digits = str_from(text, prefixes[kind].len);
    uint64_t    n = 0;
    int64_t     id;
    const char *digit;

    assert(setup.is_ready);
    if (!str_starts(text, prefixes[kind]) || digits.len != DIGITS)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        digit = memchr(alphabet, digits.ptr[i], sizeof(alphabet) - 1);
        if (!digit || __builtin_mul_overflow(n, UINT64_C(58), &n)
            || __builtin_add_overflow(n, (uint64_t)(digit - alphabet), &n))
            return false;
    }
    id = (int64_t)speck_decrypt(&setup.speck, n);
    if (id <= 0)
        return false;
    *out = id;
    return true;
}
