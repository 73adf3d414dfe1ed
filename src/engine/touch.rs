//! Which keys the stream has spoken of lately, so that a scanned row that may be older is not written.
//!
//! A touch is needed as long as a page may hold a row read before it: until every page requested earlier than the touch
//! is answered for, and `visibility` longer, because a page may show the table as it was that long ago.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashTable;
use tokio::time::Instant;

use crate::item::{Key, RawItem};

/// Pages that are requested and not answered for, by the time of their request.
#[derive(Debug, Default)]
pub struct Pages {
    open: Mutex<BTreeMap<Instant, usize>>,
}

/// Says that a page is under way, for as long as it lives.
#[derive(Debug)]
pub struct PageGuard {
    pages: Arc<Pages>,
    requested: Instant,
}

impl Pages {
    /// To be called before the request is sent.
    pub fn request(self: &Arc<Self>) -> PageGuard {
        let requested = Instant::now();
        *self.lock().entry(requested).or_default() += 1;
        PageGuard { pages: self.clone(), requested }
    }

    /// When the oldest page under way was requested; now, if there is none.
    fn oldest(&self) -> Instant {
        self.lock().first_key_value().map_or_else(Instant::now, |(requested, _)| *requested)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instant, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PageGuard {
    fn drop(&mut self) {
        let mut open = self.pages.lock();
        if let Some(count) = open.get_mut(&self.requested) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.requested);
            }
        }
    }
}

/// The touched keys. A row's look-up compares hashes and builds a key only where they are equal.
#[derive(Debug)]
pub struct Touches {
    pages: Arc<Pages>,
    visibility: Duration,
    keys: HashTable<Touch>,
    /// Every touch in its order, for forgetting; one that was touched again later stands here twice.
    order: VecDeque<(Instant, u64)>,
}

#[derive(Debug)]
struct Touch {
    hash: u64,
    key: Key,
    at: Instant,
}

impl Touches {
    /// None yet.
    pub fn new(pages: Arc<Pages>, visibility: Duration) -> Self {
        Self { pages, visibility, keys: HashTable::new(), order: VecDeque::new() }
    }

    /// A change of this item's key was taken in.
    pub fn touch(&mut self, item: &RawItem) {
        let at = Instant::now();
        let (hash, key) = (item.key_hash(), item.key());
        match self.keys.find_mut(hash, |touch| touch.hash == hash && touch.key == key) {
            Some(touch) => touch.at = at,
            None => {
                self.keys.insert_unique(hash, Touch { hash, key, at }, |touch| touch.hash);
            }
        }
        self.order.push_back((at, hash));
    }

    /// Whether a row of this item may be older than a change of it.
    pub fn contains(&self, item: &RawItem) -> bool {
        if self.keys.is_empty() {
            return false;
        }
        let hash = item.key_hash();
        self.keys.find(hash, |touch| touch.hash == hash && touch.key == item.key()).is_some()
    }

    /// Forgets what no page can be compared with any more.
    pub fn forget(&mut self) {
        let oldest = self.pages.oldest();
        while let Some((at, hash)) = self.order.front().copied()
            && at + self.visibility < oldest
        {
            self.order.pop_front();
            // Another touch of the key, or of a key with the same hash, has an entry of its own further back.
            if let Ok(entry) = self.keys.find_entry(hash, |touch| touch.hash == hash && touch.at == at) {
                entry.remove();
            }
        }
    }

    /// Forgets one key at once. Only a mutant does that.
    pub fn forget_key(&mut self, item: &RawItem) {
        let hash = item.key_hash();
        if let Ok(entry) = self.keys.find_entry(hash, |touch| touch.hash == hash && touch.key == item.key()) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::item::{KeyAttribute, KeyKind, KeySchema};

    fn item(key: u32) -> RawItem {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::Number), sort: None };
        RawItem::parse(Bytes::from(format!(r#"{{"pk":{{"N":"{key}"}}}}"#)), &schema).expect("valid")
    }

    #[tokio::test(start_paused = true)]
    async fn a_touch_lives_as_long_as_a_page_that_was_requested_before_it() {
        let pages = Arc::new(Pages::default());
        let mut touches = Touches::new(pages.clone(), Duration::from_secs(5));
        let page = pages.request();
        tokio::time::advance(Duration::from_secs(1)).await;
        touches.touch(&item(1));
        tokio::time::advance(Duration::from_secs(100)).await;
        touches.forget();
        assert!(touches.contains(&item(1)) && !touches.contains(&item(2)));
        drop(page);
        touches.forget();
        assert!(!touches.contains(&item(1)));
        assert!(touches.order.is_empty() && touches.keys.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_touch_outlives_the_time_that_a_page_may_lag_behind() {
        let pages = Arc::new(Pages::default());
        let mut touches = Touches::new(pages.clone(), Duration::from_secs(5));
        touches.touch(&item(1));
        tokio::time::advance(Duration::from_secs(4)).await;
        touches.touch(&item(2));
        let _page = pages.request();
        tokio::time::advance(Duration::from_secs(2)).await;
        touches.forget();
        assert!(touches.contains(&item(1)), "a page requested within 5 s of it is open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_touched_again_is_kept_for_its_last_touch() {
        let pages = Arc::new(Pages::default());
        let mut touches = Touches::new(pages.clone(), Duration::from_secs(5));
        touches.touch(&item(1));
        tokio::time::advance(Duration::from_secs(10)).await;
        touches.touch(&item(1));
        touches.forget();
        assert!(touches.contains(&item(1)));
        tokio::time::advance(Duration::from_secs(6)).await;
        touches.forget();
        assert!(!touches.contains(&item(1)));
    }
}
