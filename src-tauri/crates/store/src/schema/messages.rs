//! The file of messages: what the user has, and what is cut from it.

/// Each entry takes the file from version `index` to `index + 1`.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7];

/// The last version that held what analysis makes of messages too.
pub(super) const WITH_ANALYSIS: usize = 5;

const V1: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', lower(hex(randomblob(8)))), ('indexed', '0');

-- A person. Sources know a person by identities, which can be moved from one contact to another.
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    is_me INTEGER NOT NULL DEFAULT 0,
    message_count INTEGER NOT NULL DEFAULT 0,
    last_message_us INTEGER,
    rev INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    contact_id INTEGER NOT NULL,
    UNIQUE (source, key)
);
CREATE INDEX identities_by_contact ON identities (contact_id);

-- `key` is the source's own id; a chat of a source without ids gets one made when it is first met.
CREATE TABLE chats (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    title TEXT,
    message_count INTEGER NOT NULL DEFAULT 0,
    last_message_us INTEGER,
    last_message_id INTEGER,
    rev INTEGER NOT NULL DEFAULT 0,
    UNIQUE (source, key)
);
CREATE TABLE chat_members (
    chat_id INTEGER NOT NULL,
    identity_id INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    PRIMARY KEY (chat_id, identity_id)
) WITHOUT ROWID;

-- `id` is handed out by the writer and doubles as the message's place in the order of changes.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    chat_id INTEGER NOT NULL,
    identity_id INTEGER,
    from_me INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sent_us INTEGER NOT NULL,
    content TEXT NOT NULL,
    key BLOB NOT NULL,
    reply_key BLOB,
    edited_us INTEGER,
    extra TEXT
);
CREATE UNIQUE INDEX messages_by_key ON messages (chat_id, key);
-- SQLite appends the rowid to every index: these two are ordered by (sent_us, id) and by id.
CREATE INDEX messages_by_time ON messages (chat_id, sent_us);
CREATE INDEX messages_by_chat ON messages (chat_id);

-- The newest change of each message that changed after it was stored, and changes of chats (message_id NULL).
CREATE TABLE changes (
    rev INTEGER PRIMARY KEY,
    chat_id INTEGER NOT NULL,
    message_id INTEGER
);
CREATE UNIQUE INDEX changes_by_message ON changes (message_id);
CREATE INDEX changes_by_chat ON changes (chat_id);

-- The chat is part of the index, as a word of its own, so that a search within a chat costs what the chat holds.
CREATE VIEW messages_searched AS SELECT id, content, 'c' || chat_id AS chat FROM messages;
CREATE VIRTUAL TABLE messages_fts USING fts5 (
    content, chat,
    content = 'messages_searched', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE imports (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    finished_us INTEGER,
    options TEXT NOT NULL,
    paths TEXT NOT NULL,
    owned INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    checkpoint TEXT,
    error TEXT
);
CREATE TABLE import_left_out (
    id INTEGER PRIMARY KEY,
    import_id INTEGER NOT NULL,
    file INTEGER NOT NULL,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    excerpt TEXT NOT NULL
);
CREATE INDEX import_left_out_by_import ON import_left_out (import_id);
";

const V2: &str = "
-- A stretch of a chat's messages: those from first_us to last_us. The stretches of a chat do not overlap. An id is
-- never used again: results and events name it.
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    -- The revision of the newest change of what it holds: another one, other messages.
    fingerprint INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    -- Its place in the order of seals, for as long as its seal is not announced.
    to_announce INTEGER
);
CREATE UNIQUE INDEX conversations_by_time ON conversations (chat_id, first_us);
CREATE INDEX conversations_open ON conversations (last_us) WHERE sealed = 0;
CREATE INDEX conversations_to_announce ON conversations (to_announce, chat_id) WHERE to_announce IS NOT NULL;

-- The pause that the chat's conversations are cut by, in microseconds; NULL while they are not.
ALTER TABLE chats ADD COLUMN cut_gap_us INTEGER;
INSERT INTO meta VALUES ('conversation_gap_us', '5400000000');
";

const V3: &str = "
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
    finished_us INTEGER,
    -- Whether a dead letter has been given another task.
    retried INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tasks_ready ON tasks (lane, ifnull(run_id, 0), priority DESC, id) WHERE state = 0;
CREATE INDEX tasks_leased ON tasks (lease_us) WHERE state = 1;
CREATE INDEX tasks_due ON tasks (due_us) WHERE state = 2;
CREATE INDEX tasks_dead ON tasks (id) WHERE state IN (4, 5) AND retried = 0;
CREATE INDEX tasks_by_run ON tasks (run_id, state);
CREATE INDEX tasks_by_conversation ON tasks (conversation_id);
CREATE INDEX tasks_by_chat ON tasks (chat_id) WHERE state IN (0, 1, 2);

-- mark grows with every result that is stored: who keeps something up to date knows from where on to look.
CREATE TABLE results (
    conversation_id INTEGER NOT NULL,
    pass TEXT NOT NULL,
    version INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    result TEXT NOT NULL,
    computed_us INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, pass)
) WITHOUT ROWID;
CREATE INDEX results_by_mark ON results (mark);
CREATE TRIGGER conversations_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM results WHERE conversation_id = old.id;
END;

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
    PRIMARY KEY (chat_id, key)
) WITHOUT ROWID;
CREATE INDEX commitments_due ON commitments (due_us) WHERE state = 'open';
CREATE TABLE commitment_decisions (
    chat_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (chat_id, key)
) WITHOUT ROWID;

-- Which set of passes the conversation has results of, and of which of its states: what a run looks at first.
ALTER TABLE conversations ADD COLUMN covered_by INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN covered_fingerprint INTEGER NOT NULL DEFAULT -1;

CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

const V4: &str = "
-- Whether there may be something to tell of it: set by whatever may change how it stands.
ALTER TABLE commitments ADD COLUMN to_tell INTEGER NOT NULL DEFAULT 1;
CREATE INDEX commitments_to_tell ON commitments (said_us, key) WHERE to_tell = 1;
";

const V5: &str = "
-- Results of a kilobyte and more do not fit into the pages of a table without rowid: each took a page more, most of it
-- empty. The id is 256 times the conversation's, plus the pass's: results of a conversation lie beside each other.
CREATE TABLE passes (id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 255), name TEXT NOT NULL UNIQUE);
INSERT INTO passes (name) SELECT DISTINCT pass FROM results ORDER BY pass;
ALTER TABLE results RENAME TO results_v4;
DROP TRIGGER conversations_gone;
DROP INDEX results_by_mark;
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    computed_us INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    result TEXT NOT NULL
);
INSERT INTO results SELECT conversation_id * 256 + passes.id, version, fingerprint, computed_us, mark, result
    FROM results_v4 JOIN passes ON passes.name = results_v4.pass ORDER BY 1;
DROP TABLE results_v4;
CREATE INDEX results_by_mark ON results (mark);
CREATE TRIGGER conversations_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM results WHERE id BETWEEN old.id * 256 AND old.id * 256 + 255;
END;
";

const V6: &str = "
-- What analysis makes of messages has a file of its own by now, and a writer: messages never wait for it.
DROP TRIGGER conversations_gone;
DROP TABLE runs;
DROP TABLE tasks;
DROP TABLE results;
DROP TABLE passes;
DROP TABLE commitments;
DROP TABLE commitment_decisions;
DROP TABLE marks;
ALTER TABLE conversations DROP COLUMN covered_by;
ALTER TABLE conversations DROP COLUMN covered_fingerprint;

-- Conversations that are gone, or were in the middle of a step, for as long as their results may be there.
CREATE TABLE conversations_gone (id INTEGER PRIMARY KEY);
CREATE TRIGGER conversations_go AFTER DELETE ON conversations BEGIN
    INSERT OR IGNORE INTO conversations_gone (id) VALUES (old.id);
END;
";

const V7: &str = "
-- Somebody became the user, or is not any more: all that they wrote in the chat changed. The newest change of each.
ALTER TABLE changes ADD COLUMN contact_id INTEGER;
CREATE UNIQUE INDEX changes_by_contact ON changes (chat_id, contact_id) WHERE contact_id IS NOT NULL;
";
