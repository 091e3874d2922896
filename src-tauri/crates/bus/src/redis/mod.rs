//! Being written.
use crate::bus::Submitted;
use crate::engine::{NewId, Page, Range, Reading, StreamInfo, Trim};
use crate::live::Live;
use crate::{BusError, Fields, StreamKey};
use chatstats_model::BusStatus;
pub(crate) struct Redis;
impl Redis {
    pub(crate) fn submit(
        &self,
        _key: &StreamKey,
        _id: NewId,
        _fields: Fields,
    ) -> Result<Submitted, BusError> {
        Err(BusError::Closed)
    }
    pub(crate) fn range(&self, _key: &StreamKey, _range: Range) -> Reading<Page> {
        Box::pin(async { Err(BusError::Closed) })
    }
    pub(crate) fn info(&self, _key: &StreamKey) -> Reading<StreamInfo> {
        Box::pin(async { Err(BusError::Closed) })
    }
    pub(crate) fn trim(&self, _key: &StreamKey, _trim: Trim) -> Reading<u64> {
        Box::pin(async { Err(BusError::Closed) })
    }
    pub(crate) fn live(&self, _key: &StreamKey) -> Reading<Live> {
        Box::pin(async { Ok(Live::at(crate::StreamId::ZERO)) })
    }
    pub(crate) fn status(&self) -> BusStatus {
        BusStatus {
            backend: chatstats_model::Backend::Embedded,
            address: None,
            problem: None,
            published: 0,
            read: 0,
            waiting: 0,
            subscribers: 0,
            length: 0,
            lag_ms: 0.0,
            reconnects: 0,
            streams: vec![],
        }
    }
    pub(crate) async fn shutdown(&self) {}
}
/// Settings of the connection to Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS), `unix:///path[?db=&pass=]`.
    pub url: String,
    /// About how many entries each stream that is written keeps.
    pub kept: u64,
}
impl Redis {
    pub(crate) async fn open(_s: RedisSettings) -> Result<Self, BusError> {
        Ok(Self)
    }
}
