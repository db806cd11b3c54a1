/* reader.c -- reads on a database that is a network away: threads that wait for it, so that no loop has to. */
#include "db/driver.h"

#include <string.h>

static void *
reader_main(void *arg)
{
    struct db_engine *e = arg;
    struct db_txn *t;

    while ((t = db_queue_take(&e->reads)) != NULL) {
        db_run_read(e, t);
        db_answer(t);
    }
    return NULL;
}

bool
readers_start(struct db_engine *e, struct error *err)
{
    int failure;

    for (; e->driver->is_remote && e->reader_count < e->options.readers; e->reader_count++) {
        failure = pthread_create(&e->readers[e->reader_count], NULL, reader_main, e);
        if (failure)
            return error_set(err, 503, "No thread could be started for the database: %s", strerror(failure));
        pthread_setname_np(e->readers[e->reader_count], "db-reader");
    }
    return true;
}

void
readers_stop(struct db_engine *e)
{
    db_queue_close(&e->reads);
    for (; e->reader_count > 0; e->reader_count--)
        pthread_join(e->readers[e->reader_count - 1], NULL);
}
