//! The microbenchmarks: what they print, never how long anything takes.

use std::collections::BTreeSet;

use vae_gpu::ops;

use super::*;

#[test]
fn every_kernel_has_a_benchmark() {
    let mut kernels = BTreeSet::new();
    for shader in ops::SHADERS.iter().filter(|shader| shader.name != "limits") {
        let module = naga::front::wgsl::parse_str(&shader.text(&common::CONSTANTS)).unwrap();
        kernels.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    // The definition is a row of each product.
    kernels.remove("matmul/naive.naive");
    // The sums of chunks are timed with what merges them.
    kernels.retain(|name| !name.ends_with(".statistics") && !name.ends_with(".backward_sums"));
    kernels.extend(ops::matmul::forms().map(String::from));
    let others = ["limits", "step.", "start.", "tuning"];
    let listed = Place::new().ok(&["bench", "--list"]);
    let listed = listed.lines().filter(|name| !others.iter().any(|o| name.starts_with(o)));
    let benchmarks: BTreeSet<_> = listed.map(String::from).collect();
    assert_eq!(kernels, benchmarks, "entry points (left) and operations of the suite (right)");
}

#[test]
fn a_table_has_the_limits_and_the_rows_asked_for() {
    let Some(place) = place_with_adapter() else { return };
    let table = place.ok(&["bench", "report"]);
    let name = adapter().as_ref().unwrap()["name"].as_str().unwrap();
    assert!(table.starts_with(&format!("adapter  {name}")), "{table}");
    for part in ["\nlimits", "multiply-adds", "FLOP/s", "\nreport.accumulate", "B/s", "%\n"] {
        assert!(table.contains(part), "{part:?} is not in: {table}");
    }
    assert!(!table.contains("matmul"), "{table}");
    for line in table.lines().skip(2) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn json_has_numbers_with_their_units() {
    let Some(place) = place_with_adapter() else { return };
    let json = place.ok(&["bench", "step.mlp-2d", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["adapter"]["name"], adapter().as_ref().unwrap()["name"]);
    for limit in [
        "arithmetic_flop_per_second",
        "copy_bytes_per_second",
        "dispatch_seconds",
        "independent_dispatch_seconds",
        "submission_seconds",
        "upload_bytes_per_second",
        "readback_bytes_per_second",
    ] {
        assert!(json["limits"][limit].as_f64().unwrap() > 0.0, "{limit}: {json}");
    }
    assert!(json["arithmetic_flop_per_second_at_end"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["rows"], serde_json::json!([]));
    assert_eq!(json["starts"], serde_json::json!([]));
    let step = &json["steps"][0];
    assert_eq!((&step["operation"], &step["batch"]), (&"step.mlp-2d".into(), &32.into()));
    for key in ["images_per_second", "launch_share", "arithmetic_share", "memory_share"] {
        assert!(step[key].as_f64().unwrap() > 0.0, "{key}: {json}");
    }
    for clock in ["wall", "busy"] {
        assert!(step[clock]["median_seconds"].is_f64(), "{json}");
        assert!(step[clock]["samples"].as_u64().unwrap() >= 5, "{json}");
    }
}

#[test]
fn rows_of_json_have_times_and_shares() {
    let Some(place) = place_with_adapter() else { return };
    let json = place.ok(&["bench", "shuffle.permutation", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for row in json["rows"].as_array().unwrap() {
        assert_eq!(row["operation"], "shuffle.permutation");
        assert!(row["time"]["median_seconds"].is_f64(), "{row}");
        assert!(row["share_of_limit"].is_f64() && row["bytes"].is_f64(), "{row}");
        assert_eq!(row["skipped"], serde_json::Value::Null);
    }
}

/// What the suite starts to time a start.
#[test]
fn the_first_step_is_announced() {
    let Some(place) = place_with_adapter() else { return };
    assert_eq!(place.ok(&["bench", "--first-step", "mlp-2d"]), "the first step is done\n");
    place.fails(&["bench", "--first-step", "mpl"], 2, &["no preset is named `mpl`"]);
}

#[test]
fn an_unknown_operation_is_a_usage_error_that_lists_all() {
    let place = Place::new();
    let parts =
        ["no operation has `matmull` in its name", "there are those of limits, matmul, conv"];
    place.fails(&["bench", "matmull"], 2, &parts);
}
