#include "http/multipart.h"

#include <stdio.h>

#include "http/testing_text.h"

/* Everything that is told goes into one text: <name|file|type> data </>. */
struct record {
    struct buf text;
};

static bool
on_begin(void *ctx, const struct multipart_head *h, struct error *err)
{
    struct record *r = ctx;

    (void)err;
    buf_printf(&r->text, "<%.*s|%.*s|%.*s>", STR_ARG(h->name), str_is_none(h->file_name) ? 1 : (int)h->file_name.len,
               str_is_none(h->file_name) ? "-" : h->file_name.ptr, STR_ARG(h->content_type));
    return true;
}

static bool
on_data(void *ctx, struct str bytes, struct error *err)
{
    struct record *r = ctx;

    (void)err;
    ck_assert_uint_gt(bytes.len, 0);
    buf_append(&r->text, bytes);
    return true;
}

static bool
on_end(void *ctx, struct error *err)
{
    struct record *r = ctx;

    (void)err;
    buf_append(&r->text, STR("</>"));
    return true;
}

static const struct multipart_events events = { .begin = on_begin, .data = on_data, .end = on_end };

/* The body in the given pieces; what was told, or the error's message behind "!". In `a`. */
static struct str
read_in_pieces(struct arena *a, struct str body, const size_t *cuts, size_t cut_count)
{
    struct record    r;
    struct multipart m;
    struct error     err = { .status = 0 };
    struct str       out;
    size_t           at = 0;
    bool             ok = true;

    buf_init(&r.text, MIB);
    multipart_init(&m, STR("b"), &events, &r, a);
    for (size_t i = 0; ok && i <= cut_count; i++) {
        size_t to = i < cut_count ? cuts[i] : body.len;

        ok = multipart_feed(&m, str_slice(body, at, to - at), &err);
        at = to;
    }
    ok = ok && multipart_finish(&m, &err);
    out = ok ? arena_copy(a, buf_str(&r.text)) : arena_printf(a, "!%d %s", err.status, err.message);
    multipart_deinit(&m);
    buf_deinit(&r.text);
    return out;
}

#define FIELD(name, value) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value

static const struct {
    const char *body, *told; /* "!400": refused with that status */
} bodies[] = {
    { "--b\r\n" FIELD("a", "1") "\r\n--b--\r\n", "<a|-|>1</>" },
    { "--b\r\n" FIELD("a", "1") "\r\n--b--", "<a|-|>1</>" },
    { "--b\r\n" FIELD("a", "") "\r\n--b--\r\n", "<a|-|></>" },
    { "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b--\r\n", "<a|-|></>" }, /* no body line at all */
    { "--b\r\n" FIELD("a", "1") "\r\n--b\r\n" FIELD("b", "2") "\r\n--b--\r\n", "<a|-|>1</><b|-|>2</>" },
    { "--b  \t\r\n" FIELD("a", "1") "\r\n--b \r\n" FIELD("b", "2") "\r\n--b--\r\n", "<a|-|>1</><b|-|>2</>" },
    { "pre\r\n-- not\r\n--b\r\n" FIELD("a", "1") "\r\n--b--\r\nepilogue\r\n--b\r\n", "<a|-|>1</>" },
    { "\r\n--b\r\n" FIELD("a", "1") "\r\n--b--", "<a|-|>1</>" },
    { "x--b\r\n\r\n--b\r\n" FIELD("a", "1") "\r\n--b--", "<a|-|>1</>" }, /* not at the start of a line */
    { "--b\r\n" FIELD("a", "\r\n") "\r\n--b--", "<a|-|>\r\n</>" },
    { "--b\r\n" FIELD("a", "\r\r\n\r\r\n-\r\n--\r\n--c") "\r\n--b--", "<a|-|>\r\r\n\r\r\n-\r\n--\r\n--c</>" },
    { "--b\r\n" FIELD("a", "\n--b\n\r--b\r\r\n") "\r\n--b--", "<a|-|>\n--b\n\r--b\r\r\n</>" },
    { "--b\r\n" FIELD("a", "--b") "\r\n--b--", "!400" }, /* the head's CRLF belongs to the boundary then */
    { "--b\r\nContent-Disposition: form-data; name=\"m\"; filename=\"cat.jpg\"\r\nContent-Type: Image/JPEG; q=1\r\n"
      "Content-Length: 3\r\nX-Any: thing\r\n\r\nJPG\r\n--b--", "<m|cat.jpg|image/jpeg>JPG</>" },
    { "--b--\r\n", "" },
    { "", "!400" },
    { "--b", "!400" },
    { "--b\r\n", "!400" },
    { "--b-x", "!400" },
    { "--bb\r\n" FIELD("a", "1") "\r\n--b--", "!400" },
    { "--b\r\n" FIELD("a", "1") "\r\n--bx", "!400" },
    { "--b\r\n" FIELD("a", "1") "\r\n--b\n", "!400" },
    { "--b\r\n" FIELD("a", "1") "\r\n--b \rx", "!400" },
    { "--b\r\n" FIELD("a", "1") "\r\n--b", "!400" },
    { "--b\r\n" FIELD("a", "1"), "!400" },
    { "--b\r\n\r\n1\r\n--b--", "!400" },                                   /* no header at all */
    { "--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--", "!400" },       /* no disposition */
    { "--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", "!400" }, /* no name */
    { "--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--", "!400" },
    { "--b\r\nContent-Disposition: form-data; name=\"a\n\r\n\r\n1\r\n--b--", "!400" },
    { "--b\r\nno colon\r\n" FIELD("a", "1") "\r\n--b--", "!400" },
    { "--b\r\nX: a\rb\r\n" FIELD("a", "1") "\r\n--b--", "!400" },
};

static void
assert_told(struct str told, const char *expected, const char *what)
{
    if (expected[0] == '!')
        ck_assert_msg(str_starts(told, str_of(expected)), "%s: '%.*s'", what, STR_ARG(told));
    else
        ck_assert_msg(str_eq(told, str_of(expected)), "%s: '%.*s'", what, STR_ARG(told));
}

START_TEST(a_body_reads_the_same_however_it_is_cut)
{
    struct arena a = { 0 };
    struct str   body = str_of(bodies[_i].body);
    char         what[64];
    size_t       all[1024];

    assert_told(read_in_pieces(&a, body, NULL, 0), bodies[_i].told, "whole");
    for (size_t i = 0; i <= body.len; i++) {
        snprintf(what, sizeof(what), "cut at %zu", i);
        assert_told(read_in_pieces(&a, body, &i, 1), bodies[_i].told, what);
        all[i] = i;
    }
    assert_told(read_in_pieces(&a, body, all, body.len), bodies[_i].told, "byte by byte");
    arena_deinit(&a);
}
END_TEST

/* The rest of a Content-Disposition, and the names read from it; NULL: refused. */
static const struct {
    const char *line, *name, *file_name;
} dispositions[] = {
    { "; name=a", "a", "-" },
    { ";name=\"a\"", "a", "-" },
    { " ; name = \"a\" ; filename = \"f\" ", "a", "f" },
    { "; NAME=\"a\"; FileName=f.txt", "a", "f.txt" },
    { "; name=\"a\\\"b\"; filename=\"x\\\\y\\\"z\"", "a\"b", "y\"z" },
    { "; name=\"a;b=c\"; filename=\"d;e\"", "a;b=c", "d;e" },
    { "; name=\"media[][]\"; filename=\"C:\\photos\\cat.jpg\"", "media[][]", "cat.jpg" },
    { "; name=\"a\"; filename=\"/etc/passwd\"", "a", "passwd" },
    { "; name=\"a\"; filename=\"../x\"", "a", "x" },
    { "; name=\"a\"; filename=\"\"", "a", "" },
    { "; name=\"a\"; filename=\"na\xc3\xafve\"", "a", "na\xc3\xafve" },
    { "; name=\"a\"; filename=\"plain\"; filename*=UTF-8''na%C3%AFve%2Etxt", "a", "na\xc3\xafve.txt" },
    { "; name=\"a\"; filename*=utf-8'en'b; filename=\"plain\"", "a", "b" },
    { "; name=\"a\"; filename=\"plain\"; filename*=ISO-8859-1''na%EFve", "a", "plain" },
    { "; name=\"a\"; filename=\"plain\"; filename*=UTF-8''%zz", "a", "plain" },
    { "; name=\"a\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "a", "passwd" },
    { "; name=\"a\"; filename=\"\xff\"", NULL, NULL },
    { "; name=\"\xff\"", NULL, NULL },
    { "; name=\"a\"; filename*=UTF-8''%FF", NULL, NULL },
    { "; name=\"a", NULL, NULL },
    { "; name=\"a\\\"", NULL, NULL },
    { "; name=\"a\"b", NULL, NULL },
    { "; name", NULL, NULL },
    { "; filename=\"f\"", NULL, NULL },
};

START_TEST(a_disposition_names_part_and_file)
{
    struct arena          a = { 0 };
    struct multipart_head head;
    struct error          err;
    struct str lines = arena_printf(&a, "content-disposition:form-data%s\r\n", dispositions[_i].line);

    ck_assert_int_eq(multipart_parse_head(lines, &a, &head, &err), dispositions[_i].name != NULL);
    if (dispositions[_i].name) {
        ck_assert_text(head.name, dispositions[_i].name);
        ck_assert_text(str_is_none(head.file_name) ? STR("-") : head.file_name, dispositions[_i].file_name);
    } else
        ck_assert_int_eq(err.status, 400);
    arena_deinit(&a);
}
END_TEST

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
    const char *type, *boundary;
} boundaries[] = {
    { "multipart/form-data; boundary=abc", "abc" },
    { "multipart/form-data; charset=utf-8; Boundary=\"a b:c\"", "a b:c" },
    { "multipart/form-data;boundary=----WebKitFormBoundaryx;x=y", "----WebKitFormBoundaryx" },
    { "multipart/form-data; boundary=" SEVENTY, SEVENTY },
    { "multipart/form-data; boundary=" SEVENTY "0", NULL },
    { "multipart/form-data; boundary=", NULL },
    { "multipart/form-data; boundary=\"\"", NULL },
    { "multipart/form-data; boundary=\"a", NULL },
    { "multipart/form-data; boundary=a\x7f", NULL },
    { "multipart/form-data; boundary", NULL },
    { "multipart/form-data", NULL },
};

START_TEST(the_boundary_is_in_the_content_type)
{
    struct arena a = { 0 };
    struct str   boundary;
    struct error err;

    ck_assert_int_eq(multipart_boundary(str_of(boundaries[_i].type), &a, &boundary, &err),
                     boundaries[_i].boundary != NULL);
    if (boundaries[_i].boundary)
        ck_assert_text(boundary, boundaries[_i].boundary);
    else
        ck_assert_int_eq(err.status, 400);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_body_has_a_bounded_number_of_parts)
{
    struct arena a = { 0 };
    struct buf   body;

    buf_init(&body, MIB);
    for (int i = 0; i < MULTIPART_PARTS_MAX; i++)
        buf_append(&body, STR("--b\r\n" FIELD("a", "1") "\r\n"));
    buf_append(&body, STR("--b--"));
    ck_assert(!str_starts(read_in_pieces(&a, buf_str(&body), NULL, 0), STR("!")));
    body.len -= 5;
    buf_append(&body, STR("--b\r\n" FIELD("a", "1") "\r\n--b--"));
    assert_told(read_in_pieces(&a, buf_str(&body), NULL, 0), "!413", "one more");
    buf_deinit(&body);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_part_has_a_bounded_header)
{
    struct arena a = { 0 };
    struct buf   body;

    buf_init(&body, MIB);
    buf_append(&body, STR("--b\r\nX: "));
    while (body.len < MULTIPART_HEADER_MAX - 100)
        buf_append_char(&body, 'x');
    buf_append(&body, STR("\r\n" FIELD("a", "1") "\r\n--b--"));
    assert_told(read_in_pieces(&a, buf_str(&body), NULL, 0), "<a|-|>1</>", "just fits");
    buf_clear(&body);
    buf_append(&body, STR("--b\r\nX: "));
    while (body.len < 2 * MULTIPART_HEADER_MAX)
        buf_append_char(&body, 'x');
    assert_told(read_in_pieces(&a, buf_str(&body), NULL, 0), "!400", "too long");
    buf_deinit(&body);
    arena_deinit(&a);
}
END_TEST

static bool
refuse_data(void *ctx, struct str bytes, struct error *err)
{
    (void)ctx;
    (void)bytes;
    return error_set(err, 413, "enough");
}

static bool
refuse_end(void *ctx, struct error *err)
{
    (void)ctx;
    return error_set(err, 413, "enough");
}

static const struct multipart_events stopping_data = { .begin = on_begin, .data = refuse_data, .end = on_end };
static const struct multipart_events stopping_end = { .begin = on_begin, .data = on_data, .end = refuse_end };

static const struct {
    const struct multipart_events *events;
    const char                    *body, *record;
} stops[] = {
    { &stopping_data, "--b\r\n" FIELD("a", "12"), "<a|-|>" },
    { &stopping_data, "--b\r\n" FIELD("a", "\r\n--x"), "<a|-|>" }, /* which began like a boundary */
    { &stopping_end, "--b\r\n" FIELD("a", "12") "\r\n--b--", "<a|-|>12" },
};

START_TEST(who_listens_can_stop_it)
{
    struct arena     a = { 0 };
    struct record    r;
    struct multipart m;
    struct error     err;

    buf_init(&r.text, MIB);
    multipart_init(&m, STR("b"), stops[_i].events, &r, &a);
    ck_assert(!multipart_feed(&m, str_of(stops[_i].body), &err));
    ck_assert_int_eq(err.status, 413);
    ck_assert_text(buf_str(&r.text), stops[_i].record);
    multipart_deinit(&m);
    buf_deinit(&r.text);
    arena_deinit(&a);
}
END_TEST

static TCase *
parsing(void)
{
    TCase *c = tcase_create("parsing");

    tcase_add_loop_test(c, a_body_reads_the_same_however_it_is_cut, 0, COUNT(bodies));
    tcase_add_loop_test(c, a_disposition_names_part_and_file, 0, COUNT(dispositions));
    tcase_add_loop_test(c, the_boundary_is_in_the_content_type, 0, COUNT(boundaries));
    tcase_add_test(c, a_body_has_a_bounded_number_of_parts);
    tcase_add_test(c, a_part_has_a_bounded_header);
    tcase_add_loop_test(c, who_listens_can_stop_it, 0, COUNT(stops));
    return c;
}

TEST_CASES("multipart", parsing)
