//! Every text that the ops give to an adapter is taken by the compiler that Chrome gives WGSL to, Tint,
//! in a headless Chromium. It is stricter than naga: about uniform control flow before barriers, and
//! parentheses. Needs no adapter, since Chromium brings one.

#[path = "../common/mod.rs"]
mod common;
mod server;
#[path = "../shaders/texts.rs"]
mod texts;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use server::Server;

/// What it may be called; all take the same options.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const OPTIONS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
];

/// Most that it may take; without other work on the machine it is seconds.
const PATIENCE: Duration = Duration::from_secs(240);

/// Texts that naga takes and browsers must refuse, lest the test mean nothing.
const WRONG: [(&str, &str); 2] = [
    (
        "wrong: && beside ||",
        "@compute @workgroup_size(1) fn f(@builtin(local_invocation_index) i: u32) {
            if i == 0u && i == 1u || i == 2u { return; }
        }",
    ),
    (
        "wrong: a barrier that not all reach",
        "@compute @workgroup_size(8) fn f(@builtin(local_invocation_index) i: u32) {
            if i < 4u { workgroupBarrier(); }
        }",
    ),
];

/// Opens `address` in the first of [`BROWSERS`] that there is; `folder` is for its files.
fn open(address: &str, folder: &Path) -> Result<Child, Error> {
    for browser in BROWSERS {
        let child = Command::new(browser)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg(address)
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("said.txt"))?)
            .spawn();
        match child {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            child => return child,
        }
    }
    Err(ErrorKind::NotFound.into())
}

#[test]
fn every_text_is_taken_by_a_browser() {
    let texts = texts::texts();
    // Entry points of one module have one text.
    let mut by_text: BTreeMap<_, _> =
        texts.iter().map(|text| (&text.browser_text[..], &text.label[..])).collect();
    for (label, text) in WRONG {
        naga::front::wgsl::parse_str(text).unwrap();
        by_text.insert(text, label);
    }
    let modules: Vec<_> = by_text.into_iter().map(|(text, label)| (label, text)).collect();
    let server = Server::new(include_str!("page.html"), serde_json::to_string(&modules).unwrap());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut browser = match open(&server.address, folder.path()) {
        Ok(browser) => browser,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return common::skip("no Chromium: nothing says whether browsers take the WGSL");
        }
        Err(error) => panic!("{error}"),
    };
    let results = server.results(PATIENCE);
    browser.kill().unwrap();
    browser.wait().unwrap();
    let said = || std::fs::read_to_string(folder.path().join("said.txt")).unwrap_or_default();
    let results = results.unwrap_or_else(|| panic!("Chromium gave no results: {}", said()));
    let complaints: Vec<(String, String)> = match serde_json::from_str(&results) {
        Ok(complaints) => complaints,
        Err(_) => return common::skip(format_args!("Chromium: {results}")),
    };
    let is_wrong = |label: &str| WRONG.iter().any(|(wrong, _)| *wrong == label);
    let of_wrong = complaints.iter().filter(|(label, _)| is_wrong(label)).count();
    assert_eq!(of_wrong, WRONG.len(), "complaints about wrong texts: {complaints:?}");
    let others = complaints.iter().filter(|(label, _)| !is_wrong(label));
    let others: Vec<_> = others.map(|(label, message)| format!("{label}: {message}")).collect();
    let (found, of) = (others.len(), modules.len());
    assert!(found == 0, "{found} complaints about {of} texts:\n{}", others.join("\n"));
}
