//! The 46 reference problems over sets by the general engine, each through the map of its set.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::sets::{map_of, problems};
use reparam::maps::{Boundary, Reparametrization};
use reparam::methods::{Lbfgs, State, TrustRegion};
use reparam::objectives::LeastSquares;
use reparam::{Minimize, Status};

#[test]
fn least_squares_over_every_set() {
    let (mut solved, mut stalled) = (0, Vec::new());
    for p in problems() {
        let n = p.x.len();
        for method in [State::from(Lbfgs::new(10)), TrustRegion::new().into()] {
            // the one set without a map: the exact solver covers it
            let Some(map) = map_of(&p.raw["set"], n) else {
                continue;
            };
            let f = LeastSquares::new(&p.a, &p.b).unwrap();
            let mut problem = Minimize::new(f, &*map)
                .unwrap()
                .method(method.clone())
                .tolerance(1e-9);
            // the middle of nowhere for boxes far from the origin: start at a feasible point instead
            let mut start = vec![0.0; n];
            if map.set().project(&mut start) {
                let mut u = vec![0.0; map.dim_u()];
                if map
                    .section(&start, Boundary::Exact, &mut u, &mut vec![0.0; map.scratch_len()])
                    .is_ok()
                {
                    problem = problem.start(&start);
                }
            }
            let s = problem.run().unwrap();
            let half_b = 0.5 * p.b.iter().map(|v| v * v).sum::<f64>();
            let f_star = p.objective;
            let excess = (s.objective - f_star) / half_b.max(f_star);
            println!(
                "{:28} {:22} excess {excess:9.1e}  ρ {:.1e}  violation {:.1e}  {:4} evaluations",
                p.name,
                s.phase.to_string(),
                s.certificate.natural_residual,
                s.certificate.violation,
                s.counts.values
            );
            // rounding may end a run a little above the tolerance: then it says so
            assert!(
                s.certificate.natural_residual <= 1e-7 || s.objective <= 1e-28 * half_b,
                "{}: {s}",
                p.name
            );
            if s.status != Status::Solved {
                let at_the_end = [Status::AtPrecision, Status::Stalled].contains(&s.status);
                assert!(at_the_end, "{}: {s}", p.name);
                stalled.push(p.name.clone());
            }
            assert!(excess <= 1e-9, "{}: {excess:e}", p.name);
            solved += 1;
        }
    }
    println!("{solved} runs; stalled: {stalled:?}");
    assert!(solved >= 2 * 45, "{solved}");
}
