//! The copy: reads the source's segments, page by page, and hands their rows to the gate.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::checkpoint::{Checkpoint, SegmentState};
use crate::engine::apply::{Applier, Operation};
use crate::engine::gate::{Gate, PageGuard};
use crate::engine::in_flight::InFlight;
use crate::engine::reads::Reads;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::watermark::{Held, Watermark};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Page;

/// Memory for pages that are read and not answered for, in KiB: about ten pages. More would only be out of the
/// processor's cache by the time it is written.
pub const MEMORY_KIB: u32 = 16 * 1024;
/// What one page is assumed to hold until it is there: 1 MB of items are about 1.3 MB of JSON.
const PAGE_KIB: u32 = 1536;

/// What the tasks that read segments share.
pub struct Reader {
    /// The source.
    pub reads: Reads,
    /// The transform.
    pub applier: Arc<Applier>,
    /// Where rows go.
    pub gate: Arc<Gate>,
    /// Hands out segments.
    pub checkpoint: Arc<dyn Checkpoint>,
    /// Segments of the run.
    pub segments: u32,
    /// Requests under way.
    pub in_flight: Arc<InFlight>,
    /// [`MEMORY_KIB`].
    pub memory: Arc<Semaphore>,
    /// Where segments stand.
    pub watermark: Arc<Watermark>,
    /// The end.
    pub shutdown: Arc<Shutdown>,
}

impl Reader {
    /// Reads segment after segment until none is left or the end is near. Run by several tasks.
    pub async fn run(self: Arc<Self>) {
        while self.shutdown.phase() == Phase::Running {
            let read = match self.checkpoint.lease().await {
                Ok(None) => return,
                Ok(Some(segment)) => tokio::select! {
                    biased;
                    // A page that was asked for and not answered is asked for again when the run resumes.
                    () = self.shutdown.reached(Phase::Draining) => return,
                    read = self.read_segment(segment) => read,
                },
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                return self.shutdown.fail(error);
            }
        }
    }

    async fn read_segment(&self, state: SegmentState) -> Result<()> {
        let segment = state.segment;
        let mut cursor = state.cursor.clone();
        self.watermark.open_segment(state);
        // Of the first page nothing is known; later ones cost about what the last one did.
        let mut units_expected = 1.0;
        let mut rows = Vec::new();
        loop {
            let mut memory = self.reserve(PAGE_KIB).await?;
            let permit = self.in_flight.acquire().await;
            let guard = self.gate.request_page();
            let page =
                self.reads.segment(segment, self.segments, cursor.as_ref(), units_expected, &self.in_flight).await;
            let page = page.map_err(|error| error.context(format!("reading segment {segment}")))?;
            drop(permit);
            units_expected = page.units;
            drop(memory.split((PAGE_KIB as usize).saturating_sub(page.bytes / 1024 + 1)));
            let next = page.next.clone();
            let is_handed_over = self.hand_over(segment, page, &mut rows, memory, guard);
            match next {
                Some(next) if is_handed_over => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }

    async fn reserve(&self, kib: u32) -> Result<OwnedSemaphorePermit> {
        let reserved = self.memory.clone().acquire_many_owned(kib).await;
        reserved.map_err(|_| Error::new(ErrorKind::Internal, "the memory budget is closed"))
    }

    /// Transforms a page's items and queues what they write; false when the run ends before that is known.
    /// `rows` is room that serves for one page after the other.
    fn hand_over(
        &self,
        segment: u32,
        page: Page,
        rows: &mut Vec<Operation>,
        memory: OwnedSemaphorePermit,
        guard: PageGuard,
    ) -> bool {
        let items_read = page.items.len();
        let mut outputs = Vec::new();
        let occasion = self.applier.occasion();
        // The transform runs before the gate is closed to others.
        rows.extend(page.items.into_iter().map(|item| self.applier.row(item, &occasion, &mut outputs)));
        if self.applier.has_given_up() {
            return false;
        }
        let held = Held { memory: Some(memory), page: Some(guard) };
        let ticket = self.watermark.open_page(segment, page.next, items_read, items_read, held);
        self.gate.push_rows(rows.drain(..), &ticket);
        true
    }
}
