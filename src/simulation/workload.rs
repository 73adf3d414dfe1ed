//! The application: it goes on writing to the source while the engine copies it.

use std::sync::Arc;
use std::time::Duration;

use super::items::Version;
use super::profile::Profile;
use super::world::{State, World, tell};

/// Writes until all changes of the profile are made. From then on the source is frozen.
pub async fn run(world: Arc<World>) {
    let profile = &world.profile;
    let mut left = profile.changes;
    while left > 0 {
        let pause = world.with(|state| Duration::from_millis(state.random.between(0, profile.gap_ms * 2)));
        tokio::time::sleep(pause).await;
        // Now and then many at once.
        let burst = world.with(|state| if state.random.chance(0.1) { state.random.between(2, 8) as usize } else { 1 });
        for _ in 0..burst.min(left) {
            left -= 1;
            world.with(|state| {
                state.step(world.now_ms(), profile);
                if state.random.chance(profile.rolls) {
                    state.roll_any(world.now_ms());
                }
            });
        }
    }
}

impl State {
    /// One act of the application.
    pub fn step(&mut self, now_ms: i64, profile: &Profile) {
        let keys = self.table.keys();
        let key =
            if self.random.chance(profile.hot) { self.random.below(keys.min(3)) } else { self.random.below(keys) };
        if self.random.chance(profile.deletes) {
            self.change(key, None, now_ms, profile);
            if self.random.chance(0.3) {
                self.put(key, now_ms, profile);
            }
        } else if self.random.chance(0.1) {
            // A put that changes nothing leaves no record.
            self.count("puts that change nothing");
        } else {
            self.put(key, now_ms, profile);
        }
    }

    /// A new version of a key.
    pub fn put(&mut self, key: usize, now_ms: i64, profile: &Profile) {
        let shape = match self.table.now(key) {
            Some(version) if self.random.chance(0.3) => version.shape,
            _ => self.random.below(profile.shapes as usize) as u8,
        };
        let is_poison = self.random.chance(profile.poison);
        let version = self.table.next_version(key, shape, is_poison);
        self.change(key, Some(version), now_ms, profile);
    }

    fn change(&mut self, key: usize, version: Option<Version>, now_ms: i64, profile: &Profile) {
        if version.is_none() && self.table.now(key).is_none() {
            return;
        }
        let new = version.as_ref().map(|version| version.raw.clone());
        let old = self.table.set(key, version, now_ms);
        tell(now_ms, &format!("k{key}"), || format!("{old:?} becomes {new:?}"));
        let unseen_ms = self.random.between(0, profile.unseen_ms);
        self.shards.append(key, now_ms, unseen_ms, old, new);
        self.count("changes");
    }

    /// Some open shard rolls.
    pub fn roll_any(&mut self, now_ms: i64) {
        self.shards.settle(now_ms);
        let open = self.shards.open();
        if !open.is_empty() {
            let at = self.random.pick(&open);
            tell(now_ms, "", || format!("shard-{at} rolls"));
            self.shards.roll(at, now_ms, &mut self.random);
            self.count("shards rolled");
        }
    }
}
