/* fields.h -- what an app can subscribe to, by the names it has for Pages and for Instagram accounts. */
#ifndef PARLEY_SANDBOX_META_FIELDS_H
#define PARLEY_SANDBOX_META_FIELDS_H

#include "json/json.h"
#include "sandbox/meta/state.h"

enum fb_field {
    FB_MESSAGES, FB_ECHOES, FB_EDITS, FB_REACTIONS, FB_READS, FB_DELIVERIES, FB_POSTBACKS, FB_REFERRALS, FB_OPTINS,
    FB_HANDOVERS, FB_STANDBY, FB_POLICY, FB_COMMENTS, FB_LIVE_COMMENTS, FB_MENTIONS, FB_OTHER_FIELDS
};
#define FB_FIELDS_ALL (~UINT64_C(0))

uint64_t fb_field_set(enum fb_field field);
const char *fb_field_name(enum fb_object object, enum fb_field field); /* NULL: has none */

/* All names, with commas and spaces between, as Meta's error lists them. */
struct str fb_field_list(enum fb_object object, struct arena *a);
void       fb_fields_write(enum fb_object object, uint64_t fields, struct json *w, const char *name);

/* Names from "a,b", or from an array of them (JSON, or its text). False with the first that is none and its place. */
bool fb_fields_read(enum fb_object object, struct str text, yyjson_val *list, uint64_t *out, struct str *bad,
    size_t *place, struct arena *a);

#endif
