#include "base/config.h"

struct config config;
