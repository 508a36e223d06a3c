"""Time against size, ours beside scipy's nnls and L-BFGS-B: the picture docs/pictures/growth.svg and a table in docs/performance.md.

Needs numpy, scipy and matplotlib (from an environment of your own) and the program `reparam`:

    python benches/growth.py target/release/reparam docs/pictures/growth.svg [largest dense size in bytes]

Dense: m = 2n normal entries, b = A x + noise with half of x positive. Sparse: m = 2n, ten normal entries a column, b likewise.
A solver that took longer than LIMIT seconds is not run on larger sizes. L-BFGS-B has scaled columns, and products only; it
stops at the first point whose residual is 1e-6 (checked on every evaluation, outside the clock). Times are of the solve alone, the
median of three below a second. Memory: the largest resident set of our command over the size of A in memory.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import matplotlib
import numpy as np
import scipy.io
import scipy.optimize
import scipy.sparse

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

LIMIT = 20.0
DENSE = [7, 20, 70, 200, 700, 2000, 7000, 20000]
SPARSE = [10, 100, 1000, 10_000, 100_000, 1_000_000]


def problem(kind, n):
    random = np.random.default_rng(n)
    m = 2 * n
    if kind == "dense":
        a = np.empty((m, n), order="F")
        for j in range(n):
            a[:, j] = random.standard_normal(m)
    else:
        rows = random.integers(0, m, 10 * n)
        columns = np.repeat(np.arange(n), 10)
        a = scipy.sparse.csc_array((random.standard_normal(10 * n), (rows, columns)), shape=(m, n))
    x = np.maximum(random.standard_normal(n), 0)
    return a, a @ x + 0.1 * random.standard_normal(m)


def norms(a):
    squares = a.multiply(a).sum(axis=0) if scipy.sparse.issparse(a) else np.einsum("ij,ij->j", a, a)
    return np.sqrt(np.asarray(squares).ravel())


def residual(a, b, c, x):
    g = a.T @ (a @ x - b)
    return np.max(np.abs(np.minimum(c * x, g / np.where(c > 0, c, 1)))) / np.linalg.norm(b)


def ours(program, folder, a, b):
    matrix = folder / ("A.mtx" if scipy.sparse.issparse(a) else "A.npy")
    if scipy.sparse.issparse(a):
        scipy.io.mmwrite(matrix, scipy.sparse.coo_array(a), precision=17)
    else:
        np.save(matrix, a)
    np.save(folder / "b.npy", b)
    command = [program, "nnls", "--matrix", matrix, "--rhs", folder / "b.npy", "--out", folder / "x.npy", "--json"]
    # started by a small process: what a program forks from counts in its peak
    starter = "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(os.wait4(p.pid, 0)[2].ru_maxrss, file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", starter, *map(str, command)], capture_output=True, text=True, check=True)
    answer, peak = json.loads(process.stdout), int(process.stderr.split()[-1])
    runs = [answer["seconds"]]
    if runs[0] < 1:
        more = subprocess.run(list(map(str, command)) + ["--repeat", "5"], stdout=subprocess.PIPE, text=True, check=True)
        runs = json.loads(more.stdout)["seconds_all"]
    matrix.unlink()
    return float(np.median(runs)), peak * 1024, np.load(folder / "x.npy")


def scipy_nnls(a, b, c):
    start = time.perf_counter()
    x, _ = scipy.optimize.nnls(a, b, maxiter=30 * a.shape[1])
    return time.perf_counter() - start, x


class Reached(Exception):
    pass


def lbfgsb(a, b, c):
    scale = np.where(c > 0, c, 1)
    size = np.linalg.norm(b)
    best = {}
    start = time.perf_counter()
    outside = 0.0

    def value(y):
        nonlocal outside
        r = a @ (y / scale) - b
        g = (a.T @ r) / scale
        now = time.perf_counter()
        if np.max(np.abs(np.minimum(y, g))) <= 1e-6 * size:
            best["x"] = y / scale
            raise Reached
        if now - start > 3 * LIMIT:
            raise Reached
        outside += time.perf_counter() - now
        return 0.5 * r @ r, g

    try:
        scipy.optimize.minimize(
            value,
            np.zeros(a.shape[1]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * a.shape[1],
            options={"maxiter": 100_000, "maxfun": 100_000, "ftol": 0, "gtol": 0},
        )
    except Reached:
        pass
    return time.perf_counter() - start - outside, best.get("x")


def median_time(solve, *args):
    runs = []
    while len(runs) < 3 and sum(runs) < 3.0:
        seconds, x = solve(*args)
        runs.append(seconds)
    return float(np.median(runs)), x


def main():
    program, picture = sys.argv[1], pathlib.Path(sys.argv[2])
    largest = float(sys.argv[3]) if len(sys.argv) > 3 else 8e9
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
    for axis, kind, sizes in zip(axes, ["dense", "sparse"], [DENSE, SPARSE]):
        lines = {"reparam": [], "scipy nnls": [], "L-BFGS-B (ρ ≤ 1e-6)": []}
        print(f"\n| {kind}, n | entries | reparam | ρ | memory / A | scipy nnls | L-BFGS-B |\n|---|---|---|---|---|---|---|")
        for n in sizes:
            if kind == "dense" and 16.0 * n * n > largest:
                continue
            a, b = problem(kind, n)
            c = norms(a)
            sparse = kind == "sparse"
            entries = a.nnz if sparse else a.size
            size = (16 if sparse else 8) * entries
            with tempfile.TemporaryDirectory(dir=picture.parent) as folder:
                seconds, memory, x = ours(program, pathlib.Path(folder), a, b)
            cells = [f"{n}", f"{entries}", f"{seconds:.3g} s", f"{residual(a, b, c, x):.0e}", f"{memory / size:.2f}" if size > 3e7 else "–"]
            lines["reparam"].append((entries, seconds))
            peers = [("scipy nnls", scipy_nnls, not sparse), ("L-BFGS-B (ρ ≤ 1e-6)", lbfgsb, True)]
            for name, solve, can in peers:
                line = lines[name]
                # what the next size would cost, from the last two
                if not can or (line and line[-1][1] > LIMIT):
                    cells.append("–")
                    continue
                seconds, x = median_time(solve, a, b, c)
                good = x is not None and residual(a, b, c, x) <= 1.1e-6
                cells.append(f"{seconds:.3g} s" if good else f"not within {seconds:.0f} s")
                line.append((entries, seconds if good else np.inf))
            print("| " + " | ".join(cells) + " |", flush=True)
        for name, marker in zip(lines, "os^"):
            points = [(e, s) for e, s in lines[name] if np.isfinite(s)]
            if points:
                axis.loglog(*zip(*points), marker=marker, label=name)
        axis.set_xlabel("entries of A" if kind == "dense" else "nonzero entries of A")
        axis.set_ylabel("seconds")
        axis.set_title(f"{kind}, m = 2n")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    main()
