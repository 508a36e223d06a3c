"""The 23 functions with bounds by scipy's L-BFGS-B, from the same starts: the other half of a table in docs/methods.md.

Needs numpy and scipy (from an environment of your own):  python benches/scipy_bounds.py

Functions come from the field `formula` of tests/data/nonlinear/bounds/*.json, gradients by complex steps, which are exact
to rounding for these analytic functions. `reached`: f - f* <= 1e-9 max(1, |f*|).
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import minimize

FOLDER = pathlib.Path(__file__).parent.parent / "tests/data/nonlinear/bounds"
NAMES = {name: getattr(np, name) for name in ["exp", "log", "sin", "cos", "sqrt"]} | {"E": np.e, "pi": np.pi}
STEP = 1e-30


def function(problem):
    code = compile(problem["formula"], problem["name"], "eval")
    n = problem["n"]

    def value(x):
        # the formulas are data of this repository; nothing else is evaluated
        return eval(code, {"__builtins__": {}}, NAMES | {f"x{j + 1}": x[j] for j in range(n)})

    def value_gradient(x):
        g = np.empty(n)
        for j in range(n):
            z = x.astype(complex)
            z[j] += 1j * STEP
            g[j] = value(z).imag / STEP
        return float(np.real(value(x.astype(complex)))), g

    return value_gradient


def main():
    print(f"scipy {scipy.__version__}, L-BFGS-B, memory 10, ftol 1e-15, gtol 1e-9")
    print("| problem | evaluations | f - f* | projected gradient | message |\n|---|---|---|---|---|")
    total, missed = 0, []
    for path in sorted(FOLDER.glob("*.json")):
        p = json.loads(path.read_text())
        f = function(p)
        x = np.array(p["x"])
        assert abs(f(x)[0] - p["objective"]) <= 1e-9 * max(1.0, abs(p["objective"])), p["name"]
        lower = np.array([-np.inf if b is None else b for b in p["lower"]])
        upper = np.array([np.inf if b is None else b for b in p["upper"]])
        options = {"maxcor": 10, "ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000, "maxfun": 100_000}
        with np.errstate(all="ignore"):
            r = minimize(f, p["start"], jac=True, method="L-BFGS-B", bounds=list(zip(lower, upper)), options=options)
            g = f(r.x)[1]
        excess = (r.fun - p["objective"]) / max(1.0, abs(p["objective"]))
        projected = np.abs(np.clip(r.x - g, lower, upper) - r.x).max()
        total += r.nfev
        if not excess <= 1e-9:
            missed.append(p["name"])
        print(f"| {p['name']} | {r.nfev} | {excess:.1e} | {projected:.0e} | {r.message} |")
    print(f"\n{total} evaluations of f and its gradient; f* not reached: {', '.join(missed)}")


if __name__ == "__main__":
    main()
