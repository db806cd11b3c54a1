/* array.h -- how many elements an array has, which must be one and no pointer. */
#ifndef PARLEY_BASE_ARRAY_H
#define PARLEY_BASE_ARRAY_H

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
