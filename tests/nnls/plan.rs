//! Features in, a plan out: one row for each regime of docs/nnls.md and docs/bounded.md.

#![allow(clippy::unwrap_used)]

use reparam::least_squares::plan::Method::{
    AcceleratedGradient, BlockExchange, CoordinateDescent, GrowingGram, GrowingQr, InteriorPoint,
    LeastDistance, LiftedCg, ProjectedCg, SharedGram, WorkingSets,
};
use reparam::least_squares::plan::{Budget, Features, Method, Set, Storage, When, plan};

fn methods(features: &Features) -> Vec<Method> {
    plan(features).steps.iter().map(|step| step.method).collect()
}

fn dense(rows: usize, columns: usize) -> Features {
    Features::new(Storage::Dense, rows, columns)
}

#[test]
fn one_plan_for_each_regime() {
    let exchange = [BlockExchange, GrowingQr];
    let table: [(&str, Features, Vec<Method>); 13] = [
        (
            "less than 48 columns",
            dense(100, 47),
            [&exchange[..], &[GrowingQr]].concat(),
        ),
        (
            "48 to 239 columns",
            dense(600, 200),
            [&[GrowingGram], &exchange[..], &[GrowingGram]].concat(),
        ),
        (
            "m ≥ 1.2 n, from 240 columns on",
            dense(2000, 500),
            [
                &[GrowingGram, ProjectedCg, GrowingGram],
                &exchange[..],
                &[GrowingGram],
            ]
            .concat(),
        ),
        (
            "nearly square",
            dense(500, 450),
            [&[GrowingGram, ProjectedCg], &exchange[..], &[GrowingGram]].concat(),
        ),
        (
            "a Gram matrix that is shared",
            dense(600, 200).shared(true),
            [&exchange[..], &[GrowingGram]].concat(),
        ),
        (
            "… with many columns",
            dense(2000, 500).shared(true),
            [&[ProjectedCg], &exchange[..], &[GrowingGram]].concat(),
        ),
        (
            "a start with a large support",
            dense(600, 200).start(Some(100)),
            [&exchange[..], &[GrowingGram]].concat(),
        ),
        (
            "a start with a small one",
            dense(600, 200).start(Some(10)),
            [&[GrowingGram], &exchange[..], &[GrowingGram]].concat(),
        ),
        ("wide", dense(100, 400), vec![GrowingGram, GrowingGram]),
        (
            "wide enough to interpolate",
            dense(200, 400),
            vec![GrowingGram, LeastDistance, GrowingGram],
        ),
        (
            "… near to a start",
            dense(200, 400).start(Some(100)),
            vec![LeastDistance, GrowingGram],
        ),
        (
            "sparse",
            Features::new(Storage::Sparse, 20_000, 8000),
            vec![
                CoordinateDescent,
                ProjectedCg,
                WorkingSets,
                GrowingGram,
                InteriorPoint,
                LiftedCg,
                ProjectedCg,
                CoordinateDescent,
            ],
        ),
        (
            "products only",
            Features::new(Storage::Products, 20_000, 8000),
            vec![LiftedCg, LiftedCg, GrowingGram, LiftedCg],
        ),
    ];
    for (what, features, expected) in table {
        assert_eq!(methods(&features), expected, "{what}:\n{}", plan(&features));
    }
}

#[test]
fn one_plan_for_each_regime_over_bounds() {
    let exchange = [BlockExchange, GrowingQr, GrowingQr];
    let bounds = |rows, columns| dense(rows, columns).over(Set::Bounds);
    let sum = |rows, columns| dense(rows, columns).over(Set::Sum);
    let sparse = |set| Features::new(Storage::Sparse, 20_000, 8000).over(set);
    let table: [(&str, Features, Vec<Method>); 11] = [
        ("dense, n ≤ m", bounds(100, 99), exchange.to_vec()),
        (
            "… from 100 columns and m ≥ 1.2 n on",
            bounds(200, 100),
            [&[ProjectedCg], &exchange[..]].concat(),
        ),
        (
            "… kernels on a grid",
            bounds(200, 50).coherent(true),
            [&[GrowingQr], &exchange[..]].concat(),
        ),
        (
            "… a Gram matrix that is shared",
            bounds(200, 100).shared(true),
            exchange.to_vec(),
        ),
        (
            "with a sum, n ≤ m + 1",
            sum(100, 101),
            [&[GrowingQr], &exchange[..]].concat(),
        ),
        ("… beyond that", sum(100, 102), vec![GrowingQr]),
        (
            "… a Gram matrix that is shared",
            sum(100, 1000).shared(true),
            vec![SharedGram, GrowingQr],
        ),
        ("more columns than rows", bounds(100, 101), vec![GrowingQr]),
        (
            "sparse",
            sparse(Set::Bounds),
            vec![
                CoordinateDescent,
                ProjectedCg,
                WorkingSets,
                GrowingQr,
                ProjectedCg,
                CoordinateDescent,
            ],
        ),
        (
            "sparse, with a sum",
            sparse(Set::Sum),
            vec![AcceleratedGradient, WorkingSets, GrowingQr, AcceleratedGradient],
        ),
        (
            "products only",
            Features::new(Storage::Products, 20_000, 8000).over(Set::Bounds),
            vec![AcceleratedGradient, GrowingQr, AcceleratedGradient],
        ),
    ];
    for (what, features, expected) in table {
        assert_eq!(methods(&features), expected, "{what}:\n{}", plan(&features));
    }
    // a face of 10 + n/6 columns, with a sum
    let Budget::Growth(growth) = plan(&sum(700, 600)).steps[0].budget else {
        panic!("no growing factor first");
    };
    assert_eq!(growth.columns, 110);
}

/// The thresholds, from both sides.
#[test]
fn where_plans_change() {
    let changes = [
        (dense(100, 47), dense(100, 48)),
        (dense(2000, 239), dense(2000, 240)),
        (dense(1199, 1000), dense(1200, 1000)),
        (dense(127, 400), dense(128, 400)),
        (dense(200, 379), dense(200, 380)),
        (dense(300, 300), dense(300, 301)),
        (dense(600, 200).start(Some(66)), dense(600, 200).start(Some(67))),
        (dense(200, 400).start(Some(50)), dense(200, 400).start(Some(51))),
        (
            dense(200, 99).over(Set::Bounds),
            dense(200, 100).over(Set::Bounds),
        ),
        (
            dense(2000, 1001).over(Set::Sum).shared(true),
            dense(2000, 1000).over(Set::Sum).shared(true),
        ),
    ];
    for (before, after) in changes {
        assert_ne!(methods(&before), methods(&after), "{before:?} and {after:?}");
    }
}

/// Every plan ends with a step that is always taken, or with both halves of a choice, and every step says why.
#[test]
fn plans_are_complete() {
    let storages = [Storage::Dense, Storage::Sparse, Storage::Products];
    let sets = [Set::NonNegative, Set::Bounds, Set::Sum];
    for (storage, set) in storages.into_iter().flat_map(|s| sets.map(|set| (s, set))) {
        for (m, n) in [(1, 1), (50, 40), (300, 300), (1000, 300), (130, 900), (10, 1000)] {
            for start in [None, Some(1), Some(n)] {
                let features = Features::new(storage, m, n).over(set);
                let plan = plan(&features.start(start).coherent(m % 20 == 0));
                assert!(plan.steps.iter().all(|step| !step.why.is_empty()));
                assert_eq!(plan.to_string().lines().count(), plan.steps.len());
                let last: Vec<When> = plan.steps.iter().rev().take(2).map(|step| step.when).collect();
                let complete = last[0] == When::Always
                    || last.contains(&When::NoExchange) && last.contains(&When::Inexact)
                    || storage == Storage::Products;
                assert!(complete, "{plan}");
                // nothing that is given up comes last
                let budget = plan.steps.last().unwrap().budget;
                assert_eq!(budget, Budget::Unlimited, "{plan}");
            }
        }
    }
}

/// The pages name the same thresholds.
#[test]
fn the_pages_have_the_plan() {
    let page = |name: &str| {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::fs::read_to_string(docs.join(name)).unwrap()
    };
    let bounded = page("bounded.md");
    for row in [
        "from 100 columns and m ≥ 1.2 n on",
        "dense, n ≤ m + 1, with a sum",
        "a face of 10 + n/6 columns",
        "a sum, n ≤ 1000",
        "at most 3000 coordinates between their bounds",
        "300 projected gradients, then working sets",
    ] {
        assert!(bounded.contains(row), "{row}");
    }
    let page = page("nnls.md");
    let rows = [
        "dense, n ≤ m, less than 240 columns or m < 1.2 n",
        "fewer than 48 columns",
        "dense, m ≥ 1.2 n, from 240 columns on",
        "n ≥ 1.9 m and m ≥ 128",
        "more than 3000 columns 150 passes",
    ];
    for row in rows {
        assert!(page.contains(row), "{row}");
    }
}
