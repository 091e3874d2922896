//! The schemas of both files, as lists of migrations. A released migration never changes; a new one is added at the end.
//!
//! The version of a file is its `PRAGMA user_version`.

mod analysis;
mod messages;

use std::path::Path;

use rusqlite::Connection;

use crate::{OpenError, open};

/// A file, open for writing.
pub(crate) struct Opened<'a> {
    /// Its connection.
    pub(crate) conn: &'a mut Connection,
    /// Where it is, for people.
    pub(crate) path: &'a Path,
}

/// Brings both files to their newest versions; each step is one transaction. Nothing is changed where either is newer
/// than this program knows.
pub(crate) fn migrate(mut stored: Opened<'_>, mut analyses: Opened<'_>) -> Result<(), OpenError> {
    let version = stored.version(messages::MIGRATIONS)?;
    analyses.version(analysis::MIGRATIONS)?;
    if version <= messages::WITH_ANALYSIS {
        stored.step(&messages::MIGRATIONS[..messages::WITH_ANALYSIS])?;
        analyses.step(analysis::MIGRATIONS)?;
        analyses.take_over(stored.path)?;
    }
    stored.step(messages::MIGRATIONS)?;
    analyses.step(analysis::MIGRATIONS)
}

impl Opened<'_> {
    fn version(&self, known: &[&str]) -> Result<usize, OpenError> {
        let found: i64 = self
            .conn
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|e| open::classify(self.path, e))?;
        if found > known.len() as i64 {
            return Err(OpenError::TooNew {
                path: self.path.into(),
                found,
                known: known.len() as i64,
            });
        }
        Ok(usize::try_from(found).unwrap_or(0))
    }

    fn step(&mut self, known: &[&str]) -> Result<(), OpenError> {
        let failed = |e| open::classify(self.path, e);
        let found: i64 = self
            .conn
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed)?;
        for (index, sql) in known.iter().enumerate().skip(found as usize) {
            let tx = self.conn.transaction().map_err(failed)?;
            tx.execute_batch(sql).map_err(failed)?;
            tx.pragma_update(None, "user_version", index as i64 + 1)
                .map_err(failed)?;
            tx.commit().map_err(failed)?;
        }
        Ok(())
    }

    /// Takes over what the file of messages at `stored` holds of analysis, and has it on the disk: there it is dropped
    /// then. A program that ends in between takes it over once more.
    fn take_over(&mut self, stored: &Path) -> Result<(), OpenError> {
        let failed = |e| open::classify(self.path, e);
        open::attach(self.conn, stored, open::STORED)?;
        let tx = self.conn.transaction().map_err(failed)?;
        tx.execute_batch(analysis::TAKE_OVER).map_err(failed)?;
        tx.commit().map_err(failed)?;
        self.conn
            .execute_batch("DETACH stored; PRAGMA wal_checkpoint(TRUNCATE)")
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file of messages as it was in a version, and one of analysis beside it.
    struct Files {
        folder: tempfile::TempDir,
        stored: Connection,
    }

    impl Files {
        fn of(version: usize) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("messages.db");
            let mut stored = Connection::open(&path).expect("opened");
            let mut opened = Opened {
                conn: &mut stored,
                path: &path,
            };
            opened.step(&messages::MIGRATIONS[..version]).expect("migrated");
            Self { folder, stored }
        }

        /// A connection to the file of analysis, which sees both.
        fn migrate(&mut self) -> Result<Connection, OpenError> {
            let path = self.folder.path().join("messages.db");
            let of_analysis = self.folder.path().join("analysis.db");
            let mut conn = Connection::open(&of_analysis).expect("opened");
            let stored = Opened {
                conn: &mut self.stored,
                path: &path,
            };
            let analyses = Opened {
                conn: &mut conn,
                path: &of_analysis,
            };
            migrate(stored, analyses)?;
            open::attach(&conn, &path, open::STORED)?;
            Ok(conn)
        }
    }

    type Result_ = (i64, String, i64, i64, String, i64);

    fn results(conn: &Connection) -> Vec<Result_> {
        let rows = "SELECT a.conversation_id, p.name, version, r.fingerprint, result, computed_us
            FROM results r JOIN passes p ON p.id = r.id & 255 JOIN analysed a ON a.place = r.id / 256 ORDER BY r.id";
        conn.prepare(rows)
            .and_then(|mut query| {
                let row = |row: &rusqlite::Row<'_>| row.try_into();
                query.query_map([], row)?.collect()
            })
            .expect("read")
    }

    fn one(conn: &Connection, query: &str) -> i64 {
        conn.query_row(query, [], |row| row.get(0)).expect("read")
    }

    #[test]
    fn results_from_before_they_had_numbers_are_kept() {
        let mut files = Files::of(4);
        let long = "x".repeat(5_000);
        let put = "INSERT INTO results VALUES (?1, ?2, 3, 4, ?3, 5, ?4)";
        for (conversation, pass, mark) in [(7, "topics", 1), (7, "activity", 2), (8, "activity", 3)] {
            files
                .stored
                .execute(put, (conversation, pass, &long, mark))
                .expect("put");
        }
        let conn = files.migrate().expect("migrated");
        let kept = |conversation, pass: &str| (conversation, pass.to_owned(), 3, 4, long.clone(), 5);
        let all = [kept(7, "activity"), kept(7, "topics"), kept(8, "activity")];
        assert_eq!(results(&conn), all);
        assert_eq!(
            one(&conn, "SELECT mark FROM analysed WHERE conversation_id = 7"),
            2,
            "the newest of the two"
        );
    }

    #[test]
    fn analysis_moves_into_a_file_of_its_own_once() {
        let mut files = Files::of(messages::WITH_ANALYSIS);
        files
            .stored
            .execute_batch(
                "INSERT INTO conversations VALUES (7, 1, 0, 0, 1, 4, 1, NULL, 99, 4);
                 INSERT INTO passes VALUES (3, 'topics');
                 INSERT INTO results VALUES (7 * 256 + 3, 1, 4, 5, 6, '{}');
                 INSERT INTO runs (id, kind, state, chats, passes, created_us) VALUES (8, 'global', 'complete', '', '', 1);
                 INSERT INTO tasks (id, run_id, lane, chat_id, conversation_id, state, priority, created_us, finished_us)
                    VALUES (9, 8, 0, 1, 7, 3, 1, 1, 2);
                 INSERT INTO commitments VALUES (1, 'k', 7, 1, 'promise', 2, 1, 'I will', NULL, 3, 'open', NULL, 'open', 0);
                 INSERT INTO commitment_decisions VALUES (1, 'k', 'done');
                 INSERT INTO marks VALUES ('place', '1-0');",
            )
            .expect("filled");
        // The program ended after it had taken everything over, and before it was dropped.
        let path = files.folder.path().join("messages.db");
        let of_analysis = files.folder.path().join("analysis.db");
        let mut conn = Connection::open(&of_analysis).expect("opened");
        let mut first = Opened {
            conn: &mut conn,
            path: &of_analysis,
        };
        first.step(analysis::MIGRATIONS).expect("migrated");
        first.take_over(&path).expect("taken over");
        drop(conn);
        for again in [false, true] {
            let conn = files.migrate().expect("migrated");
            assert_eq!(
                results(&conn),
                [(7, "topics".to_owned(), 1, 4, "{}".to_owned(), 5)]
            );
            let covered = "SELECT count(*) FROM analysed
                WHERE (conversation_id, mark, covered_by, covered_fingerprint) = (7, 6, 99, 4)";
            assert_eq!(one(&conn, covered), 1, "again: {again}");
            for table in ["runs", "tasks", "commitments", "commitment_decisions", "marks"] {
                assert_eq!(one(&conn, &format!("SELECT count(*) FROM {table}")), 1, "{table}");
            }
            assert_eq!(one(&conn, "SELECT to_tell FROM commitments"), 0);
            let left =
                "SELECT count(*) FROM stored.sqlite_master WHERE name IN ('results', 'tasks', 'marks')";
            assert_eq!(one(&conn, left), 0);
        }
        files
            .stored
            .execute_batch("DELETE FROM conversations WHERE id = 7")
            .expect("deleted");
        assert_eq!(one(&files.stored, "SELECT id FROM conversations_gone"), 7);
    }

    #[test]
    fn a_file_of_analysis_that_is_newer_leaves_both_as_they_are() {
        let mut files = Files::of(2);
        let conn = Connection::open(files.folder.path().join("analysis.db")).expect("opened");
        conn.pragma_update(None, "user_version", 999).expect("set");
        let refused = files.migrate().map(drop);
        assert!(
            matches!(refused, Err(OpenError::TooNew { found: 999, .. })),
            "{refused:?}"
        );
        assert_eq!(one(&files.stored, "PRAGMA user_version"), 2);
    }
}
