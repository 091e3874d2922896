//! Being written.
use crate::bus::Submitted;
use crate::engine::{NewId, Page, Range, Reading, StreamInfo, Trim};
use crate::live::Live;
use crate::{BusError, Fields, StreamKey};
use chatstats_model::BusStatus;
pub(crate) struct Embedded;
impl Embedded {
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
/// Settings of the embedded log.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The log's file; made when it is not there.
    pub path: std::path::PathBuf,
    /// Milliseconds since 1970: what ids are made of. They never go back, even where this does.
    pub clock: fn() -> u64,
    /// About how many entries each stream keeps.
    pub kept: u64,
}
impl Embedded {
    pub(crate) fn open(_s: EmbeddedSettings) -> Result<Self, BusError> {
        Ok(Self)
    }
}
