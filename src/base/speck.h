/* speck.h -- Speck64/128, a small block cipher: a keyed permutation of 64-bit numbers.
 *
 * For public ids only. It hides order and count; nothing here is encrypted with it that would harm if read.
 * (Beaulieu and others, "The Simon and Speck families of lightweight block ciphers", 2013.) */
#ifndef PARLEY_BASE_SPECK_H
#define PARLEY_BASE_SPECK_H

#include <stdint.h>

#define SPECK_ROUNDS 27

struct speck {
    uint32_t round_keys[SPECK_ROUNDS];
};

/* `key` in the order of the paper's test vectors: the highest byte first. */
void speck_init(struct speck *s, const uint8_t key[16]);

uint64_t speck_encrypt(const struct speck *s, uint64_t plain);
uint64_t speck_decrypt(const struct speck *s, uint64_t cipher);

#endif
