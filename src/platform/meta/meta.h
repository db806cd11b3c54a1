/* meta.h -- what the files of this folder share. The outside sees `facebook`, `instagram` and `meta_app` (platform.h).
 *
 * Three kinds of connection, told apart by meta_flavour(): a Page's Messenger, an Instagram account through its Page
 * (both with a Page token, on Meta's Graph API), and an Instagram account of its own (Instagram Login, on Instagram's).
 *
 *     parse.c    one webhook for all of them: envelopes, entries, who is who
 *     content.c  one message: text, attachments, replies, taps
 *     comment.c  comments below posts
 *     fetched.c  a message that was asked for, because its webhook did not come
 *     step.c     operations, each as the calls it takes (send.c, connect.c, login.c, find.c, participant.c)
 *     call.c     how a call looks on the wire
 *     answer.c   what an answer, or its absence, means
 *     errors.c   the catalogue of error codes
 *     facebook.c instagram.c  the constants of each, and what differs
 *
 * Figures and rules come from Meta's documentation as of 2026 and from recorded traffic. */
#ifndef PARLEY_PLATFORM_META_META_H
#define PARLEY_PLATFORM_META_META_H

#include "json/json.h"
#include "platform/platform.h"

#define META_DAY_MS ((int64_t)24 * 3600 * 1000)

/* ---- parse.c ---- */

/* platform_app's two. */
bool meta_verify(const struct platform_env *env, const struct net_header *headers, size_t n, struct str body);
void meta_parse(struct arena *a, const struct platform_env *env, struct str payload, struct inbound_batch *out);

struct str meta_id(struct arena *a, yyjson_val *obj, const char *key);   /* a string or a number, as text */
int64_t    meta_time(yyjson_val *obj, const char *key); /* seconds or milliseconds, number or string, as milliseconds */

/* ---- fetched.c ---- */

/* The answer to OP_MESSAGE as a batch of one event. */
void meta_parse_fetched(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

/* ---- step.c ---- */

enum meta_flavour { META_PAGE, META_INSTAGRAM_PAGE, META_INSTAGRAM_LOGIN };

void facebook_step(struct op *op, const struct net_response *last, struct op_step *out);
void instagram_step(struct op *op, const struct net_response *last, struct op_step *out);

#endif
