//! `--plot`: what the picture holds, and what is refused.
#![allow(clippy::unwrap_used)]

use crate::bench::*;

#[cfg(not(feature = "plot"))]
#[test]
fn a_program_that_cannot_draw_says_so() {
    small().refused(
        "A.npy",
        "b.npy",
        &["--plot", "p.svg"],
        "--plot needs a program that can draw: cargo build --release --features cli,plot",
    );
}

#[cfg(feature = "plot")]
mod drawn {
    use super::*;
    use npyz::Order;
    use std::fs;

    const BLACK: &str = "#000000";
    const ORANGE: &str = "#D55E00";
    const GREEN: &str = "#009E73";
    /// Each kind of marker is also in the legend.
    const LEGEND: usize = 1;

    /// The numbers of markers of a colour.
    fn circles(svg: &str, colour: &str) -> usize {
        let tree = roxmltree::Document::parse(svg).unwrap();
        let nodes = tree.descendants().filter(|n| n.has_tag_name((SVG, "circle")));
        nodes.filter(|n| n.attribute("fill") == Some(colour)).count()
    }

    const SVG: &str = "http://www.w3.org/2000/svg";

    fn picture(bench: &Bench) -> String {
        fs::read_to_string(bench.path("p.svg")).unwrap()
    }

    fn texts(svg: &str) -> String {
        let tree = roxmltree::Document::parse(svg).unwrap();
        let texts = tree.descendants().filter(|n| n.has_tag_name((SVG, "text")));
        texts
            .filter_map(|n| n.text())
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn as_many_markers_as_data_and_coefficients() {
        let bench = small();
        let ran = bench
            .nnls("A.npy", "b.npy", &["--plot", "p.svg", "--json"])
            .solved();
        let svg = picture(&bench);
        assert_eq!(circles(&svg, BLACK), 3 + LEGEND);
        assert_eq!(circles(&svg, ORANGE), 2 + LEGEND);
        let iterations = usize::try_from(ran.json()["iterations"].as_u64().unwrap()).unwrap();
        // one point per limit of iterations, the end included
        assert!((2..=iterations + 1).contains(&(circles(&svg, GREEN) - LEGEND)));
        let words = texts(&svg);
        for label in [
            "data b",
            "fit A x",
            "row of A",
            "column of A",
            "iterations",
            "ρ, no unit",
        ] {
            assert!(words.contains(label), "{label} is missing: {words}");
        }
        assert!(!words.contains("bounds"));
        assert_eq!(bench.names(), ["A.npy", "b.npy", "p.svg", "x.npy"]);
    }

    #[test]
    fn names_stand_at_the_axes() {
        let bench = small();
        bench.bytes(
            "A.csv",
            b",Fe<II>,a very long name\nfirst,1,1\nsecond,0,1\nthird,1,0\n",
        );
        bench.bytes("B.csv", b",dark,light\n0,1,3\n1,2,2\n2,-1,2\n");
        let options = ["--plot", "p.svg", "--plot-number", "1"];
        bench.nnls("A.csv", "B.csv", &options).solved();
        let words = texts(&picture(&bench));
        for label in [
            "Fe<II>",
            "a very lo…",
            "first",
            "second",
            "third",
            "right-hand side 1 (light)",
        ] {
            assert!(words.contains(label), "{label} is missing: {words}");
        }
    }

    #[test]
    fn bounds_and_simplex() {
        let bench = small();
        bench.bounds(&[0.0, f64::NEG_INFINITY], &[0.25, f64::INFINITY]);
        bench.bvls("A.npy", "b.npy", &["--plot", "p.svg"]).solved();
        assert!(texts(&picture(&bench)).contains("bounds"));
        bench.simplex("A.npy", "b.npy", &["--plot", "p.svg"]).solved();
        assert!(!texts(&picture(&bench)).contains("bounds"));
    }

    #[test]
    fn one_of_several_is_asked_for() {
        let bench = small();
        bench.npy("B.npy", &[3, 2], Order::C, &[1.0, 3.0, 2.0, 2.0, -1.0, 2.0]);
        let plot = ["--plot", "p.svg"];
        let sentence = "--plot draws one of 2 right-hand sides: --plot-number says which, 0 to 1";
        bench.refused("A.npy", "B.npy", &plot, sentence);
        let sentence = "--plot-number 2: the right-hand sides have the numbers 0 to 1";
        bench.refused(
            "A.npy",
            "B.npy",
            &["--plot", "p.svg", "--plot-number", "2"],
            sentence,
        );
        let mut pictures = Vec::new();
        for number in ["0", "1"] {
            bench
                .nnls("A.npy", "B.npy", &["--plot", "p.svg", "--plot-number", number])
                .solved();
            pictures.push(picture(&bench));
        }
        assert_ne!(pictures[0], pictures[1]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_before_the_solve() {
        let bench = small();
        let sentence = "none/p.svg: cannot be written: the directory none does not exist";
        bench.refused("A.npy", "b.npy", &["--plot", "none/p.svg"], sentence);
        bench.refused(
            "A.npy",
            "b.npy",
            &["--plot", "."],
            ".: cannot be written: it is a directory",
        );
        for (place, why) in [
            ("p.png", "pictures are written as .svg"),
            ("x", "x goes there"),
            ("./x", "x goes there"),
        ] {
            let args = [
                "nnls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x", "--plot", place,
            ];
            let ran = bench.run(&args);
            assert_eq!(
                ran.stderr,
                format!("reparam: {place}: cannot be written: {why}\n")
            );
            assert_eq!(
                (ran.code, bench.names()),
                (Some(1), vec!["A.npy".into(), "b.npy".into()])
            );
        }
    }
}
