#include "sandbox/telegram/files.h"

#include "base/testing.h"

static struct tg_files all;

static void
set_up(void)
{
    tg_files_init(&all);
}

static void
tear_down(void)
{
    tg_files_deinit(&all);
}

static struct tg_file *
add(int64_t bot, enum tg_file_kind kind, struct str bytes, const char *extension)
{
    struct tg_blob *blob = tg_blob_copy(&all, bytes);
    struct tg_file *f = tg_file_add(&all, bot, kind, blob, extension);

    tg_blob_release(&all, blob);
    return f;
}

START_TEST(an_id_is_good_for_one_bot_only)
{
    struct tg_file *photo = add(1, TG_PHOTO, STR("x"), ".jpg"), *document = add(1, TG_DOCUMENT, STR("y"), ".pdf");
    char            id[TG_FILE_ID_MAX], other[TG_FILE_ID_MAX];
    const char     *reason;

    tg_file_id(&all, photo, id);
    ck_assert_int_eq(strncmp(id, "AgAC", 4), 0);
    ck_assert_ptr_null(strchr(id, '.'));
    ck_assert_ptr_null(strchr(id, '/'));
    ck_assert_int_eq(strncmp(tg_file_id(&all, document, other), "BQAC", 4), 0);
    ck_assert_str_ne(tg_file_unique_id(&all, photo, id), tg_file_unique_id(&all, document, other));

    tg_file_id(&all, photo, id);
    ck_assert_ptr_eq(tg_file_by_id(&all, 1, str_of(id), &reason), photo);
    ck_assert_ptr_null(tg_file_by_id(&all, 2, str_of(id), &reason));
    ck_assert_ptr_nonnull(reason);
}
END_TEST

START_TEST(no_changed_id_is_taken_for_one)
{
    struct tg_file *f = add(1, TG_PHOTO, STR("x"), ".jpg");
    char            id[TG_FILE_ID_MAX];
    const char     *reason;
    size_t          len = strlen(tg_file_id(&all, f, id));

    for (size_t i = 0; i < len; i++) {
        char was = id[i];

        id[i] = was == 'A' ? 'B' : 'A';
        ck_assert_ptr_null(tg_file_by_id(&all, 1, str_of(id), &reason));
        ck_assert_ptr_nonnull(reason);
        id[i] = was;
        ck_assert_ptr_null(tg_file_by_id(&all, 1, (struct str){ id, i }, &reason));
        ck_assert_ptr_nonnull(reason);
    }
    ck_assert_ptr_eq(tg_file_by_id(&all, 1, str_of(id), &reason), f);
}
END_TEST

START_TEST(a_path_is_the_whole_path)
{
    struct tg_file *f = add(1, TG_PHOTO, STR("x"), ".jpg");
    char            path[TG_FILE_ID_MAX];

    ck_assert_str_eq(tg_file_path(f, path), "photos/file_1.jpg");
    ck_assert_ptr_eq(tg_file_by_path(&all, 1, str_of(path)), f);
    ck_assert_ptr_null(tg_file_by_path(&all, 2, str_of(path)));
    ck_assert_ptr_null(tg_file_by_path(&all, 1, STR("photos/file_1")));
    ck_assert_ptr_null(tg_file_by_path(&all, 1, STR("videos/file_1.jpg")));
    ck_assert_ptr_null(tg_file_by_path(&all, 1, STR("photos/file_99999999999999999999.jpg")));
    ck_assert_ptr_null(tg_file_by_path(&all, 1, STR("")));
}
END_TEST

START_TEST(the_oldest_bytes_go_when_there_are_too_many)
{
    size_t          size = TG_FILES_BYTES_MAX / 4;
    char           *bytes = calloc(1, size);
    struct tg_file *files[6];
    char            id[TG_FILE_ID_MAX];
    const char     *reason;

    for (int i = 0; i < 6; i++)
        files[i] = add(1, TG_DOCUMENT, (struct str){ bytes, size }, "");
    ck_assert(files[0]->blob->dropped && files[1]->blob->dropped);
    for (int i = 2; i < 6; i++)
        ck_assert(!files[i]->blob->dropped);
    ck_assert_uint_le(all.bytes, TG_FILES_BYTES_MAX);
    ck_assert_ptr_eq(tg_file_by_id(&all, 1, str_of(tg_file_id(&all, files[0], id)), &reason), files[0]);
    free(bytes);
}
END_TEST

START_TEST(files_may_share_bytes_and_content)
{
    struct tg_blob *blob = tg_blob_copy(&all, STR("x"));
    struct tg_file *large = tg_file_add(&all, 1, TG_PHOTO, blob, ".jpg");
    struct tg_file *small = tg_file_add(&all, 1, TG_PHOTO, blob, ".jpg");

    tg_blob_release(&all, blob);
    small->content_of = large->number;
    ck_assert_ptr_null(tg_file_content(&all, small));
    tg_file_set_content(large, STR("\"photo\":[]"));
    ck_assert_str_eq(tg_file_content(&all, small), "\"photo\":[]");
    ck_assert_uint_eq(all.bytes, 1);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("files");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_id_is_good_for_one_bot_only);
    tcase_add_test(c, no_changed_id_is_taken_for_one);
    tcase_add_test(c, a_path_is_the_whole_path);
    tcase_add_test(c, the_oldest_bytes_go_when_there_are_too_many);
    tcase_add_test(c, files_may_share_bytes_and_content);
    return c;
}

TEST_CASES("files", files)
