/* str.c -- see str.h. */
#include "base/str.h"

static bool
equal_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (char_lower(a[i]) != char_lower(b[i]))
            return false;
    return true;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && equal_nocase(a.ptr, b.ptr, a.len);
}

int
str_order(struct str a, struct str b)
{
    int order = memcmp(a.len ? a.ptr : "", b.len ? b.ptr : "", a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool
str_starts(struct str s, struct str prefix)
{
    return str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

ptrdiff_t
str_find(struct str s, struct str needle)
{
    const char *hit;

    if (needle.len == 0)
        return 0;
    if (s.len == 0)
        return -1;
    hit = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return hit ? hit - s.ptr : -1;
}

ptrdiff_t
str_find_nocase(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++)
        if (equal_nocase(s.ptr + i, needle.ptr, needle.len))
            return (ptrdiff_t)i;
    return -1;
}

struct str
str_from(struct str s, size_t from)
{
    return str_slice(s, from, SIZE_MAX);
}

struct str
str_slice(struct str s, size_t from, size_t n)
{
    if (str_is_none(s))
        return s;
    if (from > s.len)
        from = s.len;
    if (n > s.len - from)
        n = s.len - from;
    return (struct str){ s.ptr + from, n };
}

bool
str_cut(struct str s, char sep, struct str *head, struct str *tail)
{
    const char *at = s.len > 0 ? memchr(s.ptr, sep, s.len) : NULL;

    if (!at) {
        *head = s;
        *tail = STR_NONE;
        return false;
    }
    *head = str_slice(s, 0, (size_t)(at - s.ptr));
    *tail = str_from(s, head->len + 1);
    return true;
}

struct str
str_trim(struct str s)
{
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

int64_t
str_hash(struct str s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    return (int64_t)h;
}

int
str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
str_to_i64(struct str s, int64_t *out)
{
    bool    negative = s.len > 0 && s.ptr[0] == '-';
    int64_t n = 0;

    if (s.len == (negative ? 1 : 0))
        return false;
    /* Collected below zero, because INT64_MIN has no positive twin. */
    for (size_t i = negative ? 1 : 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, s.ptr[i] - '0', &n))
            return false;
    }
    if (!negative && n == INT64_MIN)
        return false;
    *out = negative ? n : -n;
    return true;
}

size_t
str_utf8_len(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char        low = 0x80, high = 0xBF; /* what the second byte may be, RFC 3629 section 4 */
    size_t               len;

    if (s.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        low = 0xA0; /* below: overlong */
    else if (p[0] == 0xED)
        high = 0x9F; /* above: surrogates */
    else if (p[0] == 0xF0)
        low = 0x90; /* below: overlong */
    else if (p[0] == 0xF4)
        high = 0x8F; /* above: past U+10FFFF */
    if (s.len < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool
str_is_utf8(struct str s)
{
    size_t i = 0, len;

    while (i < s.len) {
        uint64_t word;

        /* Nearly all text is ASCII, and that goes eight bytes at a time. */
        if (s.len - i >= sizeof(word)) {
            memcpy(&word, s.ptr + i, sizeof(word));
            if ((word & 0x8080808080808080U) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        len = str_utf8_len((struct str){ s.ptr + i, s.len - i });
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

struct str
str_utf8_cut(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    s.len = max;
    while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80)
        s.len--;
    return s;
}

size_t
str_code_points(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}
