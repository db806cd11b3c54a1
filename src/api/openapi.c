#include "api/openapi.h"

#include <stdint.h>

/* What the build put into the program; see meson.build. */
extern const char     parley_openapi[];
extern const uint64_t parley_openapi_size;

struct str
openapi_text(void)
{
    return (struct str){ parley_openapi, (size_t)parley_openapi_size };
}
