//! The file of analysis: what is made of messages. All but what the user decided about commitments can be made again.

/// Each entry takes the file from version `index` to `index + 1`.
pub(super) const MIGRATIONS: &[&str] = &[V1];

const V1: &str = "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    chats TEXT NOT NULL,
    passes TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    finished_us INTEGER,
    total INTEGER NOT NULL DEFAULT 0,
    success INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    -- What its events have told: 0 nothing, 1 that it starts, 2 how many tasks it has, 3 that it has ended.
    announced INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_open ON runs (id) WHERE state = 'running';
CREATE INDEX runs_untold ON runs (id) WHERE announced < 3;

-- state: 0 queued, 1 running, 2 retrying, 3 completed, 4 failed, 5 dead, 6 cancelled. lane: 0 computes, 1 waits.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER,
    lane INTEGER NOT NULL,
    chat_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    state INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER,
    lease_us INTEGER,
    owner TEXT,
    error TEXT,
    created_us INTEGER NOT NULL,
    started_us INTEGER,
    -- Not NULL in the states from 3 on, and only there.
    finished_us INTEGER,
    -- Whether a dead letter has been given another task.
    retried INTEGER NOT NULL DEFAULT 0
);
-- No more of them, and none of more columns, than there must be: each costs a run three steps a task.
CREATE INDEX tasks_ready ON tasks (lane, ifnull(run_id, 0), priority DESC, id) WHERE state = 0;
CREATE INDEX tasks_running ON tasks (run_id) WHERE state = 1;
CREATE INDEX tasks_due ON tasks (due_us) WHERE state = 2;
CREATE INDEX tasks_dead ON tasks (id) WHERE state IN (4, 5) AND retried = 0;
CREATE INDEX tasks_by_run ON tasks (run_id, conversation_id);
CREATE INDEX tasks_unfinished ON tasks (chat_id, conversation_id) WHERE finished_us IS NULL;

-- The id of a result is 256 times the place of its conversation's results, plus its pass's number: they lie beside each
-- other, and those of the next conversation follow. Whatever order conversations are analysed in, the table grows at
-- its end: anywhere else a page is split for every few of them, and left partly empty.
CREATE TABLE passes (id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 255), name TEXT NOT NULL UNIQUE);
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    computed_us INTEGER NOT NULL,
    result TEXT NOT NULL
);

-- Conversations with results. mark grows with every step that stores some: who keeps something up to date knows from
-- where on to look. covered_by: which set of passes there are results of, and of which of its states.
CREATE TABLE analysed (
    conversation_id INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    covered_by INTEGER NOT NULL,
    covered_fingerprint INTEGER NOT NULL
);
CREATE INDEX analysed_by_mark ON analysed (mark);

CREATE TABLE commitments (
    chat_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    conversation_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    who INTEGER,
    mine INTEGER NOT NULL,
    text TEXT NOT NULL,
    due_us INTEGER,
    said_us INTEGER NOT NULL,
    state TEXT NOT NULL,
    done_by INTEGER,
    -- The state that was told of last.
    told TEXT,
    -- Whether there may be something to tell of it: set by whatever may change how it stands.
    to_tell INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (chat_id, key)
) WITHOUT ROWID;
CREATE INDEX commitments_due ON commitments (due_us) WHERE state = 'open';
CREATE INDEX commitments_to_tell ON commitments (said_us, key) WHERE to_tell = 1;
CREATE TABLE commitment_decisions (
    chat_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (chat_id, key)
) WITHOUT ROWID;

CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// Takes over what the file of messages, attached as `stored`, held of it; in place of what an earlier try left.
pub(super) const TAKE_OVER: &str = "
DELETE FROM runs;
INSERT INTO runs SELECT * FROM stored.runs;
DELETE FROM tasks;
INSERT INTO tasks SELECT * FROM stored.tasks;
DELETE FROM results;
DELETE FROM passes;
INSERT INTO passes SELECT * FROM stored.passes;
INSERT INTO results SELECT id, version, fingerprint, computed_us, result FROM stored.results ORDER BY id;
DELETE FROM analysed;
INSERT INTO analysed
    SELECT r.conversation_id, r.conversation_id, r.mark, ifnull(c.covered_by, 0), ifnull(c.covered_fingerprint, -1)
    FROM (SELECT id / 256 AS conversation_id, max(mark) AS mark FROM stored.results GROUP BY id / 256) r
    LEFT JOIN stored.conversations c ON c.id = r.conversation_id;
DELETE FROM commitments;
INSERT INTO commitments SELECT * FROM stored.commitments;
DELETE FROM commitment_decisions;
INSERT INTO commitment_decisions SELECT * FROM stored.commitment_decisions;
DELETE FROM marks;
INSERT INTO marks SELECT * FROM stored.marks;
";
