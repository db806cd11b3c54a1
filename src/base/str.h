/* str.h -- a slice of bytes someone else owns.
 *
 * Parsers take slices and hand back slices of them: nothing is copied and nothing is measured twice.
 * A slice is not NUL-terminated. `ptr == NULL` means "absent", which is not the same as empty. */
#ifndef PARLEY_BASE_STR_H
#define PARLEY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t      len;
};

#define STR(lit)     ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NONE     ((struct str){ NULL, 0 })
#define STR_ARG(s)   (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct str
str_of(const char *cstr)
{
    return cstr ? (struct str){ cstr, strlen(cstr) } : STR_NONE;
}

static inline bool
str_is_none(struct str s)
{
    return s.ptr == NULL;
}

static inline bool
str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char
char_lower(char c) /* ASCII only */
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_order(struct str a, struct str b);      /* by bytes, a beginning before what goes on: < 0, 0, > 0 */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* The place of `needle` in `s`, or -1. The second ignores ASCII case. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_nocase(struct str s, struct str needle);

/* Bytes from `from` to the end, or `n` of them; both are clipped to what is there. */
struct str str_from(struct str s, size_t from);
struct str str_slice(struct str s, size_t from, size_t n);

/* Splits at the first `sep`. False, with all of `s` in *head and *tail none, when there is none. */
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);

struct str str_trim(struct str s); /* without spaces, tabs, CR and LF at both ends */

/* Spreads texts over a map's keys (FNV-1a); who chooses the texts can make two alike. */
int64_t str_hash(struct str s);

int str_hex_digit(char c); /* its value, -1 when it is none */

/* Decimal digits with an optional '-', nothing else, no overflow. */
bool str_to_i64(struct str s, int64_t *out);

/* Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool   str_is_utf8(struct str s);
size_t str_utf8_len(struct str s);    /* bytes of the character `s` begins with, 1 to 4; 0 = not valid or empty */
struct str str_utf8_cut(struct str s, size_t max); /* at most `max` bytes, without half a character at the end */
size_t str_code_points(struct str s); /* `s` must be valid UTF-8 */

/* What a person would count: letters with their accents, flags, families of emoji and CRLF are one each (Unicode's
 * extended grapheme clusters, UAX 29). `s` must be valid UTF-8. */
size_t str_graphemes(struct str s);

#endif
