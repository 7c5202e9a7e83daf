//! Grids of more workgroups than most adapters take along x: one for every four rows.

use super::forms::{Case, FORMS};
use super::run;
use crate::check;

#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let batch = 4 * (65_535 + 258) - 1;
    for form in &FORMS {
        let case = Case::new(form.entry, [batch, 1, 1]);
        let want = case.oracle();
        for words in ["registers 1 1x1", "tiled 1x1 1x1 4 1"] {
            let got = run::by_wrapper(gpu, &case, Some(words.parse().unwrap()));
            run::assert_right(words, &case, &got, &want);
        }
    }
}
