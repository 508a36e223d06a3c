//! A process that has solved with threads forks: the child has one thread, and solves all the same.

use super::*;

/// Large enough for threads everywhere: products, Gram matrix, factors, and right-hand sides side by side.
fn answers() -> Vec<Vec<f64>> {
    let (m, n) = (900, 400);
    let mut random = Random::new(5);
    let a: Vec<f64> = random.normals(m * n);
    let b: Vec<f64> = random.normals(3 * m);
    let a = Dense::column_major(&a, m, n).unwrap();
    let mut all: Vec<Vec<f64>> = [Strategy::Auto, Strategy::BlockExchange, Strategy::ProjectedCg]
        .into_iter()
        .map(|s| Nnls::new(&a).strategy(s).solve(&b[..m]).unwrap().x)
        .collect();
    all.extend(Nnls::new(&a).solve_many(&b).unwrap().into_iter().map(|s| s.x));
    let bounded = BoundedLeastSquares::new(&a, &vec![-0.01; n], &vec![0.01; n]);
    all.push(bounded.solve(&b[..m]).unwrap().x);
    all
}

/// A child that runs f and ends with what it says; None when it has not ended after a minute.
#[allow(unsafe_code)]
fn in_a_child(f: impl FnOnce() -> bool) -> Option<bool> {
    // SAFETY: the child has the calling thread alone; it computes, touches no lock of another test, and ends without unwinding into them
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        let right = catch_unwind(AssertUnwindSafe(f)).unwrap_or(false);
        // SAFETY: ends the process at once
        unsafe { libc::_exit(i32::from(!right)) }
    }
    let mut status = 0;
    for _ in 0..6000 {
        // SAFETY: a child of this process, and a place for its status
        if unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == child {
            return Some(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: a child of this process that hangs
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, &raw mut status, 0);
    }
    None
}

#[test]
fn a_forked_child_solves() {
    let here = answers();
    // in the child, in a child of the child, and outside of rayon's threads as well as in a pool of the caller's
    let right = in_a_child(|| answers() == here && in_a_child(|| answers() == here) == Some(true));
    assert_eq!(right, Some(true), "None: the child hangs");
    assert_eq!(answers(), here);
}

#[test]
fn a_forked_child_solves_in_its_own_pool() {
    let here = threads::with_threads(2, answers);
    let right = in_a_child(|| threads::with_threads(2, answers) == here);
    assert_eq!(right, Some(true), "None: the child hangs");
}
