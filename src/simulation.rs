//! The real engine against a whole simulated world on paused time. One seed makes one history.
//!
//! A history is a table under a live [`workload`], its [`stream`] of changes in shards that roll, a [`sink`] that fails in
//! every way a destination can, and an engine that is killed or stopped at random moments and begun again from its
//! [`checkpoint`]. Then the source is frozen, the engine runs to the end, and the destination must hold what the transform
//! makes of the source: nothing lost, nothing extra, nothing stale, and exactly the right dead letters.
//!
//! [`profile`] draws how large, how busy and how broken a world is; [`mutants`] take one rule out of the engine and expect
//! that the histories notice. Everything random comes from the seed, and time is simulated, so a history that failed
//! fails again: [`tests`] says how to run it alone.

mod checkpoint;
mod history;
mod items;
mod mutants;
mod oracle;
mod profile;
mod random;
mod shards;
mod sink;
mod source;
mod stream;
mod tests;
mod transforms;
mod workload;
mod world;
