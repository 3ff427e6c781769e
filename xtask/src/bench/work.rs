//! The workloads.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::Bench;
use crate::machine;
use crate::sh;

/// A workload: a command of the traffic generator.
pub struct Work {
    /// Its name in the table.
    pub name: &'static str,
    /// For how much of it CPU seconds are told.
    pub unit: &'static str,
    args: Vec<String>,
    measure: Measure,
}

enum Measure {
    /// So many connections, timed from outside.
    Connections(u64),
    /// Bytes, as the generator timed and counted them.
    Bytes,
    /// Datagrams, likewise.
    Datagrams,
}

/// One run.
pub struct Sample {
    /// Connections, bytes or datagrams.
    pub done: f64,
    /// Time that it took.
    pub seconds: f64,
    /// CPU seconds of the whole machine meanwhile.
    pub cpu: f64,
    /// What the CPU seconds are told for.
    pub unit: f64,
}

const GIB: f64 = (1_u64 << 30) as f64;

impl Work {
    /// All of them.
    pub fn all(connections: u64) -> Vec<Self> {
        let work = |name, unit, args: &str, measure| Self {
            name,
            unit,
            args: args.split(' ').map(str::to_owned).collect(),
            measure,
        };
        vec![
            Self::storm(connections),
            work("bulk-1", "GiB", "bulk --streams 1", Measure::Bytes),
            work("bulk-8", "GiB", "bulk --streams 8", Measure::Bytes),
            work("packets", "1 M datagrams", "packets", Measure::Datagrams),
        ]
    }

    /// Short connections from 20 processes.
    pub fn storm(connections: u64) -> Self {
        let args = format!("storm --processes 20 --parallel 20 --connections {connections}");
        Self {
            name: "storm",
            unit: "100 000 sockets",
            args: args.split(' ').map(str::to_owned).collect(),
            measure: Measure::Connections(connections),
        }
    }

    /// Runs it once.
    pub fn run(&self, bench: &Bench) -> Result<Sample> {
        let (cpu, started) = (machine::busy()?, Instant::now());
        let said = sh::output(Command::new(&bench.traffic).args(&self.args))?;
        let (cpu, seconds) = (machine::busy()? - cpu, started.elapsed().as_secs_f64());
        let told = || -> Result<(f64, f64)> {
            let pace: serde_json::Value = serde_json::from_str(&said).context("the generator's figures")?;
            let figure = |name: &str| pace[name].as_f64().with_context(|| format!("no {name} in {said}"));
            Ok((figure("received")?, figure("seconds")?))
        };
        Ok(match self.measure {
            // On loopback each connection is two sockets, and both are recorded.
            Measure::Connections(connections) => {
                Sample { done: connections as f64, seconds, cpu, unit: 50_000.0 }
            }
            Measure::Bytes => {
                let (done, seconds) = told()?;
                Sample { done, seconds, cpu, unit: GIB }
            }
            Measure::Datagrams => {
                let (done, seconds) = told()?;
                Sample { done, seconds, cpu, unit: 1e6 }
            }
        })
    }

    /// A rate for people.
    pub fn shown(&self, rate: f64) -> String {
        match self.measure {
            Measure::Connections(_) => format!("{rate:.0} conn/s"),
            Measure::Bytes => format!("{:.2} GiB/s", rate / GIB),
            Measure::Datagrams => format!("{:.0} k/s", rate / 1e3),
        }
    }
}
