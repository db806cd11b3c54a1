#include "sandbox/telegram/methods.h"

#include "base/testing.h"

#define NO_TEXT    "there is no text in the message to edit"
#define NO_CAPTION "there is no caption in the message to edit"
#define NO_MEDIA   "there is no media in the message to edit"
#define CANNOT     "message can't be edited"

static const struct {
    struct tg_message message;
    const char       *says[TG_EDIT_MEDIA + 1]; /* to a new text, caption, markup, media; NULL = it may be */
} rules[] = {
    { { .body.kind = TG_CONTENT_TEXT }, { NULL, NO_CAPTION, NULL, NO_MEDIA } },
    { { .body.kind = TG_CONTENT_MEDIA }, { NO_TEXT, NULL, NULL, NULL } },
    { { .body.kind = TG_CONTENT_OTHER }, { NO_TEXT, NO_CAPTION, NULL, NO_MEDIA } },
    { { .body.kind = TG_CONTENT_TEXT, .by_person = true }, { CANNOT, CANNOT, CANNOT, CANNOT } },
    { { .body.kind = TG_CONTENT_MEDIA, .by_person = true }, { CANNOT, CANNOT, CANNOT, CANNOT } },
    { { .body.kind = TG_CONTENT_TEXT, .not_editable = true }, { CANNOT, CANNOT, CANNOT, CANNOT } },
    { { .body.kind = TG_CONTENT_MEDIA, .not_editable = true }, { CANNOT, CANNOT, CANNOT, CANNOT } },
};

START_TEST(only_some_messages_can_be_edited_in_some_ways)
{
    for (enum tg_edit what = TG_EDIT_TEXT; what <= TG_EDIT_MEDIA; what++) {
        const char  *says = rules[_i].says[what];
        struct error err = { 0 };

        ck_assert_int_eq(tg_edit_allowed(&rules[_i].message, what, &err), says == NULL);
        ck_assert_str_eq(err.message, says ? says : "");
    }
}
END_TEST

static TCase *
edits(void)
{
    TCase *c = tcase_create("edits");

    tcase_add_loop_test(c, only_some_messages_can_be_edited_in_some_ways, 0, COUNT(rules));
    return c;
}

TEST_CASES("edit", edits)
