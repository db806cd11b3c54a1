/* facets.c -- which parts of a text are links. The platform makes none by itself: a message without facets is plain
 * text to whoever reads it.
 *
 * A link begins with http://, https:// or www. and ends before a blank, a quote or the end of a sentence. Mentions
 * would need each handle looked up before a message can leave, so there are none. */
#include "platform/bluesky/bluesky.h"

#define LINKS_MAX 100

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Blanks and quotes beyond ASCII, and what ends a sentence in scripts that use no blanks. */
static bool
ends_beyond_ascii(struct str rest)
{
    return str_starts(rest, STR("\xC2\xA0")) || str_starts(rest, STR("\xC2\xAB")) || str_starts(rest, STR("\xC2\xBB"))
        || str_starts(rest, STR("\xE2\x80")) || str_starts(rest, STR("\xE3\x80")) || str_starts(rest, STR("\xEF\xBC"));
}

static size_t
longest_link(struct str text)
{
    size_t n = 0;

    while (n < text.len && (unsigned char)text.ptr[n] > ' ' && !strchr("<>\"`{}|\\^\x7f", text.ptr[n])
           && !ends_beyond_ascii(str_from(text, n)))
        n++;
    return n;
}

static size_t
count_of(struct str s, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == c;
    return count;
}

/* Without what belongs to the sentence around it: a full stop, or a bracket that was opened before the link. */
static struct str
trimmed(struct str link)
{
    while (link.len > 0) {
        char last = link.ptr[link.len - 1];
        bool is_closing = last == ')' || last == ']';
        char open = last == ')' ? '(' : '[';

        if (!strchr(".,;:!?'*_~", last) && !(is_closing && count_of(link, last) > count_of(link, open)))
            break;
        link.len--;
    }
    return link;
}

static bool
starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_nocase(str_slice(s, 0, prefix.len), prefix);
}

/* The bytes of the link that `text` begins with; 0 = it begins with none. */
static size_t
link_here(struct str text, bool *is_bare)
{
    size_t     scheme = starts_nocase(text, STR("https://")) ? 8 : starts_nocase(text, STR("http://")) ? 7 : 0;
    struct str link, host;

    *is_bare = scheme == 0;
    if (scheme == 0 && !starts_nocase(text, STR("www.")))
        return 0;
    link = trimmed(str_slice(text, 0, longest_link(text)));
    host = str_from(link, *is_bare ? 4 : scheme);
    if (host.len == 0 || (!is_alnum(host.ptr[0]) && (unsigned char)host.ptr[0] < 128))
        return 0;
    if (*is_bare && str_find(host, STR(".")) < 0)
        return 0;
    return link.len;
}

static void
put_link(struct json *w, struct str text, size_t from, size_t len, bool is_bare)
{
    struct str link = str_slice(text, from, len);
    struct buf uri;

    buf_init(&uri, BLUESKY_TEXT_BYTES + 16);
    if (is_bare)
        buf_append(&uri, STR("https://"));
    buf_append(&uri, link);
    json_begin(w, NULL);
    json_begin(w, "index");
    json_put_int(w, "byteStart", (int64_t)from);
    json_put_int(w, "byteEnd", (int64_t)(from + len));
    json_end(w);
    json_begin_array(w, "features");
    json_begin(w, NULL);
    json_put_str(w, "$type", STR("app.bsky.richtext.facet#link"));
    json_put_str(w, "uri", buf_ok(&uri) ? buf_str(&uri) : link);
    json_end(w);
    json_end_array(w);
    json_end(w);
    buf_deinit(&uri);
}

void
bluesky_put_facets(struct json *w, struct str text)
{
    size_t count = 0, len;
    bool   is_bare;

    for (size_t i = 0; i < text.len && count < LINKS_MAX; i++) {
        if (i > 0 && (is_alnum(text.ptr[i - 1]) || strchr("@./-_", text.ptr[i - 1])))
            continue;
        len = link_here(str_from(text, i), &is_bare);
        if (len == 0)
            continue;
        if (count++ == 0)
            json_begin_array(w, "facets");
        put_link(w, text, i, len, is_bare);
        i += len - 1;
    }
    if (count > 0)
        json_end_array(w);
}
