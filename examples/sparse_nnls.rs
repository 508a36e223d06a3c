//! Non-negative least squares on a sparse sprs matrix: how bright are the spots behind a blurred picture?
//!
//! `cargo run --release --example sparse_nnls`

use reparam::prelude::*;
use reparam::testing::Random;
use sprs::TriMat;

const SIDE: usize = 64;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), reparam::Error> {
    // every pixel spreads over its 5 × 5 neighbourhood
    let weight = |d: i64| (-0.5 * (d * d) as f64).exp();
    let mut triplets = TriMat::new((SIDE * SIDE, SIDE * SIDE));
    for row in 0..SIDE as i64 {
        for column in 0..SIDE as i64 {
            for (dr, dc) in (-2..=2).flat_map(|r| (-2..=2).map(move |c| (r, c))) {
                let (r, c) = (row + dr, column + dc);
                if (0..SIDE as i64).contains(&r) && (0..SIDE as i64).contains(&c) {
                    let pixel = |r: i64, c: i64| usize::try_from(r * SIDE as i64 + c).unwrap_or(0);
                    triplets.add_triplet(pixel(r, c), pixel(row, column), weight(dr) * weight(dc));
                }
            }
        }
    }
    let blur = triplets.to_csr::<usize>();

    // 60 bright spots on a dark sky, seen through the blur, with noise
    let mut random = Random::new(1);
    let mut sky = vec![0.0; SIDE * SIDE];
    for _ in 0..60 {
        sky[usize::try_from(random.bits() % (SIDE * SIDE) as u64).unwrap_or(0)] =
            0.5 + random.uniform::<f64>();
    }
    let mut picture = vec![0.0; SIDE * SIDE];
    blur.apply(&sky, &mut picture);
    picture
        .iter_mut()
        .for_each(|v| *v += 1e-3 * random.normal::<f64>());

    let solution = Nnls::new(&blur).solve(&picture)?;
    let found = sky
        .iter()
        .zip(&solution.x)
        .filter(|(s, x)| **s > 0.0 && (*s - *x).abs() < 0.1)
        .count();
    println!(
        "spots found {found} of {}",
        sky.iter().filter(|s| **s > 0.0).count()
    );
    println!("{solution}");
    Ok(())
}
