#include "api/openapi.h"

/* Between these two labels the build puts the file; see meson.build. */
extern const char parley_openapi_begin[], parley_openapi_end[];

struct str
openapi_text(void)
{
    return (struct str){ parley_openapi_begin, (size_t)(parley_openapi_end - parley_openapi_begin) };
}
