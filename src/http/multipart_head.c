/* multipart_head.c -- the few header fields of multipart bodies that say something, see multipart.h. */
#include "http/http.h"
#include "http/multipart.h"

static bool
refuse(struct error *err, const char *what)
{
    return error_set(err, 400, "the multipart body is not valid: %s", what);
}

/* The inside of a quoted string from behind its opening quote; *in goes behind the closing one. Only \" and \\ are
 * escapes, because old browsers send "C:\photos\cat.jpg" as it is. */
static bool
read_quoted(struct str *in, struct arena *a, struct str *out)
{
    char  *copy = arena_bytes(a, in->len + 1);
    size_t n = 0, i;

    for (i = 0; i < in->len && in->ptr[i] != '"'; i++) {
        if (in->ptr[i] == '\\' && i + 1 < in->len && (in->ptr[i + 1] == '"' || in->ptr[i + 1] == '\\'))
            i++;
        copy[n++] = in->ptr[i];
    }
    copy[n] = '\0';
    *out = (struct str){ copy, n };
    if (i == in->len)
        return false;
    *in = str_from(*in, i + 1);
    return true;
}

/* The next `; name=value` of a header's value. False at the end, and with *bad when what is there is none. */
static bool
next_param(struct str *in, struct arena *a, struct str *name, struct str *value, bool *bad)
{
    struct str rest = str_trim(*in), tail;

    *bad = false;
    while (rest.len > 0 && rest.ptr[0] == ';')
        rest = str_trim(str_from(rest, 1));
    if (rest.len == 0)
        return false;
    *bad = true;
    if (!str_cut(rest, '=', name, &rest))
        return false;
    *name = str_trim(*name);
    rest = str_trim(rest);
    if (rest.len > 0 && rest.ptr[0] == '"') {
        rest = str_from(rest, 1);
        if (!read_quoted(&rest, a, value))
            return false;
        rest = str_trim(rest);
        if (rest.len > 0 && rest.ptr[0] != ';')
            return false;
    } else {
        str_cut(rest, ';', value, &tail);
        rest = str_from(rest, value->len);
        *value = str_trim(*value);
    }
    *in = rest;
    *bad = false;
    return true;
}

bool
multipart_boundary(struct str content_type, struct arena *a, struct str *out, struct error *err)
{
    struct str type, rest, name, value;
    bool       bad;

    *out = STR_NONE;
    str_cut(content_type, ';', &type, &rest);
    while (next_param(&rest, a, &name, &value, &bad))
        if (str_eq_nocase(name, STR("boundary")))
            *out = value;
    if (bad || str_is_none(*out))
        return refuse(err, "its Content-Type names no boundary");
    if (out->len == 0 || out->len > MULTIPART_BOUNDARY_MAX)
        return refuse(err, "the boundary is empty or longer than 70 characters");
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] < ' ' || out->ptr[i] > '~')
            return refuse(err, "the boundary holds a character that is not allowed");
    return true;
}

/* "UTF-8'en'na%C3%AFve.txt" (RFC 8187); another character set is left to the plain parameter. */
static struct str
read_extended(struct str value, struct arena *a)
{
    struct str charset, language, text, out;

    if (!str_cut(value, '\'', &charset, &text) || !str_cut(text, '\'', &language, &text)
        || !str_eq_nocase(charset, STR("UTF-8")) || !http_decode(text, false, a, &out))
        return STR_NONE;
    return out;
}

/* Some browsers sent whole paths, and nobody here wants the folders. */
static struct str
base_name(struct str path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\')
            return str_from(path, i);
    return path;
}

static bool
read_disposition(struct str value, struct arena *a, struct multipart_head *out, struct error *err)
{
    struct str type, rest, name, text, plain = STR_NONE, extended = STR_NONE;
    bool       bad;

    str_cut(value, ';', &type, &rest);
    if (!str_eq_nocase(str_trim(type), STR("form-data")))
        return refuse(err, "a part is not form-data");
    while (next_param(&rest, a, &name, &text, &bad)) {
        if (str_eq_nocase(name, STR("name")))
            out->name = text;
        else if (str_eq_nocase(name, STR("filename")))
            plain = text;
        else if (str_eq_nocase(name, STR("filename*")))
            extended = read_extended(text, a);
    }
    if (bad)
        return refuse(err, "a Content-Disposition cannot be read");
    out->file_name = base_name(str_is_none(extended) ? plain : extended);
    return true;
}

bool
multipart_parse_head(struct str lines, struct arena *a, struct multipart_head *out, struct error *err)
{
    struct str line, name, value, copy = arena_copy(a, lines);

    *out = (struct multipart_head){ .name = STR_NONE };
    while (copy.len > 0) {
        str_cut(copy, '\n', &line, &copy);
        if (line.len == 0 || line.ptr[line.len - 1] != '\r')
            return refuse(err, "a line in a part's header does not end with CRLF");
        line.len--;
        if (memchr(line.ptr, '\r', line.len) || memchr(line.ptr, '\0', line.len))
            return refuse(err, "a control character in a part's header");
        if (!str_cut(line, ':', &name, &value))
            return refuse(err, "a line in a part's header has no colon");
        value = str_trim(value);
        if (str_eq_nocase(name, STR("Content-Disposition"))) {
            if (!read_disposition(value, a, out, err))
                return false;
        } else if (str_eq_nocase(name, STR("Content-Type"))) {
            str_cut(value, ';', &value, &line);
            out->content_type = arena_lower(a, str_trim(value));
        }
    }
    if (str_is_none(out->name))
        return refuse(err, "a part has no name");
    if (!str_is_utf8(out->name) || (out->file_name.len > 0 && !str_is_utf8(out->file_name)))
        return refuse(err, "the name of a part is not UTF-8");
    return true;
}
