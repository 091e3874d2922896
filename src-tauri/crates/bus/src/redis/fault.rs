//! What Redis' refusals and broken connections mean.

use redis::{RedisError, ServerError, Value};

use crate::{BusError, StreamKey};

/// Why Redis did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is of no use any more. Whether what was asked was done is not known.
    Lost(String),
    /// It refuses for now: it is full, loading, a replica, or wants another password.
    ForNow(String),
    /// The key holds something else than a stream.
    WrongType,
    /// It refuses, and will the next time.
    Refused(String),
}

/// The codes of refusals that pass, with Redis' own names. In a master's and a replica's life, on a full memory or disk,
/// and where somebody is about to change a password.
const PASSING: [&str; 13] = [
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "UNKILLABLE",
    "WRONGPASS",
];

/// What EXEC says before the reason, when it executed nothing.
const DISCARDED: &str = "Transaction discarded because of: ";

impl Fault {
    /// As an answer to who asked for something in a stream.
    pub(super) fn into_error(self, key: &StreamKey) -> BusError {
        match self {
            Self::Lost(why) | Self::ForNow(why) => BusError::Away(why),
            Self::WrongType => BusError::WrongType(key.to_string()),
            Self::Refused(why) => BusError::Refused(why),
        }
    }

    /// In words, for people.
    pub(super) fn text(self, key: &StreamKey) -> String {
        match self {
            Self::Lost(why) | Self::ForNow(why) | Self::Refused(why) => why,
            Self::WrongType => BusError::WrongType(key.to_string()).to_string(),
        }
    }

    fn of(code: &str, details: &str) -> Self {
        if let ("EXECABORT", Some(reason)) = (code, details.strip_prefix(DISCARDED)) {
            let (code, details) = reason.split_once(' ').unwrap_or((reason, ""));
            return Self::of(code, details);
        }
        let text = || format!("{code} {details}").trim_end().to_owned();
        match code {
            "WRONGTYPE" => Self::WrongType,
            code if PASSING.contains(&code) => Self::ForNow(text()),
            _ => Self::Refused(text()),
        }
    }
}

impl From<&ServerError> for Fault {
    fn from(error: &ServerError) -> Self {
        Self::of(error.code(), error.details().unwrap_or_default())
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some(code) => Self::of(code, error.detail().unwrap_or_default()),
            None => Self::Lost(error.to_string()),
        }
    }
}

/// The reply, or what Redis refused with.
pub(super) fn checked(reply: Value) -> Result<Value, Fault> {
    match reply {
        Value::ServerError(error) => Err(Fault::from(&error)),
        reply => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_passes_stays_or_is_about_the_key() {
        let full = "OOM command not allowed when used memory > 'maxmemory'.";
        let discarded = format!("{DISCARDED}{full}");
        for (code, details, wanted) in [
            ("OOM", &full[4..], Fault::ForNow(full.to_owned())),
            ("EXECABORT", &discarded, Fault::ForNow(full.to_owned())),
            ("LOADING", "", Fault::ForNow("LOADING".to_owned())),
            ("WRONGTYPE", "Operation against …", Fault::WrongType),
            (
                "ERR",
                "unknown command",
                Fault::Refused("ERR unknown command".to_owned()),
            ),
            ("NOPERM", "no", Fault::Refused("NOPERM no".to_owned())),
        ] {
            assert_eq!(Fault::of(code, details), wanted);
        }
    }
}
