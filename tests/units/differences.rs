//! Differences: steps without an absolute scale, and nothing claimed that noise could fake.

use reparam::maps::{Bounds, Identity, Reparametrization, Squares};
use reparam::objectives::{
    Convexity, Differences, FiniteDifference, FromFn, FromResiduals, FromValue, NonlinearLeastSquares,
    Objective,
};
use reparam::testing::Random;
use reparam::{Minimize, Solution, Status};
use std::cell::Cell;

const INF: f64 = f64::INFINITY;

/// Σ (x − dᵢ)² about d = `at`, started at 1 on [0, 2 at]: the answer and the minimum.
fn mean(at: f64, scheme: Differences<f64>, residuals: bool) -> (Solution<f64>, f64, f64) {
    let d: Vec<f64> = (0..5).map(|i| at * (0.8 + 0.1 * f64::from(i))).collect();
    let (best, x) = (0.1 * at * at, at);
    let map = Bounds::new(vec![0.0], vec![2.0 * at]).unwrap();
    let s = if residuals {
        let f = FromResiduals::new(5, 1, |x: &[f64], r: &mut [f64]| {
            for (r, d) in r.iter_mut().zip(&d) {
                *r = 2.0_f64.sqrt() * (x[0] - d);
            }
            Ok(())
        });
        let f = NonlinearLeastSquares::new(f).unwrap().with_differences(scheme);
        Minimize::new(f, map)
            .unwrap()
            .start(&[(0.3 * at).min(1.0)])
            .run()
            .unwrap()
    } else {
        let f = FromValue::new(
            1,
            |x: &[f64]| Ok(d.iter().map(|d| (x[0] - d).powi(2)).sum()),
            scheme,
        )
        .with_convexity(Convexity::Convex);
        Minimize::new(f, map)
            .unwrap()
            .start(&[(0.3 * at).min(1.0)])
            .run()
            .unwrap()
    };
    (s, best, x)
}

/// From 1e-30 to 1e30: solved, and every gap is a bound.
#[test]
fn no_scale_of_x_is_special() {
    for k in [-30, -20, -9, -6, -3, 0, 3, 6, 7, 8, 9, 10, 11, 12, 13, 15, 20, 30] {
        let at = 10.0_f64.powi(k);
        for scheme in [Differences::forward(), Differences::central()] {
            for residuals in [false, true] {
                let (s, best, x) = mean(at, scheme, residuals);
                let what = format!("1e{k}, central {}, residuals {residuals}", scheme.is_central());
                assert!(s.status.is_converged(), "{what}: {s}");
                assert!((s.x[0] / x - 1.0).abs() < 1e-7, "{what}: {s}");
                assert!(
                    s.certificate.gap >= (s.objective - best) * (1.0 - 1e-9),
                    "{what}: {s}"
                );
            }
        }
    }
}

/// f with a noise of `level` relative to its size, deterministic but as good as random.
fn noisy(level: f64, centre: Vec<f64>) -> impl FnMut(&[f64]) -> reparam::objectives::Evaluation<f64> + Clone {
    move |x: &[f64]| {
        let mut f = 1.0;
        let mut seed = 17u64;
        for (k, (x, c)) in x.iter().zip(&centre).enumerate() {
            f += (1.0 + k as f64) * (x / c - 1.0).powi(2);
            seed = (seed ^ x.to_bits()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            seed ^= seed >> 29;
        }
        Ok(f * (1.0 + level * (Random::new(seed).uniform::<f64>() - 0.5)))
    }
}

/// No noise is taken for a gradient, or its absence: whatever is claimed to be solved is, every gap is a bound, and where noise ends a
/// run the status says so. The minimum is 1.
#[test]
fn noise_is_no_evidence() {
    let mut limited = 0;
    for (level, unit) in [
        (1e-14, 1.0),
        (1e-12, 1e8),
        (1e-10, 1.0),
        (1e-8, 1e-9),
        (1e-6, 1.0),
        (1e-6, 1e10),
        (1e-3, 1.0),
    ] {
        let centre: Vec<f64> = (0..3).map(|k| unit * (1.0 + f64::from(k))).collect();
        for scheme in [Differences::forward(), Differences::central()] {
            let f = FromValue::new(3, noisy(level, centre.clone()), scheme).with_convexity(Convexity::Convex);
            let map = Bounds::new(vec![0.0; 3], vec![10.0 * unit; 3]).unwrap();
            let start: Vec<f64> = centre.iter().map(|c| 0.1 * c + 0.5 * unit).collect();
            let s = Minimize::new(f, map).unwrap().start(&start).run().unwrap();
            let what = format!(
                "noise {level:e}, unit {unit:e}, central {}: {s}",
                scheme.is_central()
            );
            assert!(s.certificate.gap >= (s.objective - 1.0) - level, "{what}");
            assert!(s.objective <= 1.0 + (30.0 * level).max(1e-7), "{what}");
            if s.status.is_converged() {
                assert!(s.objective - 1.0 <= 1e-12 + level, "{what}");
            }
            limited += usize::from(s.status == Status::NoiseLimit);
        }
    }
    assert!(limited >= 6, "{limited}");
}

/// A resonance in Hz: the centre 1e9, the width from 1e3 to 1e7, residuals or their squares, with steps of 1e-9 to 6e-6 of the centre.
#[test]
fn a_narrow_resonance_far_from_zero() {
    for width in [1e3, 1e5, 1e7] {
        let (centre, m) = (1e9, 41);
        let at: Vec<f64> = (0..m)
            .map(|i| centre + width * (f64::from(i) - 20.0) / 5.0)
            .collect();
        let line = |x: &[f64], f: f64| x[1] / (1.0 + ((f - x[0]) / x[2]).powi(2));
        let data: Vec<f64> = at.iter().map(|f| line(&[centre, 2.0, width], *f)).collect();
        for scheme in [Differences::forward(), Differences::central()] {
            let r = FromResiduals::new(m as usize, 3, |x: &[f64], r: &mut [f64]| {
                for ((r, f), d) in r.iter_mut().zip(&at).zip(&data) {
                    *r = line(x, *f) - d;
                }
                Ok(())
            });
            let f = NonlinearLeastSquares::new(r).unwrap().with_differences(scheme);
            let s = Minimize::new(f, Squares::new(3))
                .unwrap()
                .start(&[centre + 0.4 * width, 1.5, 1.3 * width])
                .run()
                .unwrap();
            let what = format!("width {width:e}, central {}: {s}", scheme.is_central());
            assert!(
                (s.x[0] - centre).abs() < 1e-4 * width && (s.x[2] / width - 1.0).abs() < 1e-4,
                "{what}"
            );
            assert!(s.counts.values < 400, "{what}");
        }
    }
}

/// Benign problems cost what they did: n + 1 or 2n + 1 values a gradient, and little more in a run.
#[test]
fn the_cost_of_benign_problems() {
    let calls = Cell::new(0usize);
    let value = |x: &[f64]| {
        calls.set(calls.get() + 1);
        Ok((x[0] - 1.0).powi(2) + 2.0 * (x[1] - 3.0).powi(2) + (x[0] * x[1]).exp() * 1e-2)
    };
    let mut g = [0.0; 2];
    for (scheme, cost) in [(Differences::forward(), 3), (Differences::central(), 5)] {
        calls.set(0);
        FromValue::new(2, value, scheme)
            .value_gradient(&[2.0, 0.7], &mut g)
            .unwrap();
        assert_eq!(calls.get(), cost);
        let exact = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
            let e = (x[0] * x[1]).exp() * 1e-2;
            (g[0], g[1]) = (2.0 * (x[0] - 1.0) + x[1] * e, 4.0 * (x[1] - 3.0) + x[0] * e);
            Ok((x[0] - 1.0).powi(2) + 2.0 * (x[1] - 3.0).powi(2) + e)
        });
        let reference = Minimize::new(exact, Squares::new(2))
            .unwrap()
            .start(&[2.0, 0.7])
            .run()
            .unwrap();
        calls.set(0);
        let f = FromValue::new(2, value, scheme);
        let s = Minimize::new(f, Squares::new(2))
            .unwrap()
            .start(&[2.0, 0.7])
            .run()
            .unwrap();
        assert!(s.status.is_converged() && reference.status.is_converged(), "{s}");
        assert!((s.objective - reference.objective).abs() < 1e-12);
        assert!(
            s.counts.gradients <= reference.counts.gradients + 6,
            "{s}\n{reference}"
        );
        let least = cost * s.counts.gradients;
        assert!(calls.get() <= least + 30, "{} for {least}", calls.get());
    }
}

/// The error that is stated bounds the error that is made, at noise of any level; and central differences follow forward ones.
#[test]
fn stated_errors_are_bounds() {
    for level in [0.0, 1e-10, 1e-6] {
        let centre = vec![1.0, 2.0, 3.0];
        let mut f = FromValue::new(3, noisy(level, centre.clone()), Differences::central());
        f.nearby(reparam::objectives::Nearby::Start);
        let (mut g, mut error) = ([0.0; 3], [0.0; 3]);
        let mut random = Random::new(3);
        let (mut outside, mut all) = (0, 0);
        for _ in 0..200 {
            let x: Vec<f64> = centre
                .iter()
                .map(|c| c * (0.5 + random.uniform::<f64>()))
                .collect();
            f.value_gradient(&x, &mut g).unwrap();
            assert!(f.gradient_error(&mut error));
            for k in 0..3 {
                let exact = 2.0 * (1.0 + k as f64) * (x[k] / centre[k] - 1.0) / centre[k];
                all += 1;
                outside += usize::from((g[k] - exact).abs() > error[k]);
                assert!(
                    (g[k] - exact).abs() <= 4.0 * error[k] + 1e-10,
                    "{level:e}: {} ± {}, {exact}",
                    g[k],
                    error[k]
                );
                assert!(
                    error[k] < 50.0 * level.max(3e-16).powf(2.0 / 3.0),
                    "{level:e}: {}",
                    error[k]
                );
            }
        }
        assert!(outside * 20 <= all, "{level:e}: {outside} of {all}");
    }
}

/// The box of the problem serves differences of gradients, too.
#[test]
fn products_by_differences_at_bounds() {
    let f = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
        assert!(x.iter().all(|v| (0.0..=1.0).contains(v)), "{x:?}");
        (g[0], g[1]) = (-(1.0 - x[0]).sqrt() + x[1], x[0] + 2.0 * x[1] - 1.0);
        Ok((2.0 / 3.0) * (1.0 - x[0]).powf(1.5) + x[0] * x[1] + x[1] * x[1] - x[1])
    });
    let f = FiniteDifference::hessian(f, Differences::central());
    let map = Bounds::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let s = Minimize::new(f, map)
        .unwrap()
        .method(reparam::methods::TrustRegion::new())
        .run()
        .unwrap();
    assert!(s.status.is_converged(), "{s}");
    let _ = (INF, Identity::<f64>::new(1).dim_x());
}
