//! Stopping on a signal: Ctrl-C, what `timeout` and job schedulers send, a terminal that is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Exit code of a program that a signal stopped, whichever it was: 128 and the number of Ctrl-C's.
const STOPPED: u8 = 130;

/// Signals that arrive within this of the first are one with it: `timeout` sends its own twice, to the
/// program and to its group, and so do shells whose terminal is closed.
const TOGETHER: Duration = Duration::from_millis(250);

/// Whether there is something to save before the program ends.
static IS_SAVING: AtomicBool = AtomicBool::new(false);

/// The exit code with which the program is to end once all is saved; 0 while it is not to end.
static CODE: AtomicU8 = AtomicU8::new(0);

/// From here on the program ends at once on a signal, until [`save_first`] is called.
pub fn watch() {
    let mut first: Option<Instant> = None;
    let watching = listen(move |repeats| {
        if !IS_SAVING.load(Relaxed) {
            warn!("\nstopped");
            end();
        }
        match first {
            None => {
                first = Some(Instant::now());
                request(STOPPED);
                warn!("\nstopping after this step, then saving; Ctrl-C again to quit at once");
            }
            Some(first) if !repeats && first.elapsed() >= TOGETHER => end(),
            Some(_) => {}
        }
    });
    if let Err(e) = watching {
        log::warn!("a signal will end the program at once: {e}");
    }
}

/// From here on the caller saves before the program ends, and looks at [`requested`] for whether it is
/// to do so.
pub fn save_first() {
    IS_SAVING.store(true, Relaxed);
}

/// The exit code with which the program is to end, if it is.
pub fn requested() -> Option<u8> {
    Some(CODE.load(Relaxed)).filter(|code| *code != 0)
}

/// Ends the program with `code`: at once, or where something is to be saved, soon.
pub fn request(code: u8) {
    if !IS_SAVING.load(Relaxed) {
        std::process::exit(code.into());
    }
    let _ = CODE.compare_exchange(0, code, Relaxed, Relaxed);
}

/// Calls `stop` with every signal that asks the program to end, and with whether it is one that the
/// system repeats by itself.
#[cfg(unix)]
fn listen(mut stop: impl FnMut(bool) + Send + 'static) -> std::io::Result<()> {
    use libc::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
    // A handler that does nothing, so that writing past the limit of a file's size is an error.
    signal_hook::flag::register(SIGXFSZ, Arc::<AtomicBool>::default())?;
    // Under `nohup` the program is to go on without its terminal.
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let all = [SIGINT, SIGTERM, SIGXCPU].into_iter().chain(hang_up);
    let mut signals = signal_hook::iterator::Signals::new(all)?;
    std::thread::spawn(move || {
        signals.forever().for_each(|signal| stop(matches!(signal, SIGHUP | SIGXCPU)));
    });
    Ok(())
}

/// Whether the program was started with `signal` ignored.
#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: without a new action, the call only fills the old one, for which any bytes will do.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut old) == 0
            && old.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
fn listen(mut stop: impl FnMut(bool) + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || stop(false))
}

/// Ends the program without the destructors of drivers, which other threads still run in.
fn end() -> ! {
    vae_gpu::remove_unfinished();
    #[cfg(unix)]
    signal_hook::low_level::exit(STOPPED.into());
    #[cfg(not(unix))]
    std::process::exit(STOPPED.into());
}
