//! Events as fields: the serialisation that other programs rely on.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Map, Value};

use crate::fields::{Fields, FieldsError};

/// The fields that every event begins with. Data of these names is left out: it must not say otherwise.
const OWN: [&str; 3] = ["type", "scope", "ts"];

/// An event as fields: `type`, `scope`, `ts`, then `data` in its order.
///
/// Strings stay as they are, numbers become decimal strings, objects and arrays JSON, booleans and null `True`,
/// `False` and `None`: as the Python programs on the same stream write and read them.
///
/// # Errors
///
/// The data is too large or has too many fields.
pub fn fields(
    scope: &str,
    event_type: &str,
    ts: &str,
    data: &Map<String, Value>,
) -> Result<Fields, FieldsError> {
    let own = OWN.into_iter().zip([event_type, scope, ts]);
    let own = own.map(|(name, value)| (name, value.to_owned()));
    let told = data.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    Fields::new(own.chain(told.map(|(name, value)| (name.as_str(), text(value)))))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Writes `ts`: UTC in microseconds, without offset. No two of one process are equal, not even when the clock is set
/// back: that is how an event of ours is recognised again when Redis did not answer.
#[derive(Debug, Default)]
pub(crate) struct Stamp(AtomicI64);

impl Stamp {
    /// The next, at `now_us` microseconds since 1970 or just after the one before.
    pub(crate) fn next(&self, now_us: i64) -> String {
        let later = |last: i64| Some(now_us.max(last.saturating_add(1)));
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        let us = last.ok().and_then(later).unwrap_or(now_us);
        let at = jiff::Timestamp::from_microsecond(us).unwrap_or_default();
        format!("{:.6}", at.to_zoned(jiff::tz::TimeZone::UTC).datetime())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_the_other_programs_expect() {
        let data = json!({
            "run_id": 123, "share": 0.5, "message": "a\nb", "running": true, "done": false, "error": null,
            "timings": {"sum": 1, "all": [1.5, "x"]}, "type": "forged", "scope": "forged", "ts": "forged",
        });
        let Value::Object(data) = data else { unreachable!() };
        let fields = fields("global", "run_seeded", "2024-01-01T12:00:00.000000", &data).expect("small");
        let told: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
            .collect();
        let wanted = [
            "type=run_seeded",
            "scope=global",
            "ts=2024-01-01T12:00:00.000000",
            "run_id=123",
            "share=0.5",
            "message=a\\nb",
            "running=True",
            "done=False",
            "error=None",
            r#"timings={\"sum\":1,\"all\":[1.5,\"x\"]}"#,
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn stamps_always_differ_and_have_six_decimals() {
        let stamp = Stamp::default();
        let noon_us = 1_704_110_400_000_000;
        assert_eq!(stamp.next(noon_us), "2024-01-01T12:00:00.000000");
        assert_eq!(stamp.next(noon_us), "2024-01-01T12:00:00.000001");
        assert_eq!(stamp.next(noon_us - 5_000_000), "2024-01-01T12:00:00.000002");
        assert_eq!(stamp.next(noon_us + 1_500_000), "2024-01-01T12:00:01.500000");
    }
}
