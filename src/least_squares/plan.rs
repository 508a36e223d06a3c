//! Which methods are tried, in which order, and why: features in, a plan out.
//!
//! ```
//! use reparam::least_squares::plan::{Features, Method, Storage, plan};
//!
//! // tall and dense: a few dozen products first, a Gram matrix of all columns only if they do not arrive
//! let tall = Features::new(Storage::Dense, 2000, 500);
//! let methods: Vec<Method> = plan(&tall).steps.iter().map(|step| step.method).collect();
//! assert_eq!(methods[1], Method::ProjectedCg);
//! println!("{}", plan(&tall));
//! ```

use crate::outcome::Phase;
use std::fmt;

/// Up to so many columns the Gram matrix of them all costs less than to find out which are needed.
pub(super) const SMALL_GRAM: usize = 48;
/// From so many columns on projected conjugate gradients are tried before a Gram matrix of them all; with fewer, the active set on a growing
/// factor is as fast and ends at rounding.
pub(super) const MANY_COLUMNS: usize = 240;
/// With at least this many rows, and [`WIDE`]/10 times as many columns as rows, b can be interpolated as a rule.
pub(super) const MANY_ROWS: usize = 128;
/// Columns over rows, in tenths.
const WIDE: usize = 19;
/// Rows over columns, as a fraction: with fewer rows A is nearly square, and most products would be in vain.
const NEARLY_SQUARE: (usize, usize) = (6, 5);
/// Rows over columns from which a Gram matrix is so cheap that products give up early where nearly all columns stay.
const TALL: usize = 3;
/// Part of the columns that a growing factor may hold where nothing cheaper is left: two thirds.
const MOST: (usize, usize) = (2, 3);
/// Part of the rows that a growing factor may hold where b can be interpolated: a quarter.
const FEW_OF_ROWS: usize = 4;
/// Passes that projected conjugate gradients may take before a Gram matrix of n columns, which costs about n/32 of them: n/6, at least 80.
const PASSES: (f64, f64) = (6.0, 80.0);
/// Coordinate descent gives up when it predicts that it needs more sweeps than this, where it may well converge …
const SWEEPS: usize = 60;
/// … and where a rough answer is wanted.
const FEW_SWEEPS: usize = 10;
/// A face of more columns than this is too large for working sets.
pub(super) const LARGE_WORKING_SET: usize = super::methods::working_set::LARGEST / 2;
/// Passes after which well-conditioned columns would have shown themselves to projected conjugate gradients, with a face that is too large
/// for working sets.
const BEFORE_INTERIOR: f64 = 150.0;
/// Passes to find a face for working sets: as many as make a few Gram matrices of it, and no more than this.
const BEFORE_WORKING_SETS: f64 = 1500.0;
/// With products only, a face of more columns than this is left to the lift first: every column of it costs a product.
const LARGE_FACE: usize = 1000;
/// A QR factor of more elements than this (800 MB of f64) is not attempted …
pub(super) const QR_ELEMENTS: usize = 100_000_000;
/// … nor one of a sparse A of more than this: products take the same memory to the end sooner.
pub(super) const QR_ELEMENTS_OF_SPARSE: usize = QR_ELEMENTS / 4;
/// Passes of a method that has no other to hand over to.
pub(super) const UNLIMITED: f64 = 1e5;
/// Over bounds: from so many columns on projected conjugate gradients are tried before a Gram matrix of them all …
const MANY_COLUMNS_OVER_BOUNDS: usize = 100;
/// … and from so many on their face is worth starting from when they have not got there: a factor of all columns costs more.
const WORTH_A_START: usize = 700;
/// With a sum: up to so many columns, right-hand sides share a Gram matrix.
const SHARED_GRAM: usize = 1000;
/// With a sum most coordinates are at bounds, as a rule: a growing factor may hold so many columns, and a sixth of all. It has then cost a third of
/// what a Gram matrix of all columns costs.
const FACE_WITH_SUM: (usize, usize) = (10, 6);
/// Steps of accelerated projected gradients that find a face to start from …
const FEW_GRADIENTS: usize = 300;
/// … and that are tried where exact methods have stalled: what these have not settled more of them seldom settle.
pub(super) const MANY_GRADIENTS: usize = 5000;

/// How A is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// A dense matrix, or a small sparse one that was written out.
    Dense,
    /// A by columns, sparse.
    Sparse,
    /// Products with A and Aᵀ only.
    Products,
}

/// The set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Set {
    /// x ≥ 0
    NonNegative,
    /// lo ≤ x ≤ hi
    Bounds,
    /// Bounds, and a sum.
    Sum,
}

/// What a plan rests on: measured once, before the first method.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Features {
    /// The set.
    pub set: Set,
    /// How A is stored.
    pub storage: Storage,
    /// m
    pub rows: usize,
    /// n
    pub columns: usize,
    /// Whether neighbouring columns are coherent (nearly parallel), as kernels sampled on a grid are: from the cosines of a dozen pairs.
    pub coherent: bool,
    /// Whether many right-hand sides share the Gram matrix.
    pub shared: bool,
    /// How many coordinates of the start are positive, where one was given.
    pub start: Option<usize>,
}

impl Features {
    /// x ≥ 0, one right-hand side, no start, incoherent columns.
    #[must_use]
    pub fn new(storage: Storage, rows: usize, columns: usize) -> Self {
        Self {
            set: Set::NonNegative,
            storage,
            rows,
            columns,
            coherent: false,
            shared: false,
            start: None,
        }
    }

    /// Over this set.
    #[must_use]
    pub fn over(mut self, set: Set) -> Self {
        self.set = set;
        self
    }

    /// With neighbouring columns that are coherent.
    #[must_use]
    pub fn coherent(mut self, yes: bool) -> Self {
        self.coherent = yes;
        self
    }

    /// With a Gram matrix that many right-hand sides share.
    #[must_use]
    pub fn shared(mut self, yes: bool) -> Self {
        self.shared = yes;
        self
    }

    /// With a start of which so many coordinates are positive.
    #[must_use]
    pub fn start(mut self, support: Option<usize>) -> Self {
        self.start = support;
        self
    }

    /// m < 1.2 n
    fn is_nearly_square(&self) -> bool {
        NEARLY_SQUARE.1 * self.rows < NEARLY_SQUARE.0 * self.columns
    }

    /// Whether the plan depends on the coherence of neighbouring columns.
    pub(super) fn asks_for_coherence(&self) -> bool {
        self.storage == Storage::Dense
            && !self.shared
            && match self.set {
                Set::NonNegative => self.columns >= SMALL_GRAM,
                Set::Bounds => self.columns <= self.rows,
                Set::Sum => false,
            }
    }

    /// Whether b can be A x for some x ≥ 0, as a rule.
    pub(super) fn may_interpolate(&self) -> bool {
        self.rows >= MANY_ROWS && 10 * self.columns >= WIDE * self.rows
    }
}

/// A method of least squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The active set on a growing Cholesky factor of AᵀA; on a QR factor where that is not exact.
    GrowingGram,
    /// The active set on a growing QR factor.
    GrowingQr,
    /// Block exchange on AᵀA of all columns.
    BlockExchange,
    /// Projected conjugate gradients.
    ProjectedCg,
    /// The least distance of {x ≥ 0 : A x = b} to an interior point.
    LeastDistance,
    /// Coordinate descent.
    CoordinateDescent,
    /// Working sets, each solved exactly.
    WorkingSets,
    /// Interior points.
    InteriorPoint,
    /// Conjugate gradients on the lift x = u∘u.
    LiftedCg,
    /// Accelerated projected gradients.
    AcceleratedGradient,
    /// The active set on a Gram matrix of all columns, which many right-hand sides share.
    SharedGram,
}

impl Method {
    /// As [`Solution::phase`](crate::Solution::phase) calls it.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::GrowingGram | Self::GrowingQr => Phase::ActiveSet,
            Self::BlockExchange => Phase::BlockExchange,
            Self::ProjectedCg => Phase::ProjectedCg,
            Self::AcceleratedGradient => Phase::AcceleratedGradient,
            Self::LeastDistance => Phase::LeastDistance,
            Self::CoordinateDescent => Phase::CoordinateDescent,
            Self::WorkingSets | Self::SharedGram => Phase::WorkingSet,
            Self::InteriorPoint => Phase::InteriorPoint,
            Self::LiftedCg => Phase::ConjugateGradient,
        }
    }
}

/// How long the active set on a growing factor goes on: while it has priced at most `rounds` times and holds at most `columns`, and beyond
/// that, where `while_half_leave`, for as long as half of the columns that were offered have left again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// Pricing passes.
    pub rounds: usize,
    /// Columns of the factor.
    pub columns: usize,
    /// Whether it goes on while half of what is offered leaves again.
    pub while_half_leave: bool,
}

impl Growth {
    const TO_THE_END: Self = Self {
        rounds: usize::MAX,
        columns: usize::MAX,
        while_half_leave: false,
    };

    /// Up to so many columns.
    fn up_to(columns: usize) -> Self {
        Self {
            columns,
            ..Self::TO_THE_END
        }
    }

    /// For so many rounds, and while half of what is offered leaves again.
    fn for_rounds(rounds: usize) -> Self {
        Self {
            rounds,
            columns: usize::MAX,
            while_half_leave: true,
        }
    }

    /// Whether the active set goes on after so many rounds, with so many columns, of the last `offered` ones `gained` of which have stayed.
    pub(super) fn goes_on(&self, rounds: usize, columns: usize, gained: usize, offered: usize) -> bool {
        (rounds <= self.rounds && columns <= self.columns) || (self.while_half_leave && 2 * gained <= offered)
    }
}

/// What a method may spend before the next one is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// To its own end.
    Unlimited,
    /// Passes over A.
    Passes(f64),
    /// Passes over A, given up early where nearly all columns stay.
    PassesIfSparse(f64),
    /// Passes over A that depend on how many columns are positive.
    OfFace {
        /// More columns than this are many: then to the end, in at most …
        many: usize,
        /// … so many passes.
        to_the_end: f64,
        /// Fewer: to a residual of 1e-5 only, in as many passes as a few Gram matrices of the face cost, at most so many.
        to_find_it: f64,
    },
    /// To a residual of 1e-5 only, in at most so many passes over A.
    Rough(f64),
    /// Coordinate descent: gives up when it predicts that it needs more sweeps than this.
    Sweeps(usize),
    /// The same for a rough answer, which is not the end though it may be a solution.
    RoughSweeps(usize),
    /// Steps.
    Steps(usize),
    /// A growing factor.
    Growth(Growth),
    /// To a residual of ε^0.4.
    Moderate,
}

/// Where a method begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Begin {
    /// At the start that was given; without one at zero, at a feasible point near it, or wherever the method itself would.
    Start,
    /// At zero, whatever the start.
    Zero,
    /// Where the step before ended.
    Last,
    /// Where projected conjugate gradients ended, if they spent a quarter of their budget: given up sooner, most columns stay. Else at the start.
    Products,
    /// At the solution of the problem without bounds, cut off at the bounds; at the start, where there is one.
    WithoutBounds,
    /// Where the step before ended, with the coordinates at their bounds that their multipliers take there.
    Face,
    /// Where interior points ended.
    Inside,
}

/// When a step is taken, once no step before has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// In any case.
    Always,
    /// The columns with the largest Aᵀb are nearly parallel, or explain b.
    FewColumnsExplain,
    /// The growing factor was not tried.
    NotGrown,
    /// Half of the columns that were offered first to the growing factor have left again.
    HalfLeft,
    /// A QR factor of the columns between their bounds fits into memory.
    FactorFits,
    /// At most so many columns are positive, or between their bounds, and a QR factor of them fits into memory.
    FewFit(usize),
    /// At most so many columns are positive, or between their bounds.
    FewStay(usize),
    /// More columns than that are positive.
    ManyStay(usize),
    /// The exchange came to an end that is not exact.
    Inexact,
    /// The exchange failed: its states cycled, or the Gram matrix was singular.
    NoExchange,
}

/// One step of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What is tried.
    pub method: Method,
    /// When.
    pub when: When,
    /// From where.
    pub begin: Begin,
    /// For how long.
    pub budget: Budget,
    /// Why.
    pub why: &'static str,
}

/// Methods in the order in which they are tried, until one converges.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, step) in self.steps.iter().enumerate() {
            let line = if k == 0 { "" } else { "\n" };
            write!(
                f,
                "{line}{}. {:?}, {:?}, from {:?}, {:?}: {}",
                k + 1,
                step.method,
                step.when,
                step.begin,
                step.budget,
                step.why
            )?;
        }
        Ok(())
    }
}

fn step(method: Method, when: When, budget: Budget, why: &'static str) -> Step {
    Step {
        method,
        when,
        begin: Begin::Start,
        budget,
        why,
    }
}

impl Step {
    fn from(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }
}

/// The plan.
#[must_use]
pub fn plan(features: &Features) -> Plan {
    let steps = match (features.set, features.storage) {
        (Set::NonNegative, Storage::Dense) if features.columns <= features.rows => tall(features),
        (Set::NonNegative, Storage::Dense) => wide(features),
        (Set::NonNegative, Storage::Sparse) => sparse(Budget::Sweeps(SWEEPS)),
        (Set::NonNegative, Storage::Products) => products(),
        (_, Storage::Dense) => dense_over_bounds(features),
        (set, Storage::Sparse) => sparse_over_bounds(set == Set::Sum),
        (_, Storage::Products) => products_over_bounds(),
    };
    Plan { steps }
}

/// The plan of a method that was asked for by name: what it needs before it, where it needs anything.
pub(super) fn by_name(set: Set, storage: Storage, method: Method) -> Vec<Step> {
    let why = "asked for by name";
    let mut steps = match (method, set, storage) {
        (Method::WorkingSets, Set::NonNegative, Storage::Products) => products(),
        (Method::WorkingSets, Set::NonNegative, _) => sparse(Budget::RoughSweeps(FEW_SWEEPS)),
        (Method::WorkingSets, ..) => sparse_over_bounds(set == Set::Sum),
        _ => vec![step(method, When::Always, Budget::Unlimited, why)],
    };
    steps.iter_mut().take(1).for_each(|first| first.why = why);
    steps
}

/// What projected conjugate gradients may spend before a Gram matrix of `columns` and its factor.
fn few_passes(columns: usize) -> f64 {
    (columns as f64 / PASSES.0).max(PASSES.1)
}

/// The same for A with at least as many rows as columns; None where the Gram matrix is cheap, with fewer columns than `fewest`, or A so nearly
/// square that most products would be in vain.
fn products_before_gram(rows: usize, columns: usize, fewest: usize) -> Option<Budget> {
    let nearly_square = Features::new(Storage::Dense, rows, columns).is_nearly_square();
    (columns >= fewest && !nearly_square).then(|| {
        let passes = few_passes(columns);
        if rows < TALL * columns {
            Budget::PassesIfSparse(passes)
        } else {
            Budget::Passes(passes)
        }
    })
}

/// n ≤ m: the active set while few of the columns that are offered stay, products where they can beat a Gram matrix of all columns, block
/// exchange, and where that is not exact the active set from where it ended.
fn tall(f: &Features) -> Vec<Step> {
    let n = f.columns;
    let products = products_before_gram(f.rows, n, MANY_COLUMNS);
    // (a factor of a large face grows column by column: from a start that has one the exchange is faster)
    let large_start = f.start.is_some_and(|k| 3 * k > n);
    let grows = n >= SMALL_GRAM && !f.shared && !large_start;
    let growth = |rounds: Option<usize>| {
        let most = Growth::up_to(MOST.0 * n / MOST.1);
        Budget::Growth(rounds.filter(|_| !f.coherent).map_or(most, Growth::for_rounds))
    };
    let mut steps = Vec::new();
    if grows && products.is_some() {
        let why = "the columns with the largest Aᵀb are nearly parallel, or explain b: few will do";
        steps.push(step(
            Method::GrowingGram,
            When::FewColumnsExplain,
            growth(Some(3)),
            why,
        ));
    } else if grows {
        let rounds = f.is_nearly_square().then_some(1);
        let why = "a factor that grows with the columns needed costs less than one of them all";
        steps.push(step(Method::GrowingGram, When::Always, growth(rounds), why));
    }
    if let Some(budget) = products {
        let why = "m ≥ 1.2 n: a few dozen products cost less than a Gram matrix of all columns";
        steps.push(step(Method::ProjectedCg, When::Always, budget, why));
        if grows {
            let why = "the products did not converge";
            steps.push(step(Method::GrowingGram, When::NotGrown, growth(Some(3)), why));
        }
    } else if grows && n >= MANY_COLUMNS {
        let why = "one direction dominates: a few dozen matrix-vector products settle the rest";
        let budget = Budget::Passes(few_passes(n));
        steps.push(step(Method::ProjectedCg, When::HalfLeft, budget, why).from(Begin::WithoutBounds));
    }
    let why = "a Gram matrix of all columns: it is cheap or shared, or most columns are needed";
    steps.push(step(Method::BlockExchange, When::Always, Budget::Unlimited, why).from(Begin::Products));
    let why = "the Gram matrix squares the condition number: a QR factor does not";
    steps.push(step(Method::GrowingQr, When::Inexact, Budget::Unlimited, why).from(Begin::Last));
    let (last, why) = if n < SMALL_GRAM {
        (
            Method::GrowingQr,
            "with so few columns as fast as a Gram matrix, and more reliable",
        )
    } else {
        (
            Method::GrowingGram,
            "the exchange failed: the active set always comes to an end",
        )
    };
    steps.push(step(last, When::NoExchange, Budget::Unlimited, why));
    steps
}

/// n > m: the active set; where the face would not stay small and b may well be A x for some x ≥ 0, such an x by least distance first.
fn wide(f: &Features) -> Vec<Step> {
    let mut steps = Vec::new();
    let interpolates = f.may_interpolate();
    // (a start that would not be a small face is one to stay near to)
    let near = interpolates && f.start.is_some_and(|k| FEW_OF_ROWS * k > f.rows);
    if !near {
        let growth = if interpolates {
            Growth {
                rounds: if f.coherent { usize::MAX } else { 4 },
                columns: f.rows / FEW_OF_ROWS,
                while_half_leave: true,
            }
        } else {
            Growth::TO_THE_END
        };
        let why = "more columns than rows: few of them are needed";
        steps.push(step(
            Method::GrowingGram,
            When::Always,
            Budget::Growth(growth),
            why,
        ));
    }
    if interpolates {
        // (after a factor that grew too large the start is no guide)
        let begin = if near { Begin::Start } else { Begin::Zero };
        let why = "n ≥ 1.9 m: b can be interpolated, as a rule";
        steps.push(step(Method::LeastDistance, When::Always, Budget::Unlimited, why).from(begin));
    }
    let begin = if near { Begin::Zero } else { Begin::Last };
    let why = "the active set always comes to an end";
    steps.push(step(Method::GrowingGram, When::Always, Budget::Unlimited, why).from(begin));
    steps
}

/// Coordinate descent; where it slows down products to find a face, then working sets; interior points where thousands of columns stay.
fn sparse(sweeps: Budget) -> Vec<Step> {
    let (few, many) = (
        When::FewStay(LARGE_WORKING_SET),
        When::ManyStay(LARGE_WORKING_SET),
    );
    let end = "no earlier method converged";
    let last = |method, when, budget, why| step(method, when, budget, why).from(Begin::Last);
    vec![
        step(Method::CoordinateDescent, When::Always, sweeps, "A is sparse"),
        last(
            Method::ProjectedCg,
            When::Always,
            Budget::OfFace {
                many: LARGE_WORKING_SET,
                to_the_end: BEFORE_INTERIOR,
                to_find_it: BEFORE_WORKING_SETS,
            },
            "coordinate descent has found a face to start from",
        ),
        last(
            Method::WorkingSets,
            few,
            Budget::Unlimited,
            "few coordinates are positive",
        ),
        last(
            Method::GrowingGram,
            When::FewFit(LARGE_WORKING_SET),
            Budget::Unlimited,
            "the working sets did not converge",
        ),
        last(
            Method::InteriorPoint,
            many,
            Budget::Unlimited,
            "thousands of coordinates are positive: all at once, with a preconditioner for their coupling",
        ),
        step(
            Method::LiftedCg,
            many,
            Budget::Unlimited,
            "interior points did not converge",
        )
        .from(Begin::Inside),
        last(Method::ProjectedCg, When::Always, Budget::Passes(UNLIMITED), end),
        last(Method::CoordinateDescent, When::Always, Budget::Unlimited, end),
    ]
}

/// Over bounds: block exchange, and the active set from where it ended when that is not exact; before it what may well be cheaper. With a sum
/// that is the active set, until its face is large; else the active set where neighbours are coherent, and products.
fn dense_over_bounds(f: &Features) -> Vec<Step> {
    let (n, has_sum) = (f.columns, f.set == Set::Sum);
    let always = |method, budget, why| step(method, When::Always, budget, why);
    let end = "the active set always comes to an end";
    if has_sum && f.shared && n <= SHARED_GRAM {
        let why = "other right-hand sides share the Gram matrix";
        return vec![
            always(Method::SharedGram, Budget::Unlimited, why),
            always(
                Method::GrowingQr,
                Budget::Unlimited,
                "a QR factor does not square the condition number",
            )
            .from(Begin::Last),
        ];
    }
    if n > f.rows + usize::from(has_sum) {
        let why = "more columns than rows: few of them are between their bounds";
        return vec![always(Method::GrowingQr, Budget::Unlimited, why)];
    }
    let mut steps = Vec::new();
    if has_sum {
        let growth = Growth::up_to(FACE_WITH_SUM.0 + n / FACE_WITH_SUM.1);
        let why = "with a sum most coordinates are at bounds, as a rule";
        steps.push(always(Method::GrowingQr, Budget::Growth(growth), why));
    } else if !f.shared {
        if f.coherent {
            let why = "neighbouring columns are nearly parallel: few of them are between their bounds";
            steps.push(always(Method::GrowingQr, Budget::Unlimited, why));
        }
        if let Some(budget) = products_before_gram(f.rows, n, MANY_COLUMNS_OVER_BOUNDS) {
            let why = "m ≥ 1.2 n: a few dozen products cost less than a Gram matrix of all columns";
            steps.push(always(Method::ProjectedCg, budget, why));
        }
    }
    let why = "a Gram matrix of all columns: it is cheap or shared, or most columns are needed";
    // (the face of a small problem costs less to find than products that have not found it are worth)
    let begin = if n >= WORTH_A_START {
        Begin::Products
    } else {
        Begin::Start
    };
    steps.push(always(Method::BlockExchange, Budget::Unlimited, why).from(begin));
    let why = "the Gram matrix squares the condition number: a QR factor does not";
    steps.push(step(Method::GrowingQr, When::Inexact, Budget::Unlimited, why).from(Begin::Last));
    steps.push(step(Method::GrowingQr, When::NoExchange, Budget::Unlimited, end).from(Begin::Last));
    steps
}

/// Over bounds: what finds a face (no single coordinate can move where there is a sum), working sets, and where those do not converge slower
/// methods to the end.
fn sparse_over_bounds(has_sum: bool) -> Vec<Step> {
    let always = |method, budget, why| step(method, When::Always, budget, why).from(Begin::Last);
    let end = "no earlier method converged";
    let mut steps = if has_sum {
        vec![always(
            Method::AcceleratedGradient,
            Budget::Steps(FEW_GRADIENTS),
            "A is sparse",
        )]
    } else {
        vec![
            always(Method::CoordinateDescent, Budget::Sweeps(SWEEPS), "A is sparse"),
            always(
                Method::ProjectedCg,
                Budget::Rough(BEFORE_WORKING_SETS),
                "coordinate descent has found a face to start from",
            ),
        ]
    };
    let few = When::FewStay(LARGE_WORKING_SET);
    let why = "few coordinates are between their bounds";
    steps.push(step(Method::WorkingSets, few, Budget::Unlimited, why).from(Begin::Last));
    steps.push(step(Method::GrowingQr, When::FactorFits, Budget::Unlimited, end).from(Begin::Last));
    if has_sum {
        steps.push(always(Method::AcceleratedGradient, Budget::Unlimited, end));
    } else {
        steps.push(always(Method::ProjectedCg, Budget::Passes(UNLIMITED), end));
        steps.push(always(Method::CoordinateDescent, Budget::Unlimited, end));
    }
    steps
}

/// Over bounds: projected gradients to find the face, then the active set from there.
fn products_over_bounds() -> Vec<Step> {
    let gradients =
        |budget, why| step(Method::AcceleratedGradient, When::Always, budget, why).from(Begin::Last);
    vec![
        gradients(Budget::Steps(FEW_GRADIENTS), "only products are known"),
        step(
            Method::GrowingQr,
            When::FactorFits,
            Budget::Unlimited,
            "projected gradients have found the free coordinates",
        )
        .from(Begin::Face),
        gradients(
            Budget::Unlimited,
            "the active set did not converge, or its factor would be too large",
        ),
    ]
}

/// The lift to a moderate accuracy, then the active set from the face that it predicts.
fn products() -> Vec<Step> {
    let large =
        "the face is large, and every column of it costs a product: the lift may well get there first";
    vec![
        step(
            Method::LiftedCg,
            When::Always,
            Budget::Moderate,
            "only products are known",
        ),
        step(
            Method::LiftedCg,
            When::ManyStay(LARGE_FACE),
            Budget::Unlimited,
            large,
        )
        .from(Begin::Last),
        step(
            Method::GrowingGram,
            When::FactorFits,
            Budget::Unlimited,
            "the lift has found a face",
        )
        .from(Begin::Face),
        step(
            Method::LiftedCg,
            When::FewStay(LARGE_FACE),
            Budget::Unlimited,
            "the active set did not converge, or its factor would be too large",
        )
        .from(Begin::Last),
    ]
}
