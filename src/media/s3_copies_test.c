/* s3_copies_test.c -- getting files from a bucket, and the copies of them that are kept here. */
#include "media/s3.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/testing_str.h"
#include "media/testing_bucket.h"

#define MINUTE INT64_C(60000)

static struct str
opened(const char *name)
{
    struct str out = STR_NONE;
    int64_t modified_ms;
    const char *type;
    ssize_t len;
    char *bytes;
    int fd;

    if (!media_open(bucket.store, str_of(name), &fd, &type, &modified_ms, &bucket.err))
        return out;
    bytes = arena_alloc(&bucket.arena, 2 * UNIT);
    len = read(fd, bytes, 2 * UNIT);
    close(fd);
    ck_assert_int_ge(len, 0);
    ck_assert_int_eq(modified_ms, INT64_C(1735689600000));
    return (struct str){ bytes, (size_t)len };
}

START_TEST(what_was_asked_for_is_there_the_next_time)
{
    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(bucket_asked(), "GET");
    ck_assert_int_eq(bucket_files("media/copies"), 1);
    ck_assert_int_eq(bucket_files("media/spool"), 0);
}
END_TEST

START_TEST(what_is_not_there_is_a_404)
{
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 404);
    ck_assert_str_eq(bucket_asked(), "GET");
    ck_assert_int_eq(bucket_files("media/spool"), 0);
}
END_TEST

START_TEST(a_bucket_that_is_gone_is_no_404)
{
    bucket.orders[0] = (struct order){ "GET", "/", 9, ANSWERS, 404, "<Error><Code>NoSuchBucket</Code></Error>" };
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 503);
}
END_TEST

START_TEST(who_may_not_list_hears_403_for_404)
{
    media_close(bucket.store);
    bucket.denies_missing = true;
    ck_assert_msg(bucket_open_at("127.0.0.1", true), "%s", bucket.err.message);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 404);
    bucket.orders[1] = (struct order){ "GET", NAME, 1, ANSWERS, 403,
                                       "<Error><Code>SignatureDoesNotMatch</Code></Error>" };
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 503);
}
END_TEST

START_TEST(half_of_it_is_nothing)
{
    bucket.object = STR("hello");
    bucket.orders[0] = (struct order){ "GET", "/", 1, CUTS_SHORT, 0, "" };
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(bucket_asked(), "GET GET");
}
END_TEST

START_TEST(after_an_hour_the_bucket_is_asked_again)
{
    int64_t now_ms = clock_now_ms();

    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    clock_set(now_ms + 61 * MINUTE);
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(bucket_asked(), "GET HEAD");
    clock_set(now_ms + 122 * MINUTE);
    bucket.orders[0] = (struct order){ "HEAD", "/", 9, CUTS, 0, "" };
    ck_assert_slice(opened(NAME), "hello");
    pthread_mutex_lock(&bucket.lock);
    bucket.orders[0].count = 0;
    bucket.object = STR_NONE;
    pthread_mutex_unlock(&bucket.lock);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 404);
    ck_assert_int_eq(bucket_files("media/copies"), 0);
}
END_TEST

START_TEST(copies_keep_within_their_room)
{
    static char bytes[UNIT];
    int64_t now_ms = clock_now_ms();
    const char *name;

    bucket.object = (struct str){ bytes, sizeof(bytes) };
    for (int i = 0; i < 9; i++) {
        clock_set(now_ms + i * INT64_C(1000));
        name = arena_printf(&bucket.arena, "4Ea3MGLQhSTN8tP9uVyXw%d.png", i + 1).ptr;
        ck_assert_uint_eq(opened(name).len, sizeof(bytes));
        ck_assert_int_le(bucket_files("media/copies"), 4);
    }
    ck_assert_int_eq(access(place_path(&bucket.place, "media/copies/4Ea3MGLQhSTN8tP9uVyXw9.png", ""), F_OK), 0);
    ck_assert_int_ne(access(place_path(&bucket.place, "media/copies/4Ea3MGLQhSTN8tP9uVyXw1.png", ""), F_OK), 0);
}
END_TEST

START_TEST(processes_of_one_machine_share_their_copies)
{
    struct media_store *first = bucket.store;

    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert(bucket_open_at("127.0.0.1", true));
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(bucket_asked(), "GET");
    ck_assert(media_remove(bucket.store, STR(NAME), &bucket.err));
    bucket.object = STR_NONE;
    media_close(bucket.store);
    bucket.store = first;
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 404);
}
END_TEST

START_TEST(no_place_for_a_copy_is_our_trouble)
{
    bucket.object = STR("hello");
    ck_assert_int_eq(rmdir(place_path(&bucket.place, "media/spool", "")), 0);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(bucket.err.status, 503);
}
END_TEST

START_TEST(removing_takes_the_copy_along)
{
    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    bucket.orders[0] = (struct order){ "DELETE", "/", 1, ANSWERS, 404, "<Error><Code>NoSuchKey</Code></Error>" };
    ck_assert(media_remove(bucket.store, STR(NAME), &bucket.err));
    ck_assert_int_eq(bucket_files("media/copies"), 0);
    ck_assert_str_eq(bucket_asked(), "GET DELETE");
    bucket.orders[0] = (struct order){ "DELETE", "/", 9, ANSWERS, 404, "<Error><Code>NoSuchBucket</Code></Error>" };
    ck_assert(!media_remove(bucket.store, STR(NAME), &bucket.err));
    ck_assert_int_eq(bucket.err.status, 503);
}
END_TEST

START_TEST(objects_move_from_store_to_store)
{
    struct media_store *disk;
    struct str path;
    int64_t size;

    bucket.object = STR("hello");
    ck_assert(media_open_disk(place_path(&bucket.place, "disk", ""), &disk, &bucket.err));
    ck_assert(!media_size(disk, STR(NAME), &size, &bucket.err) && bucket.err.status == 404);
    path = media_spool_path(disk, &bucket.arena);
    ck_assert(media_fetch(bucket.store, STR(NAME), path.ptr, &bucket.err));
    ck_assert(media_put(disk, path.ptr, STR(NAME), &bucket.err));
    ck_assert(media_size(disk, STR(NAME), &size, &bucket.err) && size == 5);
    path = media_spool_path(bucket.store, &bucket.arena);
    ck_assert(media_fetch(disk, STR(NAME), path.ptr, &bucket.err));
    ck_assert(media_put(bucket.store, path.ptr, STR(NAME), &bucket.err));
    ck_assert_slice(bucket_last_request().body, "hello");
    ck_assert(media_size(disk, STR(NAME), &size, &bucket.err) && size == 5);
    ck_assert(media_size(bucket.store, STR(NAME), &size, &bucket.err) && size == 5);
    media_close(disk);
}
END_TEST

static TCase *
getting(void)
{
    const TTest *const tests[] = {
        what_was_asked_for_is_there_the_next_time, what_is_not_there_is_a_404, a_bucket_that_is_gone_is_no_404,
        who_may_not_list_hears_403_for_404, half_of_it_is_nothing, after_an_hour_the_bucket_is_asked_again,
        copies_keep_within_their_room, processes_of_one_machine_share_their_copies,
        no_place_for_a_copy_is_our_trouble, removing_takes_the_copy_along, objects_move_from_store_to_store,
    };
    TCase *c = tcase_create("getting");

    tcase_add_checked_fixture(c, bucket_open, bucket_remove);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, tests[i]);
    return c;
}

TEST_CASES("s3 copies", getting)
