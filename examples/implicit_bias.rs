//! Of many solutions the flow finds the sparse one: limits by the size of the start and the number of factors, and a weighted start.
#![allow(clippy::print_stdout)]

use nalgebra::DMatrix;
use reparam::implicit_bias::AlphaPath;
use reparam::testing::Random;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 10 equations, 50 unknowns, a truth with 3 entries
    let (m, n) = (10, 50);
    let mut random = Random::new(1);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt();
    let mut truth = vec![0.0; n];
    (truth[7], truth[21], truth[40]) = (1.0, 0.6, 1.3);
    let b: Vec<f64> = (0..m)
        .map(|i| (0..n).map(|j| a[(i, j)] * truth[j]).sum())
        .collect();
    let size: f64 = truth.iter().sum();

    println!("ℓ1 norm of the truth {size:.1}");
    println!(" L      u₀       ℓ1 − {size:.1}   ‖Ax − b‖/‖b‖   distance to the truth   steps");
    for depth in [2, 3, 4] {
        let path = AlphaPath::new(&a, &b, depth)?.sizes_u0(&[1e-1, 1e-2, 1e-3])?;
        for limit in path.run()? {
            let distance = limit
                .x
                .iter()
                .zip(&truth)
                .map(|(x, t)| (x - t).powi(2))
                .sum::<f64>()
                .sqrt();
            println!(
                "{depth:2}   {:.0e}    {:9.2e}        {:.0e}              {distance:.1e}              {:3}",
                limit.u0,
                limit.l1 - size,
                limit.residual,
                limit.iterations
            );
            assert!(limit.status.is_solved());
        }
    }
    // an active set ends sparse too, but promises nothing: which solution it finds depends on its path, not on a norm
    let other = reparam::nnls(&a, &b)?;
    println!(
        "by Nnls: ℓ1 {:.3}, residual {:.0e}",
        other.x.iter().sum::<f64>(),
        other.residual_norm
    );

    // weights: what is thought unlikely starts lower; here, to show the power of it, the truth itself
    let weights: Vec<f64> = (0..n).map(|j| if truth[j] > 0.0 { 2.0 } else { 1.0 }).collect();
    let against = &AlphaPath::new(&a, &b, 3)?
        .weights(&weights)?
        .sizes_u0(&[1e-2])?
        .run()?[0];
    let weighted: f64 = against.x.iter().zip(&weights).map(|(x, w)| x * w).sum();
    println!(
        "weights against the truth: Σ w x = {weighted:.3}, of the truth {:.3}",
        2.0 * size
    );
    assert!(weighted <= 2.0 * size + 1e-3);
    Ok(())
}
