/* sort.c -- see sort.h. */
#include "base/sort.h"

#include <stdlib.h>

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

size_t
sort_distinct(int64_t *numbers, size_t n)
{
    size_t distinct = 0;

    if (n > 0)
        qsort(numbers, n, sizeof(*numbers), compare);
    for (size_t i = 0; i < n; i++)
        if (distinct == 0 || numbers[distinct - 1] != numbers[i])
            numbers[distinct++] = numbers[i];
    return distinct;
}
