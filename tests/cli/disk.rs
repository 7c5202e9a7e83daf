//! Disks that are full and folders that cannot be written: nothing half-written, nothing lost.

use super::*;

/// Exit code of the shell below where it may not mount.
const NO_MOUNT: i32 = 99;

/// What a command did to a disk that nobody else sees.
struct OnDisk {
    place: Place,
    ran: Ran,
}

/// Runs the program with a small disk mounted on `disk`, which holds what `before` has copied to it
/// and `size` bytes at most, and which nobody can write to if `read_only`. Skips the test where
/// mounting is not allowed.
fn on_disk(before: Option<Place>, size: &str, read_only: bool, args: &[&str]) -> Option<OnDisk> {
    let place = before.unwrap_or_else(Place::new);
    for folder in ["before", "disk", "after"] {
        fs::create_dir_all(place.path(folder)).unwrap();
    }
    let script = format!(
        "mount -t tmpfs -o size={size} none disk && cp -R before/. disk/ || exit {NO_MOUNT}
         {} || exit {NO_MOUNT}
         \"$@\"; code=$?; cp -R disk/. after/; exit $code",
        if read_only { "mount -o remount,bind,ro disk" } else { "true" },
    );
    // Root may mount as it is; anyone else becomes the root of a user namespace.
    let mut command = Command::new("unshare");
    command.arg("--mount").args((!is_root()).then_some("--map-root-user"));
    command.args(["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_vae-gpu")]).args(args);
    place.prepare(&mut command);
    let ran = command.output().ok().map(Ran::from);
    match ran {
        Some(ran) if ran.code != Some(NO_MOUNT) && !ran.stderr.starts_with("unshare:") => {
            Some(OnDisk { place, ran })
        }
        _ => {
            skip("a disk cannot be mounted here with unshare");
            None
        }
    }
}

/// Whether permissions do not apply.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

impl OnDisk {
    /// Asserts that the command failed as `parts` say, and the disk is as it was.
    #[track_caller]
    fn failed(&self, parts: &[&str]) {
        self.ran.failed(1, parts);
        let files = |root: &str| -> BTreeMap<PathBuf, Option<Vec<u8>>> {
            let root = self.place.path(root);
            let files = self.place.everything().into_iter();
            files.filter_map(|(p, b)| Some((p.strip_prefix(&root).ok()?.to_owned(), b))).collect()
        };
        let (before, after) = (files("before"), files("after"));
        assert!(before.keys().eq(after.keys()), "left behind: {:?}", after.keys());
        assert!(before == after, "a file was changed");
    }
}

const FULL: &str = "cannot write: No space left on device";
const READ_ONLY: &str = "Read-only file system";

fn train(out: &str) -> [&str; 5] {
    ["train", "--config", "tiny.toml", "--out", out]
}

/// A place with a trained run in `before`, to be copied to a disk.
fn place_with_run() -> Option<Place> {
    let place = place_with_adapter()?;
    place.train("before/run", &[]);
    Some(place)
}

#[test]
fn a_new_run_on_a_full_disk_leaves_nothing() {
    let Some(place) = place_with_adapter() else { return };
    drop(place);
    for (out, size) in
        [("disk/run", "4k"), ("disk/run", "40k"), ("disk/deep/er/run", "64k"), ("disk", "64k")]
    {
        let Some(disk) = on_disk(None, size, false, &train(out)) else { return };
        disk.failed(&[&format!("error: {out}"), FULL]);
        assert!(!disk.ran.stderr.contains(".vae-gpu"), "{}", disk.ran.stderr);
    }
}

#[test]
fn a_full_disk_does_not_harm_the_run_to_be_overwritten() {
    let Some(place) = place_with_run() else { return };
    let args = [&train("disk/run")[..], &["--overwrite", "--seed", "2"]].concat();
    let Some(disk) = on_disk(Some(place), "128k", false, &args) else { return };
    disk.failed(&["error: disk/run/", FULL]);
}

#[test]
fn a_full_disk_does_not_harm_the_run_to_be_resumed() {
    let Some(place) = place_with_run() else { return };
    let args = ["train", "--resume", "disk/run", "--epochs", "3"];
    let Some(mut disk) = on_disk(Some(place), "128k", false, &args) else { return };
    // Only saving fails, after the epoch was trained and told.
    assert!(disk.ran.stdout.contains("\n    3 "), "{}", disk.ran.stdout);
    disk.ran.stdout.clear();
    disk.failed(&["error: disk/run/", FULL]);
}

#[test]
fn a_picture_on_a_full_disk_does_not_harm_the_older_one() {
    for command in ["sample", "reconstruct"] {
        let Some(place) = place_with_run() else { return };
        place.write("before/out.png", png(8, 8, 1));
        place.copy_run("before/run", "run");
        fs::remove_dir_all(place.path("before/run")).unwrap();
        let args = [command, "run", "--overwrite", "--out", "disk/out.png"];
        let Some(disk) = on_disk(Some(place), "4k", false, &args) else { return };
        disk.failed(&["error: disk/out.png: ", FULL]);
    }
}

#[test]
fn a_disk_that_cannot_be_written_fails_early() {
    let Some(place) = place_with_run() else { return };
    for out in ["disk/new", "disk/deep/er/run"] {
        let Some(disk) = on_disk(None, "1m", true, &train(out)) else { return };
        disk.failed(&[&format!("error: {out}: cannot create: "), READ_ONLY]);
    }
    let args = ["sample", "before/run", "--out", "disk/out.png"];
    let Some(disk) = on_disk(Some(place), "1m", true, &args) else { return };
    disk.failed(&["error: disk/out.png: cannot write: Read-only file system"]);
}

#[test]
fn a_run_that_cannot_be_written_is_not_resumed() {
    let Some(place) = place_with_run() else { return };
    let args = ["train", "--resume", "disk/run", "--epochs", "3"];
    let Some(mut disk) = on_disk(Some(place), "1m", true, &args) else { return };
    disk.ran.stdout.clear();
    disk.failed(&["error: disk/run: cannot write: Read-only file system"]);
}

#[test]
#[cfg(unix)]
fn a_folder_without_permission_fails() {
    use std::os::unix::fs::PermissionsExt;
    let Some(place) = place_with_adapter() else { return };
    if is_root() {
        return skip("permissions do not apply to root");
    }
    fs::create_dir(place.path("locked")).unwrap();
    fs::set_permissions(place.path("locked"), PermissionsExt::from_mode(0o555)).unwrap();
    place.fails(&train("locked/run"), 1, &["error: locked/run: cannot create: Permission denied"]);
    place.fails(&train("locked"), 1, &["error: locked: cannot write: Permission denied"]);
}

#[test]
fn a_folder_below_something_else_cannot_be_made() {
    let Some(place) = place_with_adapter() else { return };
    let out = if cfg!(windows) { "tiny.toml\\run" } else { "tiny.toml/run" };
    place.fails(&train(out), 1, &[&format!("error: {out}: cannot create: ")]);
    if cfg!(target_os = "linux") {
        // Not even root may make a folder here.
        place.fails(&train("/proc/run"), 1, &["error: /proc/run: cannot create: "]);
    }
}

#[test]
fn a_picture_that_cannot_be_written_names_its_own_path() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    fs::create_dir(place.path("folder.png")).unwrap();
    place.write("locked", "a file");
    for (out, parts) in [
        ("locked/out.png", ["error: locked/out.png: cannot write: ", "(os error"]),
        ("locked/in/out.png", ["error: locked/in: cannot create: ", "(os error"]),
        ("folder.png", ["error: folder.png: is a folder; choose another --out", ""]),
    ] {
        let args = ["sample", "run", "--out", out];
        place.fails(&args, 1, &parts);
        assert!(!place.run(&args).stderr.contains(".vae-gpu"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn full_standard_output_is_an_error_and_not_a_panic() {
    let place = Place::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&["presets", "mlp"]).stdout(full).output().unwrap();
    Ran::from(output).failed(1, &["error: standard output: cannot write: No space left"]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    let mut command = place.command(&["presets", "mlp"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_save_cut_short_is_read_where_it_cannot_be_finished() {
    let Some(place) = place_with_run() else { return };
    place.train("new", &["--seed", "7"]);
    let losses = place.ok(&["evaluate", "new", "--json"]);
    for file in RUN_FILES {
        place.write(
            &format!("before/run/.vae-gpu-saved/{file}"),
            place.read(&format!("new/{file}")),
        );
    }
    let args = ["evaluate", "disk/run", "--json"];
    let Some(disk) = on_disk(Some(place), "1m", true, &args) else { return };
    assert_eq!((disk.ran.code, disk.ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(disk.ran.stdout, losses);
}
