/* escape.c -- see escape.h. Most JSON needs no escaping, so it is copied in the longest runs that hold. */
#include "base/escape.h"

static const char short_form[0x80] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
};

const bool json_is_plain[256] = {
    [0x20] = true, [0x21] = true, [0x23 ... 0x5B] = true, [0x5D ... 0x7F] = true,
};

/* How many bytes from `at` on can be copied as they are. */
static size_t
plain_run(struct str s, size_t at)
{
    size_t i = at, len;

    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (s.len - i >= sizeof(uint64_t) && json_is_plain_word(s.ptr + i)) {
            i += sizeof(uint64_t);
        } else if (c >= 0x80) {
            len = str_utf8_len((struct str){ s.ptr + i, s.len - i });
            if (len == 0)
                break;
            i += len;
        } else if (c < 0x20 || short_form[c]) {
            break;
        } else {
            i++;
        }
    }
    return i - at;
}

static void
append_escape(struct buf *b, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";

    if (c >= 0x80)
        buf_append(b, STR("\xEF\xBF\xBD"));
    else if (short_form[c])
        buf_append(b, (struct str){ (const char[]){ '\\', short_form[c] }, 2 });
    else
        buf_append(b, (struct str){ (const char[]){ '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] }, 6 });
}

void
buf_append_json_escaped(struct buf *b, struct str s)
{
    size_t i = 0, run;

    while (i < s.len && buf_ok(b)) {
        run = plain_run(s, i);
        buf_append(b, (struct str){ s.ptr + i, run });
        i += run;
        if (i < s.len)
            append_escape(b, (unsigned char)s.ptr[i++]);
    }
}

static bool
is_plain_in_urls(unsigned char c, const char *also_plain)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c != 0 && (strchr("-._~", c) || strchr(also_plain, c)));
}

void
buf_append_url_encoded(struct buf *b, struct str s, const char *also_plain)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (!is_plain_in_urls(c, also_plain)) {
            buf_append_char(b, '%');
            buf_append_char(b, digits[c >> 4]);
            c = (unsigned char)digits[c & 15];
        }
        buf_append_char(b, (char)c);
    }
}

void
buf_append_html_escaped(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        switch (s.ptr[i]) {
        case '&': buf_append(b, STR("&amp;")); break;
        case '<': buf_append(b, STR("&lt;")); break;
        case '>': buf_append(b, STR("&gt;")); break;
        case '"': buf_append(b, STR("&quot;")); break;
        case '\'': buf_append(b, STR("&#39;")); break;
        default: buf_append_char(b, s.ptr[i]);
        }
}
