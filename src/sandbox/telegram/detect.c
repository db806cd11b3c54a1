/* detect.c -- finds in plain text what Telegram makes tappable: commands, links, mentions, hashtags,
 * mail addresses.
 *
 * The real rules fill files; these find the ordinary cases and leave the rest alone. */
#include "sandbox/telegram/text.h"

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

static bool
is_name(char c)
{
    return is_word(c) && (c & 0x80) == 0;
}

static size_t
run(struct str s, size_t at, bool (*belongs)(char))
{
    size_t from = at;

    while (at < s.len && belongs(s.ptr[at]))
        at++;
    return at - from;
}

static bool
is_link_char(char c)
{
    return (unsigned char)c > ' ' && c != '"' && c != '<' && c != '>' && c != 0x7F;
}

static size_t
command(struct str s, size_t at)
{
    size_t name = run(s, at + 1, is_name), end = at + 1 + name, bot;

    if (name == 0 || name > 64)
        return 0;
    if (end < s.len && s.ptr[end] == '@' && (bot = run(s, end + 1, is_name)) >= 3)
        end += 1 + bot;
    return end < s.len && (s.ptr[end] == '/' || is_word(s.ptr[end])) ? 0 : end - at;
}

static size_t
mention(struct str s, size_t at)
{
    size_t name = run(s, at + 1, is_name);

    return name >= 3 && name <= 32 ? 1 + name : 0;
}

static size_t
hashtag(struct str s, size_t at)
{
    size_t name = run(s, at + 1, is_word);
    bool   has_letter = false;

    for (size_t i = 0; i < name; i++)
        has_letter |= s.ptr[at + 1 + i] < '0' || s.ptr[at + 1 + i] > '9';
    return has_letter ? 1 + name : 0;
}

/* Only with a scheme in front: guessing at "example.com" would need the list of all domains. */
static size_t
link_at(struct str s, size_t at)
{
    struct str rest = str_from(s, at);
    size_t     scheme = str_starts(rest, STR("https://")) ? 8 : str_starts(rest, STR("http://")) ? 7 : 0;
    size_t     len;

    if (scheme == 0)
        return 0;
    len = scheme + run(s, at + scheme, is_link_char);
    while (len > scheme && strchr(".,:;!?)'", rest.ptr[len - 1]))
        len--;
    return len > scheme ? len : 0;
}

static bool
is_mail_char(char c)
{
    return is_name(c) || c == '.' || c == '-' || c == '+';
}

static size_t
mail(struct str s, size_t at)
{
    size_t user = run(s, at, is_mail_char), host;

    if (user == 0 || at + user >= s.len || s.ptr[at + user] != '@')
        return 0;
    host = run(s, at + user + 1, is_mail_char);
    while (host > 0 && s.ptr[at + user + host] == '.')
        host--;
    return memchr(s.ptr + at + user + 1, '.', host) ? user + 1 + host : 0;
}

static size_t
entity_at(struct str s, size_t at, const char **type)
{
    size_t len;

    switch (s.ptr[at]) {
    case '/': *type = "bot_command"; return command(s, at);
    case '@': *type = "mention"; return mention(s, at);
    case '#': *type = "hashtag"; return hashtag(s, at);
    default:
        *type = "url";
        len = link_at(s, at);
        if (len > 0)
            return len;
        *type = "email";
        return is_name(s.ptr[at]) ? mail(s, at) : 0;
    }
}

/* Formatting may surround what is found, code and links may not touch it. */
static bool
is_free(const struct tg_text *t, size_t given, size_t from, size_t to)
{
    for (size_t i = 0; i < given; i++) {
        const struct tg_entity *e = &t->entities[i];
        struct str              type = str_of(e->type);
        bool                    around = e->from <= from && e->to >= to;
        bool                    opaque = str_eq(type, STR("code")) || str_eq(type, STR("pre"))
            || str_eq(type, STR("text_link")) || str_eq(type, STR("text_mention"));

        if (e->from < to && e->to > from && (opaque || !around))
            return false;
    }
    return true;
}

void
tg_detect_entities(struct tg_text *t)
{
    size_t      given = t->count;
    const char *type;

    for (size_t at = 0; at < t->text.len;) {
        bool   fresh = at == 0 || (!is_word(t->text.ptr[at - 1]) && !strchr("/@#.", t->text.ptr[at - 1]));
        size_t len = fresh ? entity_at(t->text, at, &type) : 0;

        if (len > 0 && is_free(t, given, at, at + len))
            tg_text_add(t, type, at, at + len, STR_NONE);
        at += len > 0 ? len : 1;
    }
}
