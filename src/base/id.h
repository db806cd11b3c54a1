/* id.h -- keys that order by time inside, ids that tell nothing outside.
 *
 * A key is 63 bits: 42 of milliseconds since 2024, 8 of node, 13 of sequence. A public id is the key through
 * a keyed 64-bit permutation (Speck64/128), in base58 behind a prefix: "msg_3kTMd9...". So no column and
 * no look-up is needed to go either way, and nobody can count or guess. Random UUIDs as keys were the other way;
 * they cost three times the insert rate because they land anywhere in the index. */
#ifndef PARLEY_BASE_ID_H
#define PARLEY_BASE_ID_H

#include "base/crypto.h"

enum id_kind {
    ID_CHAT, ID_MESSAGE, ID_PROFILE, ID_GROUP, ID_ATTACHMENT, ID_POST, ID_COMMENT, ID_WEBHOOK, ID_EVENT, ID_DELIVERY,
    ID_KEY, ID_WORKSPACE, ID_JOB, ID_KINDS
};

#define ID_TEXT_MAX 24 /* the longest prefix, 11 digits, NUL */

/* Once, at start. `node` tells processes on one database apart: 1 .. ID_NODES, or 0 for who comes and goes. */
#define ID_NODES 255
void id_setup(const struct keyring *keys, int node);
void id_use_node(int node); /* any thread; ids made from then on have it */

int64_t id_generate(int64_t now_ms); /* > 0, grows within this process also when the clock steps back; any thread */

/* From now on every id generated here is greater: the clock may have been set back. */
void id_stay_above(int64_t id);

int64_t id_first_at(int64_t ms); /* no id generated from then on is smaller, any time will do */

const char *id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_MAX]); /* returns `out` */

/* False when the text is not an id of that kind (a platform's id, say). */
bool id_parse(enum id_kind kind, struct str text, int64_t *out);

#endif
