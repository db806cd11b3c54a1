/* limits.c -- what the machine allows: the same rows by bare SQLite or libpq, the same requests by bare libcurl.
 *
 *     limits sqlite FILE SECONDS BATCH send|inbound      FILE: a database that `parley migrate` made
 *     limits postgres URL SECONDS BATCH send|inbound     the same at a server
 *     limits curl URL REQUESTS CONCURRENCY BODY
 *
 * Prints one JSON object. The rows and the settings are those of the server, without anything around them. */
#include <curl/curl.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CHATS 200

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 + (double)u.ru_stime.tv_sec
         + (double)u.ru_stime.tv_usec / 1e6;
}

/* ---- SQLite ---- */

static void
sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
        return;
    fprintf(stderr, "limits: %s: %s\n", text, sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK)
        return s;
    fprintf(stderr, "limits: %s: %s\n", text, sqlite3_errmsg(db));
    exit(1);
}

static void
step(sqlite3 *db, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE) {
        fprintf(stderr, "limits: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(s);
}

/* A text as long as the JSON an event carries. */
static char event_data[700];

/* A database with as many chats as the load goes round. */
static sqlite3 *
open_with_chats(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        return NULL;
    sql(db, "PRAGMA journal_mode=WAL");
    sql(db, "PRAGMA synchronous=FULL");
    sql(db, "PRAGMA wal_autocheckpoint=10000");
    sql(db, "PRAGMA cache_size=-16384");
    sql(db, "INSERT INTO workspace VALUES (9, 'limit', 0) ON CONFLICT DO NOTHING");
    sql(db, "INSERT INTO profile (id, workspace_id, group_id, platform, external_id, status, created_at)"
            " VALUES (9, 9, 9, 'telegram', '9', 1, 0) ON CONFLICT DO NOTHING");
    for (int i = 0; i < CHATS; i++) {
        char text[300];

        snprintf(text, sizeof(text),
                 "INSERT INTO chat (id, workspace_id, profile_id, participant_external_id, created_at)"
                 " VALUES (%d, 9, 9, '%d', 0) ON CONFLICT DO NOTHING", 100 + i, i);
        sql(db, text);
    }
    return db;
}

static int
limit_sqlite(const char *path, double seconds, int batch, int inbound)
{
    static const char body[] = "My order has not arrived yet. Could you look?";
    sqlite3_stmt *message, *second, *chat;
    double start, cpu;
    long long done = 0, id;
    sqlite3 *db;

    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* as the server has it */
    db = open_with_chats(path);
    if (!db)
        return 1;
    memset(event_data, 'x', sizeof(event_data) - 1);
    message = prepare(db, inbound
        ? "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, posted_at, sort_at,"
          " created_at) VALUES (?1, 9, ?2, 1, 1, ?4, ?3, ?1, ?1, ?1)"
        : "INSERT INTO message (id, workspace_id, chat_id, direction, status, body, sort_at, created_at)"
          " VALUES (?1, 9, ?2, 2, 3, ?3, ?1, ?1)");
    second = prepare(db, inbound
        ? "INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, data, created_at)"
          " VALUES (?1, 9, 9, 9, ?2, 1, ?3, ?1)"
        : "INSERT INTO job (id, kind, lane_id, queue_id, state, due_at, record_id, created_at)"
          " VALUES (?1, 1, 9, ?2, 1, ?1, ?1, ?1)");
    chat = prepare(db, inbound
        ? "UPDATE chat SET n_received = n_received + 1, last_inbound_at = ?1, last_message_at = ?1 WHERE id = ?2"
        : "UPDATE chat SET n_pending = n_pending + 1 WHERE id = ?2 AND ?1 > 0");
    start = now_s();
    cpu = cpu_s();
    id = (long long)time(NULL) << 31;
    while (now_s() - start < seconds) {
        sql(db, "BEGIN IMMEDIATE");
        for (int i = 0; i < batch; i++, done++) {
            char external[32];

            id += 2;
            sqlite3_bind_int64(message, 1, id);
            sqlite3_bind_int64(message, 2, 100 + done % CHATS);
            sqlite3_bind_text(message, 3, body, -1, SQLITE_STATIC);
            if (inbound) {
                snprintf(external, sizeof(external), "%lld", id);
                sqlite3_bind_text(message, 4, external, -1, SQLITE_TRANSIENT);
            }
            step(db, message);
            sqlite3_bind_int64(second, 1, id + 1);
            sqlite3_bind_int64(second, 2, 100 + done % CHATS);
            if (inbound)
                sqlite3_bind_text(second, 3, event_data, -1, SQLITE_STATIC);
            step(db, second);
            sqlite3_bind_int64(chat, 1, id);
            sqlite3_bind_int64(chat, 2, 100 + done % CHATS);
            step(db, chat);
        }
        sql(db, "COMMIT");
    }
    printf("{\"per_second\":%.1f,\"done\":%lld,\"batch\":%d,\"cpu_s\":%.3f}\n", (double)done / (now_s() - start), done,
           batch, cpu_s() - cpu);
    sqlite3_finalize(message);
    sqlite3_finalize(second);
    sqlite3_finalize(chat);
    sqlite3_close(db);
    return 0;
}

/* ---- PostgreSQL ---- */

static void
pq(PGconn *conn, const char *text)
{
    PGresult *r = PQexec(conn, text);

    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        fprintf(stderr, "limits: %s: %s\n", text, PQerrorMessage(conn));
        exit(1);
    }
    PQclear(r);
}

static void
pq_prepare(PGconn *conn, const char *name, const char *text)
{
    PGresult *r = PQprepare(conn, name, text, 0, NULL);

    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        fprintf(stderr, "limits: %s: %s\n", text, PQerrorMessage(conn));
        exit(1);
    }
    PQclear(r);
}

static void
pq_send(PGconn *conn, const char *name, const char *const *values, int n)
{
    if (!PQsendQueryPrepared(conn, name, n, values, NULL, NULL, 0)) {
        fprintf(stderr, "limits: %s\n", PQerrorMessage(conn));
        exit(1);
    }
}

/* Reads `n` answers of the pipeline. */
static void
pq_read(PGconn *conn, int n)
{
    PQsendFlushRequest(conn);
    PQflush(conn);
    for (int i = 0; i < n; i++) {
        PGresult *r = PQgetResult(conn);

        if (PQresultStatus(r) != PGRES_COMMAND_OK) {
            fprintf(stderr, "limits: %s\n", PQerrorMessage(conn));
            exit(1);
        }
        PQclear(r);
        PQclear(PQgetResult(conn));
    }
}

static void
pq_fill(PGconn *conn, int inbound)
{
    pq(conn, "INSERT INTO workspace VALUES (9, 'limit', 0) ON CONFLICT DO NOTHING");
    pq(conn, "INSERT INTO profile (id, workspace_id, group_id, platform, external_id, status, created_at)"
             " VALUES (9, 9, 9, 'telegram', '9', 1, 0) ON CONFLICT DO NOTHING");
    pq(conn, "INSERT INTO chat (id, workspace_id, profile_id, participant_external_id, created_at)"
             " SELECT 100 + i, 9, 9, i, 0 FROM generate_series(0, 199) AS i ON CONFLICT DO NOTHING");
    pq_prepare(conn, "message", inbound
        ? "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, posted_at, sort_at,"
          " created_at) VALUES ($1::bigint, 9, $2, 1, 1, $1::text, $3, 1, 1, 1)"
        : "INSERT INTO message (id, workspace_id, chat_id, direction, status, body, sort_at, created_at)"
          " VALUES ($1, 9, $2, 2, 3, $3, 1, 1)");
    pq_prepare(conn, "second", inbound
        ? "INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, data, created_at)"
          " VALUES ($1, 9, 9, 9, $2, 1, $3, 1)"
        : "INSERT INTO job (id, kind, lane_id, queue_id, state, due_at, record_id, created_at)"
          " VALUES ($1, 1, 9, $2, 1, 1, length($3), 1)");
    pq_prepare(conn, "chat", inbound
        ? "UPDATE chat SET n_received = n_received + 1, last_inbound_at = $1, last_message_at = $1 WHERE id = $2"
        : "UPDATE chat SET n_pending = n_pending + 1 WHERE id = $2 AND $1::bigint > 0");
}

/* All of a batch is sent ahead, and its answers are read together. */
static int
limit_postgres(const char *url, double seconds, int batch, int inbound)
{
    static const char body[] = "My order has not arrived yet. Could you look?";
    PGconn *conn = PQconnectdb(url);
    char id_text[32], chat_text[32];
    const char *values[3] = { id_text, chat_text, body };
    long long done = 0, id = (long long)time(NULL) << 31;
    double start, cpu;

    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "limits: %s\n", PQerrorMessage(conn));
        return 1;
    }
    pq_fill(conn, inbound);
    memset(event_data, 'x', sizeof(event_data) - 1);
    PQenterPipelineMode(conn);
    start = now_s();
    cpu = cpu_s();
    while (now_s() - start < seconds) {
        PQsendQueryParams(conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 0);
        for (int i = 0; i < batch; i++, done++) {
            id += 2;
            snprintf(id_text, sizeof(id_text), "%lld", id);
            snprintf(chat_text, sizeof(chat_text), "%lld", 100 + done % CHATS);
            values[2] = body;
            pq_send(conn, "message", values, 3);
            values[2] = inbound ? event_data : body;
            pq_send(conn, "second", values, 3);
            pq_send(conn, "chat", values, 2);
            if (i % 32 == 31 || i + 1 == batch)
                pq_read(conn, 3 * (i % 32 + 1) + (i < 32));
        }
        PQsendQueryParams(conn, "COMMIT", 0, NULL, NULL, NULL, NULL, 0);
        pq_read(conn, 1);
    }
    printf("{\"per_second\":%.1f,\"done\":%lld,\"batch\":%d,\"cpu_s\":%.3f}\n", (double)done / (now_s() - start), done,
           batch, cpu_s() - cpu);
    PQfinish(conn);
    return 0;
}

/* ---- libcurl ---- */

static size_t
swallow(char *data, size_t size, size_t n, void *user)
{
    (void)data;
    (void)user;
    return size * n;
}

static int
limit_curl(const char *url, long requests, int concurrency, const char *body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLM *multi = curl_multi_init();
    long sent = 0, done = 0, failed = 0;
    double start, cpu, took;
    int running, left;
    CURLMsg *m;

    headers = curl_slist_append(headers, "Expect:");
    start = now_s();
    cpu = cpu_s();
    for (; sent < concurrency; sent++) {
        CURL *e = curl_easy_init();

        curl_easy_setopt(e, CURLOPT_URL, url);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, swallow);
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_multi_add_handle(multi, e);
    }
    while (done < requests) {
        curl_multi_perform(multi, &running);
        while ((m = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *e = m->easy_handle;
            long status = 0;

            curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
            failed += m->data.result != CURLE_OK || status / 100 != 2;
            done++;
            curl_multi_remove_handle(multi, e);
            if (sent < requests) {
                curl_multi_add_handle(multi, e);
                sent++;
            } else {
                curl_easy_cleanup(e);
            }
        }
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    took = now_s() - start;
    printf("{\"per_second\":%.1f,\"done\":%ld,\"failed\":%ld,\"cpu_s\":%.3f}\n", (double)done / took, done, failed,
           cpu_s() - cpu);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "sqlite") == 0)
        return limit_sqlite(argv[2], atof(argv[3]), atoi(argv[4]), strcmp(argv[5], "inbound") == 0);
    if (argc == 6 && strcmp(argv[1], "postgres") == 0)
        return limit_postgres(argv[2], atof(argv[3]), atoi(argv[4]), strcmp(argv[5], "inbound") == 0);
    if (argc == 6 && strcmp(argv[1], "curl") == 0)
        return limit_curl(argv[2], atol(argv[3]), atoi(argv[4]), argv[5]);
    fprintf(stderr, "usage: limits sqlite FILE SECONDS BATCH send|inbound\n"
                    "       limits postgres URL SECONDS BATCH send|inbound\n"
                    "       limits curl URL REQUESTS CONCURRENCY BODY\n");
    return 2;
}
