//! The table: figures, and beside each that has a limit whether it holds.

use std::process::ExitCode;

/// What a figure may be.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// So much or less.
    AtMost(f64),
    /// So much or more.
    AtLeast(f64),
    /// More, and not as much.
    MoreThan(f64),
}

impl Limit {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
            Self::MoreThan(bound) => figure > bound,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most}"),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::MoreThan(bound) => format!("more than {bound}"),
        }
    }
}

/// Prints line after line, and remembers which limits are missed.
pub struct Table {
    is_judged: bool,
    limits: usize,
    missed: Vec<String>,
}

impl Table {
    /// Figures of a test of the benchmark are not judged.
    pub fn new(is_judged: bool) -> Self {
        Self { is_judged, limits: 0, missed: Vec::new() }
    }

    /// What the lines after this are about, and what is in their two columns.
    pub fn section(&self, title: &str, columns: [&str; 2]) {
        println!("\n{}", format!("{title:<64}{:>12}{:>13}", columns[0], columns[1]).trim_end());
    }

    /// A line for information.
    pub fn line(&self, name: &str, columns: [String; 2]) {
        println!("{}", written(name, &columns).trim_end());
    }

    /// A line whose `figure` has a limit; whether it holds.
    pub fn limited(&mut self, name: &str, columns: [String; 2], figure: f64, limit: Limit) -> bool {
        let holds = limit.holds(figure);
        let verdict = match (self.is_judged, holds) {
            (false, _) => "not judged",
            (true, true) => "holds",
            (true, false) => "LIMIT MISSED",
        };
        println!("{}   {:<14}{verdict}", written(name, &columns), limit.words());
        self.limits += 1;
        if !holds {
            self.missed.push(name.to_owned());
        }
        holds
    }

    /// The sum of it, which is a failure when a limit is missed.
    pub fn end(&self) -> ExitCode {
        match (self.is_judged, self.missed.as_slice()) {
            (false, _) => println!("\na test of the benchmark: results compared, {} limits not judged", self.limits),
            (true, []) => println!("\nall {} limits hold", self.limits),
            (true, missed) => {
                println!("\nLIMIT MISSED, {} of {}: {}", missed.len(), self.limits, missed.join("; "));
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }
}

fn written(name: &str, [first, second]: &[String; 2]) -> String {
    format!("  {name:<62}{first:>12}{second:>13}")
}
