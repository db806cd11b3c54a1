/* replay.c -- main() for a fuzz target that is built without a fuzzer: feeds it files, each once.
 *
 *     replay_<target> FILE|FOLDER...
 *
 * So what a fuzzer found stays tried by every compiler and sanitizer. A run without any input has failed. */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_replayed;

static bool
replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, room = 0;
    bool ok = false;

    if (f == NULL)
        goto out;
    do {
        uint8_t *more;

        room = room * 2 + 4096;
        more = realloc(data, room);
        if (more == NULL)
            goto out;
        data = more;
        size += fread(data + size, 1, room - size, f);
    } while (size == room);
    if (ferror(f))
        goto out;
    /* A block of exactly this size, so that a sanitizer sees the first byte read behind it. */
    if (size > 0)
        data = realloc(data, size);
    if (data == NULL)
        goto out;
    (void)LLVMFuzzerTestOneInput(data, size);
    n_replayed++;
    ok = true;
out:
    if (!ok)
        perror(path);
    free(data);
    if (f != NULL)
        (void)fclose(f);
    return ok;
}

static bool
replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    bool ok = n >= 0;

    if (!ok)
        perror(path);
    for (int i = 0; i < n; i++) {
        char name[4096];

        if (entries[i]->d_name[0] != '.') {
            (void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
            ok = replay_file(name) && ok;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return ok;
}

int
main(int argc, char **argv)
{
    bool ok = true;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            ok = replay_folder(argv[i]) && ok;
        else
            ok = replay_file(argv[i]) && ok;
    }
    (void)fprintf(stderr, "%zu inputs\n", n_replayed);
    return ok && n_replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
