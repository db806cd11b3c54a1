/* schema.c -- what is kept, and why each index exists.
 *
 * Conventions: keys are our 64-bit time-ordered ids; times are milliseconds and 0 means "never", so that indexes
 * order the same on every engine; JSON is text; a status is a small number named in the entity's header. */
#include "store/schema.h"

#include <assert.h>

#include "base/array.h"
#include "base/id.h"
#include "store/message_internal.h"
#include "store/tail.h"

/* Rows hold these numbers, and statements name them where an index hangs on it: none may ever become another. */
static_assert(JOB_READY == 0 && JOB_QUEUED == 1 && JOB_IN_FLIGHT == 2, "states of jobs");
static_assert(JOB_PARTICIPANT == 3 && JOB_FORGET_MEDIA == 15 && JOB_REDACT == 16 && JOB_KINDS == 17,
              "kinds of jobs are added at the end");
static_assert(INBOUND == 1 && OUTBOUND == 2, "directions");
static_assert(STATUS_RECEIVED == 1 && STATUS_PUBLISHED == 2 && STATUS_PENDING == 3 && STATUS_WAITING == 4
              && STATUS_FAILED == 5, "statuses of messages");
static_assert(ATTACHMENT_PENDING == 1 && ATTACHMENT_PROCESSED == 2 && ATTACHMENT_FAILED == 3, "of attachments");
static_assert(PROFILE_ACTIVE == 1 && PROFILE_EXPIRED == 2 && PROFILE_INACTIVE == 3, "of profiles");
static_assert(FOLLOWUP_DELETION == 1 && FOLLOWUP_EDIT == 2 && FOLLOWUP_DELIVERY == 4 && FOLLOWUP_READ == 5
              && FOLLOWUP_KINDS == 6, "what is parked");
static_assert(EVENT_MESSAGE_RECEIVED == 1 && EVENT_REACTION == 9 && EVENT_REFERRAL == 13 && EVENT_PING == 15,
              "types of events");

static const char first_sql[] =
    "CREATE TABLE workspace ("
    " id $KEY,"
    " name TEXT NOT NULL,"
    " created_at BIGINT NOT NULL);"

    "CREATE TABLE instance ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " value $BLOB NOT NULL);"

    "CREATE TABLE profile_group ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL REFERENCES workspace(id),"
    " name TEXT NOT NULL,"
    " created_at BIGINT NOT NULL);"
    "CREATE INDEX profile_group_of_workspace ON profile_group(workspace_id, id);"

    "CREATE TABLE api_key ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL REFERENCES workspace(id),"
    " group_id BIGINT NOT NULL DEFAULT 0," /* 0 = the whole workspace */
    " name TEXT NOT NULL,"
    " hash $BLOB NOT NULL,"                /* SHA-256: a key of 256 random bits needs nothing slower */
    " hint TEXT NOT NULL,"                 /* its last four characters */
    " created_at BIGINT NOT NULL,"
    " revoked_at BIGINT NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX api_key_by_hash ON api_key(hash);"

    "CREATE TABLE profile ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL REFERENCES workspace(id),"
    " group_id BIGINT NOT NULL,"            /* may be gone while a deleted profile is being erased */
    " platform TEXT NOT NULL,"
    " external_id TEXT NOT NULL,"
    " alt_external_id TEXT,"               /* what its webhooks may call it instead */
    " username TEXT,"
    " name TEXT,"
    " status INTEGER NOT NULL,"
    " status_detail TEXT,"
    " details TEXT,"                       /* the adapter's own, a JSON object without secrets */
    " token $BLOB,"                        /* sealed */
    " token_expires_at BIGINT NOT NULL DEFAULT 0,"
    " refresh_at BIGINT NOT NULL DEFAULT 0,"
    " webhook_secret $BLOB,"               /* sealed */
    " hook_url TEXT,"                      /* where its updates were last asked to go; NULL = it is polled */
    " poll_cursor TEXT,"
    " chats_count BIGINT NOT NULL DEFAULT 0,"
    " posts_count BIGINT NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL,"
    " deleted_at BIGINT NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX profile_account ON profile(workspace_id, platform, external_id) WHERE deleted_at = 0;"
    /* whose an app's webhook is, in whatever workspace */
    "CREATE INDEX profile_by_external ON profile(platform, external_id) WHERE deleted_at = 0;"
    "CREATE INDEX profile_by_alt_external ON profile(platform, alt_external_id)"
    " WHERE alt_external_id IS NOT NULL AND deleted_at = 0;"
    "CREATE INDEX profile_of_group ON profile(group_id, id);"

    "CREATE TABLE chat ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL,"
    " profile_id BIGINT NOT NULL REFERENCES profile(id),"
    " participant_external_id TEXT NOT NULL,"
    " participant_username TEXT,"
    " participant_name TEXT,"
    " avatar TEXT,"                        /* media object */
    " avatar_id TEXT,"                     /* the platform's mark of that picture */
    " external_conversation_id TEXT,"
    " metadata TEXT,"
    " participant_fetched_at BIGINT NOT NULL DEFAULT 0,"
    " last_inbound_at BIGINT NOT NULL DEFAULT 0,"
    " last_outbound_at BIGINT NOT NULL DEFAULT 0,"
    " last_message_at BIGINT NOT NULL DEFAULT 0,"
    " archived INTEGER NOT NULL DEFAULT 0,"
    " blocked_at BIGINT NOT NULL DEFAULT 0,"
    " referral_at BIGINT NOT NULL DEFAULT 0," /* of the one in `metadata` */
    /* how many messages are in each status: what lists call `total`, without counting */
    " n_received BIGINT NOT NULL DEFAULT 0,"
    " n_pending BIGINT NOT NULL DEFAULT 0,"
    " n_waiting BIGINT NOT NULL DEFAULT 0,"
    " n_published BIGINT NOT NULL DEFAULT 0,"
    " n_failed BIGINT NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX chat_participant ON chat(profile_id, participant_external_id);"
    "CREATE INDEX chat_page ON chat(profile_id, last_message_at, id);"
    "CREATE INDEX chat_conversation ON chat(workspace_id, external_conversation_id)"
    " WHERE external_conversation_id IS NOT NULL;"

    "CREATE TABLE message ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL,"
    " chat_id BIGINT NOT NULL REFERENCES chat(id),"
    " direction INTEGER NOT NULL,"
    " status INTEGER NOT NULL,"
    " external_id TEXT,"
    " external_comment_id TEXT,"
    " body TEXT,"
    " error_message TEXT,"
    " platform_data TEXT,"
    " reply_to_external_id TEXT,"
    " reply_markup TEXT,"
    " reactions TEXT,"                     /* the JSON array it is shown as, and what was taken back (reaction.c) */
    " is_unsupported INTEGER NOT NULL DEFAULT 0,"
    " attachments_count INTEGER NOT NULL DEFAULT 0,"
    " posted_at BIGINT NOT NULL DEFAULT 0,"
    " delivered_at BIGINT NOT NULL DEFAULT 0,"
    " read_at BIGINT NOT NULL DEFAULT 0,"
    " edited_at BIGINT NOT NULL DEFAULT 0,"
    " deleted_at BIGINT NOT NULL DEFAULT 0,"
    " sort_at BIGINT NOT NULL,"            /* posted_at, or created_at while there is none */
    " created_at BIGINT NOT NULL);"
    "CREATE INDEX message_page ON message(chat_id, sort_at, id);"
    /* look-up by platform id inside a workspace, and the promise that nothing is stored twice */
    "CREATE UNIQUE INDEX message_external ON message(workspace_id, external_id, chat_id)"
    " WHERE external_id IS NOT NULL;"
    /* whether a comment was answered privately already */
    "CREATE INDEX message_comment ON message(workspace_id, external_comment_id)"
    " WHERE external_comment_id IS NOT NULL;"
    /* the rare ones a filter asks for among millions; see message_page_troubled_sql */
    "CREATE INDEX message_troubled ON message(chat_id, status, sort_at, id) WHERE status IN (4, 5);"

    "CREATE TABLE attachment ("
    " id $KEY,"
    " message_id BIGINT NOT NULL REFERENCES message(id),"
    " type INTEGER NOT NULL,"
    " status INTEGER NOT NULL,"
    " external_id TEXT,"
    " media TEXT,"                         /* media object, once there is one */
    " source_url TEXT,"
    " ref TEXT,"                           /* what the platform fetches it by */
    " content_type TEXT,"
    " file_name TEXT,"
    " size BIGINT NOT NULL DEFAULT 0,"
    " width INTEGER NOT NULL DEFAULT 0,"
    " height INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX attachment_of_message ON attachment(message_id, id);"

    /* Objects that an edit or a new picture replaced. Their URLs were given out and go on working; they go with the
     * chat. */
    "CREATE TABLE replaced_media ("
    " chat_id BIGINT NOT NULL,"
    " media TEXT NOT NULL);"
    "CREATE INDEX replaced_media_of_chat ON replaced_media(chat_id);"

    "CREATE TABLE job ("
    " id $KEY,"
    " kind INTEGER NOT NULL,"
    " lane_id BIGINT NOT NULL,"
    " queue_id BIGINT NOT NULL DEFAULT 0," /* jobs of one queue run one after another; 0 = needs no order */
    " state INTEGER NOT NULL,"
    " due_at BIGINT NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " record_id BIGINT NOT NULL,"
    " payload TEXT,"
    " created_at BIGINT NOT NULL);"
    "CREATE INDEX job_due ON job(lane_id, due_at, id, kind, queue_id) WHERE state = 0;"
    "CREATE INDEX job_of_lane ON job(lane_id, kind, id);"
    "CREATE INDEX job_queue ON job(queue_id, id) WHERE queue_id <> 0;"

    "CREATE TABLE event ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL,"
    " group_id BIGINT NOT NULL,"           /* of its profile, which may be gone by now */
    " profile_id BIGINT NOT NULL,"
    " chat_id BIGINT NOT NULL,"
    " type INTEGER NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " data TEXT NOT NULL);"                /* the object as it was when it happened */
    "CREATE INDEX event_of_workspace ON event(workspace_id, id);"

    "CREATE TABLE idempotency ("
    " owner_id BIGINT NOT NULL,"
    " key TEXT NOT NULL,"
    " request_hash $BLOB NOT NULL,"
    " status INTEGER NOT NULL,"            /* 0 = still running */
    " body TEXT,"
    " created_at BIGINT NOT NULL,"
    " PRIMARY KEY (owner_id, key));"
    "CREATE INDEX idempotency_age ON idempotency(created_at);"

    /* Payloads that could not be understood, kept so that a newer version can replay them. */
    "CREATE TABLE raw_payload ("
    " id $KEY,"
    " profile_id BIGINT NOT NULL,"
    " body TEXT NOT NULL,"
    " created_at BIGINT NOT NULL);";

static const char webhooks_sql[] =
    "CREATE TABLE webhook ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL REFERENCES workspace(id),"
    " group_id BIGINT NOT NULL DEFAULT 0,"
    " url TEXT NOT NULL,"
    " description TEXT,"
    " events BIGINT NOT NULL,"             /* a bit for each type */
    " event_names TEXT NOT NULL,"
    " enabled INTEGER NOT NULL,"
    " disabled_reason TEXT,"
    " concurrency INTEGER NOT NULL,"
    " secret $BLOB NOT NULL,"              /* sealed */
    " old_secret $BLOB,"
    " old_secret_until BIGINT NOT NULL DEFAULT 0,"
    " failing_since BIGINT NOT NULL DEFAULT 0,"
    " queued_from BIGINT NOT NULL,"        /* deliveries with a smaller id are void: it was disabled since */
    " deliveries_count BIGINT NOT NULL DEFAULT 0," /* how many are in the log */
    " created_at BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL);"
    "CREATE INDEX webhook_of_workspace ON webhook(workspace_id, id);"

    /* The latest try of each delivery; what will be tried (again) is a job with the same id. */
    "CREATE TABLE delivery ("
    " id $KEY,"
    " webhook_id BIGINT NOT NULL,"
    " event_id BIGINT NOT NULL,"
    " event_type INTEGER NOT NULL,"
    " response_status INTEGER NOT NULL,"
    " attempt_number INTEGER NOT NULL,"
    " success INTEGER NOT NULL,"
    " attempted_at BIGINT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " duration_ms BIGINT NOT NULL,"
    " error TEXT,"
    " response_body TEXT);"
    "CREATE INDEX delivery_of_webhook ON delivery(webhook_id, id);";

static const char posts_sql[] =
    "CREATE TABLE post ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL,"
    " profile_id BIGINT NOT NULL REFERENCES profile(id),"
    " external_id TEXT NOT NULL,"
    " body TEXT,"
    " permalink TEXT,"
    " comments_count BIGINT NOT NULL DEFAULT 0," /* how many comment_list() has */
    " posted_at BIGINT NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX post_external ON post(workspace_id, external_id, profile_id);"
    "CREATE INDEX post_of_profile ON post(profile_id, id);"
    "CREATE INDEX post_of_workspace ON post(workspace_id, id);"

    "CREATE TABLE comment ("
    " id $KEY,"
    " workspace_id BIGINT NOT NULL,"
    " profile_id BIGINT NOT NULL REFERENCES profile(id),"
    " post_id BIGINT NOT NULL,"            /* no REFERENCES: checking it at the end of a post would cost an index */
    " external_id TEXT NOT NULL,"
    " parent_external_id TEXT,"
    " thread_external_id TEXT,"            /* the top-level comment it stands below; NULL = it is one */
    " body TEXT,"
    " author_external_id TEXT,"
    " author_name TEXT,"
    " author_username TEXT,"
    " permalink TEXT,"
    " platform_data TEXT,"
    " is_own INTEGER NOT NULL DEFAULT 0,"
    " is_hidden INTEGER NOT NULL DEFAULT 0,"
    " is_told INTEGER NOT NULL DEFAULT 0," /* what it says is known, so comment.created has gone out */
    " posted_at BIGINT NOT NULL DEFAULT 0,"
    " edited_at BIGINT NOT NULL DEFAULT 0,"
    " hidden_at BIGINT NOT NULL DEFAULT 0," /* when it was last hidden or shown again */
    " removed_at BIGINT NOT NULL DEFAULT 0,"
    " sort_at BIGINT NOT NULL,"            /* posted_at, or created_at while there is none */
    " created_at BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX comment_external ON comment(profile_id, external_id);"
    "CREATE INDEX comment_page ON comment(post_id, sort_at, id)"
    " WHERE thread_external_id IS NULL AND removed_at = 0;"
    "CREATE INDEX comment_thread ON comment(profile_id, thread_external_id, sort_at, id)"
    " WHERE thread_external_id IS NOT NULL;"

    /* How far the other side has got in a chat (receipt.c). */
    "CREATE TABLE receipt ("
    " chat_id BIGINT NOT NULL,"
    " kind INTEGER NOT NULL,"
    " watermark BIGINT NOT NULL,"          /* everything we sent until then ... */
    " at BIGINT NOT NULL,"                 /* ... had arrived, or was read, at this moment */
    " PRIMARY KEY (chat_id, kind, watermark));"

    /* What came before the message it is about (parked.c). */
    "CREATE TABLE parked ("
    " chat_id BIGINT NOT NULL,"
    " external_id TEXT NOT NULL,"
    " kind INTEGER NOT NULL,"
    " sender TEXT NOT NULL,"               /* of a reaction; else empty */
    " at BIGINT NOT NULL,"
    " sequence BIGINT NOT NULL DEFAULT 0,"
    " body TEXT,"                          /* the text of an edit, the name of a reaction */
    " emoji TEXT,"
    " is_removed INTEGER NOT NULL DEFAULT 0,"
    " is_history INTEGER NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL,"
    " PRIMARY KEY (chat_id, external_id, kind, sender));"
    "CREATE INDEX parked_age ON parked(created_at);";

static const char leases_sql[] =
    "CREATE TABLE process ("
    " id $KEY,"
    " node INTEGER NOT NULL UNIQUE,"       /* what tells the ids it makes from those of others */
    " until_at BIGINT NOT NULL);"          /* its lease; who has died no longer renews it */

    "CREATE TABLE lane ("
    " id $KEY,"                            /* of a profile or a webhook */
    " process_id BIGINT NOT NULL);"        /* who has taken it; that may be one who died */

    "ALTER TABLE idempotency ADD COLUMN process_id BIGINT NOT NULL DEFAULT 0;"; /* in which the first call runs */

/* A profile can have many of these jobs at once, one a chat: when thousands of people write for the first time, or when
 * its token is no good. */
static const char participants_sql[] =
    "CREATE INDEX job_participant ON job(lane_id, record_id) WHERE kind = 3;";

static const char marks_sql[] =
    "ALTER TABLE process ADD COLUMN mark TEXT;"; /* by which its neighbours can tell whether it is dead */

/* How much is kept of a profile is asked whenever something is not understood, so that must not read all of it. */
static const char kept_sql[] =
    "ALTER TABLE raw_payload ADD COLUMN size BIGINT NOT NULL DEFAULT 0;" /* at least a page: see RAW_SIZE_MIN */
    "UPDATE raw_payload SET size = CASE WHEN LENGTH(body) < 4096 THEN 4096 ELSE LENGTH(body) END;"
    "CREATE INDEX raw_payload_of_profile ON raw_payload(profile_id, size);";

static const char numbers_sql[] = "$SERIES"; /* of events */

/* Nearly never, and asking `parked` with each message costs more than the message's own row. */
static const char parked_sql[] =
    "ALTER TABLE chat ADD COLUMN has_parked INTEGER NOT NULL DEFAULT 0;" /* 1: see parked.c */
    "UPDATE chat SET has_parked = 1 WHERE id IN (SELECT chat_id FROM parked);";

const struct db_migration store_migrations[] = {
    { 1, "the first tables", first_sql },
    { 2, "outgoing webhooks", webhooks_sql },
    { 3, "posts, comments, receipts", posts_sql },
    { 4, "leases", leases_sql },
    { 5, "an index of participants to fetch", participants_sql },
    { 6, "marks of processes", marks_sql },
    { 7, "sizes of what is kept", kept_sql },
    { 8, "numbers of events", numbers_sql },
    { 9, "whether anything waits for a chat's messages", parked_sql },
};
const size_t store_migration_count = COUNT(store_migrations);

/* The tables where the order of ids means something. */
static const char newest_id_sql[] =
    "SELECT COALESCE(MAX(newest), 0) FROM (SELECT MAX(id) AS newest FROM job UNION ALL SELECT MAX(id) FROM event"
    " UNION ALL SELECT MAX(id) FROM message UNION ALL SELECT MAX(id) FROM delivery"
    " UNION ALL SELECT MAX(queued_from) FROM webhook) AS ids";

bool
store_settle_ids(struct db *db, struct error *err)
{
    int64_t newest = 0;

    if (!db_get_int(db, newest_id_sql, DB_NO_ARGS, &newest, NULL, err))
        return false;
    id_stay_above(newest);
    return db_numbers_go_on(db, &event_series, err);
}
