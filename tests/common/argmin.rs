//! Problems as a user of argmin writes them, in x, for both parameter types and both number types.
#![allow(dead_code, unreachable_pub)] // every test binary uses a part of this

use argmin::core::{CostFunction, Error, Gradient, Hessian, Jacobian, Operator};
use reparam::Scalar;
use reparam::adapters::{ParamMatrix, ParamVec};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often each trait was really called.
#[derive(Debug, Default)]
pub struct Calls {
    pub cost: AtomicUsize,
    pub gradient: AtomicUsize,
    pub hessian: AtomicUsize,
    pub apply: AtomicUsize,
    pub jacobian: AtomicUsize,
}

pub fn read(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// ½‖A x − b‖², everything by hand.
#[derive(Debug, Clone)]
pub struct Fit<X: ParamVec> {
    pub a: Vec<Vec<X::Entry>>,
    pub b: Vec<X::Entry>,
    pub calls: Arc<Calls>,
    vector: PhantomData<fn() -> X>,
}

impl<X: ParamVec> Fit<X> {
    pub fn new(a: Vec<Vec<X::Entry>>, b: Vec<X::Entry>) -> Self {
        Self {
            a,
            b,
            calls: Arc::default(),
            vector: PhantomData,
        }
    }

    /// 12×6 with positive entries and a right-hand side that pulls some coordinates below zero.
    pub fn sample(seed: u64) -> Self {
        let mut random = reparam::testing::Random::new(seed);
        let a: Vec<Vec<X::Entry>> = (0..12)
            .map(|_| (0..6).map(|_| X::Entry::lit(random.uniform::<f64>())).collect())
            .collect();
        let truth = [1.5, -0.7, 0.0, 0.4, -1.1, 0.8];
        let b = a
            .iter()
            .map(|row| {
                let fit: X::Entry = row.iter().zip(truth).map(|(v, t)| *v * X::Entry::lit(t)).sum();
                fit + X::Entry::lit(0.1 * random.normal::<f64>())
            })
            .collect();
        Self::new(a, b)
    }

    pub fn residuals(&self, x: &[X::Entry]) -> Vec<X::Entry> {
        self.a
            .iter()
            .zip(&self.b)
            .map(|(row, b)| row.iter().zip(x).map(|(v, x)| *v * *x).sum::<X::Entry>() - *b)
            .collect()
    }

    pub fn value(&self, x: &[X::Entry]) -> X::Entry {
        self.residuals(x).iter().map(|r| *r * *r).sum::<X::Entry>() * X::Entry::lit(0.5)
    }

    pub fn slope(&self, x: &[X::Entry]) -> Vec<X::Entry> {
        let r = self.residuals(x);
        (0..x.len())
            .map(|j| self.a.iter().zip(&r).map(|(row, r)| row[j] * *r).sum())
            .collect()
    }

    pub fn curvature(&self, i: usize, j: usize) -> X::Entry {
        self.a.iter().map(|row| row[i] * row[j]).sum()
    }

    pub fn matrix(&self) -> nalgebra::DMatrix<X::Entry> {
        nalgebra::DMatrix::from_fn(self.a.len(), self.a[0].len(), |i, j| self.a[i][j])
    }
}

impl<X: ParamVec> CostFunction for Fit<X> {
    type Param = X;
    type Output = X::Entry;
    fn cost(&self, x: &X) -> Result<X::Entry, Error> {
        count(&self.calls.cost);
        Ok(self.value(x.as_slice()))
    }
}

impl<X: ParamVec> Gradient for Fit<X> {
    type Param = X;
    type Gradient = X;
    fn gradient(&self, x: &X) -> Result<X, Error> {
        count(&self.calls.gradient);
        Ok(X::from_slice(&self.slope(x.as_slice())))
    }
}

impl<X: ParamVec> Hessian for Fit<X> {
    type Param = X;
    type Hessian = X::Matrix;
    fn hessian(&self, x: &X) -> Result<X::Matrix, Error> {
        count(&self.calls.hessian);
        let n = x.as_slice().len();
        Ok(X::Matrix::from_fn(n, n, |i, j| self.curvature(i, j)))
    }
}

impl<X: ParamVec> Operator for Fit<X> {
    type Param = X;
    type Output = X;
    fn apply(&self, x: &X) -> Result<X, Error> {
        count(&self.calls.apply);
        Ok(X::from_slice(&self.residuals(x.as_slice())))
    }
}

impl<X: ParamVec> Jacobian for Fit<X> {
    type Param = X;
    type Jacobian = X::Matrix;
    fn jacobian(&self, _x: &X) -> Result<X::Matrix, Error> {
        count(&self.calls.jacobian);
        Ok(X::Matrix::from_fn(self.a.len(), self.a[0].len(), |i, j| {
            self.a[i][j]
        }))
    }
}
