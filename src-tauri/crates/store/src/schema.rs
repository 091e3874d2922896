//! The schema, as a list of migrations. A released migration never changes; a new one is added at the end.

use rusqlite::Connection;

use crate::OpenError;

/// Each entry takes the database from version `index` to `index + 1` (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[V1];

/// The newest version.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

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

/// Brings the database to the newest version; each step is one transaction.
pub(crate) fn migrate(conn: &mut Connection, path: &std::path::Path) -> Result<(), OpenError> {
    let failed = |e| crate::open::classify(path, e);
    let found: i64 = conn
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if found > VERSION {
        return Err(OpenError::TooNew {
            path: path.into(),
            found,
            known: VERSION,
        });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let tx = conn.transaction().map_err(failed)?;
        tx.execute_batch(sql).map_err(failed)?;
        tx.pragma_update(None, "user_version", index as i64 + 1)
            .map_err(failed)?;
        tx.commit().map_err(failed)?;
    }
    Ok(())
}
