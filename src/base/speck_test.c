#include "base/speck.h"

#include "base/random.h"
#include "base/testing.h"

/* The test vector the paper gives for Speck64/128. */
START_TEST(the_published_vector_holds)
{
    static const uint8_t key[16] = { 0x1b, 0x1a, 0x19, 0x18, 0x13, 0x12, 0x11, 0x10, 0x0b, 0x0a, 0x09, 0x08, 0x03, 0x02,
        0x01, 0x00 };
    struct speck s;

    speck_init(&s, key);
    ck_assert_uint_eq(speck_encrypt(&s, 0x3b7265747475432dU), 0x8c6fa548454e028bU);
    ck_assert_uint_eq(speck_decrypt(&s, 0x8c6fa548454e028bU), 0x3b7265747475432dU);
}
END_TEST

START_TEST(every_number_comes_back)
{
    uint8_t      key[16];
    struct speck s;

    random_seed(3);
    for (int i = 0; i < 10000; i++) {
        uint64_t n;

        random_bytes(key, sizeof(key));
        random_bytes(&n, sizeof(n));
        speck_init(&s, key);
        ck_assert_uint_eq(speck_decrypt(&s, speck_encrypt(&s, n)), n);
        ck_assert_uint_ne(speck_encrypt(&s, n), n);
    }
}
END_TEST

TESTS("speck", the_published_vector_holds, every_number_comes_back)
