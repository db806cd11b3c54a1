/* The requests and signatures are those that AWS publishes with its description of the algorithm. */
#include "media/sigv4.h"

#include "base/testing.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MOMENT     INT64_C(1369353600000) /* 2013-05-24T00:00:00Z */

static const struct sigv4_key key = {
    .id = { "AKIAIOSFODNN7EXAMPLE", 20 },
    .secret = { "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40 },
    .region = { "us-east-1", 9 },
};

static struct arena a;

static struct sigv4_request
request(const char *method, const char *path, const char *query)
{
    return (struct sigv4_request){
        .method = str_of(method), .host = STR("examplebucket.s3.amazonaws.com"), .path = str_of(path),
        .query = query ? str_of(query) : STR_NONE, .payload_hash = STR(EMPTY_HASH), .time_ms = MOMENT,
    };
}

static void
check_signed(const struct sigv4_request *r, const char *names, const char *expected)
{
    struct str got = sigv4_authorization(&a, &key, r);
    struct str wanted = arena_printf(&a,
                                     "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                                     "aws4_request,SignedHeaders=%s,Signature=%s",
                                     names, expected);

    ck_assert_msg(str_eq(got, wanted), "%.*s\n%.*s", STR_ARG(got), STR_ARG(wanted));
}

START_TEST(a_get_with_a_range)
{
    struct sigv4_request r = request("GET", "/test.txt", NULL);

    r.headers[r.header_count++] = (struct sigv4_header){ STR("range"), STR("bytes=0-9") };
    check_signed(&r, "host;range;x-amz-content-sha256;x-amz-date",
                 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
END_TEST

START_TEST(a_put_with_headers_before_and_behind_ours)
{
    struct sigv4_request r = request("PUT", "/test%24file.text", NULL);

    r.headers[r.header_count++] = (struct sigv4_header){ STR("date"), STR("Fri, 24 May 2013 00:00:00 GMT") };
    r.headers[r.header_count++] = (struct sigv4_header){ STR("x-amz-storage-class"), STR("REDUCED_REDUNDANCY") };
    r.payload_hash = sigv4_hash(&a, STR("Welcome to Amazon S3."));
    check_signed(&r, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}
END_TEST

START_TEST(queries)
{
    struct sigv4_request lifecycle = request("GET", "/", "lifecycle=");
    struct sigv4_request list = request("GET", "/", "max-keys=2&prefix=J");

    check_signed(&lifecycle, "host;x-amz-content-sha256;x-amz-date",
                 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    check_signed(&list, "host;x-amz-content-sha256;x-amz-date",
                 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}
END_TEST

START_TEST(an_address_that_needs_no_headers)
{
    struct sigv4_request r = request("GET", "/test.txt", NULL);
    struct str query = sigv4_presigned_query(&a, &key, &r, 86400);

    ck_assert_msg(str_ends(query, STR("&X-Amz-Signature="
                                      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")),
                  "%.*s", STR_ARG(query));
}
END_TEST

START_TEST(what_is_encoded)
{
    ck_assert(str_eq(sigv4_encode(&a, STR("a b/c~ä+"), true), STR("a%20b/c~%C3%A4%2B")));
    ck_assert(str_eq(sigv4_encode(&a, STR("a/b"), false), STR("a%2Fb")));
}
END_TEST

TESTS("sigv4", a_get_with_a_range, a_put_with_headers_before_and_behind_ours, queries,
      an_address_that_needs_no_headers, what_is_encoded)
