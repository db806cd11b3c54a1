/* speck.c -- see speck.h. */
#include "base/speck.h"

static uint32_t
rotate_right(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static uint32_t
rotate_left(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void
round_forward(uint32_t *x, uint32_t *y, uint32_t key)
{
    *x = (rotate_right(*x, 8) + *y) ^ key;
    *y = rotate_left(*y, 3) ^ *x;
}

static void
round_back(uint32_t *x, uint32_t *y, uint32_t key)
{
    *y = rotate_right(*y ^ *x, 3);
    *x = rotate_left((*x ^ key) - *y, 8);
}

static uint32_t
word_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void
speck_init(struct speck *s, const uint8_t key[16])
{
    uint32_t k = word_at(key + 12);
    uint32_t l[3] = { word_at(key + 8), word_at(key + 4), word_at(key) };

    /* The key schedule is the cipher's own round, keyed with the round's number. */
    for (uint32_t i = 0; i < SPECK_ROUNDS; i++) {
        s->round_keys[i] = k;
        round_forward(&l[i % 3], &k, i);
    }
}

uint64_t
speck_encrypt(const struct speck *s, uint64_t plain)
{
    uint32_t x = (uint32_t)(plain >> 32), y = (uint32_t)plain;

    for (int i = 0; i < SPECK_ROUNDS; i++)
        round_forward(&x, &y, s->round_keys[i]);
    return (uint64_t)x << 32 | y;
}

uint64_t
speck_decrypt(const struct speck *s, uint64_t cipher)
{
    uint32_t x = (uint32_t)(cipher >> 32), y = (uint32_t)cipher;

    for (int i = SPECK_ROUNDS - 1; i >= 0; i--)
        round_back(&x, &y, s->round_keys[i]);
    return (uint64_t)x << 32 | y;
}
