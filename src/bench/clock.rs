//! Timing of plans, after a warm-up, by many samples, each of enough runs for the clock's
//! resolution.

use serde::Serialize;
use std::time::Instant;

use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Plan, Timer};

/// Seconds that a sample should last, far above what a clock resolves.
const SAMPLE: f64 = 2e-3;
/// Seconds for all samples of a row.
const ROW: f64 = 0.3;
/// Smallest and largest number of samples.
const SAMPLES: [usize; 2] = [5, 100];
/// Largest number of runs in a submission: encoding each takes the host some microseconds.
const RUNS: usize = 2000;

/// The median and the quartiles of several samples of a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Time {
    /// Median of the samples.
    pub median_seconds: f64,
    /// Lower quartile of the samples.
    pub lower_quartile_seconds: f64,
    /// Upper quartile of the samples.
    pub upper_quartile_seconds: f64,
    /// Number of samples.
    pub samples: usize,
    /// Number of runs in a sample, which is their mean.
    pub runs_per_sample: usize,
}

impl Time {
    /// The quantiles of `seconds`, samples of `runs` runs each; panics if there are none.
    pub(super) fn new(mut seconds: Vec<f64>, runs: usize) -> Self {
        seconds.sort_by(f64::total_cmp);
        // Interpolates linearly between the two neighbours, as NumPy does by default.
        let quantile = |q: f64| {
            let at = q * (seconds.len() - 1) as f64;
            let (low, high) = (seconds[at.floor() as usize], seconds[at.ceil() as usize]);
            low + (high - low) * at.fract()
        };
        Self {
            median_seconds: quantile(0.5),
            lower_quartile_seconds: quantile(0.25),
            upper_quartile_seconds: quantile(0.75),
            samples: seconds.len(),
            runs_per_sample: runs,
        }
    }

    /// Half the distance between the quartiles, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.upper_quartile_seconds - self.lower_quartile_seconds) / (2.0 * self.median_seconds)
    }
}

/// Measures plans by the adapter's timestamps, or otherwise by the host's clock, less the time of a
/// submission.
pub(super) struct Clock {
    gpu: Gpu,
    timer: Option<Timer>,
    submission: f64,
}

impl Clock {
    pub fn new(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), timer: Timer::new(gpu), submission: 0.0 }
    }

    /// Whether times are by the adapter's timestamps.
    pub fn is_adapters(&self) -> bool {
        self.timer.is_some()
    }

    /// Sets the seconds of a submission that does nothing.
    pub fn set_submission(&mut self, seconds: f64) {
        self.submission = seconds;
    }

    /// Seconds from the submission of `runs` runs of `plan` until the host knows that they are
    /// done.
    pub fn wall(&self, plan: &Plan, runs: usize) -> Result<f64> {
        let begun = Instant::now();
        let submission = self.gpu.submit(|pass| (0..runs).for_each(|_| plan.encode(pass)));
        self.gpu.wait(submission)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Seconds of `runs` runs of `plan`, one after the other, on the adapter.
    pub fn busy(&self, plan: &Plan, runs: usize) -> Result<f64> {
        let seconds = match &self.timer {
            Some(timer) => timer.time(|pass| (0..runs).for_each(|_| plan.encode(pass)))?,
            None => self.wall(plan, runs)? - self.submission,
        };
        // A time of zero would make rates infinite.
        Ok(seconds.max(1e-9))
    }

    /// The time of a run of `plan` on the adapter. The plan is run many times.
    pub fn time(&self, plan: &Plan) -> Result<Time> {
        self.time_runs(plan, RUNS)
    }

    /// The time of a run of `plan`, like [`Clock::time`], with at most `most` runs in a submission.
    pub fn time_runs(&self, plan: &Plan, most: usize) -> Result<Time> {
        let mut runs = 1;
        self.busy(plan, runs)?; // compiles, allocates, wakes the adapter
        let sample = loop {
            let seconds = self.busy(plan, runs)?;
            if seconds >= SAMPLE || runs >= most {
                break seconds;
            }
            // The number of runs is raised in steps, since the first runs are slower.
            let wanted = (1.2 * SAMPLE / seconds.max(1e-9) * runs as f64).ceil() as usize;
            runs = wanted.clamp(runs + 1, 8 * runs).min(most);
        };
        self.samples(runs, sample, || Ok(self.busy(plan, runs)? / runs as f64))
    }

    /// Takes as many samples of `runs` runs, each of `sample` seconds, as the time of a row allows.
    pub fn samples(
        &self,
        runs: usize,
        sample: f64,
        mut one: impl FnMut() -> Result<f64>,
    ) -> Result<Time> {
        let count = (ROW / sample.max(1e-9)) as usize;
        let count = count.clamp(SAMPLES[0], SAMPLES[1]);
        let seconds = (0..count).map(|_| one()).collect::<Result<_>>()?;
        Ok(Time::new(seconds, runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let time = Time::new(vec![4.0, 1.0, 2.0, 3.0], 7);
        assert_eq!(time.median_seconds, 2.5);
        assert_eq!((time.lower_quartile_seconds, time.upper_quartile_seconds), (1.75, 3.25));
        assert_eq!((time.samples, time.runs_per_sample), (4, 7));
        assert_eq!(time.spread(), 0.3);
        let one = Time::new(vec![0.5], 1);
        assert_eq!((one.median_seconds, one.spread()), (0.5, 0.0));
    }
}
