/* The dimensions of images come from the first bytes of whatever a stranger sent. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/image_size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int width = 0, height = 0;
    bool known = image_size((struct str){ (const char *)data, size }, &width, &height);

    if (known != (width > 0 && height > 0))
        abort();
    return 0;
}
