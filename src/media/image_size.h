/* image_size.h -- how wide and high an image is, from its first bytes; nothing is decoded. */
#ifndef PARLEY_MEDIA_IMAGE_SIZE_H
#define PARLEY_MEDIA_IMAGE_SIZE_H

#include "base/str.h"

/* Understands PNG, JPEG, GIF and WebP. Sizes are as shown, so a photograph that its EXIF data turns on its side has
 * them swapped. False when the bytes are something else, or end before they tell. */
bool image_size(struct str head, int *width, int *height);

#endif
