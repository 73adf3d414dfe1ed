//! The checkpoint: what it was told survives the engine. A commit takes its time, and the engine may be killed before or
//! after it is durable.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::world::{World, tell};
use crate::checkpoint::{Checkpoint, Claim, Commit, RunState, SegmentState};
use crate::error::Result;
use crate::event::DeadLetterGroup;
use crate::memory::MemoryCheckpoint;

pub struct SlowCheckpoint {
    pub world: Arc<World>,
    pub memory: Arc<MemoryCheckpoint>,
}

impl Checkpoint for SlowCheckpoint {
    fn load(&self) -> BoxFuture<'_, Result<RunState>> {
        self.memory.load()
    }

    fn lease(&self) -> BoxFuture<'_, Result<Option<SegmentState>>> {
        self.memory.lease()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let positions =
                || commit.shards.iter().map(|shard| (&shard.id, &shard.position, shard.ended)).collect::<Vec<_>>();
            tell(self.world.now_ms(), "", || {
                format!("commit: {:?} {:?} {:?}", positions(), commit.segments, commit.letters)
            });
            let (before, after) = self.world.latency(self.world.profile.commit_ms);
            self.world.call().await;
            tokio::time::sleep(before).await;
            let finished: Vec<_> =
                commit.shards.iter().filter(|shard| shard.ended).map(|shard| shard.id.clone()).collect();
            self.memory.commit(commit).await?;
            self.world.with(|state| {
                for at in finished.iter().filter_map(|id| state.shards.find(id)).collect::<Vec<_>>() {
                    state.shards.all[at].is_finished = true;
                }
                state.count("commits");
            });
            tokio::time::sleep(after).await;
            self.world.call().await;
            Ok(())
        })
    }

    fn commit_claims(&self, added: Vec<Claim>, removed: Vec<Claim>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            tell(self.world.now_ms(), "", || format!("claims: added {added:?} removed {removed:?}"));
            let (before, after) = self.world.latency(self.world.profile.commit_ms);
            self.world.call().await;
            tokio::time::sleep(before).await;
            self.memory.commit_claims(added, removed).await?;
            tokio::time::sleep(after).await;
            self.world.call().await;
            Ok(())
        })
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetterGroup>>> {
        self.memory.dead_letters()
    }
}
