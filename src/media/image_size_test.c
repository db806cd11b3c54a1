#include "base/testing.h"

#include "media/image_size.h"

#define PNG "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR"
#define SOI "\xFF\xD8"
#define JFIF "\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
#define FRAME_40x30 "\xFF\xC0\0\x11\x08\0\x1E\0\x28\3\1\x22\0\2\x11\1\3\x11\1"

/* An EXIF segment with one entry: big- and little-endian. */
#define EXIF_BE(orientation) \
    "\xFF\xE1\0\x22" "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" orientation "\0\0\0\0\0\0"
#define EXIF_LE(orientation) \
    "\xFF\xE1\0\x22" "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" orientation "\0\0\0\0\0\0\0"

#define WEBP(kind) "RIFF\x20\0\0\0WEBP" kind "\x10\0\0\0"

static const struct {
    struct str bytes;
    int width, height; /* 0 = not to be told */
} images[] = {
    { STR(PNG "\0\0\2\x80\0\0\1\xE0\x08\2\0\0\0"), 640, 480 },
    { STR(PNG "\0\0\0\0\0\0\1\xE0\x08\2\0\0\0"), 0, 0 },
    { STR(PNG "\x80\0\0\0\0\0\1\xE0\x08\2\0\0\0"), 0, 0 },           /* above what the format allows */
    { STR("\x89PNG\r\n\x1A\n\0\0\0\x0D" "CgBI" "\0\0\2\x80\0\0\1\xE0"), 0, 0 },
    { STR("GIF89a\x0A\0\x14\1\x80\0\0"), 10, 276 },
    { STR("GIF87a\xFF\xFF\xFF\xFF\0\0\0"), 65535, 65535 },
    { STR("GIF88a\x0A\0\x14\1\x80\0\0"), 0, 0 },
    { STR(SOI JFIF FRAME_40x30), 40, 30 },
    { STR(SOI "\xFF\xFF\xFF" JFIF "\xFF\x01" FRAME_40x30), 40, 30 },  /* padding, a marker without content */
    { STR(SOI JFIF "\xFF\xC4\0\4\0\0" "\xFF\xC2\0\x11\x08\1\0\2\0\3"), 512, 256 }, /* progressive, after a table */
    { STR(SOI EXIF_BE("\1") FRAME_40x30), 40, 30 },
    { STR(SOI EXIF_BE("\6") FRAME_40x30), 30, 40 },
    { STR(SOI EXIF_LE("\6") FRAME_40x30), 30, 40 },
    { STR(SOI EXIF_LE("\x09") FRAME_40x30), 40, 30 },
    { STR(SOI "\xFF\xE1\0\x0A" "Exif\0\0MM" FRAME_40x30), 40, 30 },   /* EXIF cut short */
    { STR(SOI JFIF "\xFF\xDA\0\x0C" FRAME_40x30), 0, 0 },             /* the scan came first */
    { STR(SOI "\xFF\xE0\0\1" FRAME_40x30), 0, 0 },                    /* a segment shorter than its length */
    { STR(SOI "\xFF\xE0\xFF\xFF" FRAME_40x30), 0, 0 },                /* one that goes beyond the bytes */
    { STR(SOI "\xFF\xC0\0\x11\x08\0\0\0\x28\3\1\x22\0"), 0, 0 },      /* height told only after the scan */
    { STR(SOI JFIF "\0\0\0\0"), 0, 0 },
    { STR(WEBP("VP8 ") "\x30\1\0\x9D\x01\x2A\x80\x42\xE0\x81"), 640, 480 }, /* upper bits are a scaling hint */
    { STR(WEBP("VP8 ") "\x30\1\0\x9D\x01\x2B\x80\2\xE0\1"), 0, 0 },
    { STR(WEBP("VP8L") "\x2F\x7F\xC2\x77\x00"), 640, 480 },
    { STR(WEBP("VP8L") "\x2E\x7F\xC2\x77\x00"), 0, 0 },
    { STR(WEBP("VP8X") "\0\0\0\0\x7F\2\0\xDF\1\0"), 640, 480 },
    { STR(WEBP("VP8X") "\0\0\0\0\xFF\xFF\xFF\xDF\1\0"), 16777216, 480 },
    { STR(WEBP("ALPH") "\0\0\0\0\x7F\2\0\xDF\1\0"), 0, 0 },
    { STR("RIFF\x20\0\0\0WAVEfmt \x10\0\0\0\0\0\0\0\x7F\2\0\xDF\1\0"), 0, 0 },
    { STR("<svg width='40' height='30'/>"), 0, 0 },
    { STR(""), 0, 0 },
    { { NULL, 0 }, 0, 0 },
};

START_TEST(the_size_is_where_each_format_keeps_it)
{
    int width = 0, height = 0;
    bool known = image_size(images[_i].bytes, &width, &height);

    ck_assert_int_eq(known, images[_i].width != 0);
    ck_assert_int_eq(width, images[_i].width);
    ck_assert_int_eq(height, images[_i].height);
}
END_TEST

/* In memory of exactly their length, so that a sanitizer sees a step too far. */
START_TEST(images_cut_anywhere_are_read_within_their_bytes)
{
    struct str whole = images[_i].bytes;
    int width, height;

    for (size_t len = 0; len < whole.len; len++) {
        char *part = malloc(len ? len : 1);

        memcpy(part, whole.ptr, len);
        if (image_size((struct str){ part, len }, &width, &height)) {
            ck_assert_int_eq(width, images[_i].width);
            ck_assert_int_eq(height, images[_i].height);
        }
        free(part);
    }
}
END_TEST

static TCase *
sizes(void)
{
    TCase *c = tcase_create("sizes");

    tcase_add_loop_test(c, the_size_is_where_each_format_keeps_it, 0, COUNT(images));
    tcase_add_loop_test(c, images_cut_anywhere_are_read_within_their_bytes, 0, COUNT(images));
    return c;
}

TEST_CASES("image_size", sizes)
