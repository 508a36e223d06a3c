//! The Markdown pages: what they show can be pasted, and is compiled and run as it is shown. And the folders of the source: none depends on
//! one that depends on it.
#![allow(clippy::unwrap_used)]

use reparam::maps::Bounds;
use reparam::objectives::FromFn;
use reparam::{Minimize, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a directory with this ending.
fn files(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    files(&root().join("docs"), "md", &mut pages);
    assert!(pages.len() > 15);
    pages
}

/// The blocks of Rust of a page.
fn programs(page: &str) -> Vec<String> {
    let mut programs = Vec::new();
    let mut inside: Option<(bool, String)> = None;
    for line in page.lines() {
        match (&mut inside, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                // (rustdoc takes a block without a language for Rust, too)
                let rust =
                    language.is_empty() || language.contains("rust") || language.contains("should_panic");
                inside = Some((rust, String::new()));
            }
            (None, None) => {}
            (Some(_), Some(_)) => {
                if let Some((true, program)) = inside.take() {
                    programs.push(program);
                }
            }
            (Some((_, program)), None) => {
                program.push_str(line);
                program.push('\n');
            }
        }
    }
    assert!(inside.is_none(), "a block is not closed");
    programs
}

/// rustdoc hides lines that begin with `# ` from its own pages, but whoever reads Markdown sees and pastes them. And without `fn main`
/// rustdoc wraps a block in one, which the reader's compiler does not.
#[test]
fn programs_are_shown_whole() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for program in programs(&text) {
            let place = page.display();
            let hidden = program.lines().find(|line| {
                let line = line.trim_start();
                line == "#" || line.starts_with("# ")
            });
            assert_eq!(hidden, None, "a line that rustdoc hides in {place}:\n{program}");
            assert!(
                program.contains("fn main()"),
                "no `fn main()` in {place}:\n{program}"
            );
            count += 1;
        }
    }
    assert!(count >= 12, "{count} programs were found");
}

/// A page with a program is one of those whose programs `cargo test --doc` runs.
#[test]
fn programs_are_run() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let sources: Vec<String> = sources
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for page in pages() {
        if programs(&fs::read_to_string(&page).unwrap()).is_empty() {
            continue;
        }
        let place = page.strip_prefix(root()).unwrap().display().to_string();
        let included = format!("/{place}\")]");
        let found = sources.iter().any(|source| {
            source
                .lines()
                .any(|line| line.contains("include_str!") && line.ends_with(&included))
        });
        assert!(found, "no file of src includes {place}");
    }
}

/// What docs/guide.md says of closures that forget their gradient, in part or altogether.
#[test]
fn a_closure_without_its_gradient() {
    let solve = |write: fn(&mut [f64])| {
        let f = FromFn::new(2, move |x: &[f64], g: &mut [f64]| {
            write(g);
            Ok((x[0] - 0.3).powi(2) + (x[1] - 0.7).powi(2))
        });
        let map = Bounds::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
        Minimize::new(f, map).unwrap().start(&[0.5, 0.5]).run().unwrap()
    };
    assert_eq!(solve(|_| {}).status, Status::NotFinite);
    assert_eq!(solve(|g| g[0] = 0.4).status, Status::NotFinite);
    let zeros = solve(|g| g.fill(0.0));
    assert_eq!(zeros.status, Status::Stationary);
    assert!(zeros.x.iter().all(|x| (x - 0.5).abs() < 1e-12), "{:?}", zeros.x);
}

/// The folders (and files) of `src` that a text names after `crate::`.
fn folders_named(text: &str, folders: &BTreeSet<String>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => &list[..list.find("};").unwrap()],
            None => rest,
        };
        // the first word of every item of a list that is not in braces of its own
        let mut depth = 0;
        let mut word = String::new();
        let mut first = true;
        for c in list.chars().chain([',']) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                c if first && depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                ' ' | '\n' if word.is_empty() => {}
                c => {
                    if folders.contains(&word) {
                        named.insert(word.clone());
                    }
                    word.clear();
                    first = c == ',' && depth == 0;
                    if !rest.starts_with('{') {
                        break;
                    }
                }
            }
        }
    }
    named
}

#[test]
fn folders_form_no_cycle() {
    let src = root().join("src");
    let mut sources = Vec::new();
    files(&src, "rs", &mut sources);
    let top = |path: &Path| {
        let first = path.strip_prefix(&src).unwrap().iter().next().unwrap();
        first.to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let folders: BTreeSet<String> = sources
        .iter()
        .map(|path| top(path))
        .filter(|name| !["lib", "bin"].contains(&name.as_str()))
        .collect();
    assert!(folders.len() > 15);
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in &sources {
        let name = top(path);
        if !folders.contains(&name) {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let code: String = text
            .lines()
            .map(|line| format!("{}\n", line.split("//").next().unwrap()))
            .collect();
        let mut named = folders_named(&code, &folders);
        named.remove(&name);
        uses.entry(name).or_default().extend(named);
    }
    assert!(uses["solve"].contains("methods") && uses["methods"].contains("lifted"));
    // take away, again and again, what depends on nothing that is left
    while let Some(lowest) = uses
        .iter()
        .find(|(_, named)| named.is_empty())
        .map(|(name, _)| name.clone())
    {
        uses.remove(&lowest);
        uses.values_mut().for_each(|named| {
            named.remove(&lowest);
        });
    }
    assert!(uses.is_empty(), "these depend on each other: {uses:#?}");
}
