/* openapi.h -- api/openapi.yaml, carried in the program so that what a server serves is what it was built from. */
#ifndef PARLEY_API_OPENAPI_H
#define PARLEY_API_OPENAPI_H

#include "base/str.h"

struct str openapi_text(void);

#endif
