/* redact.c -- log_redact(), see log.h.
 *
 * The text is walked word by word, and every rule looks at one word and its neighbours or takes away what it
 * has looked at. So the time is linear in the text whatever is in it, which regular expressions do not promise. */
#include "base/array.h"
#include "base/log.h"

struct walk {
    struct buf *out;
    struct str  s;
    size_t      at;
};

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_word(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

static bool
is_base64(char c)
{
    return is_word(c) || c == '+' || c == '/' || c == '=';
}

static bool
is_jwt(char c)
{
    return is_word(c) || c == '.';
}

static bool
is_value(char c)
{
    return (unsigned char)c > ' ' && !strchr("&\"'<>,;#\\", c);
}

static bool
is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* A password may hold '?' and '#': libpq takes it up to the '@'. */
static bool
is_userinfo(char c)
{
    return (unsigned char)c > ' ' && !strchr("/\"'<>@", c);
}

/* Where the run of such bytes from `at` on ends. */
static size_t
run_end(struct str s, size_t at, bool (*is)(char c))
{
    while (at < s.len && is(s.ptr[at]))
        at++;
    return at;
}

/* Copies up to `from`, then stands three stars for what is before `to`. */
static void
hide(struct walk *w, size_t from, size_t to)
{
    buf_append(w->out, str_slice(w->s, w->at, from - w->at));
    buf_append(w->out, STR("***"));
    w->at = to;
}

static bool
ends_nocase(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq_nocase(str_from(s, s.len - suffix.len), suffix);
}

/* "access_token", "hub.verify_token", "X-Amz-Signature", "clientSecret", ... */
static bool
names_a_secret(struct str word)
{
    static const struct str suffixes[] = {
        STR("token"),      STR("secret"),     STR("password"),  STR("passwd"),     STR("proof"),
        STR("signature"),  STR("credential"), STR("api_key"),   STR("apikey"),     STR("api-key"),
        STR("secret_key"), STR("access_key"), STR("accessjwt"), STR("refreshjwt"),
    };

    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (ends_nocase(word, suffixes[i]))
            return true;
    return false;
}

/* What stands before a key in an Authorization header. */
static bool
is_scheme(struct str word)
{
    return str_eq_nocase(word, STR("bearer")) || str_eq_nocase(word, STR("dpop"));
}

/* Where the string ends whose opening quote stands before `at`; one that was cut off ends with the text. With `nested`
 * it is inside another string, so its quotes have a backslash in front, and its own backslashes are two. */
static size_t
string_end(struct str s, size_t at, char quote, bool nested)
{
    while (at < s.len) {
        if (nested && s.ptr[at] == '\\' && at + 1 < s.len && s.ptr[at + 1] == quote)
            return at;
        if (!nested && s.ptr[at] == quote)
            return at;
        at += s.ptr[at] == '\\' && at + 1 < s.len ? 2 : 1;
    }
    return s.len;
}

/* name=value, name="value", "name":"value"; as queries, forms and JSON write them, JSON also inside a JSON string. In
 * quotes a value may hold anything. */
static bool
hide_value(struct walk *w, struct str word, size_t end)
{
    bool   quoted, nested;
    size_t from = end, to;

    if (!names_a_secret(word))
        return false;
    from += str_starts(str_from(w->s, from), STR("\\"));
    quoted = from < w->s.len && is_quote(w->s.ptr[from]);
    from += quoted;
    while (quoted && from < w->s.len && w->s.ptr[from] == ' ')
        from++;
    if (from >= w->s.len || !(w->s.ptr[from] == '=' || (quoted && w->s.ptr[from] == ':')))
        return false;
    from++;
    while (quoted && from < w->s.len && w->s.ptr[from] == ' ')
        from++;
    nested = str_starts(str_from(w->s, from), STR("\\"));
    from += nested;
    if (from < w->s.len && is_quote(w->s.ptr[from])) {
        to = string_end(w->s, from + 1, w->s.ptr[from], nested);
        from++;
    } else {
        to = run_end(w->s, from, is_value);
    }
    if (to == from || is_scheme(str_slice(w->s, from, to - from)))
        return false; /* the secret is the next word, which hide_bearer() takes */
    hide(w, from, to);
    return true;
}

static bool
hide_bearer(struct walk *w, struct str word, size_t end)
{
    size_t from = end, to;

    if (!is_scheme(word))
        return false;
    while (from < w->s.len && w->s.ptr[from] == ' ')
        from++;
    to = run_end(w->s, from, is_value);
    if (from == end || to == from)
        return false;
    hide(w, from, to);
    return true;
}

/* Telegram's 123456:AA..., also where the colon is percent-encoded in a URL. "bot" in front of it stays. */
static bool
hide_bot_token(struct walk *w, size_t begin, size_t end)
{
    size_t     digits = end, from, to;
    struct str rest = str_from(w->s, end);

    while (digits > begin && w->s.ptr[digits - 1] >= '0' && w->s.ptr[digits - 1] <= '9')
        digits--;
    if (digits == end)
        return false;
    if (str_starts(rest, STR(":")))
        from = end + 1;
    else if (str_eq_nocase(str_slice(rest, 0, 3), STR("%3A")))
        from = end + 3;
    else
        return false;
    to = run_end(w->s, from, is_word);
    if (to - from < 20)
        return false;
    hide(w, digits, to);
    return true;
}

/* Keys that say themselves what they are: ours, JSON web tokens, Meta's tokens. */
static bool
hide_key(struct walk *w, struct str word, size_t begin)
{
    if (str_starts(word, STR("whsec_")) || (str_starts(word, STR("pk_")) && word.len > 8)) {
        hide(w, begin, run_end(w->s, begin, is_base64));
        return true;
    }
    if (str_starts(word, STR("eyJ")) && word.len >= 16) {
        hide(w, begin, run_end(w->s, begin, is_jwt));
        return true;
    }
    if (word.len >= 40
        && (str_starts(word, STR("EAA")) || str_starts(word, STR("IGAA")) || str_starts(word, STR("IGQ")))) {
        hide(w, begin, begin + word.len);
        return true;
    }
    return false;
}

/* scheme://user:password@host */
static bool
hide_password(struct walk *w, size_t end)
{
    struct str rest = str_from(w->s, end), user, password;
    size_t     from = end + 3, to;

    if (!str_starts(rest, STR("://")))
        return false;
    to = run_end(w->s, from, is_userinfo);
    if (to >= w->s.len || w->s.ptr[to] != '@' || !str_cut(str_slice(w->s, from, to - from), ':', &user, &password))
        return false;
    hide(w, from + user.len + 1, to);
    return true;
}

void
log_redact(struct buf *out, struct str s)
{
    struct walk w = { .out = out, .s = s };
    size_t      at = 0, begin, end;

    while (at < s.len) {
        struct str word;

        if (!is_word(s.ptr[at])) {
            at++;
            continue;
        }
        begin = at;
        end = run_end(s, at, is_word);
        word = str_slice(s, begin, end - begin);
        if (hide_key(&w, word, begin) || hide_value(&w, word, end) || hide_bearer(&w, word, end)
            || hide_bot_token(&w, begin, end) || hide_password(&w, end))
            at = w.at;
        else
            at = end;
    }
    buf_append(out, str_from(s, w.at));
}
