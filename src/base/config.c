/* config.c -- see config.h. */
#include "base/config.h"

struct config config;
